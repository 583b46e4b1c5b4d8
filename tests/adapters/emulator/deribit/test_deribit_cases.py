"""The cases of the table: what is refused, with the venue's own code; margin, credits, paging."""

import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from allocator.adapters.emulator.deribit import margin
from allocator.adapters.emulator.deribit.routes import ENDPOINTS
from allocator.adapters.emulator.deribit.world import INVERSE, LINEAR
from allocator.adapters.emulator.table import markdown, rows
from allocator.adapters.emulator.testing import Emulator, running_emulator
from allocator.adapters.emulator.world import demo_world

Raw = Callable[..., dict[str, Any]]
D = Decimal
HOME = "TBybitFundOne1111111111111111111111"
LINEAR_NAME, INVERSE_NAME = "BTC_USDC-PERPETUAL", "BTC-PERPETUAL"
CALL, PUT, SPOT = "BTC-28JUN30-70000-C", "BTC-28JUN30-60000-P", "BTC_USDC"
ORDER = {"instrument_name": LINEAR_NAME, "amount": "0.01", "price": "60000", "label": "one"}
TRANSFER = {"currency": "USDC", "amount": "5", "destination": "5002"}
WITHDRAW = {"currency": "USDT", "amount": "50", "address": HOME}
BUY, BETWEEN, MOVING = (
    "private/buy",
    "private/submit_transfer_between_subaccounts",
    "private/move_positions",
)


def moved(*legs: str, **changes: str) -> dict[str, str]:
    inner = ",".join(legs) or '{"instrument_name":"BTC-PERPETUAL","amount":"100"}'
    return {"currency": "BTC", "source_uid": "5001", "target_uid": "5002",
            "trades": f"[{inner}]", **changes}  # fmt: skip


