"""How an order is cut into slices, and what may be sent of it. Pure.

A group is sliced at equal fractions: by slice k of K each leg is asked for k/K of its quantity,
rounded down to lots. What holds the legs together is what was really filled, since lots, smallest
orders and fills in part keep a leg below what is due:

- A leg may be ahead of every other one by a slice, as a share of its quantity; legs of one
  underlying and side share the slice, as they go one after another. What cannot be cut so finely
  counts as a slice of its own: the piece into which a leg falls when it is cut as often as its
  smallest order allows, at most twice that order. Two legs may differ by the slice, or by the
  piece of either, whichever is most.
- A request leaves no rest that is too small to be sent, if it can be smaller or can wait. When no
  leg has moved in a round, nobody waits any longer, and such a rest may be left.
- A leg whose rest is too small to be sent is done; the others may not pass it by more than before.

No group stands still under these rules: the hindmost leg may always go on by a piece, which is
never below its smallest order, unless its own rest is smaller, and then it is done. Slices beyond K
bring in what the last one had to leave.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from fractions import Fraction

from allocator.models.base import ONE, ZERO
from allocator.models.market import Instrument
from allocator.models.plan import Order
from allocator.state import Book, lawful

MOST_PARTS = 50
"""Slices of a group for which the mandate sets no slice size."""

ALL = Fraction(1)


@dataclass(frozen=True, slots=True)
class Leg:
    """An order of a plan with the figures that bound its slices.

    Attributes
    ----------
    notional
        Numeraire per contract.
    smallest
        Contracts of the smallest order that the instrument takes, a multiple of its lot.
    """

    order: Order
    instrument: Instrument
    notional: Decimal
    smallest: Decimal

    @property
    def cuts(self) -> int:
        """Into how many pieces it can be cut."""
        return max(1, int(self.order.quantity / self.smallest))


@dataclass(frozen=True, slots=True)
class Pace:
    """How orders are worked in step.

    Attributes
    ----------
    parts
        In how many slices.
    step
        Share of its quantity by which a leg may be ahead of the others.
    pieces
        Share of its quantity below which a leg cannot be cut, by number of its order.
    """

    legs: tuple[Leg, ...]
    parts: int
    step: Fraction
    pieces: Mapping[int, Fraction]


@lawful
def leg_of(book: Book, order: Order) -> Leg:
    """Gather the figures of an order."""
    units, row = book.units[order.instrument], book.instruments[order.instrument]
    # A whole number of lots, which the division by the notional may miss by its last digit.
    lots = (units.smallest / units.notional / row.lot).to_integral_value()
    return Leg(order=order, instrument=row, notional=units.notional, smallest=lots * row.lot)


@lawful
def parts_of(legs: Sequence[Leg], max_slice: Decimal) -> int:
    """Tell in how many slices orders are worked: no more than the finest leg can be cut into.

    Parameters
    ----------
    max_slice
        Numeraire of a slice, by which a leg may be ahead of the others; zero: the mandate sets
        none, and an order by itself is sent whole.
    """
    if len(legs) == 1 and not max_slice:
        return 1
    most = max(leg.cuts for leg in legs)
    if not max_slice:
        return min(most, MOST_PARTS)
    wanted = _largest(legs) / max_slice
    return max(1, min(most, int(wanted.to_integral_value(ROUND_CEILING))))


@lawful
def pace_of(legs: Sequence[Leg], max_slice: Decimal) -> Pace:
    """Work out how orders are worked in step.

    Parameters
    ----------
    max_slice
        As of `parts_of`; where there is none, legs keep to the slices that they are cut into.
    """
    parts = parts_of(legs, max_slice)
    if max_slice:
        step = Fraction(max_slice) / Fraction(_largest(legs))
    else:
        step = max(_share(leg, _piece(leg, parts)) for leg in legs)
    pieces = {leg.order.seq: _share(leg, _piece(leg, leg.cuts)) for leg in legs}
    return Pace(tuple(legs), parts, step, pieces)


def _largest(legs: Sequence[Leg]) -> Decimal:
    """Numeraire of the larger side of one underlying: its legs go one after another."""
    sides = dict[tuple[str, str], Decimal]()
    for leg in legs:
        side = leg.instrument.underlying or leg.instrument.id, leg.order.side
        sides[side] = sides.get(side, ZERO) + leg.order.quantity * leg.notional
    return max(sides.values())


def _piece(leg: Leg, parts: int) -> Decimal:
    """Contracts of the largest of equal parts, rounded up to lots."""
    lot = leg.instrument.lot
    return (leg.order.quantity / parts / lot).to_integral_value(ROUND_CEILING) * lot


def _share(leg: Leg, quantity: Decimal) -> Fraction:
    return Fraction(quantity) / Fraction(leg.order.quantity)


def rounds(pace: Pace, filled: Callable[[], Mapping[int, Decimal]]) -> Iterator[tuple[int, bool]]:
    """Count the slices of a group until its legs are done or none can go on.

    Parameters
    ----------
    filled
        Tells what is filled of each leg at the moment, by number of its order.

    Yields
    ------
    tuple[int, bool]
        The number, and whether a leg waits rather than leave too small a rest.
    """
    part, patient = 0, True
    while True:
        part += 1
        before = filled()
        yield part, patient
        now = filled()
        if part < pace.parts:
            continue
        if all(now[leg.order.seq] >= leg.order.quantity for leg in pace.legs):
            return
        if now == before:
            if not patient:
                return
            patient = False


@lawful
def due(leg: Leg, part: int, parts: int) -> Decimal:
    """Contracts that should be filled after a slice; all of them after the last."""
    if part >= parts:
        return leg.order.quantity
    return round_down(leg.order.quantity * part / parts, leg.instrument.lot)


@lawful
def goal(  # noqa: PLR0913 - where all legs stand, and what the next request has to heed
    pace: Pace,
    leg: Leg,
    part: int,
    filled: Mapping[int, Decimal],
    held: Decimal,
    *,
    patient: bool = True,
    ahead: Fraction = ALL,
) -> Decimal:
    """Contracts up to which a leg may be filled in a slice.

    Parameters
    ----------
    filled
        What is filled of each leg, by number of its order.
    held
        Signed contracts that its account holds.
    patient
        Whether it waits rather than leave a rest that is too small to be sent.
    ahead
        Share of its quantity at which a leg of the group had to stop: no other goes further.
    """
    order = leg.order
    reach = min(_reach(pace, leg, filled), ahead)
    lots = int(Fraction(order.quantity) * reach / Fraction(leg.instrument.lot))
    target = min(due(leg, part, pace.parts), lots * leg.instrument.lot)
    left, done = order.quantity - target, filled[order.seq]
    closes = order.reduce_only and order.quantity - done == abs(held)
    if ahead < ALL or closes or not ZERO < left < leg.smallest:
        return target
    less = order.quantity - leg.smallest
    if less - done >= leg.smallest:
        return round_down(less, leg.instrument.lot)
    return done if patient else target


def _reach(pace: Pace, leg: Leg, filled: Mapping[int, Decimal]) -> Fraction:
    """Tell the share of a leg that the fills of the others allow."""
    own = max(pace.step, pace.pieces[leg.order.seq])
    shares = (
        _share(other, filled[other.order.seq]) + max(own, pace.pieces[other.order.seq])
        for other in pace.legs
        if other is not leg
    )
    return min((ALL, *shares))


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
def least_requests(pace: Pace, held: Mapping[int, Decimal]) -> int:
    """Count the requests of orders if every one of them is filled whole.

    Parameters
    ----------
    held
        Signed contracts that the account of each holds before the first, by number of the order.
    """
    count, filled = 0, {leg.order.seq: ZERO for leg in pace.legs}
    for part, patient in rounds(pace, lambda: dict(filled)):
        for leg in pace.legs:
            seq, sign = leg.order.seq, ONE if leg.order.side == "buy" else -ONE
            has = held[seq] + sign * filled[seq]
            target = goal(pace, leg, part, filled, has, patient=patient)
            while size := sendable(leg, target - filled[seq], held[seq] + sign * filled[seq]):
                filled[seq] += size
                count += 1
    return count


def round_down(quantity: Decimal, step: Decimal) -> Decimal:
    """Round contracts toward zero to a multiple of a step."""
    return (quantity / step).to_integral_value(ROUND_FLOOR) * step
