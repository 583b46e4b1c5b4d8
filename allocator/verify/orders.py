"""Rules on single orders: lots, prices, states, directions, budgets (problem.md section 4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal

from allocator.models.base import ONE, ZERO
from allocator.models.plan import Order, Violation
from allocator.state import Book, Effect, State

BPS = Decimal(10_000)


def order_violations(book: Book, effects: Sequence[Effect]) -> Iterator[Violation]:
    """Check every order by itself, then orders against each other."""
    for effect in effects:
        if isinstance(effect.action, Order):
            order = effect.action
            yield from _size(book, order, effect.notional)
            yield from _price(book, order)
            yield from _permission(book, order)
            yield from _reduction(book, order)
    orders = [effect.action for effect in effects if isinstance(effect.action, Order)]
    yield from _together(book, orders)


def _where(order: Order) -> str:
    return f"seq {order.seq} {order.account} {order.instrument}"


def _size(book: Book, order: Order, notional: Decimal) -> Iterator[Violation]:
    row, where = book.instruments[order.instrument], _where(order)
    if order.quantity % row.lot:
        yield Violation(
            code="lot", message=f"{where}: {order.quantity} is no multiple of {row.lot}"
        )
    if row.max_quantity is not None and order.quantity > row.max_quantity:
        yield Violation(
            code="max_quantity", message=f"{where}: {order.quantity} > {row.max_quantity}"
        )
    if closes_whole(book, order):
        return
    if notional < row.min_notional:
        yield Violation(code="min_notional", message=f"{where}: {notional} < {row.min_notional}")
    if order.quantity < row.min_quantity:
        yield Violation(
            code="min_quantity", message=f"{where}: {order.quantity} < {row.min_quantity}"
        )


def closes_whole(book: Book, order: Order) -> bool:
    """Tell whether an order closes its position whole and says so: then no minimum holds."""
    held = book.quantity.get((order.account, order.instrument), ZERO)
    return bool(held) and order.reduce_only and held + order.signed == 0


def price_range(book: Book, order: Order) -> tuple[Decimal, Decimal] | None:
    """Work out which limit prices are allowed; None without quotes.

    From the quote to the collar around mark; one tick beyond the quote is always allowed.
    """
    row = book.instruments[order.instrument]
    if row.bid is None or row.ask is None:
        return None
    collar = book.policy.collar_bps / BPS
    if order.side == "buy":
        return row.ask, max(row.mark * (ONE + collar), row.ask + row.tick)
    return min(row.mark * (ONE - collar), row.bid - row.tick), row.bid


def _price(book: Book, order: Order) -> Iterator[Violation]:
    row, where = book.instruments[order.instrument], _where(order)
    allowed = price_range(book, order)
    if allowed is None:
        yield Violation(code="limit_price", message=f"{where}: the instrument has no quotes")
        return
    if order.limit_price % row.tick:
        text = f"{where}: {order.limit_price} is no multiple of the tick {row.tick}"
        yield Violation(code="limit_price", message=text)
    if not allowed[0] <= order.limit_price <= allowed[1]:
        text = f"{where}: {order.limit_price} is outside [{allowed[0]}, {allowed[1]}]"
        yield Violation(code="limit_price", message=text)


def _permission(book: Book, order: Order) -> Iterator[Violation]:
    account, row = book.accounts[order.account], book.instruments[order.instrument]
    where = _where(order)
    if not book.may_trade(account.id, row.id):
        yield Violation(code="tradable", message=f"{where}: the account may not trade it")
    if row.venue != account.venue:
        yield Violation(code="venue", message=f"{where}: the account is at {account.venue}")
    if account.state == "frozen":
        yield Violation(code="frozen", message=where)
    if row.status == "halted":
        yield Violation(code="halted", message=where)


def _reduction(book: Book, order: Order) -> Iterator[Violation]:
    row, where = book.instruments[order.instrument], _where(order)
    if row.is_spot:
        limited = "reduce_only" in (book.accounts[order.account].state, book.status(row.id))
        if limited and order.side == "buy":
            yield Violation(code="reduce_only", message=f"{where}: spot may only be sold")
        return
    held = book.quantity.get((order.account, row.id), ZERO)
    if order.reduce_only and not reduces(held, held + order.signed):
        text = f"{where}: flagged reduce_only, but {held} becomes {held + order.signed}"
        yield Violation(code="reduce_only", message=text)


def reduces(before: Decimal, after: Decimal) -> bool:
    """Tell whether a position comes nearer to zero, or stays, without a change of sign."""
    return abs(after) <= abs(before) and before * after >= 0


def _together(book: Book, orders: Sequence[Order]) -> Iterator[Violation]:
    sides: dict[tuple[str, str], str] = {}
    for order in orders:
        owner = book.accounts[order.account].owner
        if sides.setdefault((owner, order.instrument), order.side) != order.side:
            text = f"{_where(order)}: {owner} buys and sells it"
            yield Violation(code="one_direction", message=text)
    for (account, instrument), count in Counter((o.account, o.instrument) for o in orders).items():
        if count > 1:
            text = f"{account} {instrument}: {count} orders"
            yield Violation(code="one_order", message=text)
    for account, count in Counter(o.account for o in orders).items():
        budget = book.accounts[account].order_budget
        if budget is not None and count > budget:
            text = f"{account}: {count} orders, budget {budget}"
            yield Violation(code="order_budget", message=text)


def state_violations(book: Book, effects: Sequence[Effect], final: State) -> Iterator[Violation]:
    """Check that reduce_only accounts and instruments only reduce, orders and moves together."""
    for account, name in sorted({key for effect in effects for key in effect.contracts}):
        if "reduce_only" not in (book.accounts[account].state, book.status(name)):
            continue
        before = book.quantity.get((account, name), ZERO)
        after = final.holdings[account].quantity.get(name, ZERO)
        if not reduces(before, after):
            text = f"{account} {name}: {before} becomes {after}"
            yield Violation(code="reduce_only", message=text)
