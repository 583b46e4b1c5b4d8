"""Margin that one pair needs, from its brackets.

tiered:          MM = max_k(maintenance_k N - deduction_k), IM = N / leverage
whole_position:  MM = maintenance_k N with k the bracket that holds N, on all of N
Where brackets carry `initial`, IM = max_k(initial_k N - initial_deduction_k).
N is the notional, numeraire; in hedge mode both legs count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from allocator.models.base import ONE, ZERO
from allocator.models.errors import Problem, SnapshotError
from allocator.models.market import Tier
from allocator.state import Book, lawful


@dataclass(frozen=True, slots=True)
class Requirement:
    """Initial and maintenance margin, numeraire."""

    initial: Decimal = ZERO
    maintenance: Decimal = ZERO

    def __add__(self, other: Requirement) -> Requirement:
        return Requirement(self.initial + other.initial, self.maintenance + other.maintenance)


NONE_NEEDED = Requirement()


def tiers_of(book: Book, account: str, instrument: str) -> Sequence[Tier]:
    """Look up the brackets of a pair.

    Raises
    ------
    SnapshotError
        When the pair is held under a bracket model without brackets.
    """
    tiers = book.tiers.get((account, instrument), ())
    if not tiers:
        path = ("snapshot", "accounts", account, "positions", instrument, "tiers")
        raise SnapshotError([Problem(path, "the margin model needs brackets")])
    return tiers


def contracts_of(book: Book, account: str, instrument: str, quantity: Decimal) -> Decimal:
    """Count the unsigned contracts that need margin: both legs in hedge mode."""
    place = book.position(account, instrument)
    if place is not None and place.legs is not None:
        return place.legs.long + place.legs.short
    return abs(quantity)


@lawful
def requirement(
    book: Book, account: str, instrument: str, quantity: Decimal, scale: Decimal = ONE
) -> Requirement:
    """Compute the margin of one pair.

    Parameters
    ----------
    quantity
        Signed contracts.
    scale
        Factor on the notional per contract, for shocked prices.
    """

    def compute() -> Requirement:
        contracts = contracts_of(book, account, instrument, quantity)
        notional = contracts * book.notional(instrument) * scale
        return of_notional(book, account, instrument, notional)

    if scale != ONE:
        return compute()
    return book.once(("requirement", account, instrument, quantity), compute)


def of_notional(book: Book, account: str, instrument: str, notional: Decimal) -> Requirement:
    """Compute the margin of one pair from its notional, numeraire."""
    if not notional:
        return NONE_NEEDED
    tiers = tiers_of(book, account, instrument)
    held = bracket(tiers, notional)
    place = book.position(account, instrument)
    selected = None if place is None else place.leverage
    leverage = held.max_leverage if selected is None else selected
    if held.initial is not None:
        rows = [notional * (t.initial or ZERO) - t.initial_deduction for t in tiers]
        initial = max(ZERO, *rows)
    else:
        assert leverage is not None
        initial = notional / leverage
    if book.accounts[account].margin.model == "whole_position":
        return Requirement(initial, notional * held.maintenance)
    rows = [notional * t.maintenance - t.deduction for t in tiers]
    return Requirement(initial, max(ZERO, *rows))


def bracket(tiers: Sequence[Tier], notional: Decimal) -> Tier:
    """Find the bracket that holds a notional; the last one above all caps."""
    return next((tier for tier in tiers if notional <= tier.cap), tiers[-1])


@lawful
def breaks(book: Book, account: str, instrument: str, scale: Decimal = ONE) -> tuple[Decimal, ...]:
    """Name the quantities at which the margin of a pair jumps or bends, ascending.

    Between two of them whole_position margin is proportional to |q|. `scale` multiplies the
    notional, for shocked prices.
    """
    unit = book.notional(instrument) * scale
    caps = [tier.cap / unit for tier in book.tiers.get((account, instrument), ())]
    return tuple(sorted({*caps, *(-cap for cap in caps), ZERO}))


def bracket_cap(book: Book, account: str, instrument: str) -> Decimal | None:
    """Find the largest notional that the pair's leverage allows, numeraire; None: no brackets."""
    tiers = book.tiers.get((account, instrument), ())
    if not tiers or book.accounts[account].margin.model == "scenario":
        return None
    place = book.position(account, instrument)
    leverage = ZERO if place is None or place.leverage is None else place.leverage
    caps = [
        tier.cap
        for tier in tiers
        if tier.initial is not None or (tier.max_leverage or ZERO) >= leverage
    ]
    return max(caps, default=ZERO)
