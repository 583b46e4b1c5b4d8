"""Orders of the spot host. Pages: Trading endpoints, Account endpoints (spot)."""

from decimal import Decimal

from allocator.adapters.emulator import matching
from allocator.adapters.emulator.binance import intake
from allocator.adapters.emulator.binance.words import (
    amount,
    eight,
    error,
    instrument_of,
    missing,
    optional_amount,
    required,
    status_word,
)
from allocator.adapters.emulator.errors import Refusal, Refused
from allocator.adapters.emulator.market import Instrument, to_step
from allocator.adapters.emulator.records import ZERO, Order, OrderType, Side, TimeInForce
from allocator.adapters.emulator.wire import Call, Json

TIMES: dict[str, TimeInForce] = {"GTC": "gtc", "IOC": "ioc", "FOK": "fok"}
WORDS = {tif: word for word, tif in TIMES.items()} | {"post_only": "GTC"}
TYPES = ("LIMIT", "LIMIT_MAKER", "MARKET")


def create(call: Call) -> Json:
    """Place a spot order; ACK, RESULT or FULL as asked (FULL when not)."""
    instrument = instrument_of(call)
    side = intake.side_of(call)
    kind, tif, price = _terms(call)
    quantity, quote = _quantity(call, instrument, side, kind)
    intake.check_room(call, instrument)
    order_id = intake.next_order_id(call)
    new = matching.NewOrder(
        id=order_id,
        client_id=intake.client_id_of(call, order_id),
        user=call.user,
        instrument=instrument,
        side=side,
        type=kind,
        tif=tif,
        price=price,
        quantity=quantity,
        tag=eight(quote),
    )
    order = matching.place(call.exchange, new)
    if order.reason == "post_only":
        raise Refused(Refusal.POST_ONLY)
    return _placed(call, order, call.text("newOrderRespType", "FULL"))


def cancel(call: Call) -> Json:
    """Cancel a resting order; raise -2011 when there is none."""
    order = intake.find(call)
    if order is None or order.status != "open":
        raise error(-2011, "Unknown order sent.")
    return _cancelled(call, matching.cancel(call.exchange, order))


def cancel_all(call: Call) -> Json:
    """Cancel every resting order of a symbol; raise -2011 when there is none."""
    required(call, "symbol")
    orders = intake.open_orders(call)
    if not orders:
        raise error(-2011, "Unknown order sent.")
    return [_cancelled(call, matching.cancel(call.exchange, order)) for order in orders]


def query(call: Call) -> Json:
    """Return an order by number or client id; raise -2013 when there is none."""
    order = intake.find(call)
    if order is None:
        raise error(-2013, "Order does not exist.")
    return _shown(call, order)


def open_orders(call: Call) -> Json:
    """Return the resting orders."""
    return [_shown(call, order) for order in intake.open_orders(call)]


def all_orders(call: Call) -> Json:
    """Return a symbol's orders, ended ones too."""
    return [_shown(call, order) for order in intake.history(call)]


def _terms(call: Call) -> tuple[OrderType, TimeInForce, Decimal | None]:
    kind = intake.check_type(call, TYPES)
    if kind == "MARKET":
        return "market", "gtc", None
    price = amount(call, "price")
    if kind == "LIMIT_MAKER":
        return "limit", "post_only", price
    tif = TIMES.get(required(call, "timeInForce"))
    if tif is None:
        raise error(-1115, "Invalid timeInForce.")
    return "limit", tif, price


def _quantity(
    call: Call, instrument: Instrument, side: Side, kind: OrderType
) -> tuple[Decimal, Decimal]:
    """Return base quantity and the quote amount asked for (zero when it was in base)."""
    quote = optional_amount(call, "quoteOrderQty")
    if kind == "limit" or quote is None:
        if kind == "market" and not call.text("quantity"):
            raise missing("quantity")
        return amount(call, "quantity"), ZERO
    left, bought = quote, ZERO
    book = call.exchange.book(instrument)
    for price, size in book.asks if side == "buy" else book.bids:
        taken = min(size, left / price)
        bought += taken
        left -= taken * price
    return to_step(bought, instrument.lot), quote


def _body(call: Call, order: Order) -> dict[str, Json]:
    instrument = call.exchange.instruments[order.instrument]
    kind = "LIMIT_MAKER" if order.tif == "post_only" else order.type.upper()
    return {
        "symbol": instrument.symbol,
        "orderId": int(order.id),
        "orderListId": -1,
        "clientOrderId": order.client_id,
        "price": eight(order.price or ZERO),
        "origQty": eight(order.quantity),
        "executedQty": eight(order.filled),
        "origQuoteOrderQty": order.tag or eight(ZERO),
        "cummulativeQuoteQty": eight(order.value),
        "status": status_word(order.status, order.filled, order.reason),
        "timeInForce": WORDS[order.tif],
        "type": kind,
        "side": order.side.upper(),
        "selfTradePreventionMode": "EXPIRE_MAKER",
    }


def _placed(call: Call, order: Order, detail: str) -> Json:
    body = _body(call, order)
    head: dict[str, Json] = {"transactTime": order.updated_ms}
    if detail == "ACK":
        names = ("symbol", "orderId", "orderListId", "clientOrderId")
        return {**{name: body[name] for name in names}, **head}
    full = {**body, **head, "workingTime": order.created_ms}
    if detail == "RESULT":
        return full
    fills: list[Json] = [
        {
            "price": eight(row.price),
            "qty": eight(row.quantity),
            "commission": eight(row.fee),
            "commissionAsset": row.fee_coin,
            "tradeId": row.seq,
        }
        for row in call.exchange.ledger.executions.by("order", order.id)
    ]
    return {**full, "fills": fills}


def _cancelled(call: Call, order: Order) -> Json:
    return {
        **_body(call, order),
        "origClientOrderId": order.client_id,
        "clientOrderId": f"cancel{order.id}",
        "transactTime": order.updated_ms,
    }


def _shown(call: Call, order: Order) -> Json:
    return {
        **_body(call, order),
        "stopPrice": eight(ZERO),
        "icebergQty": eight(ZERO),
        "time": order.created_ms,
        "updateTime": order.updated_ms,
        "isWorking": order.status == "open",
        "workingTime": order.created_ms,
    }
