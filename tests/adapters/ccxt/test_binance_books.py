"""All books of an account at Binance are read once a minute, its configured ones between.

Weights are those of the venue's pages, as the loopback exchange counts them: 40 for all, one for
one symbol.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from allocator.adapters.ccxt import binance_books
from allocator.adapters.ccxt.budgets import Budgets
from allocator.adapters.ccxt.session import Login
from allocator.adapters.emulator.testing import Emulator
from allocator.adapters.registry import Opened, open_venues
from allocator.models.config import Config
from allocator.service.clock import SystemClock

Run = Callable[[Config, Callable[[Opened], Awaitable[Any]]], Any]
BTC, ETH = "binance:BTC/USDT:USDT", "binance:ETH/USDT:USDT"
MAIN = "binance:20000001"


def stop(emulator: Emulator, coin: str) -> None:
    emulator.admin(
        "POST", "waiting", user=MAIN, instrument=f"binance:usdm:{coin}USDT", kind="STOP",
        side="sell", quantity="3", trigger="1000", price="1000",
    )  # fmt: skip


def of_btc(config: Config) -> Config:
    """Configure BTC alone for the futures wallet."""
    rows = [
        row.model_copy(update={"instruments": ("BTC/USDT:USDT",)})
        if row.id == "binance-usdm" else row
        for row in config.accounts
    ]  # fmt: skip
    return config.model_copy(update={"accounts": tuple(rows)})


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Write down whether lists of the wallet's orders are asked for by a symbol."""
    found, call = list[bool](), Login.call

    async def heard(login: Login, endpoint: str, params: Any, *other: Any) -> Any:
        if endpoint in ("fapiprivate_get_openorders", "fapiprivate_get_openalgoorders"):
            found.append("symbol" in params)
        return await call(login, endpoint, params, *other)

    monkeypatch.setattr(Login, "call", heard)
    return found


async def seen(opened: Opened) -> list[str]:
    reading = await opened.venues["binance-usdm"].read()
    assert reading.complete, reading.missing
    return sorted(row.instrument for row in reading.open_orders)


def test_books_of_the_configuration_are_read_each_time(
    run: Run, binance: Config, emulator: Emulator, asked: list[bool]
) -> None:
    async def work(opened: Opened) -> None:
        assert await seen(opened) == []
        stop(emulator, "BTC")
        assert await seen(opened) == [BTC]

    run(of_btc(binance), work)
    assert asked == [False, False, True, True]


def test_what_stood_in_other_books_counts_until_all_are_read_again(
    run: Run,
    binance: Config,
    emulator: Emulator,
    asked: list[bool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def work(opened: Opened) -> None:
        stop(emulator, "ETH")
        assert await seen(opened) == [ETH]
        stop(emulator, "ETH")
        stop(emulator, "BTC")
        assert await seen(opened) == [BTC, ETH]
        monkeypatch.setattr(binance_books, "EVERY_S", 0.0)
        assert await seen(opened) == [BTC, ETH, ETH]

    run(of_btc(binance), work)
    assert asked == [False, False, True, True, False, False]


@pytest.mark.parametrize("names", [(), ("BTC/USDT:USDT",) * binance_books.ALL_WEIGH])
def test_all_books_are_read_where_that_weighs_less_or_none_is_configured(
    run: Run, binance: Config, asked: list[bool], names: tuple[str, ...]
) -> None:
    rows = [
        row.model_copy(update={"instruments": names}) if row.id == "binance-usdm" else row
        for row in binance.accounts
    ]

    async def work(opened: Opened) -> None:
        for _ in range(2):
            await seen(opened)

    run(binance.model_copy(update={"accounts": tuple(rows)}), work)
    assert asked == [False] * 4


def test_a_process_that_takes_over_counts_what_was_asked_before_it(
    run: Run, binance: Config
) -> None:
    """Each of the two would have the whole budget of their address otherwise."""
    used = list[float]()

    async def work(opened: Opened) -> None:
        await opened.market.gather()
        budgets = dict[str, Budgets]()
        other = open_venues(binance, SystemClock(), budgets=budgets)
        try:
            await other.venues["binance-usdm"].read()
        finally:
            await other.close()
        used.append(budgets["binance"].used("fapiPrivate"))

    run(binance, work)
    # A gather of five wallets, then markets, time and one wallet, which weigh some 100 themselves.
    assert used[0] > 300 / 2400