LEG = '{"instrument_name":"BTC-PERPETUAL","amount":"100"}'
LEG_USDC = '{"instrument_name":"BTC_USDC-PERPETUAL","amount":"0.1"}'
CASES: tuple[tuple[str, str, dict[str, Any], int], ...] = (
    ("public/nothing", "deribit-main", {}, -32601),
    ("public/get_instruments", "deribit-main", {}, 0),
    ("public/get_instruments", "deribit-main", {"currency": "XXX"}, -32602),
    ("public/ticker", "deribit-main", {}, -32602),
    ("public/ticker", "deribit-main", {"instrument_name": "XXX"}, 13020),
    ("public/get_order_book", "deribit-main", {"instrument_name": SPOT, "depth": 7}, -32602),
    ("public/get_index_price", "deribit-main", {"index_name": "usdc_usd"}, -32602),
    (BUY, "deribit-main", {**ORDER, "instrument_name": "XXX"}, 13020),
    (BUY, "deribit-main", {**ORDER, "amount": "0.0015"}, 10021),
    (BUY, "deribit-main", {**ORDER, "instrument_name": INVERSE_NAME, "amount": "15"}, 10021),
    (BUY, "deribit-main", {**ORDER, "amount": "0"}, 10002),
    (BUY, "deribit-main", {**ORDER, "amount": "NaN"}, -32602),
    (BUY, "deribit-main", {"instrument_name": LINEAR_NAME, "price": "1"}, -32602),
    (BUY, "deribit-main", {**ORDER, "price": "60000.3"}, 10043),
    (BUY, "deribit-main", {**ORDER, "price": "-1"}, 10023),
    (BUY, "deribit-main", {**ORDER, "instrument_name": CALL, "amount": "0.1",
                           "price": "0.0051"}, 10043),
    (BUY, "deribit-main", {**ORDER, "instrument_name": CALL, "amount": "0.1",
                           "price": "0.0049"}, 0),
    (BUY, "deribit-main", {**ORDER, "instrument_name": CALL, "amount": "0.15",
                           "price": "0.0049"}, 10021),
    (BUY, "deribit-main", {**ORDER, "amount": "900"}, 10009),
    (BUY, "deribit-main", {**ORDER, "instrument_name": CALL, "amount": "30",
                           "price": "0.12"}, 10009),
    ("private/sell", "deribit-a", {**ORDER, "instrument_name": PUT, "amount": "20",
                                   "price": "0.3"}, 10009),
    (BUY, "deribit-main", {**ORDER, "instrument_name": SPOT, "amount": "9"}, 10009),
    (BUY, "deribit-main", {**ORDER, "reduce_only": "true"}, 11030),
    (BUY, "deribit-main", {**ORDER, "price": "64100", "post_only": "true",
                           "reject_post_only": "true"}, 11054),
    (BUY, "deribit-main", {**ORDER, "post_only": "true", "reject_post_only": "true",
                           "time_in_force": "immediate_or_cancel"}, 11055),
    (BUY, "deribit-main", {**ORDER, "post_only": "true"}, 11047),
    (BUY, "deribit-main", {**ORDER, "type": "stop_limit"}, 11047),
    (BUY, "deribit-main", {**ORDER, "valid_until": "1000"}, 13888),
    (BUY, "deribit-main", {**ORDER, "label": "x" * 65}, -32602),
    (BUY, "deribit-main", {**ORDER, "time_in_force": "soon"}, -32602),
    ("private/cancel", "deribit-main", {"order_id": "BTC-1"}, 10004),
    ("private/get_order_state", "deribit-main", {"order_id": "BTC-1"}, 10004),
    ("private/cancel_by_label", "deribit-main", {"currency": "USDC"}, -32602),
    ("private/get_order_history_by_instrument", "deribit-main",
     {"instrument_name": SPOT, "with_continuation": "true"}, 11047),
    ("private/get_order_history_by_instrument", "deribit-main",
     {"instrument_name": SPOT, "count": "1001"}, -32602),
    (BETWEEN, "deribit-main", {**TRANSFER, "amount": "999999999"}, 10009),
    (BETWEEN, "deribit-main", {**TRANSFER, "amount": "-5"}, -32602),
    (BETWEEN, "deribit-main", {**TRANSFER, "nonce": "short"}, -32602),
    (BETWEEN, "deribit-main", {**TRANSFER, "destination": "77"}, 12100),
    (BETWEEN, "deribit-main", {**TRANSFER, "destination": "5001"}, 12100),
    (BETWEEN, "deribit-a", {**TRANSFER, "source": "5003"}, 13012),
    (BETWEEN, "deribit-a", {**TRANSFER, "destination": "5003"}, 0),
    (BETWEEN, "deribit-main", {**TRANSFER, "source": "5003"}, 0),
    ("private/submit_transfer_to_subaccount", "deribit-a", TRANSFER, 13012),
    ("private/withdraw", "deribit-main", {**WITHDRAW, "address": "nobody"}, 11090),
    ("private/withdraw", "deribit-main", {**WITHDRAW, "amount": "999999"}, 10009),
    ("private/withdraw", "deribit-a", WITHDRAW, 13012),
    ("private/get_account_summaries", "deribit-a", {"subaccount_id": "5003"}, 13012),
    ("private/get_account_summaries", "deribit-main", {"subaccount_id": "5003"}, 0),
    ("private/get_account_summary", "deribit-main", {}, -32602),
    ("private/get_transaction_log", "deribit-a",
     {"currency": "BTC", "start_timestamp": 0, "end_timestamp": 1, "subaccount_id": "5003"}, 13012),
    (MOVING, "deribit-a", moved(), 13012),
    (MOVING, "deribit-main", moved(target_uid="77"), 12100),
    (MOVING, "deribit-main", moved(target_uid="5001"), 12100),
    (MOVING, "deribit-main", moved(LEG.replace("100", "999999")), -32602),
    (MOVING, "deribit-main", moved(LEG.replace("100", "105")), 10021),
    (MOVING, "deribit-main", moved(LEG, LEG_USDC), -32602),
    (MOVING, "deribit-main", moved(trades="nonsense"), -32602),
    (MOVING, "deribit-b",
     moved(source_uid="5003", target_uid="5002"), 13012),
)  # fmt: skip
# Codes that need a state or a caller of their own; each has its own test.
ELSEWHERE = {10010, 10028, 10029, 13004, 13009, 13021, 13780}


def code(reply: dict[str, Any]) -> int:
    """Return the error's code, zero when there is none; the status fits to it."""
    found = int(reply["error"]["code"]) if "error" in reply else 0
    assert reply["status"] == (400 if found else 200)
    return found


