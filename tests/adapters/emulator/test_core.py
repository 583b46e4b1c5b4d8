"""The exchange core: transactions, persistence, the clock and the books."""

import asyncio
import contextlib
import sqlite3
from decimal import Decimal
from pathlib import Path

import pytest

from allocator.adapters.ccxt.loopback import LoopbackSession
from allocator.adapters.emulator.records import Balance
from allocator.adapters.emulator.testing import running_emulator
from allocator.adapters.emulator.world import demo_exchange


def test_a_unit_that_raises_leaves_nothing_behind() -> None:
    with contextlib.closing(demo_exchange(None)) as exchange:
        before = exchange.ledger.amount("bybit:10000001", "UNIFIED", "USDT")
        with contextlib.suppress(RuntimeError), exchange.unit() as ledger:
            ledger.credit("bybit:10000001", "UNIFIED", "USDT", Decimal(5))
            raise RuntimeError
        assert exchange.ledger.amount("bybit:10000001", "UNIFIED", "USDT") == before


def test_a_unit_the_store_cannot_keep_leaves_nothing_behind() -> None:
    exchange = demo_exchange(None)
    before = exchange.ledger.amount("bybit:10000001", "UNIFIED", "USDT")
    exchange.close()
    with pytest.raises(sqlite3.ProgrammingError), exchange.unit() as ledger:
        ledger.credit("bybit:10000001", "UNIFIED", "USDT", Decimal(5))
    assert exchange.ledger.amount("bybit:10000001", "UNIFIED", "USDT") == before


def test_a_committed_unit_is_there_after_a_restart(tmp_path: Path) -> None:
    with contextlib.closing(demo_exchange(tmp_path)) as exchange, exchange.unit() as ledger:
        ledger.balances.put(Balance("bybit:10000001", "FUND", "BTC", Decimal("1.25")))
        exchange.advance_clock(5000)
    with contextlib.closing(demo_exchange(tmp_path)) as again:
        assert again.ledger.amount("bybit:10000001", "FUND", "BTC") == Decimal("1.25")
        assert again.clock.offset_ms == 5000


def test_the_same_seed_gives_the_same_book() -> None:
    with (
        contextlib.closing(demo_exchange(None, seed=3)) as one,
        contextlib.closing(demo_exchange(None, seed=3)) as two,
    ):
        instrument = one.instrument("bybit", "linear", "BTCUSDT")
        assert one.book(instrument) == two.book(instrument)
        assert one.book(instrument).bids[0][0] < one.book(instrument).asks[0][0]


def test_the_server_answers_for_the_host_the_client_meant() -> None:
    async def ask(base: str) -> tuple[int, object]:
        session = LoopbackSession(base)
        try:
            async with session.get("https://api.bybit.com/v5/market/time") as response:
                return response.status, await response.json()
        finally:
            await session.close()

    with running_emulator() as emulator:
        status, body = asyncio.run(ask(emulator.base_url))
        assert status == 200
        assert isinstance(body, dict)
        assert body["retCode"] == 0
        requests = emulator.admin("GET", "requests")
        assert isinstance(requests, list)
        assert [(r["host"], r["path"]) for r in requests] == [  # type: ignore[call-overload,index]
            ("api.bybit.com", "/v5/market/time")
        ]
