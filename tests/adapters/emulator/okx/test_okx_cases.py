"""The cases of the table: what is refused, with the venue's own code; margin, limits, paging."""

import re
import time
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from allocator.adapters.emulator.okx import margin
from allocator.adapters.emulator.okx.routes import ENDPOINTS
from allocator.adapters.emulator.okx.world import INSTRUMENTS
from allocator.adapters.emulator.table import markdown, rows
from allocator.adapters.emulator.testing import Emulator, running_emulator
from allocator.adapters.emulator.world import demo_world

Raw = Callable[..., dict[str, Any]]
D = Decimal
MAIN, A, B = "okx-main", "okx-a", "okx-b"
ORDER = {"instId": "BTC-USDT-SWAP", "tdMode": "cross", "side": "buy", "ordType": "limit",
         "sz": "1", "px": "62000"}  # fmt: skip
SPOT = {**ORDER, "instId": "BTC-USDT", "sz": "0.01"}
NAME = {"instId": "BTC-USDT-SWAP"}
MOVE = {"ccy": "USDT", "amt": "5", "from": "18", "to": "6"}
OUT = {"ccy": "USDT", "amt": "50", "dest": "4", "chain": "USDT-TRC20",
       "toAddr": "TOkxFundOne111111111111111111111111"}  # fmt: skip
PLACE, CANCEL, BATCH = "POST trade/order", "POST trade/cancel-order", "POST trade/batch-orders"
TRANSFER, WITHDRAW = "POST asset/transfer", "POST asset/withdrawal"
LEVER = "POST account/set-leverage"
ALGO = "GET trade/orders-algo-pending"

