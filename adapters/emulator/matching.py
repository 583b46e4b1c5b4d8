"""Orders: admission, fills against the book, resting, cancelling, and what a fill does to money.

A taker walks the book of `market.book`; a resting order is filled as maker at its own price once
the mark has moved through it. Fees are rounded up, profit down, to 1e-8 of the coin.
"""

from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from allocator.adapters.emulator import options
from allocator.adapters.emulator.errors import Refusal, Refused
from allocator.adapters.emulator.exchange import Exchange, Intent
from allocator.adapters.emulator.market import (
    EIGHT,
    Instrument,
    average_entry,
    on_step,
    profit,
    value,
)
from allocator.adapters.emulator.records import (
    ZERO,
    Execution,
    ExecutionKind,
    Leg,
    Order,
    OrderType,
    Position,
    Side,
    TimeInForce,
)


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order as the venue understood it. `id` is the venue's own, unique over all venues."""

    id: str
    client_id: str
    user: str
    instrument: Instrument
    side: Side
    type: OrderType
    tif: TimeInForce
    price: Decimal | None
    quantity: Decimal
    reduce_only: bool = False
    leg: Leg = "net"
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Fill:
    """A price, a quantity, and whether the order was resting."""

    price: Decimal
    quantity: Decimal
    maker: bool


@dataclass(frozen=True, slots=True)
class Block:
    """One side of a trade outside the book. `order` is the id its execution names."""

    user: str
    instrument: Instrument
    side: Side
    quantity: Decimal
    price: Decimal
    order: str


@dataclass(frozen=True, slots=True)
class Booked:
    """What a fill came to: value, fee and its coin and rate, profit, contracts closed."""

    fill: Fill
    worth: Decimal
    fee: Decimal
    coin: str
    rate: Decimal
    realised: Decimal
    closed: Decimal
    kind: ExecutionKind = "trade"


def place(exchange: Exchange, new: NewOrder) -> Order:
    """Admit an order, fill what the book gives, rest or cancel the remainder.

    Raises
    ------
    Refused
        For a wrong lot, tick, size or price, a reduce-only order that would not reduce, and what
        the venue's own margin law refuses.
    """
    check_size(new)
    quantity = _reducible(exchange, new) if new.reduce_only else new.quantity
    intent = Intent(
        new.user, new.instrument, new.side, quantity, new.price, new.reduce_only, new.leg
    )
    exchange.venue_of(new.user).admit(exchange, intent)
    order = exchange.ledger.orders.put(_opened(exchange, new, quantity))
    fills = takes(exchange, order)
    if order.tif == "post_only" and fills:
        return _end(exchange, order, "post_only")
    if order.tif == "fok" and sum((f.quantity for f in fills), ZERO) < order.quantity:
        return _end(exchange, order, "unfilled")
    for fill in fills:
        order = settle(exchange, order, fill)
    if order.status == "open" and (order.type == "market" or order.tif in {"ioc", "fok"}):
        order = _end(exchange, order, "unfilled")
    return order


def cancel(exchange: Exchange, order: Order, reason: str = "cancelled") -> Order:
    """End a resting order.

    Raises
    ------
    Refused
        When it has ended already.
    """
    if order.status != "open":
        raise Refused(Refusal.ORDER_CLOSED, order=order.id)
    return _end(exchange, order, reason)


def cross(exchange: Exchange, instrument: Instrument) -> None:
    """Fill resting orders the mark has reached, as maker, at their own price."""
    mark = exchange.quote(instrument).mark
    for order in exchange.ledger.orders.by("instrument", (instrument.id, True)):
        if order.price is None:
            continue
        reached = mark <= order.price if order.side == "buy" else mark >= order.price
        if reached:
            settle(exchange, order, Fill(order.price, order.remaining, maker=True))


def takes(exchange: Exchange, order: Order) -> list[Fill]:
    """Return what the order would take from the book now, best price first."""
    book = exchange.book(exchange.instruments[order.instrument])
    fills: list[Fill] = []
    remaining = order.remaining
    for price, size in book.asks if order.side == "buy" else book.bids:
        beyond = order.price is not None and (
            price > order.price if order.side == "buy" else price < order.price
        )
        if beyond or remaining <= 0:
            break
        taken = min(size, remaining)
        fills.append(Fill(price, taken, maker=False))
        remaining -= taken
    return fills