@pytest.mark.parametrize(("method", "login", "params", "expected"), CASES)
def test_a_case_gets_its_code(
    method: str, login: str, params: dict[str, Any], expected: int, raw: Raw
) -> None:
    if method == "public/get_instruments" and not params:
        params = {"currency": "any", "kind": "option"}
    assert code(raw(method, login=login, **params)) == expected


def test_every_code_the_table_names_is_brought_about() -> None:
    named = {
        int(found)
        for endpoint in ENDPOINTS
        for case in endpoint.cases
        for found in re.findall(r"(?<!\d)(-32\d{3}|1\d{4})\b", case)
    }
    assert named <= {expected for *_, expected in CASES} | ELSEWHERE


def test_an_error_is_a_json_rpc_object_with_its_reason(raw: Raw) -> None:
    reply = raw("public/ticker")
    assert reply["error"] == {
        "code": -32602,
        "message": "Invalid params",
        "data": {"reason": "value required", "param": "instrument_name"},
    }
    assert (reply["jsonrpc"], reply["testnet"]) == ("2.0", False)


def test_a_signature_is_checked_for_key_time_nonce_and_text(raw: Raw) -> None:
    asked = "private/get_open_orders"
    assert code(raw(asked, header="Basic x")) == 10000
    assert code(raw(asked, login="nobody")) == 13004
    assert code(raw(asked, login="bybit-main")) == 13004
    assert code(raw(asked, secret="another")) == 13009
    for age_ms in (60_001, -90_000):
        reply = raw(asked, age_ms=age_ms)
        assert (code(reply), reply["error"]["data"]["reason"]) == (13009, "timestamp expired")
    assert code(raw(asked, age_ms=55_000, once="n1")) == 0
    reply = raw(asked, once="n1")
    assert (code(reply), reply["error"]["data"]["reason"]) == (13009, "nonce used before")


def test_a_key_without_the_scope_is_refused(caller: Callable[[int], Raw]) -> None:
    world = demo_world()
    keys = tuple(
        replace(row, permissions=("account:read",)) if row.key == "deribit-a-key" else row
        for row in world.keys
    )
    with running_emulator(world=replace(world, keys=keys)) as emulator:
        raw = caller(emulator.port)
        assert code(raw(BUY, login="deribit-a", **ORDER)) == 13021
        assert code(raw("private/get_account_summaries", login="deribit-a")) == 0


def test_requests_cost_credits_that_flow_back(caller: Callable[[int], Raw]) -> None:
    """A hundred at once of 500 credits, twenty orders of the engine's; then as they refill."""
    with running_emulator(limit_scale=1) as emulator:
        raw = caller(emulator.port)
        codes = [code(raw("private/get_open_orders")) for _ in range(101)]
        assert codes == [0] * 100 + [10028]
        assert code(raw("private/get_open_orders", login="deribit-a")) == 0
        engine = [code(raw("private/cancel_all", login="deribit-b")) for _ in range(21)]
        assert engine == [0] * 20 + [10028]
        emulator.admin("POST", "clock", advance_ms=200)
        late = {"age_ms": -200}
        codes = [code(raw("private/get_open_orders", **late)) for _ in range(5)]
        assert codes == [0] * 4 + [10028]
        engine = [code(raw("private/cancel_all", login="deribit-b", **late)) for _ in range(2)]
        assert engine == [0, 10028]


def test_instruments_may_be_asked_five_times_at_once(caller: Callable[[int], Raw]) -> None:
    with running_emulator(limit_scale=1) as emulator:
        raw = caller(emulator.port)
        codes = [code(raw("public/get_instruments", currency="any")) for _ in range(6)]
        assert codes == [0] * 5 + [10028]


def test_a_label_is_not_unique_and_an_order_is_its_owners(raw: Raw) -> None:
    first, second = (raw(BUY, **ORDER)["result"]["order"]["order_id"] for _ in range(2))
    assert first != second
    asked = {"currency": "USDC", "label": "one"}
    assert len(raw("private/get_order_state_by_label", **asked)["result"]) == 2
    assert raw("private/get_order_state_by_label", currency="BTC", label="one")["result"] == []
    assert code(raw("private/cancel", login="deribit-a", order_id=first)) == 10029
    assert raw("private/cancel", order_id=first)["result"]["order_state"] == "cancelled"
    assert code(raw("private/cancel", order_id=first)) == 10010
    assert raw("private/cancel_by_label", **asked)["result"] == 1
    assert raw("private/cancel_by_label", **asked)["result"] == 0


