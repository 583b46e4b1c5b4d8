"""A pause that a venue asks for holds back everything, also what waits for its turn meanwhile.

The client is ccxt's own with the real budgets, answers are what a venue gives who asks too much,
and the clock of the loop jumps over every wait.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from allocator.adapters.ccxt.clients import CREDENTIALS
from allocator.adapters.ccxt.failures import NotSentError
from allocator.adapters.ccxt.session import Login
from allocator.adapters.ccxt.sessions import Sessions
from allocator.adapters.deadline import deadline
from allocator.models.config import Config
from allocator.models.errors import VenueError
from tests.adapters.ccxt.test_budgets import timed
from tests.adapters.times import now

ORDERS = "fapiprivate_get_openorders"
"""Weighs 40: of a hundred that are let through, reads may take two."""

LISTS = 3
"""Lists of markets that are asked for at once."""

BAN, MANY = (418, {"Retry-After": "7200"}), (429, dict[str, str]())
Answers = list[tuple[int, dict[str, str]]]


def played(
    monkeypatch: pytest.MonkeyPatch,
    answers: Answers,
    work: Callable[[Login], Awaitable[None]],
    units: int = 100,
) -> int:
    """Do something with a login whose requests are answered in turn after a second; count them."""
    told = {word: f"env:BANNED_{word.upper()}" for word in (*CREDENTIALS, "secret")}
    for word in CREDENTIALS:
        monkeypatch.setenv(f"BANNED_{word.upper()}", "a")
    rate = {"venue": "binance", "scope": "address", "service": "fapi", "units": units,
            "window_s": 60}  # fmt: skip
    config = Config.model_validate(
        {"logins": {"main": {"venue": "binance", **told}}, "rates": [rate]}
    )
    sent = 0

    async def whole() -> None:
        nonlocal sent
        sessions = Sessions(config, reads_only=True)
        main = sessions.logins["main"]

        async def fetch(url: str, method: str, headers: Any, body: Any) -> Any:
            nonlocal sent
            status, told = answers[min(sent, len(answers) - 1)]
            sent += 1
            await asyncio.sleep(sent)
            main.client.handle_errors(status, "", url, method, told, "{}", {}, headers, body)
            return []

        main.client.fetch = fetch
        await work(main)
        await sessions.close()

    timed(whole)
    return sent


async def refused(asked: Awaitable[Any], why: str) -> None:
    with pytest.raises(VenueError, match=why):
        await asked


def test_what_waits_its_turn_while_a_ban_begins_is_not_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def work(main: Login) -> None:
        first, *others = (asyncio.create_task(main.call(ORDERS, {})) for _ in range(3))
        await refused(first, "418")
        for other in others:
            with pytest.raises(NotSentError, match="a pause of 7"):
                await other

    assert played(monkeypatch, [BAN], work) == 1


def test_a_shorter_pause_ends_no_ban(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(main: Login) -> None:
        await asyncio.gather(
            *(refused(main.call(ORDERS, {}), str(status)) for status, _ in (BAN, MANY))
        )
        await refused(main.call(ORDERS, {}), "a pause of 7")

    assert played(monkeypatch, [BAN, MANY], work, units=1000) == 2


def test_neither_time_nor_markets_are_asked_for_during_a_ban(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every look-up asks for the time, and a venue bans for longer who goes on asking."""

    async def work(main: Login) -> None:
        await refused(main.call(ORDERS, {}), "418")
        await refused(main.server_time(), "a pause of 7")
        await refused(main.synchronise(), "a pause of 7")
        await refused(main.prepare(), "a pause of 7")

    assert played(monkeypatch, [BAN], work) == 1


def test_a_ban_that_the_list_of_markets_meets_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(main: Login) -> None:
        await refused(main.prepare(), "418|DDoS")
        await refused(main.call(ORDERS, {}), "a pause of 7")

    sent = played(monkeypatch, [BAN, (200, {})], work)
    assert sent <= LISTS


def test_a_ban_that_a_newer_list_meets_is_one_though_the_old_one_serves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def work(main: Login) -> None:
        markets = main._shared.markets
        markets.version, markets._loaded = 1, now()
        main._shared.offset_at = time.monotonic()
        await main.prepare()
        assert main.late
        await refused(main.call(ORDERS, {}), "a pause of 7")

    assert played(monkeypatch, [BAN, (200, {})], work) <= LISTS


def test_what_never_left_does_not_make_a_login_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(main: Login) -> None:
        await main.call(ORDERS, {})
        assert not main.silent
        until = deadline.set(asyncio.get_running_loop().time() + 1)
        for _ in range(3):
            with pytest.raises(NotSentError, match="spent beyond the deadline"):
                await main.call(ORDERS, {})
        deadline.reset(until)
        assert not main.silent

    assert played(monkeypatch, [(200, {})], work, units=50) == 1


def test_a_ban_that_the_time_meets_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(main: Login) -> None:
        await refused(main.server_time(), "418|DDoS")
        await refused(main.call(ORDERS, {}), "a pause of 7")

    assert played(monkeypatch, [BAN], work) == 1
