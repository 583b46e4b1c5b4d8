"""Every reply has its documented shape, key for key and type for type."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from allocator.adapters.emulator.deribit.routes import ENDPOINTS
from allocator.adapters.emulator.deribit.signing import signed
from allocator.adapters.emulator.testing import Emulator

Raw = Callable[..., dict[str, Any]]
SHAPES: dict[str, dict[str, Any]] = json.loads(
    Path(__file__).with_name("shapes.json").read_text(encoding="utf-8")
)["shapes"]
HOME = "TBybitFundOne1111111111111111111111"
TYPES: dict[type, tuple[str, ...]] = {
    str: ("str",),
    bool: ("bool",),
    int: ("int", "num"),
    float: ("num",),
    type(None): ("null",),
    list: ("list",),
}
TAKE = {
    "instrument_name": "BTC_USDC-PERPETUAL",
    "amount": "0.01",
    "price": "64100",
    "time_in_force": "immediate_or_cancel",
    "label": "taken",
}
REST = {**TAKE, "price": "60000", "time_in_force": "good_til_cancelled", "label": "resting"}
OPTION = {**TAKE, "instrument_name": "BTC-28JUN30-70000-C", "amount": "0.1", "price": "0.1345"}
TRANSFER = {"currency": "USDC", "amount": "5", "destination": "5002", "nonce": "nonce-0001"}
WITHDRAW = {"currency": "USDT", "amount": "50", "address": HOME, "nonce": "nonce-0002"}
MOVE = {
    "currency": "BTC",
    "source_uid": "5001",
    "target_uid": "5002",
    "trades": '[{"instrument_name":"BTC-PERPETUAL","price":"64000","amount":"100"}]',
}
EVER = {"currency": "USDC", "start_timestamp": "0", "end_timestamp": "9000000000000"}
BTC, USDC = {"currency": "BTC"}, {"currency": "USDC"}
QUERIES: dict[str, dict[str, Any]] = {
    "public/get_instruments": {"currency": "any"},
    "public/ticker perpetual": {"instrument_name": "BTC-PERPETUAL"},
    "public/ticker option": {"instrument_name": "BTC-28JUN30-70000-C"},
    "public/ticker spot": {"instrument_name": "BTC_USDC"},
    "public/get_order_book": {"instrument_name": "BTC-PERPETUAL", "depth": 10},
    "public/get_index_price": {"index_name": "btc_usd"},
    "public/get_index_price_names extended": {"extended": "true"},
    "private/get_account_summaries extended": {"extended": "true"},
    "private/get_account_summary": BTC,
    "private/get_account_summary extended": {**BTC, "extended": "true"},
    "private/get_positions": {"currency": "any"},
    "private/get_transaction_log": EVER,
    "private/buy": TAKE,
    "private/buy option": OPTION,
    "private/sell": {**TAKE, "price": "63900"},
    "private/cancel_by_label": {"label": "resting", **USDC},
    "private/get_open_orders_by_label": USDC,
    "private/get_order_state_by_label": {"label": "resting", **USDC},
    "private/get_order_history_by_instrument": {"instrument_name": "BTC_USDC-PERPETUAL"},
    "private/submit_transfer_between_subaccounts": TRANSFER,
    "private/submit_transfer_to_subaccount": TRANSFER,
    "private/get_transfers": USDC,
    "private/withdraw": WITHDRAW,
    "private/get_withdrawals": {"currency": "USDT"},
    "private/get_deposits": BTC,
    "private/move_positions": MOVE,
}
BEFORE: dict[str, tuple[str, dict[str, Any]]] = {
    "private/get_transaction_log": ("private/buy", TAKE),
    "private/cancel": ("private/buy", REST),
    "private/cancel_by_label": ("private/buy", REST),
    "private/cancel_all": ("private/buy", REST),
    "private/get_open_orders": ("private/buy", REST),
    "private/get_open_orders_by_label": ("private/buy", REST),
    "private/get_order_state": ("private/buy", REST),
    "private/get_order_state_by_label": ("private/buy", REST),
    "private/get_order_history_by_instrument": ("private/buy", TAKE),
    "private/get_user_trades_by_order": ("private/buy", TAKE),
    "private/get_transfers": ("private/submit_transfer_between_subaccounts", TRANSFER),
    "private/get_withdrawals": ("private/withdraw", WITHDRAW),
}
BY_ID = {"private/cancel", "private/get_order_state", "private/get_user_trades_by_order"}
EMPTY = {"private/get_deposits"}
"""Nothing was paid in here yet; `test_a_deposit_has_its_documented_shape` looks at one."""

ENVELOPE = {
    "jsonrpc": "str",
    "result": "*",
    "testnet": "bool",
    "usIn": "int",
    "usOut": "int",
    "usDiff": "int",
}


def auth(secret: str = "deribit-main-secret") -> dict[str, Any]:
    """Word a request for a token, by signature."""
    stamp = str(time.time_ns() // 1_000_000)
    return {
        "grant_type": "client_signature", "client_id": "deribit-main-key", "timestamp": stamp,
        "nonce": "n-1", "data": "", "signature": signed(secret, stamp, "n-1", ""),
    }  # fmt: skip


def mismatches(shape: Any, value: Any, where: str) -> list[str]:
    """Name every key that is missing, too many, or of another type."""
    if shape == "*":
        return []
    if isinstance(shape, str):
        kinds = TYPES.get(type(value), (type(value).__name__,))
        return [] if set(kinds) & set(shape.split("|")) else [f"{where}: {kinds[0]}, not {shape}"]
    if isinstance(shape, list):
        if not isinstance(value, list):
            return [f"{where}: not a list"]
        return [m for i, v in enumerate(value) for m in mismatches(shape[0], v, f"{where}[{i}]")]
    return compare_object(shape, value, where)


def compare_object(shape: dict[str, Any], value: Any, where: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{where}: not an object"]
    if "*" in shape:
        return [m for k, v in value.items() for m in mismatches(shape["*"], v, f"{where}.{k}")]
    named = {key.rstrip("?"): part for key, part in shape.items()}
    found = [f"{where}.{k}: missing" for k in shape if not k.endswith("?") and k not in value]
    found += [f"{where}.{k}: not documented" for k in value if k not in named]
    both = [k for k in named if k in value]
    return found + [m for k in both for m in mismatches(named[k], value[k], f"{where}.{k}")]


@pytest.mark.parametrize("name", SHAPES)
def test_a_reply_has_its_documented_shape(name: str, raw: Raw) -> None:
    params = auth() if name == "public/auth" else dict(QUERIES.get(name, {}))
    if name in BEFORE:
        before, wanted = BEFORE[name]
        done = raw(before, **wanted)
        assert done["status"] == 200, done
        if name in BY_ID:
            params["order_id"] = done["result"]["order"]["order_id"]
    reply = raw(name.split(maxsplit=1)[0], **params)
    assert reply.pop("status") == 200, reply
    assert mismatches(ENVELOPE, reply, "reply") == []
    result = reply["result"]
    assert mismatches(SHAPES[name]["result"], result, "result") == []
    rows = result.get("data", result.get("logs", [0])) if isinstance(result, dict) else result
    assert rows or rows == 0 or name in EMPTY, "an empty list shows no shape"


def test_a_key_is_told_its_scopes_for_its_own_signature_alone(raw: Raw) -> None:
    told = raw("public/auth", **auth())["result"]["scope"].split()
    assert {"account:read", "trade:read_write", "wallet:read_write"} <= set(told)
    assert raw("public/auth", **auth("another"))["error"]["code"] == 13004
    assert raw("public/auth", **{**auth(), "grant_type": "password"})["error"]["code"] == -32602
    assert raw("public/auth", **{**auth(), "timestamp": "1"})["error"]["code"] == 13004


def test_a_deposit_has_its_documented_shape(raw: Raw, emulator: Emulator) -> None:
    home = "bc1qderibitfundone00000000000000000000000"
    sent = raw("private/withdraw", currency="BTC", amount="0.5", address=home)
    assert sent["status"] == 200
    emulator.admin("POST", "clock", advance_ms=5000)
    (row,) = raw("private/get_deposits", currency="BTC", age_ms=-5000)["result"]["data"]
    assert mismatches(SHAPES["private/get_deposits"]["result"]["data"][0], row, "row") == []
    assert (row["amount"], row["state"]) == (0.5, "completed")


def test_every_endpoint_has_a_shape_and_every_shape_an_endpoint() -> None:
    routes = {e.path.removeprefix("/api/v2/") for e in ENDPOINTS}
    assert {name.split()[0] for name in SHAPES} == routes


def test_the_table_names_the_page_the_shape_was_read_from() -> None:
    pages = {e.path.removeprefix("/api/v2/"): e.page for e in ENDPOINTS}
    assert {n for n, s in SHAPES.items() if s["page"] != pages[n.split()[0]]} == set()


SHARED = Path(
    os.environ.get("ALLOCATOR_SHARED", Path(__file__).parents[4].parent / "shared")
).joinpath("data", "payloads", "deribit.json")
RECORDED = {
    "publicGetGetCurrencies fetch_currencies": "public/get_currencies",
    "publicGetGetInstruments fetch_markets": "public/get_instruments",
    "publicGetTicker fetch_greeks": "public/ticker option",
    "privateGetGetPositions fetch_positions": "private/get_positions",
    "privateGetGetAccountSummary fetch_balance": "private/get_account_summary",
    "privateGetGetWithdrawals fetch_withdrawals": "private/get_withdrawals",
    "privateGetGetDeposits fetch_deposits": "private/get_deposits",
    "privateGetGetTransfers fetch_transfers": "private/get_transfers",
    "privateGetGetSubaccounts fetch_accounts": "private/get_subaccounts",
}
GONE = {"private/get_account_summary": {"session_funding"}}
"""Keys that the pages no longer list."""


@pytest.mark.skipif(not SHARED.exists(), reason="recorded replies are not beside the clone")
@pytest.mark.parametrize("record", RECORDED)
def test_a_recorded_reply_holds_nothing_the_shape_lacks(record: str) -> None:
    """The recorder wrote fractions as text; types are compared where it did not."""
    endpoint, method = record.split()
    recorded = [
        row["payload"]["result"]
        for row in json.loads(SHARED.read_text(encoding="utf-8"))
        if row["method"] == method and row["endpoint"] == endpoint
    ]
    assert recorded
    name = RECORDED[record]
    found = mismatches(SHAPES[name]["result"], recorded[0], "result")
    unknown = [m for m in found if m.endswith("not documented")]
    assert [
        m for m in unknown if m.split(":")[0].rpartition(".")[2] not in GONE.get(name, ())
    ] == []
