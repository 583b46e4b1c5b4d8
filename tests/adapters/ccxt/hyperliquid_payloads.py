"""Answers of Hyperliquid as its documentation shows them, with figures that belong together.

Shapes: the examples of the pages "Perpetuals" (meta, metaAndAssetCtxs, clearinghouseState,
activeAssetData), "Info endpoint" (orderStatus, frontendOpenOrders, userFillsByTime, userFees, L2
book), "Spot" (spotClearinghouseState), "Exchange endpoint" (order, cancelByCloid, scheduleCancel)
and "Error responses" on hyperliquid.gitbook.io. The account's value, cash and isolated position of
0.0335 ETH from 2,986.3 are the page's own.
"""

from typing import Any

from allocator.adapters.emulator.wire import Call
from tests.adapters.ccxt.recorded import Recorded, Refusals

HOST = "api.hyperliquid.xyz"
ADDRESS = "0x" + "5e89b26d8d66da9888c835c9bfcc2aa51813e152"
NAME = "0x0123456789abcdef0123456789abcdef"
INFO, ACT = "POST /info", "POST /exchange"

POSITION: dict[str, Any] = {
    "coin": "ETH", "cumFunding": {"allTime": "514.085417", "sinceChange": "0.0",
                                  "sinceOpen": "0.0"},
    "entryPx": "2986.3", "leverage": {"rawUsd": "-95.059824", "type": "isolated", "value": 20},
    "liquidationPx": "2866.26936529", "marginUsed": "4.967826", "maxLeverage": 50,
    "positionValue": "100.02765", "returnOnEquity": "-0.0026789", "szi": "0.0335",
    "unrealizedPnl": "-0.0134",
}  # fmt: skip
STATE: dict[str, Any] = {
    "assetPositions": [{"position": POSITION, "type": "oneWay"}],
    "crossMaintenanceMarginUsed": "0.0",
    "crossMarginSummary": {"accountValue": "13104.514502", "totalMarginUsed": "0.0",
                           "totalNtlPos": "0.0", "totalRawUsd": "13104.514502"},
    "marginSummary": {"accountValue": "13109.482328", "totalMarginUsed": "4.967826",
                      "totalNtlPos": "100.02765", "totalRawUsd": "13009.454678"},
    "time": 1708622398623, "withdrawable": "13104.514502",
}  # fmt: skip
UNIVERSE = [
    {"name": "BTC", "szDecimals": 5, "maxLeverage": 40, "marginTableId": 56},
    {"name": "ETH", "szDecimals": 4, "maxLeverage": 50},
    {"name": "LOOM", "szDecimals": 1, "maxLeverage": 3, "isDelisted": True,
     "marginMode": "strictIsolated", "onlyIsolated": True},
]  # fmt: skip
TABLES: list[Any] = [
    [50, {"description": "", "marginTiers": [{"lowerBound": "0.0", "maxLeverage": 50}]}],
    [56, {"description": "tiered 40x", "marginTiers": [
        {"lowerBound": "0.0", "maxLeverage": 40},
        {"lowerBound": "150000000.0", "maxLeverage": 20}]}],
]  # fmt: skip


def context(mark: str, oracle: str) -> dict[str, Any]:
    return {
        "dayNtlVlm": "1169046.29406", "funding": "0.0000125", "impactPxs": [mark, mark],
        "markPx": mark, "midPx": mark, "openInterest": "688.11", "oraclePx": oracle,
        "premium": "0.00031774", "prevDayPx": "60000.0",
    }  # fmt: skip


CONTEXTS = [context("64000.0", "63990.0"), context("2985.9", "2985.0"), context("0.05", "0.05")]
BOOKS = {"BTC": ("63999.0", "64001.0"), "ETH": ("2985.8", "2986.0"), "LOOM": ("0.049", "0.051")}


def book(call: Call) -> Any:
    bid, ask = BOOKS[call.text("coin")]
    sides = [[{"px": px, "sz": "7.6699", "n": 17}] for px in (bid, ask)]
    return {"coin": call.text("coin"), "time": 1754450974231, "levels": sides}


def order(**other: Any) -> dict[str, Any]:
    return {
        "coin": "BTC", "side": "A", "limitPx": "63999.0", "sz": "0.012", "oid": 77738308,
        "timestamp": 1724361546645, "triggerCondition": "N/A", "isTrigger": False,
        "triggerPx": "0.0", "children": [], "isPositionTpsl": False, "reduceOnly": False,
        "orderType": "Limit", "origSz": "0.012", "tif": "Ioc", "cloid": NAME, **other,
    }  # fmt: skip


def status(state: str, **other: Any) -> dict[str, Any]:
    told = {"order": order(**other), "status": state, "statusTimestamp": 1724361546645}
    return {"status": "order", "order": told}


def fill(size: str, price: str, fee: str, oid: int = 77738308) -> dict[str, Any]:
    return {
        "closedPnl": "0.0", "coin": "BTC", "crossed": True, "dir": "Open Short",
        "hash": "0xa166e3fa63c25663024b03f2e0da011a00307e4017465df020210d3d432e7cb8", "oid": oid,
        "px": price, "side": "A", "startPosition": "0.0", "sz": size, "time": 1681222254710,
        "fee": fee, "feeToken": "USDC", "tid": 118906512037719,
    }  # fmt: skip


