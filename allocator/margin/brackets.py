"""Margin that one pair needs, from its brackets.

tiered:          MM = max_k(maintenance_k N - deduction_k), IM = N / leverage
whole_position:  MM = maintenance_k N with k the bracket that holds N, on all of N
Where brackets carry `initial`, IM = max_k(initial_k N - initial_deduction_k).
N is the notional, numeraire; in hedge mode both legs count.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from allocator.margin.terms import terms_of
from allocator.models.base import ONE, ZERO
from allocator.state import Book, lawful


@dataclass(frozen=True, slots=True)
class Requirement:
    """Initial and maintenance margin, numeraire."""

    initial: Decimal = ZERO
    maintenance: Decimal = ZERO

    def __add__(self, other: Requirement) -> Requirement:
        return Requirement(self.initial + other.initial, self.maintenance + other.maintenance)


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

    Raises
    ------
    SnapshotError
        When the pair is held under a bracket model without brackets.
    """
    terms = terms_of(book, account)[instrument]
    notional = terms.notional(quantity) * scale
    return Requirement(terms.initial(notional), terms.maintenance(notional))


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
    """Find the largest notional that the pair's brackets allow, numeraire; None: no brackets.

    Those whose leverage is below the selected one are closed to it. Under scenario margin, which
    knows no leverage, all are open: their caps alone bound the pair.
    """
    tiers = book.tiers.get((account, instrument), ())
    if not tiers:
        return None
    leverage = cap_leverage(book, account, instrument)
    caps = [
        tier.cap
        for tier in tiers
        if tier.initial is not None or (tier.max_leverage or ZERO) >= leverage
    ]
    return max(caps, default=ZERO)


def cap_leverage(book: Book, account: str, instrument: str) -> Decimal:
    """Look up the leverage that a bracket must allow for its cap to count; 0: any does."""
    place = book.position(account, instrument)
    unlevered = book.accounts[account].margin.model == "scenario"
    return ZERO if unlevered or place is None or place.leverage is None else place.leverage
