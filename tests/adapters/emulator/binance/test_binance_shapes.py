"""Every reply has its documented shape, key for key and type for type."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from allocator.adapters.emulator.binance.routes import ENDPOINTS
from allocator.adapters.emulator.testing import Emulator

Raw = Callable[..., Any]
SHAPES: dict[str, dict[str, Any]] = json.loads(
    Path(__file__).with_name("shapes.json").read_text(encoding="utf-8")
)["shapes"]
TYPES = {str: "str", bool: "bool", int: "int", type(None): "null", float: "float"}
SUB = "binance-sub1@fund-one.example"
SYMBOLS = {"api": "BTCUSDT", "fapi": "BTCUSDT", "dapi": "BTCUSD_PERP"}
NAMED = (
    "depth",
    "commissionRate",
    "/leverage",
    "marginType",
    "/order",
    "openOrder",
    "allOrders",
    "allOpenOrders",
    "Trades",
    "account/commission",
    "v3/openOrders",
    "fundingRate",
    "countdownCancelAll",
)
EXTRA: dict[str, dict[str, Any]] = {
    "/leverage": {"leverage": "12"},
    "countdownCancelAll": {"countdownTime": "30000"},
    "positionSide/dual": {"dualSidePosition": "true"},
    "marginType": {"marginType": "ISOLATED"},
    "withdraw/apply": {
        "coin": "USDT",
        "network": "TRX",
        "address": "TBybitFundOne1111111111111111111111",
        "amount": "50",
        "withdrawOrderId": "shape-1",
    },
    "deposit/address": {"coin": "USDT"},
    "asset/transfer": {"type": "MAIN_UMFUTURE", "asset": "USDT", "amount": "5"},
    "sub-account/list": {"limit": "10"},
}
UNIVERSAL = {
    "toEmail": SUB,
    "fromAccountType": "SPOT",
    "toAccountType": "SPOT",
    "asset": "USDT",
    "amount": "5",
    "clientTranId": "shape-2",
}
CLOSING = {"symbol": "ETHUSDT", "side": "BUY", "type": "MARKET", "quantity": "60"}
FUNDED = {"type": "MAIN_FUNDING", "asset": "USDT", "amount": "5"}


def mismatches(shape: Any, value: Any, where: str) -> list[str]:
    """Name every key that is missing, too many, or of another type."""
    if isinstance(shape, str):
        kind = TYPES.get(type(value), type(value).__name__)
        return [] if kind == shape else [f"{where}: {kind}, not {shape}"]
    if isinstance(shape, dict) and "by filterType" in shape:
        kinds = shape["by filterType"]
        found = sorted(row["filterType"] for row in value)
        wrong = [] if found == sorted(kinds) else [f"{where}: {found}, not {sorted(kinds)}"]
        return wrong + [
            m for row in value for m in mismatches(kinds.get(row["filterType"], {}), row, where)
        ]
    if isinstance(shape, list):
        if not isinstance(value, list) or (value and not shape):
            return [f"{where}: not {'a list' if shape else 'an empty list'}"]
        return [m for i, v in enumerate(value) for m in mismatches(shape[0], v, f"{where}[{i}]")]
    if not isinstance(value, dict):
        return [f"{where}: not an object"]
    found = [f"{where}.{k}: missing" for k in shape if k not in value]
    found += [f"{where}.{k}: not documented" for k in value if k not in shape]
    return found + [
        m for k in shape if k in value for m in mismatches(shape[k], value[k], f"{where}.{k}")
    ]


def sizes(shape: Any, value: Any, where: str) -> dict[str, int]:
    """Return how many entries were seen of every list that the shape says has some."""
    seen: dict[str, int] = {}
    parts: list[tuple[Any, Any, str]] = []
    if isinstance(shape, list) and shape:
        seen[where] = len(value)
        parts = [(shape[0], v, f"{where}[]") for v in value]
    elif isinstance(shape, dict) and "by filterType" not in shape:
        parts = [(s, value[k], f"{where}.{k}") for k, s in shape.items()]
    for part in parts:
        for path, count in sizes(*part).items():
            seen[path] = seen.get(path, 0) + count
    return seen


def terms(host: str, price: str, tif: str) -> dict[str, Any]:
    symbol, size = SYMBOLS[host], "10" if host == "dapi" else "0.01"
    order = {"symbol": symbol, "side": "BUY", "type": "LIMIT", "timeInForce": tif}
    return {**order, "quantity": size, "price": price, "newClientOrderId": f"shape-{tif}"}


def resting(host: str) -> dict[str, Any]:
    return terms(host, "63000", "GTC")


def taking(host: str) -> dict[str, Any]:
    return terms(host, "64500", "IOC")


def order_path(host: str) -> str:
    return {"api": "/api/v3/order", "fapi": "/fapi/v1/order", "dapi": "/dapi/v1/order"}[host]


def prepare(method: str, host: str, path: str, raw: Raw, emulator: Emulator) -> None:
    """Bring about what the reply is to show."""
    if path.endswith(("allOrders", "openOrders", "OpenOrders", "openOrder")) or (
        path.endswith("/order") and method in {"GET", "DELETE"}
    ):
        raw("POST", host, order_path(host), **resting(host))
    if path.endswith(("Trades", "allOrders", "income")):
        raw("POST", host, order_path(host), **taking(host))
    if path == "/fapi/v1/positionSide/dual" and method == "POST":
        raw("POST", host, order_path(host), login="binance-sub1", **CLOSING)
    if path.endswith("asset/transfer") and method == "GET":
        raw("POST", host, path, **EXTRA["asset/transfer"])
    if path.endswith("universalTransfer") and method == "GET":
        raw("POST", host, path, **UNIVERSAL)
    if path.endswith("get-funding-asset"):
        raw("POST", host, "/sapi/v1/asset/transfer", **FUNDED)
    if path.endswith("withdraw/history"):
        raw("POST", host, "/sapi/v1/capital/withdraw/apply", **EXTRA["withdraw/apply"])


def arguments(name: str, method: str, host: str, path: str) -> dict[str, Any]:
    """Return the parameters of the call, its symbol when it wants one."""
    if path.endswith("universalTransfer"):
        return UNIVERSAL if method == "POST" else {}
    if path.endswith("/order") and method == "POST":
        ack = {"newOrderRespType": "ACK"} if name.endswith("ack") else {}
        return {**taking(host), **ack}
    if path.endswith("/batchOrders"):
        return {"batchOrders": json.dumps([taking(host), resting(host)])}
    params: dict[str, Any] = {}
    for ending, more in EXTRA.items():
        if path.endswith(ending):
            params |= more
    if name.endswith(" one") or any(path.endswith(ending) for ending in NAMED):
        params["symbol"] = SYMBOLS[host]
    if path.endswith(("/order", "openOrder")):
        params["origClientOrderId"] = "shape-GTC"
    return params


def wait(host: str, emulator: Emulator) -> None:
    """Add an order that waits in the host's market."""
    market = {"fapi": "usdm:BTCUSDT", "dapi": "coinm:BTCUSD_PERP"}[host]
    terms = {"kind": "STOP", "side": "sell", "quantity": 1, "trigger": 60000, "price": 59900}
    at = {"user": "binance:20000001", "instrument": f"binance:{market}"}
    emulator.admin("POST", "waiting", **at, **terms)


