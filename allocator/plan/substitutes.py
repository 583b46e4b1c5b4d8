"""Other ways to the same end: what could stand in for one action of a plan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, Decimal

from allocator.models.base import ONE, ZERO
from allocator.models.plan import Action, Order, PositionMove, Transfer
from allocator.models.reasons import Shortage
from allocator.plan.lots import Sizes, most_of, order_lots, transfer_steps
from allocator.state import Book, Pair

MOST_EACH = 6
"""Alternatives of one action that are judged, the likely cheap ones first."""


@dataclass(frozen=True)
class Substitute:
    """A plan with something else in an action's place."""

    doing: str
    sizes: Sizes


def without(sizes: Sizes, action: Action) -> Sizes:
    """Leave an action out."""
    if isinstance(action, Transfer):
        kept = {name: v for name, v in sizes.transfers.items() if name != action.route}
        return replace(sizes, transfers=kept)
    if isinstance(action, Order):
        key = (action.account, action.instrument)
        return replace(sizes, orders={k: v for k, v in sizes.orders.items() if k != key})
    move = (action.source, action.target, action.instrument)
    return replace(sizes, moves={k: v for k, v in sizes.moves.items() if k != move})


def substitutes(
    book: Book, sizes: Sizes, action: Action, need: Shortage | None
) -> Iterator[Substitute]:
    """Propose what could stand in for an action, the likely cheap ones first.

    Parameters
    ----------
    need
        What would be missing most without it.
    """
    rest = without(sizes, action)
    if isinstance(action, Order):
        yield from _other_books(book, rest, action)
        return
    account = action.target if isinstance(action, Transfer) else action.source
    if isinstance(action, Transfer):
        yield from _other_routes(book, rest, action)
        yield from _orders_elsewhere(book, rest, account)
    else:
        yield from _by_orders(book, rest, action)
        yield from _other_receivers(book, rest, action)
        if need is not None:
            yield from _by_transfers(book, rest, account, need.missing)
    if need is not None:
        yield from _cut(book, rest, account, need)


def dearness(book: Book, pair: Pair) -> Decimal:
    """Tell what one numeraire of notional costs in fee and spread."""
    row = book.instruments[pair[1]]
    return book.taker(*pair) + book.half_spread(row.id) / book.notional(row.id)


def peers(book: Book, underlying: str | None) -> list[Pair]:
    """List the pairs in which exposure to an underlying can be ordered, the cheapest first."""

    def all_peers() -> list[Pair]:
        chosen = [
            pair
            for pair in (*book.pairs, *book.spot_pairs)
            if underlying_of(book, pair[1]) == underlying and may_order(book, pair) is None
        ]
        return sorted(chosen, key=lambda pair: (dearness(book, pair), pair))

    return book.once(("peers", underlying), all_peers)


def underlying_of(book: Book, instrument: str) -> str | None:
    """Name the underlying that orders in an instrument expose to."""
    row = book.instruments[instrument]
    return book.asset(row.base).underlying if row.base is not None else row.underlying


def may_order(book: Book, pair: Pair) -> str | None:
    """Say what forbids any order of a pair; None where nothing does."""
    account = book.accounts[pair[0]]
    if account.state == "frozen":
        return f"{pair[0]} is frozen"
    if account.order_budget == 0:
        return f"the order budget of {pair[0]} is 0"
    if book.status(pair[1]) == "halted":
        return f"{pair[1]} is halted"
    return None if book.may_trade(*pair) else f"{pair[1]} is not tradable in {pair[0]}"


def exposure_of(book: Book, instrument: str) -> Decimal:
    """Exposure per contract or per unit of spot, numeraire."""
    row = book.instruments[instrument]
    return row.mark * book.price(row.cash) if row.is_spot else book.exposure(instrument)


def _added(book: Book, sizes: Sizes, pair: Pair, wished: Decimal) -> Sizes | None:
    total = order_lots(book, pair, sizes.orders.get(pair, ZERO) + wished)
    if not total or total == sizes.orders.get(pair):
        return None
    return replace(sizes, orders=dict(sorted({**sizes.orders, pair: total}.items())))


def _words(pair: Pair, signed: Decimal) -> str:
    verb = "buying" if signed > 0 else "selling"
    return f"{verb} {pair[1]} in {pair[0]}"


def _other_books(book: Book, rest: Sizes, action: Order) -> Iterator[Substitute]:
    """Do the same order's exposure in other pairs."""
    own, worth = (action.account, action.instrument), exposure_of(book, action.instrument)
    chosen = [pair for pair in peers(book, underlying_of(book, action.instrument)) if pair != own]
    for pair in chosen[:MOST_EACH]:
        each = exposure_of(book, pair[1])
        if each and worth:
            wished = action.signed * worth / each
            other = _added(book, rest, pair, wished)
            if other is not None:
                yield Substitute(_words(pair, wished), other)


