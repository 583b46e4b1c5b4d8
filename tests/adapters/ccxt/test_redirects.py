"""A signed request goes to the address it was signed for and to no other."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from allocator.adapters.ccxt.gate import DirectSession, ReadsOnly
from allocator.adapters.ccxt.loopback import LoopbackSession
from allocator.adapters.registry import Opened
from allocator.models.config import Config
from allocator.models.intents import OrderIntent, Unknown
from tests.adapters.ccxt.conftest import run_with

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
TAKEN = {"code": "0", "msg": "", "data": [{"ordId": "1", "sCode": "0", "sMsg": ""}]}


@asynccontextmanager
async def served(handler: Handler, port: int = 0) -> AsyncGenerator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
        for _ in range(5):  # what is closed is gone a few turns of the loop later
            await asyncio.sleep(0)


@asynccontextmanager
async def redirecting(
    path: str, status: int, arrived: list[str], onward: str
) -> AsyncGenerator[str]:
    """Serve an exchange that sends one path to another host, which counts what reaches it."""

    async def elsewhere(request: web.Request) -> web.Response:
        arrived.append(request.path)
        return web.json_response(TAKEN)

    async with served(elsewhere) as other, aiohttp.ClientSession() as session:

        async def first(request: web.Request) -> web.Response:
            if request.path == path:
                where = {"Location": other + request.path_qs}
                return web.json_response(TAKEN, status=status, headers=where)
            dropped = {"host", "content-length"}
            headers = {k: v for k, v in request.headers.items() if k.lower() not in dropped}
            async with session.request(
                request.method, onward + request.path_qs, headers=headers, data=await request.read()
            ) as told:
                body = await told.read()
                return web.Response(body=body, status=told.status, content_type="application/json")

        async with served(first) as address:
            yield address


def direct(address: str) -> DirectSession:
    del address
    return DirectSession()


@pytest.mark.parametrize("make", [LoopbackSession, direct])
@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_session_follows_a_redirect(
    make: Callable[[str], Any], gated: bool, status: int
) -> None:
    arrived = list[str]()

    async def one() -> int:
        async with redirecting("/v5/position/list", status, arrived, "") as address:
            session = make(address)
            try:
                asked = ReadsOnly(session) if gated else session
                async with asked.get(f"{address}/v5/position/list") as answer:
                    return int(answer.status)
            finally:
                await session.close()

    assert asyncio.run(one()) == status
    assert arrived == []


ORDERS = {
    "okx": ("okx-main", "okx:BTC/USDT:USDT", "/api/v5/trade/order", 307),
    "deribit": ("deribit-main", "deribit:BTC/USDC:USDC", "/api/v2/private/buy", 302),
}


@pytest.mark.parametrize("venue", ORDERS)
def test_a_redirected_order_reaches_no_second_host_and_is_unknown(
    venue: str, request: pytest.FixtureRequest
) -> None:
    data: dict[str, Any] = request.getfixturevalue(f"{venue}_data")
    account, instrument, path, status = ORDERS[venue]
    intent = OrderIntent(
        client_id="0" * 32, account=account, instrument=instrument, side="buy",
        quantity=Decimal("0.35" if venue == "okx" else "3"), limit_price=Decimal(64100),
    )  # fmt: skip
    arrived = list[str]()

    async def whole() -> Any:
        async with redirecting(path, status, arrived, data["loopback_url"]) as address:
            config = Config.model_validate(data | {"loopback_url": address})
            return await asyncio.to_thread(
                run_with, config, lambda opened: _submitted(opened, intent)
            )

    outcome = asyncio.run(whole())
    assert arrived == []
    assert isinstance(outcome, Unknown)
    assert "redirect" in outcome.why


async def _submitted(opened: Opened, intent: OrderIntent) -> Any:
    return await opened.venues[intent.account].submit(intent)


def test_a_redirected_read_is_unanswered_and_says_why(okx_data: dict[str, Any]) -> None:
    arrived = list[str]()

    async def read(opened: Opened) -> Any:
        return await opened.venues["okx-main"].read()

    async def whole() -> Any:
        path, onward = "/api/v5/account/positions", okx_data["loopback_url"]
        async with redirecting(path, 302, arrived, onward) as address:
            config = Config.model_validate(okx_data | {"loopback_url": address})
            return await asyncio.to_thread(run_with, config, read)

    reading = asyncio.run(whole())
    assert arrived == []
    assert not reading.complete
    assert "a redirect to another address, not followed" in str(reading.missing)
