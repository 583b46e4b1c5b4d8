"""Orders and executions."""

import re
from dataclasses import replace
from decimal import Decimal

from allocator.adapters.emulator import matching
from allocator.adapters.emulator.bybit.host import row
from allocator.adapters.emulator.bybit.refusals import code_of
from allocator.adapters.emulator.bybit.words import (
    SIDES,
    TIF_WORDS,
    TIFS,
    TYPES,
    amount,
    between,
    category,
    choice,
    instrument_of,
    listed,
    new_id,
    page,
    required,
    status_of,
    uuid_of,
)
from allocator.adapters.emulator.errors import Refusal, Refused, VenueError
from allocator.adapters.emulator.market import Instrument, to_step
from allocator.adapters.emulator.records import Execution, Order, Side
from allocator.adapters.emulator.wire import Call, Json, plain

LINK_ID = re.compile(r"[0-9A-Za-z_-]{1,36}")
REASONS = {
    "": "EC_NoError",
    "cancelled": "EC_PerCancelRequest",
    "unfilled": "EC_NoImmediateQtyToFill",
    "post_only": "EC_PostOnlyWillTakeLiquidity",
}
KINDS = {"trade": "Trade", "funding": "Funding", "move": "MovePosition"}
WORDS: dict[Side, str] = {"buy": "Buy", "sell": "Sell"}


def create(call: Call) -> Json:
    """Place an order; the link id is the idempotency key, for ever."""
    instrument = instrument_of(call)
    link = call.text("orderLinkId")
    if link and not LINK_ID.fullmatch(link):
        raise VenueError(10001, "params error: orderLinkId invalid")
    if link and call.exchange.ledger.orders.by("client", (call.user, link)):
        raise Refused(Refusal.DUPLICATE, client_id=link)
    if call.text("positionIdx", "0") != "0":
        raise Refused(Refusal.POSITION_LEG)
    if call.text("triggerPrice"):
        raise VenueError(10001, "params error: conditional orders are not supported")
    kind = choice(call, "orderType", TYPES)
    order = matching.place(
        call.exchange,
        matching.NewOrder(
            id=new_id(call.exchange, "order", numeric=instrument.payoff == "spot"),
            client_id=link,
            user=call.user,
            instrument=instrument,
            side=choice(call, "side", SIDES),
            type=kind,
            tif="ioc" if kind == "market" else choice(call, "timeInForce", TIFS, "GTC"),
            price=amount(call, "price") if kind == "limit" else None,
            quantity=_quantity(call, instrument),
            reduce_only=call.flag("reduceOnly"),
        ),
    )
    return {"orderId": order.id, "orderLinkId": order.client_id}


def create_batch(call: Call) -> Json:
    """Place several orders of one category; each is taken or refused by itself."""
    orders = call.params.get("request")
    most = 10 if category(call) == "spot" else 20
    if not isinstance(orders, list) or not 1 <= len(orders) <= most:
        raise VenueError(10001, "params error: request")
    made, codes = list[Json](), list[Json]()
    for order in orders:
        told = order if isinstance(order, dict) else {}
        one = replace(call, params={**told, "category": call.text("category")})
        code, message, done = _attempt(one)
        codes.append({"code": code, "msg": message})
        made.append({"category": one.text("category"), "symbol": one.text("symbol"), **done})
    return {"result": {"list": made}, "retExtInfo": {"list": codes}}


def _attempt(call: Call) -> tuple[int, str, dict[str, Json]]:
    """Place one order of a batch: its code, the words, and its ids."""
    none: dict[str, Json] = {
        "orderId": "", "orderLinkId": call.text("orderLinkId"), "createAt": "",
    }  # fmt: skip
    try:
        done = create(call)
    except VenueError as error:
        return error.code, error.message, none
    except Refused as error:
        code, message = code_of(call, error)
        return code, message, none
    assert isinstance(done, dict)
    return 0, "OK", {**done, "createAt": str(call.now_ms)}


def cancel(call: Call) -> Json:
    """Cancel by order id or link id."""
    instrument = instrument_of(call)
    order = _named(call, instrument)
    if order is None:
        raise Refused(Refusal.UNKNOWN_ORDER)
    matching.cancel(call.exchange, order)
    return {"orderId": order.id, "orderLinkId": order.client_id}


def cancel_all(call: Call) -> Json:
    """Cancel every open order of a category, or of one symbol, base or settle coin."""
    rows = [o for o in _orders(call) if o.status == "open"]
    ended = [matching.cancel(call.exchange, order) for order in rows]
    done: list[Json] = [{"orderId": o.id, "orderLinkId": o.client_id} for o in ended]
    return {"list": done, "success": "1"}


