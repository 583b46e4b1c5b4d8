"""Sizes as numbered actions with prices."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from allocator.models.account import Side
from allocator.models.base import ZERO
from allocator.models.errors import SnapshotError
from allocator.models.plan import Action, Order, PositionMove, Transfer
from allocator.plan.lots import Sizes
from allocator.state import Book, Pair, lawful
from allocator.verify import price_range


@dataclass(frozen=True)
class Place:
    """Where an action stands: its number, its group, what it waits for."""

    seq: int
    group: str | None
    after: tuple[int, ...]


@lawful
def actions_of(book: Book, sizes: Sizes) -> tuple[Action, ...]:
    """Write sizes as actions that wait for nothing: transfers, moves, orders, sorted."""
    out = list[Action]()
    for name, amount in sorted(sizes.transfers.items()):
        route = book.routes[name]
        ends = {"from": route.source, "to": route.target, "asset": route.asset}
        known = {"seq": len(out) + 1, "route": name, "amount": amount}
        out.append(Transfer.model_validate({**known, **ends}))
    for (source, target, instrument), quantity in sorted(sizes.moves.items()):
        known = {"seq": len(out) + 1, "instrument": instrument, "quantity": quantity}
        out.append(PositionMove.model_validate({**known, "from": source, "to": target}))
    for key, signed in sorted(sizes.orders.items()):
        out.append(order_of(book, key, signed, Place(len(out) + 1, None, ())))
    return tuple(out)


def arranged(
    actions: Sequence[Action], units: Sequence[tuple[tuple[int, ...], Collection[tuple[int, ...]]]]
) -> tuple[Action, ...]:
    """Give numbers to actions in an order of units; orders of one unit share a group.

    A group waits for what any member waits for: its first one says it for all.

    Parameters
    ----------
    units
        Actions that go together, by position, each with the units that it waits for; those
        stand before it.
    """
    seqs: dict[tuple[int, ...], tuple[int, ...]] = {}
    out = list[Action]()
    groups = 0
    for unit, needs in units:
        after = tuple(sorted(seq for other in needs for seq in seqs[other]))
        groups += len(unit) > 1
        named = {"group": f"g{groups}"} if len(unit) > 1 else {}
        first = len(out) + 1
        for at in unit:
            out.append(
                actions[at].model_copy(update={"seq": len(out) + 1, "after": after, **named})
            )
            after = ()
        seqs[unit] = tuple(range(first, len(out) + 1))
    return tuple(out)


def order_of(book: Book, key: Pair, signed: Decimal, place: Place) -> Order:
    """Make one order; it is reduce_only if it can only bring the position nearer to zero."""
    row = book.instruments[key[1]]
    held = ZERO if row.is_spot else book.quantity.get(key, ZERO)
    reduces = held * signed < 0 and abs(signed) <= abs(held)
    side: Side = "buy" if signed > 0 else "sell"
    return Order(
        seq=place.seq,
        account=key[0],
        instrument=key[1],
        side=side,
        quantity=abs(signed),
        limit_price=book.once(
            ("limit price", key[1], side), lambda: _limit_price(book, key, side, abs(signed))
        ),
        reduce_only=reduces,
        group=place.group,
        after=place.after,
    )


def _limit_price(book: Book, key: Pair, side: Side, quantity: Decimal) -> Decimal:
    """Take the worst allowed price on the tick grid: the collar, or one tick beyond the quote."""
    tick = book.instruments[key[1]].tick
    order = Order(
        seq=1, account=key[0], instrument=key[1], side=side, quantity=quantity, limit_price=tick
    )
    allowed = price_range(book, order)
    if allowed is None:
        raise SnapshotError(f"{key[1]}: no quotes, so no limit price")
    low, high = allowed
    if side == "buy":
        return (high / tick).to_integral_value(ROUND_FLOOR) * tick
    price = (low / tick).to_integral_value(ROUND_CEILING) * tick
    return price if price > 0 else (high / tick).to_integral_value(ROUND_FLOOR) * tick