INNER: tuple[tuple[str, str, dict[str, Any], str], ...] = (
    (PLACE, MAIN, {**ORDER, "instId": "XXX-USDT-SWAP"}, "51001"),
    (PLACE, MAIN, {**ORDER, "side": "hold"}, "51000"),
    (PLACE, MAIN, {**ORDER, "ordType": "stop"}, "51000"),
    (PLACE, MAIN, {**ORDER, "clOrdId": "not-alnum"}, "51000"),
    (PLACE, MAIN, {**ORDER, "clOrdId": "x" * 33}, "51000"),
    (PLACE, MAIN, {**ORDER, "posSide": "long"}, "51000"),
    (PLACE, MAIN, {**ORDER, "sz": "NaN"}, "51000"),
    (PLACE, MAIN, {**ORDER, "sz": "0.005"}, "51020"),
    (PLACE, MAIN, {**ORDER, "sz": "0.015"}, "51121"),
    (PLACE, MAIN, {**ORDER, "sz": "100001"}, "51005"),
    (PLACE, MAIN, {**ORDER, "px": "62000.05"}, "51150"),
    (PLACE, MAIN, {**ORDER, "px": "-1"}, "51000"),
    (PLACE, MAIN, {**ORDER, "px": "70000"}, "51006"),
    (PLACE, MAIN, {**ORDER, "side": "sell", "px": "50000"}, "51006"),
    (PLACE, MAIN, {**ORDER, "sz": "9000"}, "51008"),
    (PLACE, MAIN, {**ORDER, "reduceOnly": True}, "51169"),
    (PLACE, MAIN, {**ORDER, "tdMode": "isolated"}, "51010"),
    (PLACE, MAIN, {**SPOT, "tdMode": "cash"}, "51010"),
    (PLACE, MAIN, {**SPOT, "sz": "50"}, "51008"),
    (PLACE, MAIN, {**SPOT, "sz": "0.000001"}, "51020"),
    (CANCEL, MAIN, {**NAME, "clOrdId": "nobody"}, "51400"),
    (CANCEL, MAIN, NAME, "51003"),
)
OUTER: tuple[tuple[str, str, dict[str, Any], str, int], ...] = (
    (PLACE, MAIN, {"tdMode": "cross"}, "50014", 400),
    (BATCH, MAIN, {"rows": []}, "50000", 400),
    (BATCH, MAIN, ORDER, "50002", 400),
    (BATCH, MAIN, {"rows": [ORDER] * 21}, "51111", 200),
    ("POST trade/cancel-batch-orders", MAIN, {"rows": [1]}, "50002", 400),
    ("POST trade/cancel-all-after", MAIN, {"timeOut": "5"}, "51000", 400),
    ("GET trade/order", MAIN, {**NAME, "clOrdId": "nobody"}, "51603", 200),
    ("GET trade/order", MAIN, NAME, "51003", 200),
    ("GET trade/order", MAIN, {"clOrdId": "x"}, "50014", 400),
    ("GET trade/orders-history", MAIN, {}, "50014", 400),
    ("GET trade/fills-history", MAIN, {}, "50014", 400),
    ("GET trade/orders-pending", MAIN, {"limit": "101"}, "51000", 400),
    (ALGO, MAIN, {}, "50014", 400),
    (ALGO, MAIN, {"ordType": "trigger,oco"}, "51000", 400),
    (ALGO, MAIN, {"ordType": "oco", "limit": "101"}, "51000", 400),
    ("GET public/instruments", MAIN, {}, "50014", 400),
    ("GET public/instruments", MAIN, {"instType": "WARRANT"}, "51000", 400),
    ("GET public/instruments", MAIN, {"instType": "SPOT", "instId": "X-Y"}, "51001", 200),
    ("GET market/index-tickers", MAIN, {}, "51000", 400),
    ("GET market/books", MAIN, {**NAME, "sz": "401"}, "51000", 400),
    ("GET public/funding-rate", MAIN, {"instId": "BTC-USDT"}, "51000", 400),
    ("GET public/position-tiers", MAIN, {"instType": "SWAP"}, "50014", 400),
    ("GET public/position-tiers", MAIN,
     {"instType": "SWAP", "tdMode": "cross", "instFamily": "A,B,C,D,E,F"}, "51000", 400),
    ("POST account/set-position-mode", MAIN, {"posMode": "both"}, "51000", 400),
    ("POST account/set-position-mode", MAIN, {"posMode": "net_mode"}, "59000", 200),
    ("POST account/set-account-level", MAIN, {"acctLv": "4"}, "51000", 400),
    ("POST account/set-account-level", MAIN, {"acctLv": "2"}, "59000", 200),
    ("GET account/balance", MAIN, {"ccy": ",".join("ABCDEFGHIJKLMNOPQRSTU")}, "51000", 400),
    ("GET account/trade-fee", MAIN, {}, "50014", 400),
    ("GET account/max-withdrawal", MAIN, {"ccy": ",".join("ABCDEFGHIJKLMNOPQRSTU")},
     "51000", 400),
    ("GET account/leverage-info", MAIN, {**NAME, "mgnMode": "spot"}, "51000", 400),
    (LEVER, MAIN, {**NAME, "mgnMode": "cross", "lever": "0.5"}, "59105", 400),
    (LEVER, MAIN, {**NAME, "mgnMode": "cross", "lever": "101"}, "59102", 200),
    (LEVER, A, {**NAME, "mgnMode": "cross", "lever": "2"}, "59109", 200),
    (TRANSFER, MAIN, {**MOVE, "amt": "99999999"}, "58116", 200),
    (TRANSFER, MAIN, {**MOVE, "amt": "-5"}, "58114", 200),
    (TRANSFER, MAIN, {**MOVE, "amt": "0.000000001"}, "51000", 400),
    (TRANSFER, MAIN, {**MOVE, "to": "9"}, "51000", 400),
    (TRANSFER, MAIN, {**MOVE, "to": "18"}, "58123", 200),
    (TRANSFER, MAIN, {**MOVE, "clientId": "a-b"}, "51000", 400),
    (TRANSFER, MAIN, {**MOVE, "type": "1", "subAcct": "nobody"}, "58115", 200),
    (TRANSFER, MAIN, {**MOVE, "type": "3"}, "58127", 200),
    (TRANSFER, A, {**MOVE, "type": "1", "subAcct": "okxb"}, "58128", 200),
    (TRANSFER, A, {**MOVE, "type": "4", "subAcct": "okxb"}, "58119", 200),
    ("GET asset/transfer-state", MAIN, {}, "50015", 400),
    ("GET asset/transfer-state", MAIN, {"clientId": "x"}, "58129", 200),
    ("GET users/subaccount/list", A, {}, "59500", 200),
    ("POST users/subaccount/set-transfer-out", A, {"subAcct": "okxb"}, "59500", 200),
    ("POST users/subaccount/set-transfer-out", MAIN, {"subAcct": "nobody"}, "58115", 200),
    (WITHDRAW, MAIN, {**OUT, "toAddr": "nobody"}, "58207", 200),
    (WITHDRAW, MAIN, {**OUT, "amt": "1"}, "58206", 200),
    (WITHDRAW, MAIN, {**OUT, "amt": "40000"}, "58350", 200),
    (WITHDRAW, MAIN, {**OUT, "dest": "3"}, "51000", 400),
    (WITHDRAW, A, OUT, "50120", 200),
    ("GET asset/deposit-address", MAIN, {}, "50014", 400),
)  # fmt: skip
# Codes that need a state or a caller of their own; each has its own test.
ELSEWHERE = {
    "50011", "50036", "50061", "50102", "50103", "50104", "50105", "50106", "50107", "50111",
    "50112", "50113", "50071", "51004", "51016", "51112", "58124", "58209",
}  # fmt: skip


