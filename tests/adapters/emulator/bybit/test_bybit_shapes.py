"""Every reply has its documented shape, key for key and type for type."""

import json
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from allocator.adapters.emulator.bybit.routes import ENDPOINTS
from allocator.adapters.emulator.testing import Emulator

Raw = Callable[..., dict[str, Any]]
SHAPES: dict[str, dict[str, Any]] = json.loads(
    Path(__file__).with_name("shapes.json").read_text(encoding="utf-8")
)["shapes"]
HOME = "TBybitFundOne1111111111111111111111"
TYPES = {str: "str", bool: "bool", int: "int", type(None): "null", float: "float"}
ORDER = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit"}
REST = {**ORDER, "qty": "0.01", "price": "60000", "timeInForce": "GTC"}
TAKE = {**ORDER, "qty": "0.01", "price": "64100", "timeInForce": "IOC"}
LEG = {
    "category": "linear",
    "symbol": "BTCUSDT",
    "price": "64000",
    "side": "Sell",
    "qty": "0.1",
}
QUERIES: dict[str, dict[str, Any]] = {
    "GET /v5/market/instruments-info linear": {"category": "linear"},
    "GET /v5/market/instruments-info inverse": {"category": "inverse"},
    "GET /v5/market/instruments-info spot": {"category": "spot"},
    "GET /v5/market/tickers linear": {"category": "linear"},
    "GET /v5/market/tickers inverse": {"category": "inverse"},
    "GET /v5/market/tickers spot": {"category": "spot"},
    "GET /v5/market/orderbook": {"category": "linear", "symbol": "BTCUSDT"},
    "GET /v5/market/risk-limit": {"category": "linear"},
    "GET /v5/market/funding/history": {"category": "linear", "symbol": "BTCUSDT", "limit": "3"},
    "GET /v5/account/wallet-balance": {"accountType": "UNIFIED"},
    "GET /v5/account/fee-rate": {"category": "linear"},
    "GET /v5/account/withdrawal": {"coinName": "USDT,BTC"},
    "GET /v5/order/realtime": {"category": "linear", "settleCoin": "USDT"},
    "GET /v5/order/history": {"category": "linear"},
    "GET /v5/execution/list": {"category": "linear"},
    "GET /v5/position/list": {"category": "linear", "settleCoin": "USDT"},
    "GET /v5/asset/transfer/query-account-coins-balance": {"accountType": "FUND"},
    "GET /v5/asset/transfer/query-account-coin-balance": {"accountType": "FUND", "coin": "USDT"},
    "GET /v5/asset/withdraw/withdrawable-amount": {"coin": "USDT"},
    "GET /v5/asset/deposit/query-address": {"coin": "USDT"},
    "POST /v5/position/set-leverage": {
        "category": "linear",
        "symbol": "BTCUSDT",
        "buyLeverage": "12",
        "sellLeverage": "12",
    },
    "POST /v5/position/move-positions": {
        "fromUid": "10000001",
        "toUid": "10000003",
        "list": [LEG],
    },
    "POST /v5/order/create": TAKE,
    "POST /v5/order/create-batch": {
        "category": "linear",
        "request": [{key: told for key, told in TAKE.items() if key != "category"}],
    },
    "POST /v5/order/cancel": {
        "category": "linear",
        "symbol": "BTCUSDT",
        "orderLinkId": "to-cancel",
    },
    "POST /v5/order/cancel-all": {"category": "linear", "symbol": "BTCUSDT"},
    "POST /v5/asset/transfer/inter-transfer": {
        "transferId": str(uuid.UUID(int=1)),
        "coin": "USDT",
        "amount": "5",
        "fromAccountType": "UNIFIED",
        "toAccountType": "FUND",
    },
    "POST /v5/asset/transfer/universal-transfer": {
        "transferId": str(uuid.UUID(int=2)),
        "coin": "USDT",
        "amount": "5",
        "fromMemberId": "10000001",
        "toMemberId": "10000002",
        "fromAccountType": "UNIFIED",
        "toAccountType": "UNIFIED",
    },
    "POST /v5/asset/withdraw/create": {
        "coin": "USDT",
        "chain": "TRX",
        "address": HOME,
        "amount": "50",
        "timestamp": 1,
        "accountType": "FUND",
    },
}
ENVELOPE = {"retCode": "int", "retMsg": "str", "result": "*", "retExtInfo": {}, "time": "int"}


Mismatches = list[str]


def mismatches(shape: Any, value: Any, where: str) -> Mismatches:
    """Name every key that is missing, too many, or of another type."""
    if shape == "*":
        return []
    if isinstance(shape, str):
        kind = TYPES.get(type(value), type(value).__name__)
        return [] if kind in shape.split("|") else [f"{where}: {kind}, not {shape}"]
    compare = compare_list if isinstance(shape, list) else compare_object
    return compare(shape, value, where)


def compare_list(shape: list[Any], value: Any, where: str) -> Mismatches:
    if not isinstance(value, list):
        return [f"{where}: not a list"]
    if not shape:
        return [f"{where}: not empty"] if value else []
    return [m for i, v in enumerate(value) for m in mismatches(shape[0], v, f"{where}[{i}]")]


