"""A conditional order of Binance that has fired counts once, or no more.

Source: the venue's page Event: Algo Order Update. TRIGGERED: it is in the matching engine under its
``actualOrderId``; FINISHED: that order has been filled or has ended.
"""

import asyncio
from typing import Any

import pytest

from allocator.adapters.ccxt import binance_reads
from tests.adapters.ccxt import portfolio_payloads as pm
from tests.adapters.ccxt.test_legs_reduce import at_wallet

FIRED = pm.algo(algoStatus="TRIGGERED", quantity="5", side="BUY", actualOrderId="777")
RESTS = {
    "orderId": 777, "symbol": "BTCUSDT", "side": "BUY", "positionSide": "BOTH", "origQty": "5",
    "executedQty": "2", "price": "60500", "reduceOnly": False, "closePosition": False,
}  # fmt: skip


def left(waiting: list[Any], standing: list[Any]) -> list[tuple[int, bool]]:
    found = asyncio.run(binance_reads.open_orders(at_wallet({
        "fapiprivate_get_openalgoorders": waiting,
        "fapiprivate_get_openorders": standing,
    }, "usdm", id="BTCUSDT")))  # fmt: skip
    return [(int(row.quantity), row.waits) for row in found]


@pytest.mark.parametrize("number", ["777", 777])
def test_one_that_fired_counts_as_the_order_that_stands(number: Any) -> None:
    assert left([{**FIRED, "actualOrderId": number}], [RESTS]) == [(3, False)]


def test_one_that_fired_and_stands_nowhere_has_ended() -> None:
    assert left([FIRED], []) == []
    assert left([FIRED], [{**RESTS, "orderId": 778}]) == [(3, False)]


@pytest.mark.parametrize("number", ["", "0", None])
def test_one_that_fires_counts_until_its_order_is_named(number: Any) -> None:
    for state in ("NEW", "TRIGGERING", "TRIGGERED"):
        row = {**FIRED, "algoStatus": state, "actualOrderId": number}
        assert left([row], [RESTS]) == [(3, False), (5, True)]


def test_one_that_is_about_to_fire_counts_though_its_order_is_named() -> None:
    assert left([{**FIRED, "algoStatus": "TRIGGERING"}], []) == [(5, True)]


def test_one_that_is_about_to_fire_and_stands_counts_once() -> None:
    assert left([{**FIRED, "algoStatus": "TRIGGERING"}], [RESTS]) == [(3, False)]


def test_one_that_is_finished_is_not_open() -> None:
    for number in ("777", ""):
        row = {**FIRED, "algoStatus": "FINISHED", "actualOrderId": number}
        assert left([row], [RESTS]) == [(3, False)]
