"""Reads an order's parameters, checks what the venue checks, and finds orders again.

A client order id is unique among a user's open orders of one host only: once an order has ended
its id may be used again, so a repeat after a fill is a second order. Pages: New Order, Query
Order (USD-M, COIN-M), Trading endpoints (spot).
"""

import re
from collections.abc import Iterable
from decimal import Decimal

from allocator.adapters.emulator.binance import margin
from allocator.adapters.emulator.binance.rules import PRICE_BAND
from allocator.adapters.emulator.binance.words import (
    API,
    DAY_MS,
    LEG,
    error,
    instrument_of,
    market_of,
    required,
    stepped,
    whole,
)
from allocator.adapters.emulator.errors import Refusal, Refused
from allocator.adapters.emulator.market import Instrument
from allocator.adapters.emulator.records import Leg, Order, Side
from allocator.adapters.emulator.wire import Call

CLIENT_ID = re.compile(r"^[.A-Z:/a-z0-9_-]{1,36}$")
FIRST_ORDER = 8_389_765_500_001
KEPT_MS = 3 * DAY_MS
MAX_OPEN = 200
CONDITIONAL = {"STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"}


def side_of(call: Call) -> Side:
    """Return the side of an order; raise -1117 for a word that is none."""
    match required(call, "side"):
        case "BUY":
            return "buy"
        case "SELL":
            return "sell"
        case _:
            raise error(-1117, "Invalid side.")


def next_order_id(call: Call) -> str:
    """Return the next order number of the venue."""
    return str(call.exchange.ledger.next("binance.order", FIRST_ORDER))


def client_id_of(call: Call, order_id: str) -> str:
    """Return the client order id sent, or one derived from the order's number.

    Raises
    ------
    VenueError
        -4015 (spot -1100) for an id outside the charset or longer than 36.
    Refused
        DUPLICATE when an open order bears it.
    """
    client_id = call.text("newClientOrderId")
    if not client_id:
        return f"auto{order_id}"
    if not CLIENT_ID.match(client_id):
        if call.host == API:
            raise error(
                -1100,
                "Illegal characters found in parameter 'newClientOrderId'; legal range is "
                "'^[\\.A-Z\\:/a-z0-9_-]{1,36}$'.",
            )
        raise error(-4015, "Client order id is not valid.")
    if any(o.status == "open" for o in named(call, client_id)):
        raise Refused(Refusal.DUPLICATE, client_id=client_id)
    return client_id


def named(call: Call, client_id: str) -> list[Order]:
    """Return the user's orders of the host with a client id, oldest first."""
    market = market_of(call)
    return [
        order
        for order in call.exchange.ledger.orders.by("client", (call.user, client_id))
        if call.exchange.instruments[order.instrument].market == market
    ]


def leg_of(call: Call, instrument: Instrument) -> Leg:
    """Return the leg an order is for; raise POSITION_LEG when it is not of the user's mode."""
    leg = LEG.get(call.text("positionSide", "BOTH"))
    if leg not in margin.legs(call.exchange, call.user, instrument.market):
        raise Refused(Refusal.POSITION_LEG, leg=str(leg))
    return leg


def check_type(call: Call, known: Iterable[str]) -> str:
    """Return the order type; raise -4120 for conditional ones, -1116 for none of the host's."""
    kind = required(call, "type")
    if call.host != API and kind in CONDITIONAL:
        raise error(
            -4120,
            "Order type not supported for this endpoint. "
            "Please use the Algo Order API endpoints instead.",
        )
    if kind not in known:
        raise error(-1116, "Invalid orderType.")
    return kind


def check_band(call: Call, instrument: Instrument, price: Decimal) -> None:
    """Raise -4016 or -4024 for a limit price above zero too far from the mark."""
    mark = call.exchange.quote(instrument).mark
    highest, lowest = mark * PRICE_BAND[0], mark * PRICE_BAND[1]
    if price > highest:
        raise error(-4016, f"Limit price can't be higher than {stepped(highest, instrument.tick)}.")
    if 0 < price < lowest:
        raise error(-4024, f"Limit price can't be lower than {stepped(lowest, instrument.tick)}.")


def check_room(call: Call, instrument: Instrument) -> None:
    """Raise when the user has as many open orders on the symbol as the venue allows."""
    open_orders = call.exchange.ledger.orders.by("open", (call.user, True))
    if sum(o.instrument == instrument.id for o in open_orders) < MAX_OPEN:
        return
    if call.host == API:
        raise error(-1013, "Filter failure: MAX_NUM_ORDERS")
    raise error(-2025, "Reach max open order limit.")


def find(call: Call) -> Order | None:
    """Return the order named by `orderId` or `origClientOrderId`, the newest of that name.

    An order that ended without a fill is forgotten three days after it was made.

    Raises
    ------
    VenueError
        -1102 when neither is sent, -1121 for the symbol.
    """
    instrument = instrument_of(call)
    order_id, client_id = call.text("orderId"), call.text("origClientOrderId")
    if not order_id and not client_id:
        raise error(
            -1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"
        )
    if order_id:
        row = call.exchange.ledger.orders.get(order_id)
        found = [] if row is None or row.user != call.user else [row]
    else:
        found = named(call, client_id)
    found = [o for o in found if o.instrument == instrument.id and not forgotten(call, o)]
    return found[-1] if found else None


def forgotten(call: Call, order: Order) -> bool:
    """Tell whether the venue no longer answers about an order."""
    ended_bare = order.status == "cancelled" and not order.filled
    return ended_bare and call.now_ms - order.created_ms > KEPT_MS


def open_orders(call: Call) -> list[Order]:
    """Return the user's resting orders of the host, or of the symbol named."""
    only = instrument_of(call).id if call.text("symbol") else ""
    market = market_of(call)
    return [
        order
        for order in call.exchange.ledger.orders.by("open", (call.user, True))
        if only in {"", order.instrument}
        and call.exchange.instruments[order.instrument].market == market
    ]


def history(call: Call) -> list[Order]:
    """Return the symbol's orders by number and time, the newest `limit` of them, oldest first."""
    instrument = instrument_of(call)
    start_ms = whole(call, "startTime", call.now_ms - 7 * DAY_MS)
    end_ms = whole(call, "endTime", call.now_ms)
    first = whole(call, "orderId", 0)
    rows = [
        order
        for order in call.exchange.ledger.orders.by("user", call.user)
        if order.instrument == instrument.id
        and int(order.id) >= first
        and start_ms <= order.created_ms <= end_ms
        and not forgotten(call, order)
    ]
    return rows[-whole(call, "limit", 500, 1000) :]
