"""Every reply has its documented shape, key for key and type for type."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from allocator.adapters.emulator.okx.routes import ENDPOINTS
from allocator.adapters.emulator.testing import Emulator

Raw = Callable[..., dict[str, Any]]
SHAPES: dict[str, dict[str, Any]] = json.loads(
    Path(__file__).with_name("shapes.json").read_text(encoding="utf-8")
)["shapes"]
HOME = "TOkxFundOne111111111111111111111111"
TYPES = {str: "str", bool: "bool", int: "int", type(None): "null", float: "float"}
SWAP = {"instId": "BTC-USDT-SWAP", "tdMode": "cross", "side": "buy"}
REST = {**SWAP, "ordType": "post_only", "sz": "0.5", "px": "62000", "clOrdId": "rest"}
TAKE = {**SWAP, "ordType": "ioc", "sz": "0.5", "px": "64100", "clOrdId": "take"}
COINS = {**TAKE, "instId": "BTC-USDT", "sz": "0.01"}
MOVED = {"type": "1", "ccy": "USDT", "amt": "5", "from": "18", "to": "18", "subAcct": "okxa",
         "clientId": "moved"}  # fmt: skip
OUT = {"ccy": "USDT", "amt": "50", "dest": "4", "chain": "USDT-TRC20", "toAddr": HOME,
       "clientId": "out"}  # fmt: skip
WAITING = {"user": "okx:30000001", "instrument": "okx:SWAP:BTC-USDT-SWAP", "kind": "trigger",
           "side": "buy", "quantity": 1, "trigger": 70000}  # fmt: skip
PARAMS: dict[str, dict[str, Any]] = {
    **{f"GET {path} {kind}": {"instType": kind}
       for path in ("public/instruments", "market/tickers", "account/instruments", "trade/fills")
       for kind in ("SPOT", "SWAP")},
    "GET trade/fills-history SPOT": {"instType": "SPOT"},
    "GET market/ticker": {"instId": "BTC-USDT-SWAP"},
    "GET market/index-tickers": {"quoteCcy": "USD"},
    "GET market/books": {"instId": "BTC-USDT-SWAP", "sz": "3"},
    "GET public/mark-price": {"instType": "SWAP"},
    "GET public/funding-rate": {"instId": "ANY"},
    "GET public/position-tiers": {
        "instType": "SWAP", "tdMode": "cross", "instFamily": "BTC-USDT,BTC-USD"},
    "POST account/set-position-mode": {"posMode": "long_short_mode"},
    "POST account/set-account-level": {"acctLv": "2"},
    "GET account/trade-fee": {"instType": "SWAP"},
    "GET account/leverage-info": {"instId": "BTC-USDT-SWAP,BTC-USD-SWAP", "mgnMode": "cross"},
    "POST account/set-leverage": {"instId": "BTC-USDT-SWAP", "mgnMode": "cross", "lever": "12"},
    "POST trade/order": TAKE,
    "POST trade/batch-orders": {"rows": [TAKE, {**REST, "clOrdId": "r2"}]},
    "POST trade/cancel-order": {"instId": "BTC-USDT-SWAP", "clOrdId": "rest"},
    "POST trade/cancel-batch-orders": {"rows": [{"instId": "BTC-USDT-SWAP", "clOrdId": "rest"}]},
    "POST trade/cancel-all-after": {"timeOut": "60"},
    "GET trade/order": {"instId": "BTC-USDT-SWAP", "clOrdId": "take"},
    "GET trade/orders-algo-pending": {"ordType": "trigger"},
    "GET trade/orders-history": {"instType": "SWAP"},
    "GET trade/orders-history-archive": {"instType": "SWAP"},
    "POST asset/transfer": MOVED,
    "GET asset/transfer-state": {"clientId": "moved", "type": "1"},
    "POST users/subaccount/set-transfer-out": {"subAcct": "okxa,okxb"},
    "POST asset/withdrawal": OUT,
    "GET asset/deposit-address": {"ccy": "USDT"},
}  # fmt: skip
ORDER = "POST trade/order"
BEFORE: dict[str, tuple[str, dict[str, Any]]] = {
    "POST trade/cancel-order": (ORDER, REST),
    "POST trade/cancel-batch-orders": (ORDER, REST),
    "GET trade/order": (ORDER, TAKE),
    "GET trade/orders-pending": (ORDER, REST),
    "GET trade/orders-history": (ORDER, TAKE),
    "GET trade/orders-history-archive": (ORDER, TAKE),
    "GET trade/fills SWAP": (ORDER, TAKE),
    "GET trade/fills SPOT": (ORDER, COINS),
    "GET trade/fills-history SPOT": (ORDER, COINS),
    "GET asset/transfer-state": ("POST asset/transfer", MOVED),
    "GET asset/withdrawal-history": ("POST asset/withdrawal", OUT),
    "GET asset/deposit-history": ("POST asset/withdrawal", OUT),
}
UNHELD = {"POST account/set-position-mode", "POST account/set-account-level"}
TIMED = {"POST trade/order", "POST trade/batch-orders", "POST trade/cancel-order",
         "POST trade/cancel-batch-orders"}  # fmt: skip


def mismatches(shape: Any, value: Any, where: str) -> list[str]:
    """Name every key that is missing, too many, or of another type."""
    if isinstance(shape, str):
        kind = TYPES.get(type(value), type(value).__name__)
        return [] if kind in shape.split("|") else [f"{where}: {kind}, not {shape}"]
    if isinstance(shape, list):
        if not isinstance(value, list) or (value and not shape):
            return [f"{where}: not such a list"]
        return [m for i, v in enumerate(value) for m in mismatches(shape[0], v, f"{where}[{i}]")]
    if not isinstance(value, dict):
        return [f"{where}: not an object"]
    found = [f"{where}.{k}: missing" for k in shape if k not in value]
    found += [f"{where}.{k}: not documented" for k in value if k not in shape]
    both = [k for k in shape if k in value]
    return found + [m for k in both for m in mismatches(shape[k], value[k], f"{where}.{k}")]


@pytest.mark.parametrize("name", SHAPES)
def test_a_reply_has_its_documented_shape(name: str, raw: Raw, emulator: Emulator) -> None:
    if name in BEFORE:
        before, wanted = BEFORE[name]
        assert raw(*before.split(), **wanted)["code"] == "0"
        emulator.admin("POST", "clock", advance_ms=2000)
    if name == "GET trade/orders-algo-pending":
        emulator.admin("POST", "waiting", **WAITING)
    if name in UNHELD:
        closing = {**TAKE, "side": "sell", "sz": "250", "px": "63900", "clOrdId": "close"}
        assert raw("POST", "trade/order", **closing)["code"] == "0"
    method, path = name.split()[:2]
    reply = raw(method, path, **PARAMS.get(name, {}))
    assert (reply.pop("status"), reply["code"]) == (200, "0"), reply
    envelope = {"code", "msg", "data", *({"inTime", "outTime"} if name in TIMED else ())}
    assert set(reply) == envelope
    assert reply["data"] or name == "GET system/status", "no row shows no shape"
    for row in reply["data"]:
        assert mismatches(SHAPES[name]["row"], row, name) == []


def test_every_endpoint_has_a_shape_and_every_shape_an_endpoint() -> None:
    routes = {f"{e.method} {e.path.removeprefix('/api/v5/')}" for e in ENDPOINTS}
    assert {" ".join(name.split()[:2]) for name in SHAPES} == routes


def test_the_table_names_the_page_the_shape_was_read_from() -> None:
    pages = {f"{e.method} {e.path.removeprefix('/api/v5/')}": e.page for e in ENDPOINTS}
    wrong = {n for n, s in SHAPES.items() if s["page"] != pages[" ".join(n.split()[:2])]}
    assert wrong == set()


SHARED = Path(
    os.environ.get("ALLOCATOR_SHARED", Path(__file__).parents[4].parent / "shared")
).joinpath("data", "payloads", "okx.json")
RECORDED = {
    "publicGetPublicTime fetch_time": "GET public/time",
    "privateGetAccountConfig fetch_accounts": "GET account/config",
    "publicGetPublicInstruments fetch_markets_by_type": "GET public/instruments SPOT",
    "publicGetMarketTicker fetch_ticker": "GET market/ticker",
    "publicGetPublicMarkPrice fetch_mark_price": "GET public/mark-price",
    "privateGetAccountTradeFee fetch_trading_fee": "GET account/trade-fee",
    "privateGetAccountBalance fetch_balance": "GET account/balance",
    "privatePostTradeBatchOrders create_orders": "POST trade/batch-orders",
    "privatePostTradeCancelBatchOrders cancel_orders": "POST trade/cancel-batch-orders",
    "privatePostTradeCancelAllAfter cancel_all_orders_after": "POST trade/cancel-all-after",
    "privateGetTradeOrdersHistory fetch_canceled_orders": "GET trade/orders-history",
    "privateGetTradeFillsHistory fetch_my_trades": "GET trade/fills-history SPOT",
    "privateGetAssetCurrencies fetch_currencies": "GET asset/currencies",
    "privateGetAccountPositions fetch_positions": "GET account/positions",
    "privatePostAssetTransfer transfer": "POST asset/transfer",
    "privateGetAssetTransferState fetch_transfer": "GET asset/transfer-state",
    "privatePostAssetWithdrawal withdraw": "POST asset/withdrawal",
    "privateGetAssetDepositHistory fetch_deposits": "GET asset/deposit-history",
    "publicGetPublicFundingRate fetch_funding_rate": "GET public/funding-rate",
    "publicGetPublicPositionTiers fetch_market_leverage_tiers": "GET public/position-tiers",
}

PUSHED = {"row.pTime: not documented"}
"""Push time: a field of the positions channel, not of the reply."""


@pytest.mark.skipif(not SHARED.exists(), reason="recorded replies are not beside the clone")
@pytest.mark.parametrize("record", RECORDED)
def test_a_recorded_reply_holds_nothing_the_shape_lacks(record: str) -> None:
    endpoint, method = record.split()
    recorded = [
        row["payload"]["data"]
        for row in json.loads(SHARED.read_text(encoding="utf-8"))
        if row["method"] == method and row["endpoint"] == endpoint
    ]
    assert recorded
    shape = SHAPES[RECORDED[record]]["row"]
    found = [m for row in recorded[0] for m in mismatches(shape, row, "row")]
    assert [m for m in found if not m.endswith("missing") and m not in PUSHED] == []
