"""Margin that is missing: the margin part of S in problem.md section 3."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from allocator.margin.collateral import collateral
from allocator.margin.pools import pools, requirements
from allocator.margin.stress import Shocked, binding_stresses
from allocator.models.base import ONE, ZERO
from allocator.state import Book, State, lawful


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that is missing.

    Attributes
    ----------
    kind
        Of what.
    about
        The account, and the settle asset in single-asset mode; or the limit's id.
    amount
        Numeraire, not negative.
    frozen
        Whether only frozen accounts could mend it, so that it is outside S.
    """

    kind: Literal["margin", "limit"]
    about: tuple[str, ...]
    amount: Decimal
    frozen: bool

    @property
    def what(self) -> str:
        """Name it: ``margin <account>``, ``margin <account> <asset>`` or ``limit <id>``."""
        return " ".join((self.kind, *self.about))


@lawful
def margin_shortfalls(book: Book, state: State, account: str) -> tuple[Missing, ...]:
    """Work out, pool by pool, the largest of initial, buffered maintenance and stress shortfall.

    Money that was on its way before the plan counts as collateral here, and here only.
    """
    key = ("shortfalls", account, state.holdings[account])
    return book.once(key, lambda: _shortfalls(book, state, account))


def _shortfalls(book: Book, state: State, account: str) -> tuple[Missing, ...]:
    out = list[Missing]()
    row = book.accounts[account]
    for pool in pools(book, account):
        held = collateral(book, state, account, pool, arrivals=True)
        needed = requirements(book, state, account, pool)
        gaps = [
            needed.initial - held,
            (ONE + book.policy.margin_buffer) * needed.maintenance - held,
        ]
        stresses = binding_stresses(book, account)
        if stresses:
            shocked = Shocked.of(book, state, account, pool, arrivals=True)
            gaps += [shocked.stressed(stress) for stress in stresses]
        about = (account,) if pool is None else (account, pool)
        out.append(Missing("margin", about, max(ZERO, *gaps), row.state == "frozen"))
    return tuple(out)
