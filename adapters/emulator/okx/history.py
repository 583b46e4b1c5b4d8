"""Orders and fills, read: pending, ended within a week, and within three months.

An order that was cancelled without a fill is told for two hours, and never in the archive.

Sources: the venue's pages "Order details", "Order List", "Order history (last 7 days)", "Order
history (last 3 months)", "Transaction details" (3 days, 3 months).
"""

from allocator.adapters.emulator.errors import Refusal, Refused
from allocator.adapters.emulator.events import HOUR_MS
from allocator.adapters.emulator.market import Instrument
from allocator.adapters.emulator.okx.account import KEY
from allocator.adapters.emulator.okx.host import USER, row
from allocator.adapters.emulator.okx.orders import SPOT_MODES, named
from allocator.adapters.emulator.okx.words import (
    between,
    figure,
    instrument_named,
    kind_of,
    page,
    required,
    setting,
    state_of,
)
from allocator.adapters.emulator.records import Execution, Order
from allocator.adapters.emulator.wire import Call, Json, plain

UNFILLED_MS = 2 * HOUR_MS
WEEK_MS, QUARTER_MS, FILLS_MS = 7 * 24 * HOUR_MS, 90 * 24 * HOUR_MS, 3 * 24 * HOUR_MS
SOURCES = {"": "", "cancelled": "1", "unfilled": "14", "post_only": "31"}
TYPES = {"gtc": "limit", "ioc": "ioc", "fok": "fok", "post_only": "post_only"}


def details(call: Call) -> Json:
    """Return one order by either id, the latest of a client id."""
    instrument = instrument_named(call.exchange, required(call, "instId"))
    order = named(call, instrument)
    if order is None or _forgotten(call, order):
        raise Refused(Refusal.UNKNOWN_ORDER)
    return [_order(call, order)]


def pending(call: Call) -> Json:
    """Return orders that stand in the books."""
    return [
        _order(call, o) for o in page(call, [o for o in _mine(call) if o.status == "open"], _id)
    ]


def week(call: Call) -> Json:
    """Return orders that ended within a week."""
    kind_of(call)
    rows = [o for o in _ended(call, WEEK_MS) if not _forgotten(call, o)]
    return [_order(call, o) for o in page(call, rows, _id)]


def archive(call: Call) -> Json:
    """Return orders that ended within three months with at least one fill."""
    kind_of(call)
    rows = [o for o in _ended(call, QUARTER_MS) if o.filled]
    return [_order(call, o) for o in page(call, rows, _id)]


def fills(call: Call) -> Json:
    """Return the fills of the last three days."""
    return _fills(call, FILLS_MS)


def fills_history(call: Call) -> Json:
    """Return the fills of the last three months."""
    kind_of(call)
    return _fills(call, QUARTER_MS)


def _fills(call: Call, age_ms: int) -> Json:
    rows = [
        e
        for e in reversed(call.exchange.ledger.executions.by("user", call.user))
        if e.kind == "trade"
        and e.time_ms >= call.now_ms - age_ms
        and call.text("ordId", e.order) == e.order
        and matches(call, e.instrument)
        and between(call, e.time_ms)
    ]
    return [_fill(call, e) for e in page(call, rows, lambda e: e.seq)]


def _id(order: Order) -> int:
    return int(order.id)


def _mine(call: Call) -> list[Order]:
    rows = reversed(call.exchange.ledger.orders.by("user", call.user))
    return [o for o in rows if matches(call, o.instrument) and between(call, o.created_ms)]


def matches(call: Call, name: str) -> bool:
    """Tell whether an instrument is of the type, and the one, that a call names."""
    instrument = call.exchange.instruments[name]
    return (
        call.text("instType", instrument.market) == instrument.market
        and call.text("instId", instrument.symbol) == instrument.symbol
    )


def _ended(call: Call, age_ms: int) -> list[Order]:
    since = call.now_ms - age_ms
    return [o for o in _mine(call) if o.status != "open" and o.updated_ms >= since]


def _forgotten(call: Call, order: Order) -> bool:
    unfilled = order.status == "cancelled" and not order.filled
    return unfilled and order.updated_ms < call.now_ms - UNFILLED_MS


def mode_of(call: Call, user: str, instrument: Instrument) -> str:
    """Return the trade mode of a user's orders of an instrument."""
    spot = instrument.payoff == "spot"
    return SPOT_MODES[setting(call.exchange, user, "level")] if spot else "cross"


