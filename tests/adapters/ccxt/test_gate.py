"""What may leave, and that an action never leaves twice."""

import asyncio
import ssl
from typing import Any

import aiohttp
import pytest

from allocator.adapters.ccxt.clients import new_client
from allocator.adapters.ccxt.gate import ReadsOnly, is_write
from allocator.adapters.ccxt.loopback import LoopbackSession
from allocator.adapters.emulator.testing import Emulator, running_emulator
from allocator.models.errors import RefusedError

HOST = "https://www.deribit.com"
BUY, READ = "/api/v2/private/buy", "/api/v2/private/get_positions"


def asked(emulator: Emulator, method: str, path: str) -> int:
    """Ask once over a kept connection that breaks; tell how often it arrived."""

    async def one() -> None:
        session = LoopbackSession(emulator.base_url)
        try:
            async with session.get(f"{HOST}/api/v2/public/get_time") as first:
                await first.read()
            emulator.fault({"kind": "drop_before", "path": path, "times": 5})
            with pytest.raises(aiohttp.ClientConnectionError):
                async with session.request(method, f"{HOST}{path}") as answer:
                    await answer.read()
        finally:
            await session.close()

    asyncio.run(one())
    rows: Any = emulator.admin("GET", "requests")
    return sum(row["path"] == path for row in rows)


@pytest.mark.parametrize(
    ("method", "path", "times"),
    [("GET", BUY, 1), ("POST", "/x", 1), ("DELETE", "/x", 1), ("GET", READ, 2)],
)
def test_an_action_whose_connection_breaks_is_sent_once(method: str, path: str, times: int) -> None:
    """A read is repeated by the HTTP client itself; the count of it shows that the test can."""
    with running_emulator() as emulator:
        assert asked(emulator, method, path) == times


@pytest.mark.parametrize(
    ("method", "path", "acts"),
    [
        ("GET", BUY, True),
        ("GET", f"{BUY}?instrument_name=BTC-PERPETUAL", True),
        ("GET", "/api/v2/private/submit_transfer_between_subaccounts", True),
        ("GET", READ, False),
        ("GET", "/api/v2/public/ticker", False),
        ("GET", "/v5/position/list", False),
        ("POST", "/v5/order/create", True),
        ("DELETE", "/fapi/v1/order", True),
    ],
)
def test_what_acts_is_known_by_method_and_path(method: str, path: str, acts: bool) -> None:
    assert is_write(method, f"{HOST}{path}") is acts


def test_a_dry_run_refuses_an_action_that_is_asked_for_by_get() -> None:
    with pytest.raises(RefusedError, match="private/buy"):
        ReadsOnly(None).get(f"{HOST}{BUY}?amount=10")


def test_clients_share_one_reading_of_the_certificates() -> None:
    """It takes a client tens of milliseconds of the loop, at its first request."""

    async def work() -> list[ssl.SSLContext]:
        clients = [new_client("bybit", None) for _ in range(2)]
        for one in clients:
            one.open()
        return [one.ssl_context for one in clients]

    first, second = asyncio.run(work())
    assert first is second
    assert first.verify_mode is ssl.CERT_REQUIRED
