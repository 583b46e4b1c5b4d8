"""Orders that wait for a trigger, and those that go into a book bit by bit, read.

Source: the venue's page "Algo order list".
"""

from decimal import Decimal

from allocator.adapters.emulator.market import Instrument
from allocator.adapters.emulator.okx.account import KEY
from allocator.adapters.emulator.okx.history import PAGES, matches, mode_of
from allocator.adapters.emulator.okx.host import row
from allocator.adapters.emulator.okx.words import page, required, wrong
from allocator.adapters.emulator.records import Waiting
from allocator.adapters.emulator.wire import Call, Json, plain

TOGETHER = frozenset({"conditional", "oco"})
KINDS = TOGETHER | {"trigger", "move_order_stop", "iceberg", "smart_iceberg", "twap", "chase"}
UNSET = (
    "activePx", "actualPx", "actualSide", "algoClOrdId", "callbackRatio", "callbackSpread", "ccy",
    "chaseType", "chaseVal", "clOrdId", "failCode", "isTradeBorrowMode", "last", "maxChaseType",
    "maxChaseVal", "moveTriggerPx", "ordId", "ordPx", "pxLimit", "pxSpread", "pxVar",
    "quickMgnType", "slOrdPx", "slTriggerPx", "slTriggerPxType", "szLimit", "tag", "tgtCcy",
    "timeInterval", "tpOrdPx", "tpTriggerPx", "tpTriggerPxType", "triggerPx", "triggerPxType",
    "triggerTime",
)  # fmt: skip
"""What an order tells as empty that has no use for it."""


def pending(call: Call) -> Json:
    """Return what waits, of one kind, or of the two that go together."""
    kinds = required(call, "ordType").split(",")
    if not set(kinds) <= (TOGETHER if len(kinds) > 1 else KINDS):
        raise wrong("ordType")
    rows = reversed(call.exchange.ledger.waiting.by("user", call.user))
    mine = [r for r in rows if r.kind in kinds and matches(call, r.instrument)]
    return [_shown(call, r) for r in page(call, mine, lambda r: int(r.id))]


def _shown(call: Call, waiting: Waiting) -> Json:
    exchange = call.exchange
    instrument = exchange.instruments[waiting.instrument]
    spot = instrument.payoff == "spot"
    return {
        **dict.fromkeys(UNSET, ""),
        **_prices(waiting),
        "actualSz": "0",
        "algoId": waiting.id,
        "amendPxOnTriggerType": "0",
        "attachAlgoOrds": [],
        "cTime": str(waiting.created_ms),
        "closeFraction": "1" if waiting.quantity is None else "",
        "instId": instrument.symbol,
        "instType": instrument.market,
        "lever": "" if spot else plain(exchange.leverage(waiting.user, instrument)),
        "linkedOrd": {"ordId": ""},
        "ordIdList": [],
        "ordType": waiting.kind,
        "posSide": "" if spot else waiting.leg,
        "reduceOnly": "true" if waiting.reduce_only else "false",
        "side": waiting.side,
        "state": "live",
        "sz": _plain(waiting.quantity),
        "tdMode": mode_of(call, waiting.user, instrument),
        "tradeQuoteCcy": _quote(instrument),
        "uTime": str(waiting.created_ms),
    }


def _prices(waiting: Waiting) -> dict[str, Json]:
    """Return trigger and limit under the names of the order's kind; -1 is at market."""
    at, limit = plain(waiting.trigger), "-1" if waiting.price is None else plain(waiting.price)
    stop: dict[str, Json] = {"slTriggerPx": at, "slTriggerPxType": "last", "slOrdPx": limit}
    match waiting.kind:
        case "trigger":
            return {"triggerPx": at, "triggerPxType": "last", "ordPx": limit}
        case "conditional":
            return stop
        case "oco":
            profit: dict[str, Json] = {"tpTriggerPx": at, "tpTriggerPxType": "last"}
            return {**stop, **profit, "tpOrdPx": limit}
        case "move_order_stop":
            return {"moveTriggerPx": at}
        case "chase":
            return {"chaseType": "distance", "chaseVal": "0"}
        case _:
            return {"pxLimit": limit}


def _plain(quantity: Decimal | None) -> str:
    return "" if quantity is None else plain(quantity)


def _quote(instrument: Instrument) -> str:
    return instrument.quote if instrument.payoff == "spot" else ""


ENDPOINTS = (
    row("GET trade/orders-algo-pending", pending,
        "order-book-trading-algo-trading-get-algo-order-list", "conditional and oco together",
        "ordType missing: 50014", "other types together: 51000", *PAGES, *KEY, limit="20/2s user"),
)  # fmt: skip
