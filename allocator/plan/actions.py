"""Sizes as numbered actions with prices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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


@lawful
def numbered(book: Book, sizes: Sizes, steps: Sequence[Step]) -> tuple[Action, ...]:
    """Number the steps' actions; orders of one step share a group."""
    out = list[Action]()
    last: list[tuple[int, ...]] = []
    groups = 0
    for step in steps:
        after = tuple(sorted({seq for at in step.after for seq in last[at]}))
        first = len(out) + 1
        group = None
        if len(step.orders) > 1:
            groups += 1
            group = f"g{groups}"
        out += _step(book, sizes, step, first, group, after)
        last.append(tuple(range(first, len(out) + 1)))
    return tuple(out)


def _step(
    book: Book, sizes: Sizes, step: Step, seq: int, group: str | None, after: tuple[int, ...]
) -> Iterable[Action]:
    if step.route is not None:
        route = book.routes[step.route]
        yield Transfer(
            seq=seq,
            route=route.id,
            source=route.source,
            target=route.target,
            asset=route.asset,
            amount=sizes.transfers[route.id],
            after=after,
        )
    if step.move is not None:
        source, target, instrument = step.move
        yield PositionMove(
            seq=seq,
            source=source,
            target=target,
            instrument=instrument,
            quantity=sizes.moves[step.move],
            after=after,
        )
    for order, key in enumerate(step.orders):
        yield order_of(book, key, sizes.orders[key], seq + order, group, after)


def order_of(
    book: Book,
    key: Pair,
    signed: Decimal,
    seq: int,
    group: str | None = None,
    after: tuple[int, ...] = (),
) -> Order:
    """Make one order; it is reduce_only if it can only bring the position nearer to zero."""
    row = book.instruments[key[1]]
    held = ZERO if row.is_spot else book.quantity.get(key, ZERO)
    reduces = held * signed < 0 and abs(signed) <= abs(held)
    draft = Order(
        seq=seq,
        account=key[0],
        instrument=key[1],
        side="buy" if signed > 0 else "sell",
        quantity=abs(signed),
        limit_price=row.mark,
        reduce_only=reduces,
        group=group,
        after=after,
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
