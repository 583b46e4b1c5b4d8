"""The fault seam: what the client sees, and what the exchange did all the same."""

import asyncio
from typing import Any

import aiohttp
import pytest

from allocator.adapters.ccxt.loopback import LoopbackSession
from allocator.adapters.emulator.clock import Clock
from allocator.adapters.emulator.testing import Emulator, running_emulator

PATH = "/v5/order/create"
URL = f"https://api.bybit.com{PATH}"


def ask(emulator: Emulator, times: int = 1) -> list[tuple[int, str] | type[Exception]]:
    """Post over fresh connections (reads are repeated by aiohttp itself when one breaks).

    An error's class stands for the reply.
    """

    async def one() -> tuple[int, str] | type[Exception]:
        session = LoopbackSession(emulator.base_url)
        try:
            async with session.post(URL) as response:
                return response.status, await response.text()
        except aiohttp.ClientError as error:
            return type(error)
        finally:
            await session.close()

    async def all_of_them() -> list[tuple[int, str] | type[Exception]]:
        return [await one() for _ in range(times)]

    return asyncio.run(all_of_them())


def log(emulator: Emulator) -> list[tuple[int, str]]:
    requests: Any = emulator.admin("GET", "requests")
    return [(r["status"], r["fault"]) for r in requests]


def test_a_dropped_connection_looks_the_same_before_and_after() -> None:
    with running_emulator() as emulator:
        emulator.fault({"kind": "drop_before", "path": PATH}, {"kind": "drop_after", "nth": 2})
        first, second, third = ask(emulator, 3)
        assert first is second is aiohttp.ServerDisconnectedError
        assert isinstance(third, tuple)
        assert log(emulator) == [(0, "drop_before"), (200, "drop_after"), (200, "")]


@pytest.mark.parametrize(
    ("kind", "status", "text"),
    [
        ("http_500_after", 500, "Internal Server Error"),
        ("html", 200, "<html>"),
        ("429", 429, ""),
        ("403", 403, ""),
        ("418", 418, ""),
    ],
)
def test_a_fault_replaces_the_reply(kind: str, status: int, text: str) -> None:
    with running_emulator() as emulator:
        emulator.fault({"kind": kind, "host": "api.bybit.com", "method": "POST"})
        struck, clean = ask(emulator, 2)
        assert isinstance(struck, tuple)
        assert isinstance(clean, tuple)
        assert struck[0] == status
        assert text in struck[1]
        assert "retCode" in clean[1]


def test_a_truncated_reply_breaks_off() -> None:
    with running_emulator() as emulator:
        emulator.fault({"kind": "truncate"})
        (seen,) = ask(emulator)
        assert seen is aiohttp.ClientPayloadError


def test_a_rule_strikes_from_its_nth_match_on_and_no_longer() -> None:
    with running_emulator() as emulator:
        emulator.fault({"kind": "http_500_after", "path": PATH, "nth": 2, "times": 2})
        statuses = [seen[0] for seen in ask(emulator, 4) if isinstance(seen, tuple)]
        assert statuses == [200, 500, 500, 200]
        emulator.fault()
        assert isinstance(ask(emulator)[0], tuple)


def test_a_stale_read_repeats_what_it_said_before() -> None:
    async def read(base: str) -> str:
        session = LoopbackSession(base)
        try:
            async with session.get("https://api.bybit.com/v5/market/time") as response:
                return await response.text()
        finally:
            await session.close()

    with running_emulator() as emulator:
        first = asyncio.run(read(emulator.base_url))
        emulator.admin("POST", "clock", advance_ms=60_000)
        emulator.fault({"kind": "stale", "path": "/v5/market/time"})
        assert asyncio.run(read(emulator.base_url)) == first
        assert asyncio.run(read(emulator.base_url)) != first


def test_a_delayed_reply_comes_late() -> None:
    with running_emulator() as emulator:
        emulator.fault({"kind": "delay", "delay_s": 0.05})
        (seen,) = ask(emulator)
        assert isinstance(seen, tuple)
        assert seen[0] == 200


async def read_time(base: str) -> tuple[int, dict[str, str]]:
    session = LoopbackSession(base)
    try:
        async with session.get("https://api.bybit.com/v5/market/time") as response:
            told = await response.json() if response.status == 200 else {"time": 0}
            return int(told["time"]), dict(response.headers)
    finally:
        await session.close()


def test_a_throttle_asks_for_the_pause_it_was_given() -> None:
    with running_emulator() as emulator:
        emulator.fault({"kind": "418", "delay_s": 90})
        assert asyncio.run(read_time(emulator.base_url))[1]["Retry-After"] == "90"


def test_a_duplicate_reaches_the_exchange_twice() -> None:
    with running_emulator() as emulator:
        emulator.fault({"kind": "duplicate", "path": PATH})
        ask(emulator, 2)
        assert log(emulator) == [(200, "duplicate"), (200, "duplicate"), (200, "")]


def test_a_skewed_request_meets_a_clock_that_is_off_and_the_next_does_not() -> None:
    with running_emulator(clock=Clock(lambda: 1_790_000_000_000)) as emulator:
        emulator.fault({"kind": "skew", "delay_s": -30})
        read = [asyncio.run(read_time(emulator.base_url))[0] for _ in range(2)]
        assert read == [1_789_999_970_000, 1_790_000_000_000]
