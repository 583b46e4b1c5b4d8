"""The fees of an order's fills, once all of its fills are told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from allocator.adapters.exact import exactly
from allocator.models.base import ZERO
from allocator.models.errors import VenueError

Fill = tuple[Decimal | None, str, Decimal | None]
"""Quantity without a sign, the currency of the fee, and the fee."""


@exactly
def quantity_of(fills: Iterable[Fill]) -> Decimal:
    """Add up how much the fills filled."""
    return sum((quantity or ZERO for quantity, *_ in fills), ZERO)


@exactly
def fees_of(filled: Decimal, fills: Sequence[Fill]) -> dict[str, Decimal]:
    """Add up what an order cost, by currency.

    Parameters
    ----------
    filled
        How much the order says is filled, in the unit of the fills.

    Raises
    ------
    VenueError
        When the fills are not all of it: a list that comes later than the order tells no fee yet,
        or a part of it.
    """
    told = quantity_of(fills)
    if told != filled:
        raise VenueError(f"fills of {told} and an order filled by {filled}")
    fees = dict[str, Decimal]()
    for _, coin, fee in fills:
        fees[coin] = fees.get(coin, ZERO) + (fee or ZERO)
    return fees
