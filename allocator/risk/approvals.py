"""Who has to let a plan go, and whether they have. Pure; the journal keeps the verdicts.

A verdict is bound to the plan's hash, which covers the snapshot's and the mandate's hash and
every action; it holds only while the snapshot is young enough.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from allocator.models.base import ZERO
from allocator.models.controls import ApprovalConfig
from allocator.models.plan import Action, Plan, Transfer
from allocator.state import Book, lawful

IGNORABLE = frozenset(
    chr(code)
    for first, last in (
        (0x00AD, 0x00AD), (0x034F, 0x034F), (0x061C, 0x061C), (0x115F, 0x1160),
        (0x17B4, 0x17B5), (0x180B, 0x180F), (0x200B, 0x200F), (0x202A, 0x202E),
        (0x2060, 0x206F), (0x2800, 0x2800), (0x3164, 0x3164), (0xFE00, 0xFE0F),
        (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3),
        (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
    )
    for code in range(first, last + 1)
)  # fmt: skip
"""Default_Ignorable_Code_Point of Unicode 16 (DerivedCoreProperties.txt), and the blank pattern
of braille: of any category, and shown as nothing."""

UNSEEN = frozenset({"Cc", "Cf", "Cn", "Co"})
"""Categories of Unicode's characters that leave no mark: control, format, none, private use."""

Judged = Literal["approved", "rejected"]
Said = Literal["approved", "rejected", "retracted"]
"""Where a verdict stands: an approval may be taken back; a rejection is for good."""
Status = Literal["auto", "waiting", "approved", "rejected", "expired"]


def person(name: str) -> str:
    """Tell who a name is of: how it is spaced, capitalised or encoded makes nobody else of one.

    What cannot be seen (a space of no width, a direction mark, a filler) is left out, and letters
    that Unicode calls compatible, such as those of full width, are the same.

    >>> person(" Ann  Lee") == person("ann lee") == person("A\u200bnn \uff2cee")
    True
    """
    plain = unicodedata.normalize("NFKC", name)
    seen = "".join(r for r in plain if r.isspace() or _is_seen(r))
    return unicodedata.normalize("NFKC", " ".join(seen.split()).casefold())


def _is_seen(letter: str) -> bool:
    return letter not in IGNORABLE and unicodedata.category(letter) not in UNSEEN


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one person said of a plan."""

    plan_hash: str
    who: str
    verdict: Said
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a plan may go.

    Attributes
    ----------
    needed
        People who have to approve, beside whoever proposed it.
    turnover
        What it moves, numeraire.
    expires_at
        From here on its snapshot is too old.
    """

    plan_hash: str
    status: Status
    needed: int
    turnover: Decimal
    approvers: tuple[str, ...]
    rejected_by: tuple[str, ...]
    expires_at: datetime

    @property
    def may_go(self) -> bool:
        """Whether nobody is waited for."""
        return self.status in ("auto", "approved")


@lawful
def turnover_of(book: Book, actions: Iterable[Action]) -> Decimal:
    """Add up what actions trade, move and transfer, numeraire."""
    total = ZERO
    for action in actions:
        if isinstance(action, Transfer):
            total += action.amount * book.price(action.asset)
        else:
            total += action.quantity * book.notional(action.instrument)
    return total


def needed(config: ApprovalConfig, plan: Plan, turnover: Decimal) -> int:
    """Tell how many people have to approve a plan: none, one or two."""
    auto, second = config.auto_below, config.second_above
    if plan.status == "nothing" and not plan.actions:
        # There is nothing to let go, and what waits is to be what somebody has to look at.
        return 0
    if plan.status == "act" and auto is not None and turnover <= auto:
        return 0
    return 1 if second is not None and turnover <= second else 2


def standing(
    book: Book, plan: Plan, verdicts: Iterable[Verdict], config: ApprovalConfig, now: datetime
) -> Standing:
    """Work out where a plan stands."""
    turnover = turnover_of(book, plan.actions)
    mine = [row for row in verdicts if row.plan_hash == plan.plan_hash]
    approvers = tuple(sorted(row.who for row in mine if row.verdict == "approved"))
    rejected = tuple(sorted(row.who for row in mine if row.verdict == "rejected"))
    wanted = needed(config, plan, turnover)
    expires = book.snapshot.as_of + timedelta(seconds=float(config.max_age_s))
    status: Status = "approved" if wanted else "auto"
    if rejected:
        status = "rejected"
    elif now > expires:
        status = "expired"
    elif len(approvers) < wanted:
        status = "waiting"
    return Standing(plan.plan_hash, status, wanted, turnover, approvers, rejected, expires)