@pytest.mark.parametrize(("route", "login", "params", "code"), INNER)
def test_a_refused_action_tells_its_code_in_its_row(
    route: str, login: str, params: dict[str, Any], code: str, raw: Raw
) -> None:
    reply = raw(*route.split(), login=login, **params)
    assert (reply["code"], reply["status"]) == ("1", 200)
    assert [row["sCode"] for row in reply["data"]] == [code], reply["data"]


@pytest.mark.parametrize(("route", "login", "params", "code", "status"), OUTER)
def test_a_refused_request_tells_its_code_outside(
    route: str, login: str, params: dict[str, Any], code: str, status: int, raw: Raw
) -> None:
    reply = raw(*route.split(), login=login, **params)
    assert (reply["code"], reply["status"], reply["data"]) == (code, status, []), reply["msg"]


def test_every_code_the_table_names_is_brought_about() -> None:
    named = {
        code
        for endpoint in ENDPOINTS
        for case in endpoint.cases
        for code in re.findall(r"\b(5\d{4})\b", case)
    }
    assert named <= {row[3] for row in (*INNER, *OUTER)} | ELSEWHERE


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"OK-ACCESS-KEY": None}, "50103"),
        ({"OK-ACCESS-PASSPHRASE": None}, "50104"),
        ({"OK-ACCESS-SIGN": None}, "50106"),
        ({"OK-ACCESS-TIMESTAMP": None}, "50107"),
        ({"OK-ACCESS-KEY": "nobody"}, "50111"),
        ({"OK-ACCESS-KEY": "bybit-main-key"}, "50111"),
        ({"OK-ACCESS-TIMESTAMP": "1790000000"}, "50112"),
        ({"OK-ACCESS-PASSPHRASE": "other"}, "50105"),
        ({"OK-ACCESS-SIGN": "c2lnbg=="}, "50113"),
    ],
)
def test_a_request_that_is_not_rightly_signed_is_refused(
    headers: dict[str, str | None], code: str, raw: Raw
) -> None:
    reply = raw("GET", "account/config", headers=headers)
    assert (reply["code"], reply["status"]) == (code, 401)


def test_a_signature_covers_query_and_body(raw: Raw) -> None:
    assert raw("GET", "account/balance", secret="other", ccy="BTC")["code"] == "50113"
    assert raw("POST", "trade/order", secret="other", **ORDER)["code"] == "50113"


@pytest.mark.parametrize(("age_ms", "code"), [(20_000, "0"), (31_000, "50102"), (-60_000, "50102")])
def test_a_stamp_is_good_for_thirty_seconds(age_ms: int, code: str, raw: Raw) -> None:
    assert raw("GET", "account/config", age_ms=age_ms)["code"] == code


