"""Orders of the futures hosts.

Pages: New Order, Cancel Order, Query Order, Query Current Open Order, Current All Open Orders,
All Orders, Cancel All Open Orders, Auto-Cancel All Open Orders (USD-M and COIN-M).
"""

from dataclasses import dataclass, replace
from decimal import Decimal

from allocator.adapters.emulator import matching
from allocator.adapters.emulator.binance import intake
from allocator.adapters.emulator.binance.words import (
    DAPI,
    FUTURES_TYPE,
    POSITION_SIDE,
    TIME_IN_FORCE,
    amount,
    eight,
    error,
    instrument_of,
    pair,
    required,
    status_word,
    stepped,
    whole,
)
from allocator.adapters.emulator.errors import Refusal, Refused
from allocator.adapters.emulator.events import set_countdown
from allocator.adapters.emulator.market import Instrument
from allocator.adapters.emulator.records import ZERO, Leg, Order, OrderType, Side, TimeInForce
from allocator.adapters.emulator.wire import Call, Json, plain

TIMES: dict[str, TimeInForce] = {word: tif for tif, word in TIME_IN_FORCE.items()}
UNKNOWN_ORDER = (-2011, "Unknown order sent.")


@dataclass(frozen=True, slots=True)
class _Terms:
    """What an order asks for besides its size."""

    type: OrderType
    tif: TimeInForce
    price: Decimal | None
    leg: Leg
    reduce_only: bool


def create(call: Call) -> Json:
    """Place an order.

    Post-only orders that would take and fill-or-kill orders that would not fill leave no trace.
    A resting limit order is answered as accepted even when part of it filled at once.
    """
    instrument = instrument_of(call)
    side = intake.side_of(call)
    terms = _terms(call, instrument, side)
    intake.check_room(call, instrument)
    order_id = intake.next_order_id(call)
    order = matching.place(
        call.exchange,
        matching.NewOrder(
            id=order_id,
            client_id=intake.client_id_of(call, order_id),
            user=call.user,
            instrument=instrument,
            side=side,
            type=terms.type,
            tif=terms.tif,
            price=terms.price,
            quantity=amount(call, "quantity"),
            reduce_only=terms.reduce_only,
            leg=terms.leg,
            tag="reduce" if call.flag("reduceOnly") else "",
        ),
    )
    if order.reason == "post_only" or (order.tif == "fok" and order.status == "cancelled"):
        call.exchange.ledger.orders.remove(order.id)
        raise Refused(Refusal.NO_LIQUIDITY if order.tif == "fok" else Refusal.POST_ONLY)
    accepted = call.text("newOrderRespType", "ACK") == "ACK" or terms.tif in {"gtc", "post_only"}
    if accepted and terms.type == "limit":
        order = replace(order, status="open", filled=ZERO, value=ZERO, average=None)
    return _acted(call, order)


def cancel(call: Call) -> Json:
    """Cancel a resting order; raise -2011 when there is none."""
    order = intake.find(call)
    if order is None or order.status != "open":
        raise error(*UNKNOWN_ORDER)
    return _acted(call, matching.cancel(call.exchange, order))


def cancel_all(call: Call) -> Json:
    """Cancel every resting order of a symbol."""
    required(call, "symbol")
    for order in intake.open_orders(call):
        matching.cancel(call.exchange, order)
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


def countdown(call: Call) -> Json:
    """Cancel the symbol's orders after so many milliseconds of silence; zero calls it off.

    Raises
    ------
    VenueError
        -1102 when no time is sent.
    """
    instrument = instrument_of(call)
    required(call, "countdownTime")
    wait_ms = whole(call, "countdownTime", 0)
    due_ms = call.now_ms + wait_ms if wait_ms else 0
    set_countdown(call.exchange, call.user, instrument, due_ms)
    return {"symbol": instrument.symbol, "countdownTime": str(wait_ms)}


def query(call: Call) -> Json:
    """Return an order by number or client id; raise -2013 when there is none."""
    order = intake.find(call)
    if order is None:
        raise error(-2013, "Order does not exist.")
    return _shown(call, order)


def query_open(call: Call) -> Json:
    """Return a resting order; raise -2013 when it is not resting."""
    order = intake.find(call)
    if order is None or order.status != "open":
        raise error(-2013, "Order does not exist.")
    return _shown(call, order)


def open_orders(call: Call) -> Json:
    """Return the resting orders."""
    return [_shown(call, order) for order in intake.open_orders(call)]


def all_orders(call: Call) -> Json:
    """Return a symbol's orders, ended ones too."""
    return [_shown(call, order) for order in intake.history(call)]


def _terms(call: Call, instrument: Instrument, side: Side) -> _Terms:
    kind = intake.check_type(call, FUTURES_TYPE.values())
    leg = intake.leg_of(call, instrument)
    if leg != "net" and call.text("reduceOnly"):
        raise error(-1106, "Parameter 'reduceonly' sent when not required.")
    closes = (leg, side) in {("long", "sell"), ("short", "buy")}
    reduce_only = call.flag("reduceOnly") or closes
    if kind == "MARKET":
        return _Terms("market", "gtc", None, leg, reduce_only)
    tif = TIMES.get(required(call, "timeInForce"))
    if tif is None:
        raise error(-1115, "Invalid timeInForce.")
    price = amount(call, "price")
    intake.check_band(call, instrument, price)
    return _Terms("limit", tif, price, leg, reduce_only)


def _body(call: Call, order: Order) -> dict[str, Json]:
    """Return what every reply about an order has."""
    instrument = call.exchange.instruments[order.instrument]
    body: dict[str, Json] = {
        "orderId": int(order.id),
        "symbol": instrument.symbol,
        "status": status_word(order.status, order.filled, order.reason),
        "clientOrderId": order.client_id,
        "price": _price(instrument, order.price),
        "avgPrice": _price(instrument, order.average),
        "origQty": stepped(order.quantity, instrument.lot),
        "executedQty": stepped(order.filled, instrument.lot),
        "timeInForce": TIME_IN_FORCE[order.tif],
        "type": FUTURES_TYPE[order.type],
        "reduceOnly": bool(order.tag),
        "closePosition": False,
        "side": order.side.upper(),
        "positionSide": POSITION_SIDE[order.leg],
        "stopPrice": _price(instrument, None),
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "origType": FUTURES_TYPE[order.type],
        "priceMatch": "NONE",
        "selfTradePreventionMode": "EXPIRE_MAKER",
        "updateTime": order.updated_ms,
    }
    if call.host == DAPI:
        return {**body, "pair": pair(instrument), "cumBase": eight(order.value)}
    return {**body, "cumQuote": plain(order.value), "goodTillDate": 0}


def _acted(call: Call, order: Order) -> Json:
    """Return an order as the replies to create and cancel print it."""
    body = _body(call, order)
    return {**body, "cumQty": body["executedQty"]}


def _shown(call: Call, order: Order) -> Json:
    """Return an order as queries print it."""
    return {**_body(call, order), "time": order.created_ms}


def _price(instrument: Instrument, price: Decimal | None) -> str:
    return stepped(ZERO if price is None else price, instrument.tick)