def acted(kind: str, told: Any) -> dict[str, Any]:
    return {"status": "ok", "response": {"type": kind, "data": {"statuses": [told]}}}


def no(words: str, kind: str = "order") -> dict[str, Any]:
    return acted(kind, {"error": words})


def table() -> dict[str, Any]:
    """Everything that a gather and its writes ask, by path and type."""
    return {
        f"{INFO}#exchangeStatus": lambda call: {"specialStatuses": None, "time": call.now_ms},
        f"{INFO}#metaAndAssetCtxs": [{"universe": UNIVERSE, "marginTables": TABLES}, CONTEXTS],
        f"{INFO}#meta": {"universe": UNIVERSE, "marginTables": TABLES},
        f"{INFO}#l2Book": book,
        f"{INFO}#clearinghouseState": STATE,
        f"{INFO}#spotClearinghouseState": {
            "balances": [
                {"coin": "USDC", "token": 0, "total": "0.1", "hold": "0.0", "entryNtl": "0.0"},
                {"coin": "PURR", "token": 1, "total": "12345678901234567890.5", "hold": "0.0",
                 "entryNtl": "0.0"},
            ]
        },
        f"{INFO}#userAbstraction": "default",
        f"{INFO}#perpDexs": [None],
        f"{INFO}#frontendOpenOrders": [],
        f"{INFO}#activeAssetData": lambda call: {
            "user": ADDRESS, "coin": call.text("coin"), "leverage": {"type": "cross", "value": 3},
            "maxTradeSzs": ["1.0", "1.0"], "availableToTrade": ["1.0", "1.0"], "markPx": "4.4716",
        },
        f"{INFO}#userFees": {
            "dailyUserVlm": [], "userCrossRate": "0.000315", "userAddRate": "0.000105",
            "activeReferralDiscount": "0.0",
        },
        f"{INFO}#orderStatus": {"status": "unknownOid"},
        f"{INFO}#userFillsByTime": [],
        f"{ACT}#order": acted("order", {"resting": {"oid": 77738308, "cloid": NAME}}),
        f"{ACT}#cancelByCloid": acted("cancel", "success"),
        f"{ACT}#scheduleCancel": {"status": "ok", "response": {"type": "default"}},
    }  # fmt: skip


def flat(value: str) -> dict[str, Any]:
    summary = {"accountValue": value, "totalMarginUsed": "0.0", "totalNtlPos": "0.0",
               "totalRawUsd": value}  # fmt: skip
    return {**STATE, "assetPositions": [], "marginSummary": summary, "withdrawable": value}


RECORDED = Recorded(
    venue="hyperliquid",
    host=HOST,
    table=table,
    login={"key": ADDRESS, "secret": "0x" + "11" * 32},
    accounts=(
        {"id": "perps", "wallet": "unified", "instruments": ["BTC/USDC:USDC", "ETH/USDC:USDC"]},
        {"id": "spot", "wallet": "spot"},
        {"id": "coins", "wallet": "coinm"},
    ),
    instrument="hyperliquid:BTC/USDC:USDC",
    quantity="0.012",
    price="63999",
    trades="perps",
    order=f"{ACT}#order",
    cancel=f"{ACT}#cancelByCloid",
    lookup=f"{INFO}#orderStatus",
    reads=f"{INFO}#clearinghouseState",
    refusals=Refusals(
        funds=no("Insufficient margin to place order. asset=0"),
        step=no("Price must be divisible by tick size. asset=0"),
        stale=None,
        post_only=no(
            "Post only order would have immediately matched, bbo was 63999@64001. asset=0"
        ),
        reduce_only=no("Reduce only order would increase position. asset=0"),
        gone=no("Order was never placed, already canceled, or filled. asset=0", "cancel"),
    ),
    found=lambda key: {
        f"{INFO}#orderStatus": status("filled", sz="0.0"),
        f"{INFO}#userFillsByTime": [
            fill("0.005", "63999.0", "0.1"), fill("0.007", "64000.0", "0.15"),
            fill("1.0", "64000.0", "9", oid=1),
        ],
    },
    resting=lambda key: {f"{INFO}#orderStatus": status("open", tif="Alo")},
    named=NAME,
    standing=lambda name: {f"{INFO}#frontendOpenOrders": [order(cloid=name)]},
    fees={"USDC": "0.25"},
    step_quantity="0.0120005",
    market="0",
    unequal=lambda: {
        f"{INFO}#clearinghouseState": {
            **STATE, "marginSummary": {**STATE["marginSummary"], "accountValue": "13200.0"}
        }
    },
    exact=lambda units: {f"{INFO}#clearinghouseState": flat(units)},
    exact_in=("perps", "USDC"),
    unable=frozenset({"moves", "transfers", "sees_deposits", "withdrawals"}),
    assets={"USDC": {"price": 1, "haircut": 0}, "PURR": {"price": "0.1"}},
)  # fmt: skip
