"""What the venue refuses, in its own codes, and what it lets through unexpectedly."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from allocator.adapters.emulator.binance import limits
from allocator.adapters.emulator.testing import Emulator, running_emulator

Raw = Callable[..., Any]
SUB = "binance-sub1@fund-one.example"
LIMIT = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
SMALL = {**LIMIT, "quantity": "0.01", "price": "63000"}
COIN = {**SMALL, "symbol": "BTCUSD_PERP", "quantity": "1"}
MARKET = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
OUT = {
    "coin": "USDT",
    "network": "TRX",
    "address": "TBybitFundOne1111111111111111111111",
    "amount": "50",
}
OWN = {"type": "MAIN_UMFUTURE", "asset": "USDT", "amount": "5"}
ACROSS = {
    "toEmail": SUB,
    "fromAccountType": "SPOT",
    "toAccountType": "USDT_FUTURE",
    "asset": "USDT",
    "amount": "5",
}
FAPI, DAPI, API = ("fapi", "/fapi/v1/order"), ("dapi", "/dapi/v1/order"), ("api", "/api/v3/order")
WITHDRAW = ("api", "/sapi/v1/capital/withdraw/apply")
TRANSFER = ("api", "/sapi/v1/asset/transfer")
UNIVERSAL = ("api", "/sapi/v1/sub-account/universalTransfer")
POSTS = [
    (FAPI, {**SMALL, "symbol": "BTCUSD"}, -1121),
    (FAPI, {**SMALL, "symbol": ""}, -1102),
    (FAPI, {**SMALL, "quantity": "x"}, -1100),
    (FAPI, {**SMALL, "side": "LONG"}, -1117),
    (FAPI, {**SMALL, "type": "STOP"}, -4120),
    (FAPI, {**SMALL, "type": "ICEBERG"}, -1116),
    (FAPI, {**SMALL, "timeInForce": "DAY"}, -1115),
    (FAPI, {**SMALL, "timeInForce": ""}, -1102),
    (FAPI, {**SMALL, "quantity": "0.0001"}, -4004),
    (FAPI, {**SMALL, "quantity": "1001"}, -4005),
    (FAPI, {**SMALL, "quantity": "0.0105"}, -1111),
    (FAPI, {**SMALL, "quantity": "0.001"}, -4164),
    (FAPI, {**SMALL, "price": "63000.05"}, -4014),
    (FAPI, {**SMALL, "price": "70000"}, -4016),
    (FAPI, {**SMALL, "price": "60000"}, -4024),
    (FAPI, {**SMALL, "positionSide": "LONG"}, -4061),
    (FAPI, {**SMALL, "newClientOrderId": "a" * 37}, -4015),
    (FAPI, {**SMALL, "newClientOrderId": "a b"}, -4015),
    (FAPI, {**SMALL, "quantity": "20"}, -2019),
    (FAPI, {**SMALL, "quantity": "1000"}, -2019),
    (FAPI, {**SMALL, "side": "BUY", "reduceOnly": "true"}, -2022),
    (FAPI, {**SMALL, "timeInForce": "GTX", "price": "64500"}, -5022),
    (FAPI, {**SMALL, "timeInForce": "FOK", "price": "63500"}, -5021),
    (DAPI, {**COIN, "quantity": "60000"}, -2019),
    (DAPI, {**COIN, "quantity": "1000000"}, -2027),
    (DAPI, {**COIN, "quantity": "1.5"}, -1111),
    (DAPI, {**COIN, "timeInForce": "GTX", "price": "64500"}, -5022),
    (API, {**SMALL, "quantity": "5"}, -2010),
    (API, {**SMALL, "quantity": "0.000001"}, -1013),
    (API, {**SMALL, "price": "63000.001"}, -1013),
    (API, {**SMALL, "quantity": "0.00005"}, -1013),
    (API, {**SMALL, "type": "LIMIT_MAKER", "price": "64500"}, -2010),
    (API, {**MARKET, "quantity": ""}, -1102),
    (API, {**SMALL, "newClientOrderId": "a b"}, -1100),
    (WITHDRAW, {**OUT, "amount": "500000"}, -4026),
    (WITHDRAW, {**OUT, "amount": "5"}, -4022),
    (WITHDRAW, {**OUT, "amount": "50.1234567"}, -4021),
    (WITHDRAW, {**OUT, "address": "TNobodysAddress"}, -4033),
    (WITHDRAW, {**OUT, "coin": "DOGE"}, -4018),
    (WITHDRAW, {**OUT, "network": "SOL"}, -4019),
    (TRANSFER, {**OWN, "amount": "500000"}, -5013),
    (TRANSFER, {**OWN, "amount": "0"}, -5007),
    (TRANSFER, {**OWN, "type": "UMFUTURE_CMFUTURE"}, -1102),
    (TRANSFER, {**OWN, "type": "MAIN_CMFUTURE"}, -5009),
    (TRANSFER, {**OWN, "type": "UMFUTURE_MAIN", "amount": "45000"}, -5013),
    (UNIVERSAL, {**ACROSS, "toEmail": ""}, -1102),
    (UNIVERSAL, {**ACROSS, "toEmail": "stranger@example.com"}, -5021),
    (UNIVERSAL, {**ACROSS, "fromAccountType": "USDT_FUTURE"}, -5010),
    (UNIVERSAL, {**ACROSS, "toAccountType": "SAVINGS"}, -1102),
    (UNIVERSAL, {**ACROSS, "amount": "500000"}, -5013),
]


@pytest.mark.parametrize(("where", "params", "code"), POSTS)
def test_a_refusal_bears_the_venues_code_and_changes_nothing(
    where: tuple[str, str], params: dict[str, Any], code: int, raw: Raw, emulator: Emulator
) -> None:
    before = emulator.admin("GET", "state")
    answer = raw("POST", *where, **params)
    assert (answer.status, answer.body["code"]) == (400, code), answer.body
    assert set(answer.body) == {"code", "msg"}
    assert emulator.admin("GET", "state") == before


@pytest.mark.parametrize(
    ("change", "code", "status"),
    [
        ({"secret": "wrong"}, -1022, 400),
        ({"age_ms": 11_000}, -1021, 400),
        ({"age_ms": -9_000}, -1021, 400),
        ({"login": "nobody"}, -2015, 401),
        ({"login": ""}, -2014, 401),
        ({"login": "bybit-main"}, -2015, 401),
    ],
)
def test_a_call_is_checked_before_it_is_carried_out(
    change: dict[str, Any], code: int, status: int, raw: Raw, emulator: Emulator
) -> None:
    answer = raw("POST", *FAPI, **SMALL, **change)
    assert (answer.status, answer.body["code"]) == (status, code)
    assert emulator.admin("GET", "state?kind=order") == {"order": []}


def test_a_window_is_a_minute_at_most(raw: Raw) -> None:
    answers = [
        raw("GET", "fapi", "/fapi/v3/account", window_ms=window_ms)
        for window_ms in (60_000, 60_001)
    ]
    assert [a.status for a in answers] == [200, 400]
    assert answers[1].body["code"] == -1131


def test_a_sub_account_neither_withdraws_nor_moves_the_owners_coins(raw: Raw) -> None:
    for where, params in ((WITHDRAW, OUT), (UNIVERSAL, ACROSS)):
        answer = raw("POST", *where, login="binance-sub1", **params)
        assert (answer.status, answer.body["code"]) == (401, -2015)


def test_an_unknown_path_is_not_found(raw: Raw) -> None:
    answer = raw("GET", "fapi", "/fapi/v1/nothing")
    assert (answer.status, answer.body["code"]) == (404, -5000)


@pytest.mark.parametrize(
    ("method", "where", "code"),
    [("GET", FAPI, -2013), ("DELETE", FAPI, -2011), ("GET", DAPI, -2013), ("DELETE", API, -2011)],
)
def test_an_order_nobody_made_does_not_exist(
    method: str, where: tuple[str, str], code: int, raw: Raw
) -> None:
    symbol = "BTCUSD_PERP" if where == DAPI else "BTCUSDT"
    answer = raw(method, *where, symbol=symbol, origClientOrderId="never")
    assert (answer.status, answer.body["code"]) == (400, code)


@pytest.mark.parametrize(("where", "code"), [(FAPI, -4116), (API, -2010)])
def test_a_client_id_is_refused_while_its_order_rests(
    where: tuple[str, str], code: int, raw: Raw
) -> None:
    terms = {**SMALL, "newClientOrderId": "one"}
    assert raw("POST", *where, **terms).status == 200
    assert raw("POST", *where, **terms).body["code"] == code


def test_a_client_id_of_a_filled_order_is_taken_again_as_a_second_order(
    raw: Raw, emulator: Emulator
) -> None:
    terms = {**MARKET, "newClientOrderId": "one"}
    assert [raw("POST", *FAPI, **terms).status for _ in range(2)] == [200, 200]
    effects: Any = emulator.admin("GET", "effects")
    assert [row["count"] for row in effects["orders"]] == [2]


def test_an_own_transfer_sent_twice_moves_coins_twice(raw: Raw, emulator: Emulator) -> None:
    first, second = (raw("POST", *TRANSFER, **OWN).body["tranId"] for _ in range(2))
    assert first != second
    state: Any = emulator.admin("GET", "state?kind=balance")
    usdm = [
        b for b in state["balance"] if b["user"] == "binance:20000001" and b["wallet"] == "usdm"
    ]
    assert [Decimal(b["amount"]) for b in usdm if b["coin"] == "USDT"] == [60010]


def test_a_resting_limit_order_is_answered_before_what_it_fills(raw: Raw) -> None:
    terms = {**SMALL, "price": "64500", "newClientOrderId": "one"}
    answered = raw("POST", *FAPI, **terms, newOrderRespType="RESULT").body
    found = raw("GET", *FAPI, symbol="BTCUSDT", origClientOrderId="one").body
    assert (answered["status"], answered["executedQty"]) == ("NEW", "0.000")
    assert (found["status"], found["executedQty"]) == ("FILLED", "0.010")


def test_an_order_that_ended_bare_is_forgotten_after_three_days(
    raw: Raw, emulator: Emulator
) -> None:
    raw("POST", *FAPI, **SMALL, newClientOrderId="one")
    raw("DELETE", *FAPI, symbol="BTCUSDT", origClientOrderId="one")
    day_ms = 86_400_000
    seen = []
    for days in (0, 4):
        emulator.admin("POST", "clock", advance_ms=days * day_ms)
        terms = {"symbol": "BTCUSDT", "origClientOrderId": "one", "age_ms": -days * day_ms}
        seen.append(raw("GET", *FAPI, **terms).body.get("code", "found"))
    assert seen == ["found", -2013]


def test_leverage_is_held_to_brackets_and_margin(raw: Raw) -> None:
    def change(leverage: int, login: str = "binance-main") -> Any:
        terms = {"symbol": "BTCUSDT", "leverage": leverage}
        return raw("POST", "fapi", "/fapi/v1/leverage", login=login, **terms).body

    assert change(151)["code"] == -4028
    assert change(150)["code"] == -2027
    assert change(5)["code"] == -2028
    assert change(25)["maxNotionalValue"] == "70000000"


def test_legs_are_kept_apart_in_hedge_mode(raw: Raw) -> None:
    dual = ("dapi", "/dapi/v1/positionSide/dual")
    login = {"login": "binance-sub1"}
    raw("POST", "api", "/sapi/v1/sub-account/universalTransfer",
        **{**ACROSS, "toAccountType": "COIN_FUTURE", "asset": "BTC", "amount": "0.5"})  # fmt: skip
    assert raw("POST", *dual, **login, dualSidePosition="false").body["code"] == -4059
    assert raw("POST", *dual, **login, dualSidePosition="true").body["code"] == 200
    terms = {"symbol": "BTCUSD_PERP", "type": "MARKET", "quantity": "10", **login}
    assert raw("POST", *DAPI, **terms, side="BUY").body["code"] == -4061
    assert raw("POST", *DAPI, **terms, side="SELL", positionSide="LONG").body["code"] == -2022
    assert raw("POST", *DAPI, **terms, side="BUY", positionSide="LONG").status == 200
    assert raw("POST", *DAPI, **terms, side="SELL", positionSide="SHORT").status == 200
    rows = raw("GET", "dapi", "/dapi/v1/positionRisk", **login).body
    assert {r["positionSide"]: r["positionAmt"] for r in rows} == {"LONG": "10", "SHORT": "-10"}
    assert raw("POST", *dual, **login, dualSidePosition="false").body["code"] == -4068


def test_weight_is_counted_by_address_and_then_refused(caller_on: Callable[..., Raw]) -> None:
    with running_emulator(limit_scale=1) as running:
        raw = caller_on(running.port)
        used = limits.LIMITS["fapi.binance.com"].weight // 10
        last = [raw("GET", "fapi", "/fapi/v1/exchangeInfo", login="") for _ in range(used + 1)][-2:]
        assert last[0].headers["x-mbx-used-weight-1m"] == str(used * 10)
        assert (last[1].status, last[1].body["code"]) == (429, -1003)
        assert int(last[1].headers["retry-after"]) >= 1
        for _ in range(used + 1):
            final = raw("GET", "fapi", "/fapi/v1/exchangeInfo", login="")
        assert final.status == 418
        assert raw("GET", "dapi", "/dapi/v1/time", login="").status == 418
        assert raw("GET", "api", "/api/v3/time", login="").status == 200


def test_brackets_of_every_symbol_of_coin_m_weigh_two(caller_on: Callable[..., Raw]) -> None:
    with running_emulator(limit_scale=1) as running:
        raw = caller_on(running.port)
        path = ("GET", "dapi", "/dapi/v2/leverageBracket")
        assert raw(*path).headers["x-mbx-used-weight-1m"] == "2"
        assert raw(*path, symbol="BTCUSD_PERP").headers["x-mbx-used-weight-1m"] == "3"


def test_orders_are_counted_by_account(caller_on: Callable[..., Raw]) -> None:
    with running_emulator(limit_scale=1) as running:
        raw = caller_on(running.port)
        answer = raw("POST", *FAPI, **{**SMALL, "quantity": "0.0001"})
        assert answer.body["code"] == -4004
        answer = raw("POST", *FAPI, **SMALL)
        assert answer.headers["x-mbx-order-count-10s"] == "2"
        assert answer.headers["x-mbx-order-count-1m"] == "2"
        other = raw("POST", *DAPI, **COIN)
        assert other.headers["x-mbx-order-count-10s"] == "3"
