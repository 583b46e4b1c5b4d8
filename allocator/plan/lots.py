"""Wished sizes in whole lots: the one crossing from float to Decimal.

Positions are rounded toward zero risk (|q'| down), transfers down to a step inside what the route
allows; the exact law is asked afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from allocator.models.base import ZERO
from allocator.models.market import Instrument
from allocator.state import Book, Pair, lawful

MoveKey = tuple[str, str, str]

GRAIN = Decimal("1e-9")
"""Fraction of a lot that a float may be short of a whole one."""

SNAP = Decimal("0.001")
"""Numeraire by which an amount may miss a step that it was meant to be, at most a tenth of it."""

CRUMB = Decimal("0.01")
"""Fraction of a lot below which an order is none."""

FREE_STEP = Decimal("1e-6")
"""Step of a route without one, in numeraire's worth of the asset."""


@dataclass(frozen=True)
class Sizes:
    """What a plan does, by action; compared and hashed by what it does.

    Attributes
    ----------
    orders
        Signed contracts (base units of spot) by (account, instrument).
    transfers
        Asset units by route.
    moves
        Contracts by (from, to, instrument).
    """

    orders: Mapping[Pair, Decimal] = field(default_factory=dict[Pair, Decimal])
    transfers: Mapping[str, Decimal] = field(default_factory=dict[str, Decimal])
    moves: Mapping[MoveKey, Decimal] = field(default_factory=dict[MoveKey, Decimal])

    def __hash__(self) -> int:
        return hash((*self.orders.items(), *self.transfers.items(), *self.moves.items()))

    @property
    def count(self) -> int:
        """Number of actions."""
        return len(self.orders) + len(self.transfers) + len(self.moves)


@dataclass(frozen=True)
class Wish:
    """The same in floats, as the program wishes it."""

    orders: Mapping[Pair, float]
    transfers: Mapping[str, float]
    moves: Mapping[MoveKey, float]


@lawful
def rounded(book: Book, wish: Wish) -> Sizes:
    """Round every size; what rounds to nothing is dropped."""
    orders = {key: order_lots(book, key, _exact(size)) for key, size in wish.orders.items()}
    transfers = {name: transfer_steps(book, name, _exact(v)) for name, v in wish.transfers.items()}
    moves = {
        key: _down(_exact(size), book.instruments[key[2]].lot) for key, size in wish.moves.items()
    }
    return Sizes(
        {key: size for key, size in sorted(orders.items()) if size},
        {name: size for name, size in sorted(transfers.items()) if size > 0},
        {key: size for key, size in sorted(moves.items()) if size > 0},
    )


def _exact(value: float) -> Decimal:
    return Decimal(repr(float(value)))


def _down(size: Decimal, lot: Decimal) -> Decimal:
    return (size / lot + GRAIN).to_integral_value(ROUND_FLOOR) * lot


def _up(size: Decimal, lot: Decimal) -> Decimal:
    return (size / lot - GRAIN).to_integral_value(ROUND_CEILING) * lot


def order_lots(book: Book, key: Pair, wished: Decimal) -> Decimal:
    """Round a signed order so that the position ends nearer to zero.

    A closing order takes the whole position if lots allow; an order below the smallest one is
    raised to it.
    """
    row = book.instruments[key[1]]
    held = ZERO if row.is_spot else book.quantity.get(key, ZERO)
    size, sign = abs(wished), 1 if wished > 0 else -1
    if size < row.lot * CRUMB:
        return ZERO
    reduces = held * wished < 0 and size <= abs(held) * (1 + GRAIN)
    lots = _up(size, row.lot) if reduces else _down(size, row.lot)
    if reduces and lots > abs(held):
        lots = _down(abs(held), row.lot)
    closes = bool(held) and lots == abs(held) and held * wished < 0
    if lots and not closes:
        lots = max(lots, smallest(book, row))
    top = row.max_quantity
    if top is not None and lots > top:
        lots = top // row.lot * row.lot
    return sign * lots


def smallest(book: Book, row: Instrument) -> Decimal:
    """Smallest order that an instrument takes, contracts."""
    wanted = max(row.lot, row.min_quantity, row.min_notional / book.notional(row.id))
    return (wanted / row.lot).to_integral_value(ROUND_CEILING) * row.lot


def step_of(book: Book, name: str) -> Decimal:
    """Step of a route's amounts, asset units; a fine one where the route names none."""
    route = book.routes[name]
    if route.step:
        return route.step
    exponent = (FREE_STEP / book.price(route.asset)).adjusted()
    return Decimal(1).scaleb(exponent)


def _round(book: Book, name: str, wished: Decimal) -> Decimal:
    """Take the round amount, worth about one numeraire times a whole number, that floats missed."""
    price = book.price(book.routes[name].asset)
    grid = Decimal(1).scaleb((1 / price).adjusted())
    whole = (wished / grid).to_integral_value() * grid
    return whole if abs(whole - wished) * price <= SNAP else wished


def most_of(book: Book, name: str) -> Decimal:
    """Largest amount that a route and what may leave allow by themselves, asset units."""
    route, step = book.routes[name], step_of(book, name)
    room = (book.withdrawable(route.source, route.asset) - route.fee) / (1 + route.rate)
    top = room if route.max is None else min(room, route.max)
    return (max(top, ZERO) / step).to_integral_value(ROUND_FLOOR) * step


def transfer_steps(book: Book, name: str, wished: Decimal) -> Decimal:
    """Round an amount down to a step inside the route's bounds.

    One that is a step, or a round amount of a route without steps, but for the noise of floats is
    that amount: where every sender gives all that it has, and every receiver needs it, the step
    below would leave something missing.
    """
    route, step = book.routes[name], step_of(book, name)
    noise = min(SNAP / book.price(route.asset), step / 10)
    amount = _down(wished + noise, step) if route.step else _down(_round(book, name, wished), step)
    least = (route.min / step).to_integral_value(ROUND_CEILING) * step
    return min(max(amount, least), most_of(book, name))
