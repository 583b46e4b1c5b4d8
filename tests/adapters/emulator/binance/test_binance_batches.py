"""Several orders in one request: each is carried out or refused by itself, and all are counted."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from allocator.adapters.emulator.testing import Emulator, running_emulator

Raw = Callable[..., Any]
Run = Callable[..., Any]
TAKE = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "IOC",
        "quantity": "0.01", "price": "64500"}  # fmt: skip
COIN = {**TAKE, "symbol": "BTCUSD_PERP", "quantity": "1"}
HOSTS = {"fapi": TAKE, "dapi": COIN}


def sent(raw: Raw, orders: Any, host: str = "fapi") -> Any:
    text = orders if isinstance(orders, str) else json.dumps(orders)
    return raw("POST", host, f"/{host}/v1/batchOrders", batchOrders=text)


def held(emulator: Emulator) -> list[tuple[str, str]]:
    state: Any = emulator.admin("GET", "state?kind=order")
    return [(row["client_id"], row["status"]) for row in state["order"]]


@pytest.mark.parametrize("host", list(HOSTS))
def test_each_order_is_answered_in_its_place(host: str, raw: Raw, emulator: Emulator) -> None:
    order = HOSTS[host]
    answer = sent(
        raw,
        [
            {**order, "newClientOrderId": "one"},
            {**order, "reduceOnly": "true", "side": "BUY" if host == "fapi" else "SELL"},
            {**order, "price": "x"},
            {**order, "newClientOrderId": "two", "newOrderRespType": "RESULT"},
            {**order, "symbol": "BTCEUR"},
        ],
        host,
    )
    assert answer.status == 200
    told = [row.get("clientOrderId") or row["code"] for row in answer.body]
    assert told == ["one", -2022, -1100, "two", -1121]
    assert [set(row) for row in answer.body if "code" in row] == [{"code", "msg"}] * 3
    assert held(emulator) == [("one", "filled"), ("two", "filled")]


def test_an_order_that_leaves_no_trace_alone_leaves_none_among_others(
    raw: Raw, emulator: Emulator
) -> None:
    answer = sent(
        raw, [{**TAKE, "timeInForce": "GTX"}, {**TAKE, "newClientOrderId": "kept"},
              {**TAKE, "timeInForce": "FOK", "price": "63500"}],
    )  # fmt: skip
    assert [row.get("code") for row in answer.body] == [-5022, None, -5021]
    assert held(emulator) == [("kept", "filled")]


def test_a_client_id_of_an_order_that_rests_is_refused_within_a_request(raw: Raw) -> None:
    rest = {**TAKE, "timeInForce": "GTC", "price": "63000", "newClientOrderId": "rests"}
    first, second = sent(raw, [rest, rest]).body
    assert (first["status"], second["code"]) == ("NEW", -4116)


@pytest.mark.parametrize(
    ("orders", "code"),
    [([], -4082), ([TAKE] * 6, -4082), ("", -1102), ("[", -1130), ("{}", -1130), ("[1]", -1130)],
)
def test_a_list_that_is_none_is_refused_whole(
    orders: Any, code: int, raw: Raw, emulator: Emulator
) -> None:
    answer = sent(raw, orders)
    assert (answer.status, answer.body["code"]) == (400, code)
    assert held(emulator) == []


@pytest.mark.parametrize(("host", "in_a_minute"), [("fapi", "1"), ("dapi", "5")])
def test_a_request_weighs_five_and_counts_as_its_page_says(
    caller_on: Callable[..., Raw], host: str, in_a_minute: str
) -> None:
    with running_emulator(limit_scale=1) as running:
        raw = caller_on(running.port)
        headers = sent(raw, [HOSTS[host]], host).headers
        codes = [sent(raw, [{**HOSTS[host], "price": "1"}], host).body for _ in range(60)]
    assert headers["x-mbx-used-weight-1m"] == "5"
    assert headers["x-mbx-order-count-10s"] == "5"
    assert headers["x-mbx-order-count-1m"] == in_a_minute
    assert [row[0]["code"] for row in codes[:59]] == [-4024] * 59
    assert codes[59]["code"] == -1015


def test_the_real_client_sends_orders_together_and_sorts_the_answers(run: Run) -> None:
    async def work(client: Any) -> Any:
        rows = [
            {"symbol": "BTC/USDT:USDT", "type": "limit", "side": "buy", "amount": amount,
             "price": "64500", "params": {"clientOrderId": name, "timeInForce": "IOC"}}
            for name, amount in (("one", "0.01"), ("two", "100"), ("three", "0.02"))
        ]  # fmt: skip
        return await client.create_orders(rows)

    told = run(work)
    assert [row["clientOrderId"] for row in told] == [None, "one", "three"]
    assert told[0]["info"]["code"] == -2019