@pytest.mark.parametrize(("path", "code"), [("trade/order", "50036"), ("trade/cancel-order", "1")])
def test_a_deadline_that_has_passed_refuses_an_order_and_nothing_else(
    path: str, code: str, raw: Raw
) -> None:
    passed = {"expTime": str(time.time_ns() // 1_000_000 - 10)}
    assert raw("POST", path, headers=passed, **{**ORDER, "clOrdId": "x"})["code"] == code
    ahead = {"expTime": str(time.time_ns() // 1_000_000 + 5000)}
    assert raw("POST", "trade/order", headers=ahead, **ORDER)["code"] == "0"


def test_a_client_id_is_taken_again_once_its_order_has_ended(raw: Raw) -> None:
    order = {**ORDER, "clOrdId": "again"}
    codes = [raw("POST", "trade/order", **order)["data"][0]["sCode"] for _ in range(2)]
    assert codes == ["0", "51016"]
    first = raw("GET", "trade/order", **NAME, clOrdId="again")["data"][0]["ordId"]
    assert raw("POST", "trade/cancel-order", **NAME, clOrdId="again")["code"] == "0"
    assert raw("POST", "trade/order", **order)["code"] == "0"
    assert raw("GET", "trade/order", **NAME, clOrdId="again")["data"][0]["ordId"] > first


def test_a_batch_that_fails_in_part_has_code_2(raw: Raw) -> None:
    orders = [{**ORDER, "clOrdId": "b1"}, {**ORDER, "sz": "0.015"}, {**ORDER, "clOrdId": "b2"}]
    reply = raw("POST", "trade/batch-orders", rows=orders)
    assert reply["code"] == "2"
    assert [row["sCode"] for row in reply["data"]] == ["0", "51121", "0"]
    names = [{**NAME, "clOrdId": name} for name in ("b1", "nobody")]
    reply = raw("POST", "trade/cancel-batch-orders", rows=names)
    assert (reply["code"], [row["sCode"] for row in reply["data"]]) == ("2", ["0", "51400"])


def test_a_position_above_the_leverage_s_tier_is_refused(raw: Raw) -> None:
    wide = {**NAME, "mgnMode": "cross", "lever": "100"}
    assert raw("POST", "account/set-leverage", **wide)["code"] == "0"
    assert raw("POST", "trade/order", **{**ORDER, "sz": "2750"})["code"] == "0"
    (row,) = raw("POST", "trade/order", **{**ORDER, "sz": "2751"})["data"]
    assert (row["sCode"], row["subCode"]) == ("51004", "1104")


def test_the_tier_s_rate_holds_for_the_whole_position() -> None:
    for instrument in INSTRUMENTS:
        assert {tier.deduction for tier in instrument.tiers} <= {D(0)}
    (row,) = [i for i in INSTRUMENTS if i.symbol == "BTC-USDT-SWAP"]
    assert [tier.maintenance * tier.cap for tier in row.tiers[:2]] == [D(12), D(75)]


def test_legs_are_apart_in_long_short_mode(raw: Raw) -> None:
    closing = {**ORDER, "ordType": "market", "side": "sell", "sz": "250"}
    assert raw("POST", "trade/order", **closing)["code"] == "0"
    assert raw("POST", "account/set-position-mode", posMode="long_short_mode")["code"] == "0"
    (row,) = raw("POST", "trade/order", **ORDER)["data"]
    assert row["sCode"] == "51000"
    for side, leg in (("buy", "long"), ("sell", "short")):
        taken = {**ORDER, "ordType": "market", "side": side, "posSide": leg, "sz": "3"}
        assert raw("POST", "trade/order", **taken)["code"] == "0"
    held = {row["posSide"]: row["pos"] for row in raw("GET", "account/positions")["data"]}
    assert held == {"long": "3", "short": "3"}
    more = {**ORDER, "ordType": "market", "side": "sell", "posSide": "long", "sz": "4"}
    assert raw("POST", "trade/order", **more)["data"][0]["sCode"] == "51112"
    levers = raw("GET", "account/leverage-info", **NAME, mgnMode="cross")["data"]
    assert [row["posSide"] for row in levers] == ["long", "short"]


def test_a_transfer_s_client_id_is_taken_once_and_found_by_its_type(raw: Raw) -> None:
    move = {**MOVE, "clientId": "once", "type": "1", "subAcct": "okxa", "to": "18"}
    (done,) = raw("POST", "asset/transfer", **move)["data"]
    assert raw("POST", "asset/transfer", **move)["code"] == "50071"
    (state,) = raw("GET", "asset/transfer-state", clientId="once", type="1")["data"]
    assert (state["transId"], state["state"], state["subAcct"]) == (
        done["transId"], "success", "okxa",
    )  # fmt: skip
    assert raw("GET", "asset/transfer-state", clientId="once", type="0")["code"] == "58129"
    assert raw("GET", "asset/transfer-state", login=A, clientId="once", type="1")["code"] == "58129"
    again = {**move, "type": "3"}
    assert raw("POST", "asset/transfer", login=A, **again)["code"] == "0"


def test_a_member_with_the_right_to_withdraw_still_may_not(caller: Callable[[int], Raw]) -> None:
    world = demo_world()
    keys = tuple(
        replace(key, permissions=("withdraw",)) if key.key == "okx-a-key" else key
        for key in world.keys
    )
    with running_emulator(world=replace(world, keys=keys)) as emulator:
        reply = caller(emulator.port)("POST", "asset/withdrawal", login=A, **OUT)
    assert reply["code"] == "58209"


def test_a_transfer_under_way_is_pending_and_its_id_is_taken(
    caller: Callable[[int], Raw],
) -> None:
    with running_emulator(world=replace(demo_world(), delays_ms={"transfer": 5000})) as emulator:
        raw = caller(emulator.port)
        move = {**MOVE, "clientId": "slow"}
        assert raw("POST", "asset/transfer", **move)["code"] == "0"
        assert raw("POST", "asset/transfer", **move)["code"] == "58124"
        states = []
        for _ in range(2):
            (row,) = raw("GET", "asset/transfer-state", clientId="slow")["data"]
            states.append(row["state"])
            emulator.admin("POST", "clock", advance_ms=6000)
    assert states == ["pending", "success"]


def test_an_order_without_a_fill_is_forgotten_after_two_hours(raw: Raw, emulator: Emulator) -> None:
    raw("POST", "trade/order", **{**ORDER, "clOrdId": "gone"})
    raw("POST", "trade/cancel-order", **NAME, clOrdId="gone")
    raw("POST", "trade/order", **{**ORDER, "px": "64100", "ordType": "ioc", "clOrdId": "kept"})
    asked = {"instType": "SWAP"}

    def names(path: str, age_ms: int = 0) -> list[str]:
        return [row["clOrdId"] for row in raw("GET", path, age_ms=-age_ms, **asked)["data"]]

    assert names("trade/orders-history") == ["kept", "gone"]
    assert names("trade/orders-history-archive") == ["kept"]
    hours_ms = 2 * 3_600_000 + 60_000
    emulator.admin("POST", "clock", advance_ms=hours_ms)
    assert names("trade/orders-history", hours_ms) == ["kept"]
    lookup = raw("GET", "trade/order", age_ms=-hours_ms, **NAME, clOrdId="gone")
    assert lookup["code"] == "51603"


def test_pages_follow_the_last_id_without_gap_or_repeat(raw: Raw) -> None:
    for number in range(5):
        raw("POST", "trade/order", **{**ORDER, "clOrdId": f"p{number}"})
    seen, after = list[str](), dict[str, str]()
    while True:
        page = raw("GET", "trade/orders-pending", limit="2", **after)["data"]
        seen += [row["clOrdId"] for row in page]
        if len(page) < 2:
            break
        after = {"after": page[-1]["ordId"]}
    assert seen == ["p4", "p3", "p2", "p1", "p0"]
    first = raw("GET", "trade/orders-pending", limit="1", after=page[-1]["ordId"])["data"]
    assert first == []
    newer = raw("GET", "trade/orders-pending", before=page[-1]["ordId"])["data"]
    assert [row["clOrdId"] for row in newer] == ["p4", "p3", "p2", "p1"]


def test_a_post_only_order_that_would_take_is_cancelled(raw: Raw) -> None:
    taking = {**ORDER, "px": "64100", "ordType": "post_only", "clOrdId": "po"}
    assert raw("POST", "trade/order", **taking)["code"] == "0"
    (row,) = raw("GET", "trade/order", **NAME, clOrdId="po")["data"]
    assert (row["state"], row["cancelSource"], row["accFillSz"]) == ("canceled", "31", "0")


def test_a_resting_order_fills_as_maker_once_the_mark_reaches_it(
    raw: Raw, emulator: Emulator
) -> None:
    raw("POST", "trade/order", **{**ORDER, "clOrdId": "rests"})
    emulator.admin("POST", "price", coin="BTC", usd="61000")
    (row,) = raw("GET", "trade/order", **NAME, clOrdId="rests")["data"]
    (fill,) = raw("GET", "trade/fills", ordId=row["ordId"])["data"]
    assert (row["state"], row["avgPx"], row["fee"]) == ("filled", "62000", "-0.124")
    assert fill["execType"] == "M"


def test_the_account_s_figures_follow_the_venue_s_formulas(raw: Raw) -> None:
    (row,) = raw("GET", "account/balance")["data"]
    mark = D("64006.4")
    profit = 250 * D("0.01") * (mark - 63500)
    worth = 250 * D("0.01") * mark
    assert D(row["totalEq"]) == 180000 + profit + D("1.5") * 64000
    assert D(row["adjEq"]) == 180000 + profit + D("1.5") * 64000 * D("0.98")
    assert D(row["imr"]) == worth / 10
    assert D(row["mmr"]) == worth * D("0.004")
    assert D(row["mgnRatio"]) == (D(row["adjEq"]) / D(row["mmr"])).quantize(
        D("1e-10"), "ROUND_DOWN"
    )
    for coin in row["details"]:
        assert D(coin["eq"]) == D(coin["cashBal"]) + D(coin["upl"])


def test_collateral_counts_by_step_and_a_debt_in_full() -> None:
    assert margin.discounted("BTC", D(2)) == D("1.96")
    assert margin.discounted("BTC", D(22)) == D(20) * D("0.98") + 2 * D("0.9775")
    assert margin.discounted("BTC", D(-3)) == -3
    assert margin.discounted("DOGE", D(5)) == 0


def test_futures_mode_lends_no_currency_to_another(raw: Raw) -> None:
    closing = {**ORDER, "ordType": "market", "side": "sell", "sz": "120", "instId": "ETH-USDT-SWAP"}
    assert raw("POST", "trade/order", login=B, **closing)["code"] == "0"
    inverse = {**ORDER, "instId": "BTC-USD-SWAP", "px": "62000", "sz": "10"}
    assert raw("POST", "trade/order", login=B, **inverse)["code"] == "0"
    (made,) = raw("GET", "trade/orders-pending", login=B)["data"]
    gone = {"instId": "BTC-USD-SWAP", "ordId": made["ordId"]}
    assert raw("POST", "trade/cancel-order", login=B, **gone)["code"] == "0"
    assert raw("POST", "account/set-account-level", login=B, acctLv="2")["code"] == "0"
    (row,) = raw("POST", "trade/order", login=B, **inverse)["data"]
    assert row["sCode"] == "51008"


def test_the_table_lists_every_endpoint_once_with_its_cases() -> None:
    found = rows(ENDPOINTS)
    assert len(found) == len(ENDPOINTS)
    text = markdown(ENDPOINTS)
    assert all(f"| {e.path} |" in text for e in ENDPOINTS)
