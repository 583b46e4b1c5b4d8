"""Money from outside: what came into a book or left it is no profit and no loss.

To tell that money left makes the day's loss smaller, and so lets more risk through than the control
of that loss would: beyond a small part of that control's limit, and beyond what one person may
let go of plans, somebody else has to tell the same; what people told alone counts together over the
day. To tell that money came makes the loss larger; for that one person is enough, as for a halt.

Names are what whoever asks says they are: nothing here tells one person from another who takes two.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlmodel import col, select

from allocator.execution.entries import Entry
from allocator.execution.office import Office
from allocator.models.base import ZERO, exact, plain
from allocator.models.controls import ApprovalConfig, ControlsConfig
from allocator.models.errors import RefusedError
from allocator.models.records import EventRow, OpeningRow
from allocator.risk.approvals import person

TOLD, PAID = "told", "paid"
ALONE = Decimal("0.1")
"""Most part of the limit of a day's loss that leaves on one person's word."""
Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Payment:
    """Money that came into a book, or left it.

    Attributes
    ----------
    amount
        Numeraire; negative: it left.
    """

    amount: Decimal
    reason: str
    who: str


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of what somebody told.

    Attributes
    ----------
    opening
        What the control of the day's loss counts from now, numeraire; None: it counts from what
        the book is worth at the day's first plan, which has the payment in it.
    waits
        Number by which somebody else has to confirm it before it counts; None: it counts.
    """

    opening: Decimal | None
    waits: int | None = None


def most_alone(approval: ApprovalConfig, controls: ControlsConfig) -> Decimal | None:
    """Tell what may leave in a day on one person's word, numeraire; None: nothing.

    A part of the limit of the day's loss at most, so that no one person lifts that limit by more;
    where either limit is not set, somebody else is always needed.
    """
    second, loss = approval.second_above, controls.daily_loss
    return None if second is None or loss is None else min(second, loss * ALONE)


def paid(
    office: Office, payment: Payment, alone: Decimal | None, confirms: int | None = None
) -> Taken:
    """Tell that money came into the book today, or left it.

    What is told before the day's first plan moves no opening: the book is worth less or more by
    then. It is kept all the same, for triggers and the history count from midnight.

    Parameters
    ----------
    alone
        Numeraire that may leave in a day on one person's word; None: nothing.
    confirms
        Number of what somebody else has told, which is confirmed by telling the same amount.

    Raises
    ------
    RefusedError
        Without an amount, a reason or a name; or when nothing like it waits for somebody else to
        confirm it.
    """
    if not payment.reason.strip() or not payment.who.strip():
        raise RefusedError("NO_REASON: money from outside needs a reason and a name")
    if not payment.amount:
        raise RefusedError("NO_AMOUNT: nothing came and nothing left")
    with office.write() as entry:
        day = f"{entry.at:%Y-%m-%d}"
        row, said = _opening(entry, office.portfolio, day), _said(entry, office.portfolio, day)
        facts: dict[str, Any] = {
            "amount": plain(payment.amount),
            "reason": payment.reason,
            "who": payment.who,
        }
        subject = f"portfolio:{office.portfolio}"
        if confirms is not None:
            first = _confirmed(said, payment, confirms)
            facts |= {"confirms": confirms, "first": first["who"]}
            # Before the first plan it was told already: what that found lacks it, or has it.
            row = row if first.get("opened", True) else None
        elif _needs_second(said, payment, alone):
            number = 1 + sum(what == TOLD for what, _ in said)
            opened = row is not None
            entry.event(subject, TOLD, day=day, number=number, opened=opened, **facts)
            entry.alert("paid_told", day=day, number=number, **facts)
            return Taken(None if row is None else row.equity, number)
        entry.alert("paid", day=day, **facts)
        if row is not None:
            row.equity += payment.amount
            entry.session.add(row)
            facts["equity"] = plain(row.equity)
        entry.event(subject, PAID, day=day, **facts)
        return Taken(None if row is None else row.equity)


def _opening(entry: Entry, portfolio: str, day: str) -> OpeningRow | None:
    query = select(OpeningRow).where(OpeningRow.portfolio == portfolio, OpeningRow.day == day)
    return entry.session.exec(query).first()


def _said(entry: Entry, portfolio: str, day: str) -> list[tuple[str, Facts]]:
    """List what was told of a day, in order."""
    query = select(EventRow.what, EventRow.facts_json).where(
        EventRow.subject == f"portfolio:{portfolio}", col(EventRow.what).in_((TOLD, PAID))
    )
    rows = entry.session.exec(query.order_by(col(EventRow.seq)))
    said = [(what, json.loads(text)) for what, text in rows]
    return [(what, facts) for what, facts in said if facts.get("day") == day]


def _needs_second(
    said: Sequence[tuple[str, Facts]], payment: Payment, alone: Decimal | None
) -> bool:
    """Whether more would have left today on one person's word than may."""
    if payment.amount > ZERO:
        return False
    told = [exact(f["amount"]) for what, f in said if what == PAID and "confirms" not in f]
    left = sum((-amount for amount in told if amount < ZERO), -payment.amount)
    return alone is None or left > alone


def _confirmed(said: Sequence[tuple[str, Facts]], payment: Payment, number: int) -> Facts:
    """Find what was told first and is confirmed now.

    Raises
    ------
    RefusedError
        When it is not there, is confirmed already, is another amount, or was told by the same.
    """
    first = next((f for what, f in said if what == TOLD and f["number"] == number), None)
    done = any(f.get("confirms") == number for _, f in said)
    if first is None or done or exact(first["amount"]) != payment.amount:
        raise RefusedError(f"NOT_TOLD: number={number} amount={plain(payment.amount)}")
    if person(first["who"]) == person(payment.who):
        raise RefusedError(f"SAME_EYES: told_by={first['who']} confirmed_by={payment.who}")
    return first