def _order(call: Call, order: Order) -> Json:
    exchange = call.exchange
    instrument = exchange.instruments[order.instrument]
    spot = instrument.payoff == "spot"
    last = next(reversed(exchange.ledger.executions.by("order", order.id)), None)
    source = SOURCES[order.reason]
    return {
        "accFillSz": plain(order.filled),
        "algoClOrdId": "",
        "algoId": "",
        "attachAlgoClOrdId": "",
        "attachAlgoOrds": [],
        "avgPx": "" if order.average is None else figure(order.average),
        "cTime": str(order.created_ms),
        "cancelSource": source,
        "cancelSourceReason": order.reason,
        "category": "normal",
        "ccy": "",
        "clOrdId": order.client_id,
        "fee": plain(-order.fee),
        "feeCcy": order.fee_coin,
        "fillPx": "" if last is None else plain(last.price),
        "fillSz": "0" if last is None else plain(last.quantity),
        "fillTime": "" if last is None else str(last.time_ms),
        "instId": instrument.symbol,
        "instType": instrument.market,
        "isTpLimit": "false",
        "lever": "" if spot else plain(exchange.leverage(order.user, instrument)),
        "linkedAlgoOrd": {"algoId": ""},
        "ordId": order.id,
        "ordType": "market" if order.type == "market" else TYPES[order.tif],
        "pnl": "0",
        "posSide": "" if spot else order.leg,
        "px": "" if order.price is None else plain(order.price),
        "pxType": "",
        "pxUsd": "",
        "pxVol": "",
        "quickMgnType": "",
        "rebate": "0",
        "rebateCcy": instrument.quote if spot else instrument.settle,
        "reduceOnly": "true" if order.reduce_only else "false",
        "side": order.side,
        "slOrdPx": "",
        "slTriggerPx": "",
        "slTriggerPxType": "",
        "source": "",
        "state": state_of(order),
        "stpId": "",
        "stpMode": "cancel_maker",
        "sz": plain(order.quantity),
        "tag": order.tag,
        "tdMode": mode_of(call, order.user, instrument),
        "tgtCcy": "",
        "tpOrdPx": "",
        "tpTriggerPx": "",
        "tpTriggerPxType": "",
        "tradeId": "" if last is None else str(last.seq),
        "tradeQuoteCcy": instrument.quote if spot else "",
        "uTime": str(order.updated_ms),
    }


def _fill(call: Call, execution: Execution) -> Json:
    instrument = call.exchange.instruments[execution.instrument]
    order = call.exchange.ledger.orders[execution.order]
    return {
        "instType": instrument.market,
        "instId": instrument.symbol,
        "tradeId": str(execution.seq),
        "ordId": execution.order,
        "clOrdId": execution.client_id,
        "billId": str(execution.seq),
        "subType": "1" if execution.side == "buy" else "2",
        "tag": order.tag,
        "fillPx": plain(execution.price),
        "fillSz": plain(execution.quantity),
        "fillIdxPx": plain(call.exchange.quote(instrument).index),
        "fillPnl": figure(execution.realised),
        "fillPxVol": "",
        "fillPxUsd": "",
        "fillMarkVol": "",
        "fillFwdPx": "",
        "fillMarkPx": plain(execution.mark),
        "side": execution.side,
        "posSide": "" if instrument.payoff == "spot" else execution.leg,
        "execType": "M" if execution.maker else "T",
        "feeCcy": execution.fee_coin,
        "fee": plain(-execution.fee),
        "fillTime": str(execution.time_ms),
        "tradeQuoteCcy": instrument.quote if instrument.payoff == "spot" else "",
        "ts": str(execution.time_ms),
        **({"feeRate": plain(-execution.fee_rate)} if instrument.payoff == "spot" else {}),
    }


PAGES = ("next page by after", "newer by before", "limit above a hundred: 51000")
ENDPOINTS = (
    row("GET trade/order", details, "order-book-trading-trade-get-order-details",
        "by ordId or clOrdId", "unknown or forgotten: 51603", "neither id: 51003",
        "instId missing: 50014", *KEY, limit=f"60/2s {USER} instId"),
    row("GET trade/orders-pending", pending, "order-book-trading-trade-get-order-list", *PAGES,
        *KEY, limit="60/2s user"),
    row("GET trade/orders-history", week, "order-book-trading-trade-get-order-history-last-7-days",
        "cancelled unfilled: two hours", "instType missing: 50014", *PAGES, *KEY,
        limit="40/2s user"),
    row("GET trade/orders-history-archive", archive,
        "order-book-trading-trade-get-order-history-last-3-months",
        "cancelled unfilled: never", "instType missing: 50014", *PAGES, *KEY,
        limit="20/2s user"),
    row("GET trade/fills", fills, "order-book-trading-trade-get-transaction-details-last-3-days",
        *PAGES, *KEY, limit="60/2s user"),
    row("GET trade/fills-history", fills_history,
        "order-book-trading-trade-get-transaction-details-last-3-months",
        "instType missing: 50014", *PAGES, *KEY, limit="10/2s user"),
)  # fmt: skip