def realtime(call: Call) -> Json:
    """Return open orders; a named one also for a while after it ended."""
    named = call.text("orderId") or call.text("orderLinkId")
    if category(call) == "linear" and not (
        named or call.text("symbol") or call.text("baseCoin") or call.text("settleCoin")
    ):
        raise VenueError(10001, "params error: symbol, baseCoin or settleCoin is required")
    rows = [o for o in _orders(call) if named or o.status == "open"]
    chosen, cursor = page(call, rows, 20, 50)
    return listed(call, [_order(call, o) for o in chosen], cursor)


def history(call: Call) -> Json:
    """Return orders that ended, newest first."""
    rows = [o for o in _orders(call) if o.status != "open" and between(call, o.created_ms)]
    chosen, cursor = page(call, rows, 20, 50)
    return listed(call, [_order(call, o) for o in chosen], cursor)


def executions(call: Call) -> Json:
    """Return fills, funding payments and moved positions, newest first."""
    word = category(call)
    wanted = call.text("execType")
    rows = [
        e
        for e in reversed(call.exchange.ledger.executions.by("user", call.user))
        if _matches(call, call.exchange.instruments[e.instrument], word)
        and call.text("orderId", e.order) == e.order
        and call.text("orderLinkId", e.client_id) == e.client_id
        and wanted in {"", KINDS[e.kind]}
        and between(call, e.time_ms)
    ]
    chosen, cursor = page(call, rows, 50, 100)
    return listed(call, [_execution(call, e) for e in chosen], cursor)


def _quantity(call: Call, instrument: Instrument) -> Decimal:
    """Return contracts or base units; a spot market buy is in quote unless told otherwise."""
    quantity = amount(call, "qty")
    market = instrument.payoff == "spot" and call.text("orderType") == "Market"
    default = "quoteCoin" if call.text("side") == "Buy" else "baseCoin"
    if not market or call.text("marketUnit", default) == "baseCoin":
        return quantity
    if quantity < instrument.min_notional:
        raise Refused(Refusal.BELOW_NOTIONAL, notional=quantity, minimum=instrument.min_notional)
    return to_step(quantity / call.exchange.book(instrument).asks[0][0], instrument.lot)


def _named(call: Call, instrument: Instrument) -> Order | None:
    if call.text("orderId"):
        found = call.exchange.ledger.orders.get(call.text("orderId"))
        rows = [] if found is None else [found]
    else:
        rows = call.exchange.ledger.orders.by("client", (call.user, required(call, "orderLinkId")))
    mine = [o for o in rows if (o.user, o.instrument) == (call.user, instrument.id)]
    return mine[-1] if mine else None


def _matches(call: Call, instrument: Instrument, word: str) -> bool:
    return (
        instrument.market == word
        and call.text("symbol", instrument.symbol) == instrument.symbol
        and call.text("baseCoin", instrument.base) == instrument.base
        and call.text("settleCoin", instrument.settle) == instrument.settle
    )


def _orders(call: Call) -> list[Order]:
    """Return the caller's orders that the filters leave, newest first."""
    word = category(call)
    return [
        o
        for o in reversed(call.exchange.ledger.orders.by("user", call.user))
        if _matches(call, call.exchange.instruments[o.instrument], word)
        and call.text("orderId", o.id) == o.id
        and call.text("orderLinkId", o.client_id) == o.client_id
    ]


def _order(call: Call, order: Order) -> dict[str, Json]:
    instrument = call.exchange.instruments[order.instrument]
    spot = instrument.payoff == "spot"
    left = order.remaining if order.status == "open" else Decimal(0)
    price = Decimal(0) if order.price is None else order.price
    fee = plain(order.fee)
    return {
        "symbol": instrument.symbol,
        "orderType": "Market" if order.type == "market" else "Limit",
        "orderLinkId": order.client_id,
        "slLimitPrice": "0",
        "orderId": order.id,
        "cancelType": "CancelByUser" if order.reason == "cancelled" else "UNKNOWN",
        "avgPrice": "" if order.average is None else plain(_rounded(order.average)),
        "stopOrderType": "",
        "lastPriceOnCreated": "" if spot else plain(order.mark_at_creation),
        "orderStatus": status_of(order, instrument),
        "createType": "CreateByUser",
        "takeProfit": "",
        "cumExecValue": plain(_rounded(order.value)),
        "tpslMode": "",
        "smpType": "None",
        "triggerDirection": 0,
        "blockTradeId": "",
        "cumFeeDetail": {order.fee_coin: fee} if order.filled else {},
        "rejectReason": REASONS[order.reason],
        "isLeverage": "0" if spot else "",
        "price": plain(price),
        "orderIv": "",
        "createdTime": str(order.created_ms),
        "tpTriggerBy": "",
        "positionIdx": 0,
        "timeInForce": TIF_WORDS[order.tif],
        "leavesValue": plain(_rounded(left * price)) if spot else plain(_worth(order, left)),
        "updatedTime": str(order.updated_ms),
        "side": WORDS[order.side],
        "smpGroup": 0,
        "triggerPrice": "",
        "tpLimitPrice": "0",
        "cumExecFee": fee,
        "slTriggerBy": "",
        "leavesQty": plain(left),
        "closeOnTrigger": False,
        "slippageToleranceType": "UNKNOWN",
        "placeType": "",
        "cumExecQty": plain(order.filled),
        "reduceOnly": order.reduce_only,
        "qty": plain(order.quantity),
        "stopLoss": "",
        "smpOrderId": "",
        "slippageTolerance": "0",
        "triggerBy": "",
        "extraFees": "",
    }