def _other_routes(book: Book, rest: Sizes, action: Transfer) -> Iterator[Substitute]:
    """Send the same worth to the same account another way."""
    worth = action.amount * book.price(action.asset)
    yield from _sent(book, rest, action.target, worth, action.route)


def _by_transfers(book: Book, rest: Sizes, target: str, worth: Decimal) -> Iterator[Substitute]:
    yield from _sent(book, rest, target, worth, None)


def _sent(
    book: Book, rest: Sizes, target: str, worth: Decimal, own: str | None
) -> Iterator[Substitute]:
    into = [row for row in routes_into(book, target) if row != own]
    for name in into[:MOST_EACH]:
        row = book.routes[name]
        wished = worth / book.price(row.asset) + rest.transfers.get(name, ZERO)
        amount = transfer_steps(book, name, wished) if most_of(book, name) > 0 else ZERO
        if amount > rest.transfers.get(name, ZERO):
            more = dict(sorted({**rest.transfers, name: amount}.items()))
            yield Substitute(
                f"sending {row.asset} from {row.source} over {name}", replace(rest, transfers=more)
            )


def routes_into(book: Book, target: str) -> list[str]:
    """Name the usable routes into an account, the cheap ones first."""

    def all_routes() -> dict[str, list[str]]:
        out: dict[str, list[str]] = {}
        rows = [row for row in book.routes.values() if row.enabled and book.policy.transfers]
        for row in sorted(rows, key=lambda row: (row.fee * book.price(row.asset), row.id)):
            if book.accounts[row.source].state != "frozen":
                out.setdefault(row.target, []).append(row.id)
        return out

    return book.once("routes into", all_routes).get(target, [])


def _orders_elsewhere(book: Book, rest: Sizes, account: str) -> Iterator[Substitute]:
    """Need no money in an account: do its orders in another one."""
    mine = [(pair, size) for pair, size in rest.orders.items() if pair[0] == account]
    if not mine:
        return
    (_, name), _ = max(mine, key=lambda row: abs(row[1]) * book.notional(row[0][1]))
    others = dict.fromkeys(
        pair[0] for pair in peers(book, underlying_of(book, name)) if pair[0] != account
    )
    kept = replace(rest, orders={k: v for k, v in rest.orders.items() if k[0] != account})
    for other in list(others)[:MOST_EACH]:
        moved: Sizes | None = kept
        for (_, instrument), size in mine:
            underlying = underlying_of(book, instrument)
            pair = next((p for p in peers(book, underlying) if p[0] == other), None)
            if pair is None or moved is None or not exposure_of(book, pair[1]):
                moved = None
                break
            each = exposure_of(book, instrument) / exposure_of(book, pair[1])
            moved = _added(book, moved, pair, size * each)
        if moved is not None:
            yield Substitute(f"trading in {other}", moved)


def _cut(book: Book, rest: Sizes, account: str, need: Shortage) -> Iterator[Substitute]:
    """Need less: cut the leg that requires most, by as much as is missing."""
    if need.leg is None or need.asked <= 0:
        return
    pair = (account, need.leg)
    held = book.quantity.get(pair, ZERO) + rest.orders.get(pair, ZERO)
    if not held or may_order(book, pair) is not None:
        return
    share = min(ONE, need.missing / need.asked * CUT_MORE)
    lot = book.instruments[need.leg].lot
    lots = (abs(held) * share / lot).to_integral_value(ROUND_CEILING) * lot
    wished = -min(lots, abs(held)) * (1 if held > 0 else -1)
    other = _added(book, rest, pair, wished)
    if other is not None:
        yield Substitute(f"cutting {need.leg} in {account}", other)


CUT_MORE = Decimal("1.02")
"""Room of a cut for its own fees."""


def _by_orders(book: Book, rest: Sizes, action: PositionMove) -> Iterator[Substitute]:
    """Close in one account and open in the other."""
    source, target = (action.source, action.instrument), (action.target, action.instrument)
    if may_order(book, source) is not None or may_order(book, target) is not None:
        return
    sign = 1 if book.quantity.get(source, ZERO) > 0 else -1
    closed = _added(book, rest, source, -sign * action.quantity)
    both = None if closed is None else _added(book, closed, target, sign * action.quantity)
    if both is not None:
        yield Substitute(f"closing it in {action.source} and opening it in {action.target}", both)
    if closed is not None:
        yield Substitute(f"closing it in {action.source} by an order", closed)


def _other_receivers(book: Book, rest: Sizes, action: PositionMove) -> Iterator[Substitute]:
    own = (action.source, action.target, action.instrument)
    rules = [k for k in sorted(book.moves) if k[0] == own[0] and k[2] == own[2] and k != own]
    for key in rules[:MOST_EACH]:
        size = rest.moves.get(key, ZERO) + action.quantity
        moves = dict(sorted({**rest.moves, key: size}.items()))
        yield Substitute(f"moving it to {key[1]}", replace(rest, moves=moves))
