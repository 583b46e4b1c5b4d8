"""Sizes as numbered actions with prices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from allocator.models.base import ZERO
from allocator.models.errors import SnapshotError
from allocator.models.plan import Action, Order, PositionMove, Transfer
from allocator.plan.lots import MoveKey, Sizes
from allocator.state import Book, Pair, lawful
from allocator.verify import price_range


@dataclass(frozen=True)
class Step:
    """One step of a plan before it is numbered.

    Attributes
    ----------
    orders, route, move
        Orders released together, or one transfer, or one move.
    after
        Steps that come before it, by position in the list of steps.
    """

    orders: tuple[Pair, ...] = ()
    route: str | None = None
    move: MoveKey | None = None
    after: tuple[int, ...] = ()


@dataclass(frozen=True)
class Place:
    """Where an action stands: its number, its group, what it waits for."""

    seq: int
    group: str | None
    after: tuple[int, ...]


@lawful
def numbered(book: Book, sizes: Sizes, steps: Sequence[Step]) -> tuple[Action, ...]:
    """Give numbers to the steps' actions; orders of one step share a group."""
    out = list[Action]()
    last: list[tuple[int, ...]] = []
    groups = 0
    for step in steps:
        after = tuple(sorted({seq for at in step.after for seq in last[at]}))
        first = len(out) + 1
        groups += len(step.orders) > 1
        group = f"g{groups}" if len(step.orders) > 1 else None
        out += _step(book, sizes, step, Place(first, group, after))
        last.append(tuple(range(first, len(out) + 1)))
    return tuple(out)


def _step(book: Book, sizes: Sizes, step: Step, place: Place) -> Iterable[Action]:
    if step.route is not None:
        route = book.routes[step.route]
        ends = {"from": route.source, "to": route.target, "asset": route.asset}
        amount = sizes.transfers[route.id]
        known = {"seq": place.seq, "after": place.after}
        yield Transfer.model_validate({**known, **ends, "route": route.id, "amount": amount})
    if step.move is not None:
        source, target, instrument = step.move
        known = {"seq": place.seq, "after": place.after, "instrument": instrument}
        ends = {"from": source, "to": target}
        yield PositionMove.model_validate({**known, **ends, "quantity": sizes.moves[step.move]})
    for order, key in enumerate(step.orders):
        yield order_of(book, key, sizes.orders[key], replace(place, seq=place.seq + order))


def order_of(book: Book, key: Pair, signed: Decimal, place: Place) -> Order:
    """Make one order; it is reduce_only if it can only bring the position nearer to zero."""
    row = book.instruments[key[1]]
    held = ZERO if row.is_spot else book.quantity.get(key, ZERO)
    reduces = held * signed < 0 and abs(signed) <= abs(held)
    draft = Order(
        seq=place.seq,
        account=key[0],
        instrument=key[1],
        side="buy" if signed > 0 else "sell",
        quantity=abs(signed),
        limit_price=row.mark,
        reduce_only=reduces,
        group=place.group,
        after=place.after,
    )
    return draft.model_copy(update={"limit_price": _limit_price(book, draft)})


def _limit_price(book: Book, order: Order) -> Decimal:
    """Take the worst allowed price on the tick grid: the collar, or one tick beyond the quote."""
    allowed, tick = price_range(book, order), book.instruments[order.instrument].tick
    if allowed is None:
        raise SnapshotError(f"{order.instrument}: no quotes, so no limit price")
    low, high = allowed
    if order.side == "buy":
        return (high / tick).to_integral_value(ROUND_FLOOR) * tick
    price = (low / tick).to_integral_value(ROUND_CEILING) * tick
    return price if price > 0 else (high / tick).to_integral_value(ROUND_FLOOR) * tick