def _worth(order: Order, left: Decimal) -> Decimal:
    return _rounded(left * (order.price or order.mark_at_creation))


def _rounded(number: Decimal) -> Decimal:
    return number.quantize(Decimal("1e-8"))


def _execution(call: Call, execution: Execution) -> dict[str, Json]:
    instrument = call.exchange.instruments[execution.instrument]
    order = call.exchange.ledger.orders.get(execution.order)
    trade = execution.kind == "trade" and order is not None
    shown = order if trade else None
    return {
        "symbol": instrument.symbol,
        "orderType": "UNKNOWN" if shown is None else _type(shown),
        "underlyingPrice": "",
        "orderLinkId": execution.client_id,
        "orderId": execution.order or uuid_of(f"funding|{execution.id}"),
        "stopOrderType": "UNKNOWN",
        "execTime": str(execution.time_ms),
        "feeCurrency": execution.fee_coin if instrument.payoff == "spot" else "",
        "createType": "CreateByUser" if trade else "",
        "feeRate": plain(execution.fee_rate),
        "tradeIv": "",
        "blockTradeId": "",
        "markPrice": plain(execution.mark),
        "execPrice": plain(execution.price),
        "markIv": "",
        "orderQty": "0" if shown is None else plain(shown.quantity),
        "orderPrice": "0" if shown is None else plain(shown.price or Decimal(0)),
        "execValue": plain(_rounded(execution.value)),
        "closedSize": plain(execution.closed),
        "execType": KINDS[execution.kind],
        "seq": execution.seq,
        "side": WORDS[execution.side],
        "indexPrice": "",
        "leavesQty": "0" if shown is None else plain(shown.remaining),
        "isMaker": execution.maker,
        "execFee": plain(execution.fee),
        "execId": uuid_of(execution.id),
        "marketUnit": "",
        "execQty": plain(execution.quantity),
        "extraFees": "",
    }


def _type(order: Order) -> str:
    return "Market" if order.type == "market" else "Limit"


_KEY = "bad key 10003, signature 10004, window 10002, limit 10006"
_WRONG = "category, side, type, lot or tick wrong: 10001 (spot 1701xx)"
ENDPOINTS = (
    row("POST /v5/order/create", create, "v5/order/create-order",
        "margin short: 110007", "spot balance short: 170131", "above the risk limit: 110090",
        "reduce-only would not reduce: 110017", "link id used before: 110072 (spot 170141)",
        "below minimum value: 110094 (spot 170140)", "post-only would take: accepted, cancelled",
        "nothing to fill at once: accepted, cancelled", _WRONG, _KEY, needs="trade"),
    row("POST /v5/order/create-batch", create_batch, "v5/order/batch-place",
        "each order's own code, as of a single one", "none, or too many: 10001", _KEY,
        needs="trade"),
    row("POST /v5/order/cancel", cancel, "v5/order/cancel-order",
        "unknown or ended: 110001 (spot 170213)", _KEY, needs="trade"),
    row("POST /v5/order/cancel-all", cancel_all, "v5/order/cancel-all", _KEY,
        needs="trade"),
    row("GET /v5/order/realtime", realtime, "v5/order/open-order", "by orderId or orderLinkId",
        "next page", "linear without symbol or coin: 10001", _KEY, per_second=50),
    row("GET /v5/order/history", history, "v5/order/order-list", "by orderId or orderLinkId",
        "next page", _KEY, per_second=50),
    row("GET /v5/execution/list", executions, "v5/order/execution", "by execType",
        "funding payments", "next page", _KEY, per_second=50),
)  # fmt: skip
