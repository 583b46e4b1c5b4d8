"""How an order is cut into slices, and what may be sent of it. Pure.

A group is sliced at equal fractions: after slice k of K each leg has been asked for k/K of its
quantity, rounded down to lots. A leg is at most one slice ahead of the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from allocator.models.base import ONE, ZERO
from allocator.models.market import Instrument
from allocator.models.plan import Order
from allocator.state import Book, lawful

MOST_PARTS = 50
"""Slices of a group for which the mandate sets no slice size."""


@dataclass(frozen=True, slots=True)
class Leg:
    """An order of a plan with the figures that bound its slices.

    Attributes
    ----------
    notional
        Numeraire per contract.
    smallest
        Contracts of the smallest order that the instrument takes.
    """

    order: Order
    instrument: Instrument
    notional: Decimal
    smallest: Decimal


@lawful
def leg_of(book: Book, order: Order) -> Leg:
    """Gather the figures of an order."""
    units = book.units[order.instrument]
    return Leg(
        order=order,
        instrument=book.instruments[order.instrument],
        notional=units.notional,
        smallest=units.smallest / units.notional,
    )


@lawful
def parts_of(legs: Sequence[Leg], max_slice: Decimal) -> int:
    """Tell in how many slices orders are worked.

    Parameters
    ----------
    max_slice
        Numeraire of a slice, by which a leg may be ahead of the others; zero: the mandate sets
        none, and an order by itself is sent whole.
    """
    if len(legs) == 1 and not max_slice:
        return 1
    most = min(int(leg.order.quantity / leg.smallest) for leg in legs)
    if not max_slice:
        return max(1, min(most, MOST_PARTS))
    wanted = max(leg.order.quantity * leg.notional / max_slice for leg in legs)
    return max(1, min(most, int(wanted.to_integral_value(ROUND_CEILING))))


@lawful
def due(leg: Leg, part: int, parts: int) -> Decimal:
    """Contracts that should be filled after a slice; all of them after the last."""
    if part >= parts:
        return leg.order.quantity
    return round_down(leg.order.quantity * part / parts, leg.instrument.lot)


@lawful
def in_step(leg: Leg, wanted: Decimal, ahead: Decimal) -> Decimal:
    """Bound what is due of a leg by the fraction that the legs before it have reached."""
    if ahead >= ONE:
        return wanted
    return min(wanted, round_down(leg.order.quantity * ahead, leg.instrument.lot))


@lawful
def sendable(leg: Leg, rest: Decimal, held: Decimal) -> Decimal:
    """Contracts of one request; zero when so little cannot be sent.

    Parameters
    ----------
    rest
        Contracts that are wanted.
    held
        Signed contracts that the account holds: an order that closes them may be small.
    """
    row = leg.instrument
    quantity = round_down(rest, row.lot)
    if row.max_quantity is not None:
        quantity = min(quantity, round_down(row.max_quantity, row.lot))
    closes = leg.order.reduce_only and quantity == abs(held)
    return quantity if quantity > ZERO and (closes or quantity >= leg.smallest) else ZERO


@lawful
def least_requests(leg: Leg, parts: int, held: Decimal) -> int:
    """Count the requests of a leg if every one of them is filled whole.

    Parameters
    ----------
    held
        Signed contracts that its account holds before the first.
    """
    count, filled = 0, ZERO
    sign = ONE if leg.order.side == "buy" else -ONE
    for part in range(1, parts + 1):
        target = due(leg, part, parts)
        while size := sendable(leg, target - filled, held + sign * filled):
            filled += size
            count += 1
    return count


def round_down(quantity: Decimal, step: Decimal) -> Decimal:
    """Round contracts toward zero to a multiple of a step."""
    return (quantity / step).to_integral_value(ROUND_FLOOR) * step