def test_an_order_that_finds_nothing_ends_and_shows_only_when_asked_for(raw: Raw) -> None:
    done = raw(BUY, **ORDER, time_in_force="immediate_or_cancel")["result"]
    assert (done["order"]["order_state"], done["trades"]) == ("cancelled", [])
    history = "private/get_order_history_by_instrument"
    assert raw(history, instrument_name=LINEAR_NAME)["result"] == []
    seen = raw(history, instrument_name=LINEAR_NAME, include_unfilled="true")["result"]
    assert [row["order_id"] for row in seen] == [done["order"]["order_id"]]


def test_history_is_recent_for_half_an_hour_then_historical(raw: Raw, emulator: Emulator) -> None:
    raw(BUY, **{**ORDER, "price": "64100", "time_in_force": "immediate_or_cancel"})
    history = {"instrument_name": LINEAR_NAME}
    method = "private/get_order_history_by_instrument"
    assert len(raw(method, **history)["result"]) == 1
    assert raw(method, **history, historical="true")["result"] == []
    emulator.admin("POST", "clock", advance_ms=31 * 60_000)
    late = {"age_ms": -31 * 60_000}
    assert raw(method, **history, **late)["result"] == []
    assert len(raw(method, **history, historical="true", **late)["result"]) == 1
    asked = {"currency": "USDC", "label": "one"}
    assert raw("private/get_order_state_by_label", **asked, **late)["result"] == []


def test_pages_follow_count_and_offset_or_the_continuation(raw: Raw) -> None:
    for number in range(5):
        raw(BETWEEN, **{**TRANSFER, "amount": str(number + 1)})
        raw(BUY, **{**ORDER, "price": "64100", "label": f"p{number}"})
    seen = []
    for offset in (0, 2, 4):
        page = raw("private/get_transfers", currency="USDC", count=2, offset=offset)["result"]
        assert page["count"] == 5
        seen += [row["amount"] for row in page["data"]]
    assert seen == [5, 4, 3, 2, 1]
    logs, token = [], None
    asked: dict[str, Any] = {
        "currency": "USDC", "start_timestamp": 0, "end_timestamp": 9 * 10**12, "count": 2,
    }  # fmt: skip
    while True:
        more = {} if token is None else {"continuation": token}
        page = raw("private/get_transaction_log", **asked, **more)["result"]
        logs += [row["id"] for row in page["logs"]]
        token = page["continuation"]
        if token is None:
            break
    assert logs == sorted(logs, reverse=True)
    assert len(logs) == 5


def test_the_same_nonce_is_the_same_transfer_and_withdrawal(raw: Raw) -> None:
    first, again = (raw(BETWEEN, **TRANSFER, nonce="nonce-0001")["result"] for _ in range(2))
    assert first == again
    assert raw("private/get_transfers", currency="USDC")["result"]["count"] == 1
    one, two = (raw("private/withdraw", **WITHDRAW, nonce="nonce-0002")["result"] for _ in range(2))
    assert one == two


def test_moves_are_six_a_minute_and_a_hundred_a_week(emulator: Emulator, raw: Raw) -> None:
    codes = [code(raw(MOVING, **moved())) for _ in range(7)]
    assert codes == [0] * 6 + [13780]
    reply = raw(MOVING, **moved())
    assert 0 < reply["error"]["data"]["wait"] <= 61


def test_the_hundredth_move_of_a_week_is_the_last(raw: Raw, emulator: Emulator) -> None:
    done, waited = 0, 0
    while done < 100:
        for _ in range(min(6, 100 - done)):
            assert code(raw(MOVING, **moved(), age_ms=-waited)) == 0
            done += 1
        waited += 61_000
        emulator.admin("POST", "clock", advance_ms=61_000)
    reply = raw(MOVING, **moved(), age_ms=-waited)
    assert code(reply) == 13780
    assert reply["error"]["data"]["wait"] > 6 * 86_400


