"""Every code the endpoint table names is shown by a request that earns it."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from allocator.adapters.emulator.binance.routes import ENDPOINTS
from allocator.adapters.emulator.testing import Emulator, running_emulator

Raw = Callable[..., Any]
DAY_MS = 86_400_000
REST = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.002",
    "price": "63000",
}
FAPI = ("fapi", "/fapi/v1/order")
GETS = [
    (("fapi", "/fapi/v1/userTrades"), {"symbol": "BTCUSDT", "fromId": 1, "startTime": 1}, -1128),
    (("fapi", "/fapi/v1/income"), {"startTime": 1, "endTime": 8 * DAY_MS}, -4165),
    (("dapi", "/dapi/v1/userTrades"), {"symbol": "BTCUSD"}, -1121),
    (("fapi", "/fapi/v1/openOrder"), {"symbol": "BTCUSDT", "orderId": 1}, -2013),
    (("fapi", "/fapi/v1/order"), {"symbol": "BTCUSDT"}, -1102),
    (("api", "/sapi/v1/capital/deposit/address"), {"coin": "DOGE"}, -4018),
    (
        ("api", "/sapi/v1/sub-account/universalTransfer"),
        {"fromEmail": "a@b.example", "toEmail": "c@d.example"},
        -1128,
    ),
]


@pytest.mark.parametrize(("where", "params", "code"), GETS)
def test_a_question_put_wrongly_is_refused(
    where: tuple[str, str], params: dict[str, Any], code: int, raw: Raw
) -> None:
    answer = raw("GET", *where, **params)
    assert (answer.status, answer.body["code"]) == (400, code)


def test_margin_type_stays_crossed(raw: Raw) -> None:
    def change(symbol: str, kind: str, host: str = "fapi") -> int:
        terms = {"symbol": symbol, "marginType": kind}
        return int(raw("POST", host, f"/{host}/v1/marginType", **terms).body["code"])

    assert change("BTCUSDT", "CROSSED") == -4046
    assert change("BTCUSDT", "ISOLATED") == -4048
    assert change("ETHUSDT", "ISOLATED") == -4084
    raw("POST", *FAPI, **{**REST, "symbol": "ETHUSDT", "quantity": "0.1", "price": "3000"})
    assert change("ETHUSDT", "ISOLATED") == -4047


def test_the_position_mode_stays_while_orders_rest(raw: Raw) -> None:
    login = {"login": "binance-sub1"}
    close = {"symbol": "ETHUSDT", "side": "BUY", "type": "MARKET", "quantity": "60"}
    assert raw("POST", *FAPI, **close, reduceOnly="true", **login).body["executedQty"] == "60.000"
    assert raw("POST", *FAPI, **REST, **login).status == 200
    dual = ("fapi", "/fapi/v1/positionSide/dual")
    assert raw("POST", *dual, dualSidePosition="true", **login).body["code"] == -4067


def test_two_hundred_orders_rest_and_no_more(raw: Raw) -> None:
    codes = [raw("POST", *FAPI, **REST).body.get("code") for _ in range(201)]
    assert codes[:200] == [None] * 200
    assert codes[200] == -2025


def test_orders_in_ten_seconds_have_a_limit(caller_on: Callable[..., Raw]) -> None:
    with running_emulator(limit_scale=1) as running:
        raw = caller_on(running.port)
        codes = [raw("POST", *FAPI, **{**REST, "price": "1"}).body["code"] for _ in range(301)]
    assert codes == [-4024] * 300 + [-1015]


def test_a_withdrawal_with_a_known_order_id_is_refused(raw: Raw, emulator: Emulator) -> None:
    where = ("api", "/sapi/v1/capital/withdraw/apply")
    terms = {"coin": "USDT", "address": "TBybitFundOne1111111111111111111111", "amount": "50"}
    assert raw("POST", *where, **terms, withdrawOrderId="out-1").status == 200
    assert raw("POST", *where, **terms, withdrawOrderId="out-1").body["code"] == -4001
    effects: Any = emulator.admin("GET", "effects")
    assert [row["count"] for row in effects["withdrawals"]] == [1]


def test_a_price_of_nothing_is_no_price(raw: Raw) -> None:
    assert raw("POST", *FAPI, **{**REST, "price": "0"}).body["code"] == -4001


def test_funding_is_income_and_no_trade(raw: Raw, emulator: Emulator) -> None:
    emulator.admin("POST", "clock", advance_ms=8 * 3_600_000)
    ahead = {"age_ms": -8 * 3_600_000}
    rows = raw("GET", "fapi", "/fapi/v1/income", incomeType="FUNDING_FEE", **ahead).body
    (row,) = rows
    assert (row["symbol"], row["asset"], row["tradeId"]) == ("BTCUSDT", "USDT", "")
    assert float(row["income"]) == pytest.approx(6 * 63993.6 * 0.00005)
    assert raw("GET", "fapi", "/fapi/v1/userTrades", symbol="BTCUSDT", **ahead).body == []


def test_orders_are_cancelled_after_silence_unless_it_is_broken(
    raw: Raw, emulator: Emulator
) -> None:
    def resting(behind_ms: int) -> int:
        return len(raw("GET", "fapi", "/fapi/v1/openOrders", age_ms=-behind_ms).body)

    countdown = ("fapi", "/fapi/v1/countdownCancelAll")
    terms = {"symbol": "BTCUSDT", "countdownTime": "30000"}
    raw("POST", *FAPI, **REST)
    raw("POST", *FAPI, **{**REST, "symbol": "ETHUSDT", "quantity": "0.1", "price": "3000"})
    raw("POST", *countdown, **terms)
    emulator.admin("POST", "clock", advance_ms=20_000)
    raw("POST", *countdown, **terms, age_ms=-20_000)
    emulator.admin("POST", "clock", advance_ms=20_000)
    assert resting(40_000) == 2
    emulator.admin("POST", "clock", advance_ms=20_000)
    assert resting(60_000) == 1


def test_orders_survive_a_restart_and_numbers_go_on(
    caller_on: Callable[..., Raw], tmp_path: Path
) -> None:
    numbers = []
    for _ in range(2):
        with running_emulator(tmp_path) as running:
            raw = caller_on(running.port)
            numbers.append(raw("POST", *FAPI, **REST).body["orderId"])
            found = raw("GET", "fapi", "/fapi/v1/openOrders").body
    assert numbers[1] == numbers[0] + 1
    assert [row["orderId"] for row in found] == numbers


def test_every_code_of_the_table_is_earned_by_a_test() -> None:
    named = {c for e in ENDPOINTS for case in e.cases for c in re.findall(r"-\d{4}", case)}
    here = Path(__file__)
    texts = [path.read_text() for path in here.parent.glob("test_binance_*.py")]
    earned = set(re.findall(r"-\d{4}", " ".join(texts)))
    assert named - earned == set()