def deposit(raw: Raw, emulator: Emulator) -> None:
    """Send coins from the main account to an address of its own, and let them arrive."""
    home = "TBinanceFundOne11111111111111111111"
    terms = {**EXTRA["withdraw/apply"], "address": home}
    raw("POST", "api", "/sapi/v1/capital/withdraw/apply", **terms)
    emulator.admin("POST", "clock", advance_ms=5000)


@pytest.mark.parametrize("name", SHAPES)
def test_a_reply_has_its_documented_shape(name: str, raw: Raw, emulator: Emulator) -> None:
    shape = SHAPES[name]
    method, hostname, path = name.split()[:3]
    host = hostname.partition(".")[0]
    login = "binance-main"
    prepare(method, host, path, raw, emulator)
    if path.endswith("openAlgoOrders"):
        wait(host, emulator)
    if path.endswith("deposit/hisrec"):
        deposit(raw, emulator)
    if name.endswith("done"):
        emulator.admin("POST", "clock", advance_ms=5000)
    if path.endswith("positionSide/dual") and method == "POST":
        login = "binance-sub1"
    ahead: Any = emulator.admin("GET", "health")
    age_ms = time.time_ns() // 10**6 - int(ahead["now_ms"])
    answer = raw(
        method, host, path, login=login, age_ms=age_ms, **arguments(name, method, host, path)
    )
    assert answer.status == shape.get("status", 200), answer.body
    assert mismatches(shape["reply"], answer.body, "reply") == []
    unseen = {p for p, n in sizes(shape["reply"], answer.body, "reply").items() if not n}
    assert unseen == set(), "an empty list shows no shape"


def test_every_endpoint_has_a_shape_and_every_shape_an_endpoint() -> None:
    routes = {f"{e.method} {e.host} {e.path}" for e in ENDPOINTS}
    assert {" ".join(name.split()[:3]) for name in SHAPES} == routes


def test_the_table_names_the_page_the_shape_was_read_from() -> None:
    pages = {f"{e.method} {e.host} {e.path}": e.page for e in ENDPOINTS}
    wrong = {n for n, s in SHAPES.items() if s["page"] != pages[" ".join(n.split()[:3])]}
    assert wrong == set()