def test_moved_positions_keep_entry_unless_a_price_is_given(raw: Raw) -> None:
    raw(MOVING, **moved())
    (row,) = raw("private/get_positions", login="deribit-a", currency="BTC")["result"]
    assert (row["size"], row["average_price"]) == (-100, 63000)
    before = raw("private/get_account_summary", currency="BTC")["result"]["equity"]
    raw(MOVING, **moved(LEG.replace("}", ',"price":"63993.5"}')))
    after = raw("private/get_account_summary", currency="BTC")["result"]["equity"]
    assert abs(after - before) < 1e-7


@pytest.mark.parametrize(
    ("size", "initial", "maintenance"),
    [("0", "0", "0"), ("25", "53125", "28125"), ("350", "1312500", "962500")],
)
def test_linear_futures_need_what_the_venues_page_says(
    size: str, initial: str, maintenance: str
) -> None:
    index = D(100_000)
    need = margin.need(LINEAR, D(size) * 1000, index, index, index)
    assert (need.initial, need.maintenance) == (D(initial), D(maintenance))


def test_inverse_futures_need_the_same_in_coin() -> None:
    index = D(100_000)
    need = margin.need(INVERSE, D(250_000), index, index, index)
    assert (need.initial, need.maintenance) == (D("0.53125"), D("0.28125"))


def test_equity_is_balance_session_profit_and_options_value(raw: Raw, emulator: Emulator) -> None:
    raw(BUY, instrument_name=INVERSE_NAME, amount="30000", price="64100", label="half")
    emulator.admin("POST", "price", coin="BTC", usd="61000")
    for login in ("deribit-main", "deribit-a", "deribit-b"):
        for row in raw("private/get_account_summaries", login=login)["result"]["summaries"]:
            parts = ("balance", "futures_session_upl", "futures_session_rpl", "options_value")
            assert abs(sum(row[key] for key in parts) - row["equity"]) < 5e-8
            upl = row["futures_session_upl"] + row["options_session_upl"]
            assert abs(upl - row["session_upl"]) < 5e-8


def test_what_was_realised_comes_into_the_balance_at_eight(raw: Raw, emulator: Emulator) -> None:
    raw(BUY, instrument_name=INVERSE_NAME, amount="30000", price="64100", label="half")
    asked = {"currency": "BTC"}
    before = raw("private/get_account_summary", **asked)["result"]
    assert before["futures_session_rpl"] < 0
    emulator.admin("POST", "clock", advance_ms=86_400_000)
    late = {"age_ms": -86_400_000}
    after = raw("private/get_account_summary", **asked, **late)["result"]
    funding = raw("private/get_transaction_log", **asked, start_timestamp=0,
                  end_timestamp=9 * 10**12, **late)["result"]["logs"]  # fmt: skip
    paid = sum(row["cashflow"] for row in funding if row["type"] == "settlement")
    expected = before["balance"] + before["futures_session_rpl"] + paid
    assert abs(after["balance"] + after["futures_session_rpl"] - expected) < 1e-7


def test_a_pool_shows_sums_in_each_currency_and_in_dollars(raw: Raw) -> None:
    summaries = raw("private/get_account_summaries", login="deribit-b")["result"]["summaries"]
    usd = {"BTC": 64000, "ETH": 3100, "USDC": 1, "USDT": 1}
    total = summaries[0]["total_margin_balance_usd"]
    for row in summaries:
        assert row["cross_collateral_enabled"]
        assert row["margin_model"] == "cross_sm"
        assert abs(row["margin_balance"] * usd[row["currency"]] - total) < 0.01
    own = sum(
        (row["balance"] + row["futures_session_upl"] + row["futures_session_rpl"])
        * usd[row["currency"]]
        for row in summaries
    )
    assert abs(own - total) < 0.01


def test_the_table_lists_every_endpoint_once_with_its_cases() -> None:
    found = rows(ENDPOINTS)
    assert len(found) == len(ENDPOINTS)
    text = markdown(ENDPOINTS)
    assert all(f"| {e.path} |" in text for e in ENDPOINTS)