def compare_object(shape: dict[str, Any], value: Any, where: str) -> Mismatches:
    if not isinstance(value, dict):
        return [f"{where}: not an object"]
    if "*" in shape:
        return [m for k, v in value.items() for m in mismatches(shape["*"], v, f"{where}.{k}")]
    found = [f"{where}.{k}: missing" for k in shape if k not in value]
    found += [f"{where}.{k}: not documented" for k in value if k not in shape]
    both = [k for k in shape if k in value]
    return found + [m for k in both for m in mismatches(shape[k], value[k], f"{where}.{k}")]


CREATE, INTER, UNIVERSAL, MOVE, WITHDRAW = (
    "POST /v5/order/create",
    "POST /v5/asset/transfer/inter-transfer",
    "POST /v5/asset/transfer/universal-transfer",
    "POST /v5/position/move-positions",
    "POST /v5/asset/withdraw/create",
)
BEFORE: dict[str, tuple[str, dict[str, Any]]] = {
    "POST /v5/order/cancel": (CREATE, {**REST, "orderLinkId": "to-cancel"}),
    "POST /v5/order/cancel-all": (CREATE, REST),
    "GET /v5/order/realtime": (CREATE, REST),
    "GET /v5/order/history": (CREATE, TAKE),
    "GET /v5/execution/list": (CREATE, TAKE),
    "GET /v5/asset/transfer/query-inter-transfer-list": (INTER, QUERIES[INTER]),
    "GET /v5/asset/transfer/query-universal-transfer-list": (UNIVERSAL, QUERIES[UNIVERSAL]),
    "GET /v5/position/move-history": (MOVE, QUERIES[MOVE]),
    "GET /v5/asset/withdraw/query-record": (WITHDRAW, QUERIES[WITHDRAW]),
    "GET /v5/asset/deposit/query-record": (WITHDRAW, QUERIES[WITHDRAW]),
}
LATER_MS = {
    "GET /v5/execution/list": 9 * 3_600_000,
    "GET /v5/asset/deposit/query-record": 5_000,
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_reply_has_its_documented_shape(name: str, raw: Raw, emulator: Emulator) -> None:
    if name in BEFORE:
        before, wanted = BEFORE[name]
        assert raw(*before.split(), **wanted)["retCode"] == 0
    later_ms = LATER_MS.get(name, 0)
    emulator.admin("POST", "clock", advance_ms=later_ms)
    method, path = name.split()[:2]
    reply = raw(method, path, age_ms=-later_ms, **QUERIES.get(name, {}))
    assert reply.pop("status") == 200
    assert reply["retCode"] == 0, reply["retMsg"]
    beside = SHAPES[name].get("retExtInfo", {})
    assert mismatches({**ENVELOPE, "retExtInfo": beside}, reply, "reply") == []
    assert mismatches(SHAPES[name]["result"], reply["result"], "result") == []
    rows = next((v for v in reply["result"].values() if isinstance(v, list)), [None])
    assert rows or name.endswith("/v5/system/status"), "an empty list shows no shape"


def test_every_endpoint_has_a_shape_and_every_shape_an_endpoint() -> None:
    routes = {f"{e.method} {e.path}" for e in ENDPOINTS}
    assert {" ".join(name.split()[:2]) for name in SHAPES} == routes


def test_the_table_names_the_page_the_shape_was_read_from() -> None:
    pages = {f"{e.method} {e.path}": e.page for e in ENDPOINTS}
    wrong = {n for n, s in SHAPES.items() if s["page"] != pages[" ".join(n.split()[:2])]}
    assert wrong == set()


SHARED = Path(
    os.environ.get("ALLOCATOR_SHARED", Path(__file__).parents[4].parent / "shared")
).joinpath("data", "payloads", "bybit.json")
RECORDED = {
    "privateGetV5OrderHistory fetch_canceled_and_closed_orders": "GET /v5/order/history",
    "privateGetV5PositionList fetch_positions_adl_rank": "GET /v5/position/list",
    "privateGetV5AccountInfo fetch_margin_mode": "GET /v5/account/info",
    "privateGetV5ExecutionList fetch_my_trades": "GET /v5/execution/list",
    "privateGetV5AssetCoinQueryInfo fetch_currencies": "GET /v5/asset/coin/query-info",
    "publicGetV5MarketOrderbook fetch_order_book": "GET /v5/market/orderbook",
    "publicGetV5MarketTickers fetch_ticker": "GET /v5/market/tickers inverse",
    "privateGetV5UserQueryApi is_unified_enabled": "GET /v5/user/query-api",
    "privatePostV5OrderCreate create_order": "POST /v5/order/create",
    "privateGetV5AssetWithdrawQueryRecord fetch_withdrawals": (
        "GET /v5/asset/withdraw/query-record"
    ),
    "privateGetV5AssetDepositQueryRecord fetch_deposits": "GET /v5/asset/deposit/query-record",
}


@pytest.mark.skipif(not SHARED.exists(), reason="recorded replies are not beside the clone")
@pytest.mark.parametrize("record", RECORDED)
def test_a_recorded_reply_holds_nothing_the_shape_lacks(record: str) -> None:
    endpoint, method = record.split()
    recorded = [
        row["payload"]["result"]
        for row in json.loads(SHARED.read_text(encoding="utf-8"))
        if row["method"] == method and (row["endpoint"] or endpoint) == endpoint
    ]
    assert recorded
    shape = SHAPES[RECORDED[record]]["result"]
    found = [m for m in mismatches(shape, recorded[0], "result") if not m.endswith("missing")]
    assert found == []