def check_size(new: NewOrder) -> None:
    """Check lot, tick, minimum and maximum; the notional against price or nothing for market.

    Raises
    ------
    Refused
        With the figure that is wrong.
    """
    instrument, quantity = new.instrument, new.quantity
    maximum = instrument.max_market_quantity if new.type == "market" else instrument.max_quantity
    if quantity < instrument.min_quantity:
        raise Refused(Refusal.BELOW_MINIMUM, quantity=quantity, minimum=instrument.min_quantity)
    if quantity > maximum:
        raise Refused(Refusal.ABOVE_MAXIMUM, quantity=quantity, maximum=maximum)
    if not on_step(quantity, instrument.lot):
        raise Refused(Refusal.LOT, quantity=quantity, lot=instrument.lot)
    if new.price is not None:
        _check_price(new, new.price)


def settle(exchange: Exchange, order: Order, fill: Fill) -> Order:
    """Book one fill: order, execution, and the wallets or the position behind it."""
    instrument = exchange.instruments[order.instrument]
    worth = abs(value(instrument, fill.quantity, fill.price))
    rate = instrument.maker if fill.maker else instrument.taker
    if instrument.payoff == "spot":
        realised, closed = ZERO, ZERO
        fee, coin = _exchange_coins(exchange, order, instrument, fill, rate)
    else:
        coin = instrument.settle
        fee = _fee(exchange, instrument, fill, rate).quantize(EIGHT, rounding=ROUND_CEILING)
        realised, closed = _apply(exchange, order, instrument, fill)
        wallet = exchange.venue_of(order.user).wallet(instrument)
        exchange.ledger.credit(order.user, wallet, coin, realised - fee)
    booked = Booked(fill, worth, fee, coin, rate, realised, closed)
    _record(exchange, order, booked)
    return _filled(exchange, order, booked)


def move_position(exchange: Exchange, block: Block) -> Execution:
    """Book one side of a block trade: no fee, same law of entry and profit, the net leg."""
    new = NewOrder(
        block.order,
        "",
        block.user,
        block.instrument,
        block.side,
        "limit",
        "gtc",
        block.price,
        block.quantity,
    )
    order = _opened(exchange, new, block.quantity)
    fill = Fill(block.price, block.quantity, maker=True)
    realised, closed = _apply(exchange, order, block.instrument, fill)
    wallet = exchange.venue_of(block.user).wallet(block.instrument)
    exchange.ledger.credit(block.user, wallet, block.instrument.settle, realised)
    worth = abs(value(block.instrument, block.quantity, block.price))
    booked = Booked(fill, worth, ZERO, block.instrument.settle, ZERO, realised, closed, "move")
    return _record(exchange, order, booked)


def _check_price(new: NewOrder, price: Decimal) -> None:
    instrument = new.instrument
    if price <= 0:
        raise Refused(Refusal.PRICE, price=price)
    if not on_step(price, instrument.tick):
        raise Refused(Refusal.TICK, price=price, tick=instrument.tick)
    notional = abs(value(instrument, new.quantity, price))
    counted = instrument.payoff != "inverse" and not new.reduce_only
    if counted and notional < instrument.min_notional:
        raise Refused(Refusal.BELOW_NOTIONAL, notional=notional, minimum=instrument.min_notional)


def _reducible(exchange: Exchange, new: NewOrder) -> Decimal:
    position = exchange.ledger.position(new.user, new.instrument.id, new.leg)
    held = ZERO if position is None else position.quantity
    against = held < 0 if new.side == "buy" else held > 0
    if new.instrument.payoff == "spot" or not against:
        raise Refused(Refusal.REDUCE_ONLY, position=held, side=new.side)
    return min(new.quantity, abs(held))


def _opened(exchange: Exchange, new: NewOrder, quantity: Decimal) -> Order:
    now_ms = exchange.clock.now_ms()
    instrument = new.instrument
    if instrument.payoff != "spot":
        fee_coin = instrument.settle
    else:
        fee_coin = instrument.base if new.side == "buy" else instrument.quote
    return Order(
        id=new.id,
        client_id=new.client_id,
        user=new.user,
        instrument=instrument.id,
        side=new.side,
        type=new.type,
        tif=new.tif,
        price=new.price,
        quantity=quantity,
        filled=ZERO,
        value=ZERO,
        average=None,
        fee=ZERO,
        fee_coin=fee_coin,
        reduce_only=new.reduce_only,
        leg=new.leg,
        status="open",
        reason="",
        mark_at_creation=exchange.quote(instrument).mark,
        seq=exchange.ledger.next("seq"),
        created_ms=now_ms,
        updated_ms=now_ms,
        tag=new.tag,
    )


