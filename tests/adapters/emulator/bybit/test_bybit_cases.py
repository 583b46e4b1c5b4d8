"""The cases of the table: what is refused, with the venue's own code; margin, limits, paging."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from allocator.adapters.emulator.bybit import margin
from allocator.adapters.emulator.bybit.routes import ENDPOINTS
from allocator.adapters.emulator.table import markdown, rows
from allocator.adapters.emulator.testing import Emulator, running_emulator

Raw = Callable[..., dict[str, Any]]
D = Decimal
ORDER = {
    "category": "linear",
    "symbol": "BTCUSDT",
    "side": "Buy",
    "orderType": "Limit",
    "qty": "0.01",
    "price": "60000",
}
SPOT = {**ORDER, "category": "spot"}
INTER = {
    "transferId": "00000000-0000-0000-0000-000000000009",
    "coin": "USDT",
    "amount": "5",
    "fromAccountType": "UNIFIED",
    "toAccountType": "FUND",
}
UNIVERSAL = {**INTER, "fromMemberId": "10000001", "toMemberId": "10000002"}
WITHDRAW = {
    "coin": "USDT",
    "chain": "TRX",
    "address": "TBybitFundOne1111111111111111111111",
    "amount": "50",
    "timestamp": 1,
    "accountType": "FUND",
}
LEVERAGE = {"category": "linear", "symbol": "BTCUSDT"}
CREATE, INTER_PATH = "/v5/order/create", "/v5/asset/transfer/inter-transfer"
MOVE_PATH = "/v5/position/move-positions"
UNIVERSAL_PATH, WITHDRAW_PATH = "/v5/asset/transfer/universal-transfer", "/v5/asset/withdraw/create"


CASES: tuple[tuple[str, str, dict[str, Any], int], ...] = (
    (CREATE, "bybit-main", {**ORDER, "category": "margin"}, 10001),
    (CREATE, "bybit-main", {**ORDER, "symbol": "XXXUSDT"}, 10001),
    (CREATE, "bybit-main", {**ORDER, "qty": "0.0015"}, 10001),
    (CREATE, "bybit-main", {**ORDER, "qty": "0"}, 10001),
    (CREATE, "bybit-main", {**ORDER, "qty": "NaN"}, 10001),
    (CREATE, "bybit-main", {**ORDER, "price": "60000.05"}, 10001),
    (CREATE, "bybit-main", {**ORDER, "price": "-1"}, 110003),
    (CREATE, "bybit-main", {**ORDER, "qty": "0.001", "price": "100"}, 110094),
    (CREATE, "bybit-main", {**ORDER, "qty": "700"}, 110007),
    (CREATE, "bybit-a", {**ORDER, "side": "Sell"}, 110007),
    (CREATE, "bybit-main", {**ORDER, "side": "Sell", "reduceOnly": False}, 0),
    (CREATE, "bybit-main", {**ORDER, "reduceOnly": True}, 110017),
    (CREATE, "bybit-main", {**ORDER, "positionIdx": 1}, 10001),
    (CREATE, "bybit-main", {**ORDER, "orderLinkId": "x" * 37}, 10001),
    (CREATE, "bybit-main", {**SPOT, "qty": "0.0000001"}, 170136),
    (CREATE, "bybit-main", {**SPOT, "qty": "0.0000111"}, 170137),
    (CREATE, "bybit-main", {**SPOT, "qty": "0.00002"}, 170140),
    (CREATE, "bybit-main", {**SPOT, "qty": "50"}, 170131),
    ("/v5/order/cancel", "bybit-main", {**LEVERAGE, "orderId": "nobody"}, 110001),
    ("/v5/position/set-leverage", "bybit-main",
     {**LEVERAGE, "buyLeverage": "10", "sellLeverage": "10"}, 110043),
    ("/v5/position/set-leverage", "bybit-main",
     {**LEVERAGE, "buyLeverage": "101", "sellLeverage": "101"}, 110013),
    ("/v5/position/set-leverage", "bybit-a",
     {**LEVERAGE, "buyLeverage": "50", "sellLeverage": "50"}, 110044),
    (INTER_PATH, "bybit-main", {**INTER, "transferId": "abc"}, 131203),
    (INTER_PATH, "bybit-main", {**INTER, "toAccountType": "UNIFIED"}, 131211),
    (INTER_PATH, "bybit-main", {**INTER, "amount": "0.000000001"}, 131210),
    (INTER_PATH, "bybit-main", {**INTER, "amount": "-5"}, 131215),
    (INTER_PATH, "bybit-a", {**INTER, "amount": "1"}, 131212),
    (UNIVERSAL_PATH, "bybit-main", {**UNIVERSAL, "toMemberId": "77"}, 131202),
    (UNIVERSAL_PATH, "bybit-b",
     {**UNIVERSAL, "fromMemberId": "10000003", "toMemberId": "10000002"}, 131208),
    (UNIVERSAL_PATH, "bybit-b",
     {**UNIVERSAL, "fromMemberId": "10000003", "toMemberId": "10000001"}, 0),
    (WITHDRAW_PATH, "bybit-main", {**WITHDRAW, "address": "nobody"}, 131093),
    (WITHDRAW_PATH, "bybit-main", {**WITHDRAW, "amount": "2"}, 131096),
    (WITHDRAW_PATH, "bybit-main", {**WITHDRAW, "amount": "50000"}, 131001),
    (WITHDRAW_PATH, "bybit-b", WITHDRAW, 10005),
)  # fmt: skip
# Codes that need a state or a caller of their own; each has its own test.
ELSEWHERE = {110072, 170141, 170213, 110090, 110003, 131214, 10014, 10002, 10003, 10004, 10006}


@pytest.mark.parametrize(("path", "login", "params", "code"), CASES)
def test_a_case_gets_its_code(
    path: str, login: str, params: dict[str, Any], code: int, raw: Raw
) -> None:
    reply = raw("POST", path, login=login, **params)
    assert (reply["retCode"], reply["status"]) == (code, 200), reply["retMsg"]


def test_every_code_the_table_names_is_brought_about() -> None:
    named = {
        int(code)
        for endpoint in ENDPOINTS
        for case in endpoint.cases
        for code in re.findall(r"\b(1\d{4,5})\b", case)
    }
    assert named <= {code for *_, code in CASES} | ELSEWHERE


def test_a_spot_link_id_is_used_once(raw: Raw) -> None:
    order = {**SPOT, "orderLinkId": "spot-1"}
    assert [raw("POST", CREATE, **order)["retCode"] for _ in range(2)] == [0, 170141]


def test_a_stranger_s_key_and_a_moved_position_off_the_mark_are_refused(raw: Raw) -> None:
    assert raw("GET", "/v5/account/info", login="nobody")["retCode"] == 10003
    leg = {"category": "linear", "symbol": "BTCUSDT", "side": "Sell", "qty": "0.1"}
    move = {"fromUid": "10000001", "toUid": "10000003"}
    far = raw("POST", MOVE_PATH, **move, list=[{**leg, "price": "70000"}])
    assert far["retCode"] == 110003
    wide = raw("POST", MOVE_PATH, **move, list=[{**leg, "qty": "90", "price": "64000"}])
    assert wide["retCode"] == 110007
    assert raw("GET", "/v5/position/move-history")["result"]["list"] == []


def test_too_many_requests_from_one_address_get_403(caller: Callable[[int], Raw]) -> None:
    with running_emulator(limit_scale=1) as emulator:
        raw = caller(emulator.port)
        statuses = [raw("GET", "/v5/market/time")["status"] for _ in range(601)]
    assert statuses == [200] * 600 + [403]


def test_a_position_above_the_leverage_s_tier_is_refused(raw: Raw) -> None:
    wide = {**LEVERAGE, "buyLeverage": "100", "sellLeverage": "100"}
    assert raw("POST", "/v5/position/set-leverage", **wide)["retCode"] == 0
    assert raw("POST", CREATE, **{**ORDER, "qty": "28"})["retCode"] == 0
    assert raw("POST", CREATE, **{**ORDER, "qty": "31"})["retCode"] == 110090


def test_a_post_only_order_that_would_take_is_cancelled(raw: Raw) -> None:
    taking = {**ORDER, "price": "64100", "timeInForce": "PostOnly", "orderLinkId": "po"}
    assert raw("POST", CREATE, **taking)["retCode"] == 0
    (row,) = raw("GET", "/v5/order/history", category="linear", orderLinkId="po")["result"]["list"]
    assert (row["orderStatus"], row["rejectReason"]) == (
        "Cancelled",
        "EC_PostOnlyWillTakeLiquidity",
    )


def test_a_resting_order_fills_as_maker_once_the_mark_reaches_it(
    raw: Raw, emulator: Emulator
) -> None:
    raw("POST", CREATE, **{**ORDER, "orderLinkId": "rest"})
    emulator.admin("POST", "price", coin="BTC", usd="59000")
    asked = {"category": "linear", "orderLinkId": "rest"}
    (row,) = raw("GET", "/v5/order/realtime", **asked)["result"]["list"]
    (fill,) = raw("GET", "/v5/execution/list", **asked)["result"]["list"]
    assert (row["orderStatus"], row["avgPrice"]) == ("Filled", "60000")
    assert (fill["isMaker"], fill["feeRate"], fill["execFee"]) == (True, "0.0002", "0.12")


def test_an_order_larger_than_a_level_pays_the_next_one(raw: Raw) -> None:
    book = raw("GET", "/v5/market/orderbook", category="linear", symbol="BTCUSDT")["result"]["a"]
    (best, size), (second, _) = book[0], book[1]
    quantity = Decimal(size) + 1
    taking = {**ORDER, "qty": str(quantity), "price": "64100", "orderLinkId": "deep"}
    raw("POST", CREATE, **taking)
    asked = {"category": "linear", "orderLinkId": "deep"}
    fills = raw("GET", "/v5/execution/list", **asked)["result"]["list"]
    assert sorted((f["execPrice"], f["execQty"]) for f in fills) == [(best, size), (second, "1")]


def test_funding_is_paid_by_longs_when_the_rate_is_positive() -> None:
    with running_emulator() as emulator:
        emulator.admin("POST", "clock", advance_ms=8 * 3_600_000)
        state: Any = emulator.admin("GET", "state")
    paid = {
        (e["user"], e["instrument"]): Decimal(e["fee"])
        for e in state["execution"]
        if e["kind"] == "funding"
    }
    assert paid["bybit:10000001", "bybit:linear:BTCUSDT"] == D("3") * D("64006.4") * D("0.0003")
    assert paid["bybit:10000002", "bybit:linear:BTCUSDT"] == D("-10") * D("64006.4") * D("0.0003")


def test_pages_follow_the_cursor_without_gap_or_repeat(raw: Raw) -> None:
    for number in range(5):
        raw("POST", CREATE, **{**ORDER, "orderLinkId": f"p{number}"})
    seen, cursor = [], ""
    while True:
        asked = {"category": "linear", "symbol": "BTCUSDT", "limit": "2", "cursor": cursor}
        result = raw("GET", "/v5/order/realtime", **asked)["result"]
        seen += [row["orderLinkId"] for row in result["list"]]
        cursor = result["nextPageCursor"]
        if not cursor:
            break
    assert seen == ["p4", "p3", "p2", "p1", "p0"]


def test_the_rate_limit_answers_10006(caller: Callable[[int], Raw]) -> None:
    with running_emulator(limit_scale=1) as emulator:
        raw = caller(emulator.port)
        codes = [raw("GET", "/v5/user/query-api")["retCode"] for _ in range(12)]
    assert codes == [0] * 10 + [10006] * 2


def test_the_account_s_figures_follow_the_venue_s_formulas(raw: Raw) -> None:
    (row,) = raw("GET", "/v5/account/wallet-balance", accountType="UNIFIED")["result"]["list"]
    figure = {name: D(text) for name, text in row.items() if name.startswith(("total", "account"))
              and name not in {"accountType"}}  # fmt: skip
    assert figure["totalWalletBalance"] == D(250_000) + 2 * D(64_000)
    assert figure["totalPerpUPL"] == 3 * (D("64006.4") - D(63_200))
    assert figure["totalMarginBalance"] == figure["totalWalletBalance"] + figure["totalPerpUPL"]
    haircut = 2 * D(64_000) * D("0.05")
    assert figure["totalInitialMargin"] == 3 * D("64006.4") / 10
    assert figure["totalMaintenanceMargin"] == 3 * D("64006.4") * D("0.005")
    assert figure["totalAvailableBalance"] == (
        figure["totalMarginBalance"] - haircut - figure["totalInitialMargin"]
    )


def test_collateral_counts_by_step_and_debts_in_full() -> None:
    assert margin.collateral("BTC", D(2)) == D("1.9")
    assert margin.collateral("BTC", D(600)) == D(500) * D("0.95") + D(100) * D("0.9")
    assert margin.collateral("BTC", D(-3)) == D(-3)
    assert margin.collateral("DOGE", D(5)) == 0


def test_the_table_lists_every_endpoint_once_with_its_cases() -> None:
    found = rows(ENDPOINTS)
    assert len(found) == len(ENDPOINTS)
    text = markdown(ENDPOINTS)
    assert all(f"| {e.path} |" in text for e in ENDPOINTS)
