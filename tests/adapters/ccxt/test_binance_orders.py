"""Orders that stand at Binance: one that closes all of a position has no size of its own."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from allocator.adapters.ccxt import binance_portfolio, binance_reads
from allocator.adapters.ccxt.place import Place
from allocator.models.account import SeenOrder
from tests.adapters.ccxt import test_modes
from tests.adapters.ccxt.portfolio_payloads import order

CLOSING = order(origQty="0", closePosition=True, type="STOP_MARKET", price="0", orderId=7)


def usdm(rows: list[Any]) -> Place:
    answers = {"fapiprivate_get_openorders": rows, "fapiprivate_get_openalgoorders": []}
    return test_modes.place("binance", "usdm", answers)


def unified(rows: list[Any]) -> Place:
    answers: dict[str, Any] = {
        "papi_get_um_openorders": rows, "papi_get_cm_openorders": [],
        "papi_get_um_algo_openalgoorders": [], "papi_get_cm_conditional_openorders": [],
    }  # fmt: skip
    return test_modes.place("binance", "unified", answers)


def standing(place: Place) -> tuple[SeenOrder, ...]:
    reads = binance_portfolio if place.config.wallet == "unified" else binance_reads
    return asyncio.run(reads.open_orders(place))


@pytest.mark.parametrize("of", [usdm, unified])
def test_an_order_that_closes_all_is_named_and_the_others_are_read(of: Any) -> None:
    rows = [order(closePosition=False), CLOSING]
    place = of(rows)
    assert [row.instrument for row in standing(place)] == ["binance:BTC/USDT:USDT"]
    assert list(place.notes.values()) == [
        "orders that close all of a position are not read: 7 of binance:BTC/USDT:USDT"
    ]
    rows.pop()
    assert len(standing(place)) == 1
    assert not place.notes
