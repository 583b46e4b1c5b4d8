"""Answers of Kraken Futures as its documentation shows them, with figures that belong together.

Shapes: the example answers and schemas of the pages "Get wallets", "Get open positions", "Get open
orders", "Get instruments", "Get tickers", "Get ticker by symbol", "Get fee schedules", "Get the
leverage setting for a market", "Get Specific Orders' Status", "Send order", "Batch order
management", "Cancel order", "Dead man's switch", "Get order events", "Get execution events",
"Initiate wallet transfer", "Initiate sub account transfer", "Get account log" on
docs.kraken.com. The wallet is the page's own
(0.1185308247 XBT, 5,000 USD and 4,540.58 EUR, with their values and collateral) without the
currencies that its example leaves out; the position and what it makes of the sums are ours.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from allocator.adapters.emulator.wire import Reply
from tests.adapters.ccxt.recorded import Recorded, Refusals

HOST = "futures.kraken.com"
V3, HISTORY = "/derivatives/api/v3", "/api/history/v3"
NOW = "2026-02-25T09:45:53.818Z"
NAME = "01234567-89ab-cdef-0123-456789abcdef"
UID = "179f9af8-e45e-469d-b3e9-2fd4675cb7d0"


def ok(**data: Any) -> dict[str, Any]:
    return {"result": "success", "serverTime": NOW, **data}


def no(error: str, status: int = 200) -> Reply:
    return Reply({"result": "error", "serverTime": NOW, "error": error}, status)


def sent(status: str) -> dict[str, Any]:
    told = {"status": status, "receivedTime": NOW, "orderEvents": []}
    return ok(sendStatus={**told, "order_id": UID} if status == "placed" else told)


FLEX: dict[str, Any] = {
    "type": "multiCollateralMarginAccount",
    "currencies": {
        "XBT": {"quantity": 0.1185308247, "value": 4998.721054420551,
                "collateral": 4886.49976674881, "available": 0.1185308247},
        "USD": {"quantity": 5000, "value": 5000, "collateral": 5000, "available": 5000},
        "EUR": {"quantity": 4540.5837374453, "value": 4999.137289089901,
                "collateral": 4886.906656949836, "available": 4540.5837374453},
    },
    "balanceValue": 14997.858343510452, "portfolioValue": 15002.858343510452,
    "collateralValue": 14773.406423698646, "initialMargin": 8.435, "initialMarginWithOrders": 8.435,
    "maintenanceMargin": 4.2175, "pnl": 5.1, "unrealizedFunding": -0.1, "totalUnrealized": 5.0,
    "totalUnrealizedAsMargin": 5.0, "marginEquity": 14778.406423698646,
    "availableMargin": 14769.971423698646,
}  # fmt: skip
POSITION: dict[str, Any] = {
    "side": "short", "symbol": "PF_XBTUSD", "price": 42685, "fillTime": "2026-02-24T19:32:17.122Z",
    "size": 0.01, "unrealizedFunding": -0.1, "pnlCurrency": "USD",
}  # fmt: skip
LEVELS = [
    {"numNonContractUnits": 0, "initialMargin": 0.02, "maintenanceMargin": 0.01},
    {"numNonContractUnits": 500000, "initialMargin": 0.04, "maintenanceMargin": 0.02},
    {"numNonContractUnits": 2000000, "initialMargin": 0.1, "maintenanceMargin": 0.05},
]
SCHEDULE = "5b755fea-c5b0-4307-a66e-b392cd5bd931"


def contract(symbol: str, base: str, **other: Any) -> dict[str, Any]:
    return {
        "symbol": symbol, "type": "flexible_futures", "base": base, "quote": "USD",
        "pair": f"{base}:USD", "tickSize": 0.5, "contractSize": 1, "tradeable": True,
        "contractValueTradePrecision": 4, "feeScheduleUid": SCHEDULE, "fundingRateCoefficient": 8,
        "maxRelativeFundingRate": 0.0025, "impactMidSize": 1, "maxPositionSize": 1000000,
        "openingDate": "2022-03-22T00:00:00.000Z", "postOnly": False, "category": "Layer 1",
        "tags": [], "marginLevels": LEVELS, "retailMarginLevels": LEVELS, **other,
    }  # fmt: skip


def ticker(symbol: str, mark: float, **other: Any) -> dict[str, Any]:
    return {
        "symbol": symbol, "tag": "perpetual", "pair": "XBT:USD", "last": mark, "lastTime": NOW,
        "lastSize": 0.0114, "markPrice": mark, "bid": mark - 0.5, "bidSize": 0.0776,
        "ask": mark + 0.5, "askSize": 0.4929, "vol24h": 8309.2546, "volumeQuote": 2823750.5,
        "openInterest": 1950.5966, "open24h": 42000, "high24h": 43000, "low24h": 41000,
        "indexPrice": 42172.25, "fundingRate": 0.42175, "fundingRatePrediction": 0.4,
        "suspended": False, "postOnly": False, "change24h": -0.46, **other,
    }  # fmt: skip


TICKERS = [ticker("PF_XBTUSD", 42175), ticker("PF_ETHUSD", 2300, suspended=True)]


def open_order(**other: Any) -> dict[str, Any]:
    return {
        "order_id": UID, "cliOrdId": NAME, "symbol": "PF_XBTUSD", "side": "sell",
        "orderType": "lmt", "limitPrice": 42174.5, "unfilledSize": 0.009, "receivedTime": NOW,
        "status": "untouched", "filledSize": 0, "reduceOnly": False, "lastUpdateTime": NOW, **other,
    }  # fmt: skip


def status(told: str, filled: object, name: str = NAME, **other: Any) -> dict[str, Any]:
    """Tell what became of an order that is open, or ended a moment ago."""
    named = {
        "type": "ORDER", "orderId": UID, "cliOrdId": name, "symbol": "PF_XBTUSD", "side": "sell",
        "quantity": 0.009, "filled": filled, "limitPrice": 42174.5, "reduceOnly": False,
        "timestamp": NOW, "lastUpdateTimestamp": NOW,
    }  # fmt: skip
    return {"order": named, "status": told, "updateReason": None, "error": None, **other}


def history(*events: tuple[str, Any]) -> dict[str, Any]:
    rows = [
        {"uid": f"e{n}", "timestamp": 1604937694000 + n, "event": {kind: told}}
        for n, (kind, told) in enumerate(events)
    ]
    return {"accountUid": "3c90c3cc-0d44-4b50-8888-8dd25736052a", "len": len(rows),
            "elements": rows}  # fmt: skip


def order(name: str = NAME) -> dict[str, Any]:
    return {
        "uid": UID, "accountUid": "3c90c3cc-0d44-4b50-8888-8dd25736052a",
        "tradeable": "PF_XBTUSD", "direction": "Sell", "quantity": "0.009", "filled": "0",
        "timestamp": 1604937694000, "limitPrice": "42174.5", "orderType": "IoC", "clientId": name,
        "reduceOnly": False, "lastUpdateTimestamp": 1604937694000,
    }  # fmt: skip


def execution(quantity: str, price: str, fee: str, name: str = NAME) -> tuple[str, Any]:
    told = {
        "uid": f"x{quantity}", "order": order(name), "timestamp": 1604937694000,
        "quantity": quantity, "price": price, "markPrice": "42175", "limitFilled": True,
        "usdValue": "379.57", "orderData": {"fee": fee, "positionSize": "-0.019"},
    }  # fmt: skip
    return "Execution", {"execution": told, "takerReducedQuantity": ""}


PLACED = ("OrderPlaced", {"order": order(), "reason": "new_user_order", "reducedQuantity": ""})
CANCELLED = ("OrderCancelled", {"order": order(), "reason": "cancelled_by_user"})


def table() -> dict[str, Any]:
    """Everything that a gather and its writes ask, by method and path."""
    fees = [
        {"makerFee": 0.02, "takerFee": 0.05, "usdVolume": 0},
        {"makerFee": 0.015, "takerFee": 0.04, "usdVolume": 100000},
    ]
    return {
        f"GET {V3}/feeschedules": lambda call: {
            "result": "success",
            "serverTime": _iso(call.now_ms),
            "feeSchedules": [{"uid": SCHEDULE, "name": "PGTMainFees", "tiers": fees}],
        },
        f"GET {V3}/instruments": ok(
            instruments=[
                contract("PF_XBTUSD", "BTC"), contract("PF_ETHUSD", "ETH"),
                {**contract("PI_XBTUSD", "BTC"), "type": "futures_inverse"},
            ]
        ),
        f"GET {V3}/tickers": ok(tickers=TICKERS),
        f"GET {V3}/tickers/PF_XBTUSD": ok(ticker=TICKERS[0]),
        f"GET {V3}/accounts": ok(
            accounts={
                "cash": {"type": "cashAccount",
                         "balances": {"xbt": "0.1", "xrp": "12345678901234567890.5", "eth": "0"}},
                "flex": FLEX,
            }
        ),
        f"GET {V3}/openpositions": ok(openPositions=[POSITION]),
        f"GET {V3}/openorders": ok(openOrders=[]),
        f"GET {V3}/leveragepreferences": ok(leveragePreferences=[]),
        f"POST {V3}/orders/status": ok(orders=[]),
        f"POST {V3}/sendorder": sent("placed"),
        f"POST {V3}/cancelorder": ok(
            cancelStatus={"status": "cancelled", "order_id": UID, "cliOrdId": NAME,
                          "receivedTime": NOW, "orderEvents": []}
        ),
        f"POST {V3}/cancelallordersafter": ok(
            status={"currentTime": NOW, "triggerTime": "2026-02-25T09:46:53.818Z"}
        ),
        f"POST {V3}/transfer": ok(),
        f"POST {V3}/transfer/subaccount": ok(),
        f"GET {HISTORY}/account-log": log(),
        f"GET {HISTORY}/orders": history(),
        f"GET {HISTORY}/executions": history(),
    }  # fmt: skip


def entry(change: str, **other: Any) -> dict[str, Any]:
    """Tell of a transfer as the account log does; its page shows an entry of a trade."""
    return {
        "asset": "usd", "booking_uid": "86fdc252-1b6e-40ec-ac1d-c7bd46ddeebf", "collateral": None,
        "contract": None, "date": "2999-01-01T00:00:00.000Z", "execution": None, "fee": None,
        "funding_rate": None, "id": 1690, "info": "transfer", "margin_account": "flex",
        "mark_price": None, "new_average_entry_price": None, "old_balance": 5000,
        "new_balance": float(5000 + Decimal(change)), "old_average_entry_price": None,
        "realized_funding": None, "realized_pnl": None, "trade_price": None, **other,
    }  # fmt: skip


def log(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"accountUid": "3c90c3cc-0d44-4b50-8888-8dd25736052a", "logs": list(entries)}


def _iso(milliseconds: int) -> str:
    at = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def found(key: str) -> dict[str, Any]:
    return {
        f"GET {HISTORY}/orders": history(PLACED),
        f"GET {HISTORY}/executions": history(
            execution("0.004", "42174.5", "0.0843"), execution("0.005", "42175", "0.1054")
        ),
    }


def exact(units: str) -> dict[str, Any]:
    one = {"quantity": units, "value": units, "collateral": units, "available": units}
    flat = {
        **FLEX, "currencies": {"USD": one}, "balanceValue": units, "portfolioValue": units,
        "collateralValue": units, "marginEquity": units, "totalUnrealized": 0,
        "totalUnrealizedAsMargin": 0, "maintenanceMargin": 0,
    }  # fmt: skip
    return {
        f"GET {V3}/accounts": ok(accounts={"flex": flat, "cash": {"balances": {}}}),
        f"GET {V3}/openpositions": ok(openPositions=[]),
    }


RECORDED = Recorded(
    venue="krakenfutures",
    host=HOST,
    table=table,
    login={"key": "k", "secret": "c2VjcmV0"},
    accounts=(
        {"id": "flex", "wallet": "unified", "instruments": ["BTC/USD:USD", "ETH/USD:USD"]},
        {"id": "cash", "wallet": "funding"},
        {"id": "coins", "wallet": "coinm"},
    ),
    instrument="krakenfutures:BTC/USD:USD",
    quantity="0.009",
    price="42174.5",
    trades="flex",
    order=f"POST {V3}/sendorder",
    cancel=f"POST {V3}/cancelorder",
    lookup=f"GET {HISTORY}/orders",
    reads=f"GET {V3}/openpositions",
    refusals=Refusals(
        funds=sent("insufficientAvailableFunds"),
        step=sent("invalidSize"),
        stale=sent("wouldProcessAfterSpecifiedTime"),
        post_only=sent("postWouldExecute"),
        reduce_only=sent("wouldNotReducePosition"),
        gone=ok(cancelStatus={"status": "notFound", "receivedTime": NOW}),
        duplicate=sent("clientOrderIdAlreadyExist"),
    ),
    found=found,
    resting=lambda key: {f"GET {V3}/openorders": ok(openOrders=[open_order()])},
    named=NAME,
    standing=lambda name: {f"GET {V3}/openorders": ok(openOrders=[open_order(cliOrdId=name)])},
    fees={"USD": "0.1897"},
    step_quantity="0.00905",
    market="PF_XBTUSD",
    unequal=lambda: {
        f"GET {V3}/accounts": ok(
            accounts={"flex": {**FLEX, "portfolioValue": 15100}, "cash": {"balances": {}}}
        )
    },
    exact=exact,
    exact_in=("flex", "USD"),
    unable=frozenset({"moves", "transfer_key", "sees_deposits", "withdrawals"}),
    sends="flex",
    receives="cash",
    moved=f"POST {V3}/transfer",
    transferred=lambda key: {f"GET {HISTORY}/account-log": log(entry("-0.1"))},
    fenced=False,
    asset="USD",
    assets={"USD": {"price": 1, "haircut": 0}, "XRP": {"price": "0.5"}, "EUR": {"price": "1.1"},
            "PEPE": {"price": 1}},
)  # fmt: skip