def _end(exchange: Exchange, order: Order, reason: str) -> Order:
    return exchange.ledger.orders.put(
        replace(order, status="cancelled", reason=reason, updated_ms=exchange.clock.now_ms())
    )


def _filled(exchange: Exchange, order: Order, booked: Booked) -> Order:
    instrument = exchange.instruments[order.instrument]
    fill = booked.fill
    total = order.filled + fill.quantity
    before = ZERO if order.average is None else order.average
    return exchange.ledger.orders.put(
        replace(
            order,
            filled=total,
            value=order.value + booked.worth,
            average=average_entry(instrument, order.filled, before, fill.quantity, fill.price),
            fee=order.fee + booked.fee,
            fee_coin=booked.coin,
            status="filled" if total == order.quantity else "open",
            updated_ms=exchange.clock.now_ms(),
        )
    )


def _exchange_coins(
    exchange: Exchange, order: Order, instrument: Instrument, fill: Fill, rate: Decimal
) -> tuple[Decimal, str]:
    ledger = exchange.ledger
    wallet = exchange.venue_of(order.user).wallet(instrument)
    paid = fill.quantity * fill.price
    if order.side == "buy":
        fee = (fill.quantity * rate).quantize(EIGHT, rounding=ROUND_CEILING)
        ledger.credit(order.user, wallet, instrument.base, fill.quantity - fee)
        ledger.credit(order.user, wallet, instrument.quote, -paid)
        return fee, instrument.base
    fee = (paid * rate).quantize(EIGHT, rounding=ROUND_CEILING)
    ledger.credit(order.user, wallet, instrument.base, -fill.quantity)
    ledger.credit(order.user, wallet, instrument.quote, paid - fee)
    return fee, instrument.quote


def _fee(exchange: Exchange, instrument: Instrument, fill: Fill, rate: Decimal) -> Decimal:
    worth = abs(value(instrument, fill.quantity, fill.price))
    if instrument.option is None:
        return worth * rate
    in_coin = instrument.settle == instrument.base
    unit = Decimal(1) if in_coin else exchange.quote(instrument).index
    return options.fee(rate, fill.quantity * instrument.contract_size, unit, worth)


def _apply(
    exchange: Exchange, order: Order, instrument: Instrument, fill: Fill
) -> tuple[Decimal, Decimal]:
    """Change the position; return profit realised and contracts closed."""
    now_ms = exchange.clock.now_ms()
    held = exchange.ledger.position(order.user, instrument.id, order.leg) or Position(
        order.user, instrument.id, order.leg, ZERO, ZERO, ZERO, now_ms, now_ms
    )
    signed = fill.quantity if order.side == "buy" else -fill.quantity
    if held.quantity * signed >= 0:
        closed, realised = ZERO, ZERO
        entry = average_entry(instrument, held.quantity, held.entry, signed, fill.price)
    else:
        closed = min(abs(signed), abs(held.quantity))
        part = closed if held.quantity > 0 else -closed
        realised = profit(instrument, part, held.entry, fill.price)
        realised = realised.quantize(EIGHT, rounding=ROUND_FLOOR)
        entry = held.entry if abs(signed) < abs(held.quantity) else fill.price
    quantity = held.quantity + signed
    exchange.ledger.positions.put(
        replace(
            held,
            quantity=quantity,
            entry=entry if quantity else ZERO,
            realised=held.realised + realised,
            created_ms=held.created_ms if held.quantity else now_ms,
            updated_ms=now_ms,
        )
    )
    return realised, closed


def _record(exchange: Exchange, order: Order, booked: Booked) -> Execution:
    seq = exchange.ledger.next("execution")
    return exchange.ledger.executions.put(
        Execution(
            id=f"execution-{seq}",
            order=order.id,
            client_id=order.client_id,
            user=order.user,
            instrument=order.instrument,
            side=order.side,
            price=booked.fill.price,
            quantity=booked.fill.quantity,
            value=booked.worth,
            fee=booked.fee,
            fee_coin=booked.coin,
            fee_rate=booked.rate,
            maker=booked.fill.maker,
            kind=booked.kind,
            realised=booked.realised,
            closed=booked.closed,
            leg=order.leg,
            mark=exchange.ledger.quotes[order.instrument].mark,
            seq=seq,
            time_ms=exchange.clock.now_ms(),
        )
    )
