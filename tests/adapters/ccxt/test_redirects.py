"""A signed request goes to the address it was signed for and to no other."""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from allocator.adapters.ccxt.gate import DirectSession, ReadsOnly
from allocator.adapters.ccxt.loopback import LoopbackSession
from allocator.adapters.emulator.testing import serving
from allocator.adapters.registry import Opened
from allocator.models.config import Config
from allocator.models.intents import OrderIntent, Unknown
from tests.adapters.ccxt.conftest import run_with

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
TAKEN = {"code": "0", "msg": "", "data": [{"ordId": "1", "sCode": "0", "sMsg": ""}]}


@contextmanager
def redirecting(path: str, status: int, arrived: list[str], onward: str) -> Generator[str]:
    """Serve an exchange that sends one path to another host, which counts what reaches it."""

    async def elsewhere(request: web.Request) -> web.Response:
        arrived.append(request.path)
        return web.json_response(TAKEN)

    with serving(lambda: _application(elsewhere)) as other:

        async def first(request: web.Request) -> web.Response:
            if request.path == path:
                where = {"Location": f"http://127.0.0.1:{other}{request.path_qs}"}
                return web.json_response(TAKEN, status=status, headers=where)
            return await _forwarded(request, onward)

        with serving(lambda: _application(first)) as port:
            yield f"http://127.0.0.1:{port}"


def _application(handler: Handler) -> web.Application:
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handler)
    return application


async def _forwarded(request: web.Request, onward: str) -> web.Response:
    dropped = {"host", "content-length"}
    headers = {k: v for k, v in request.headers.items() if k.lower() not in dropped}
    async with (
        aiohttp.ClientSession() as session,
        session.request(
            request.method, onward + request.path_qs, headers=headers, data=await request.read()
        ) as told,
    ):
        body = await told.read()
        return web.Response(body=body, status=told.status, content_type="application/json")


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

    async def one(address: str) -> int:
        session = make(address)
        try:
            asked = ReadsOnly(session) if gated else session
            async with asked.get(f"{address}/v5/position/list") as answer:
                return int(answer.status)
        finally:
            await session.close()

    with redirecting("/v5/position/list", status, arrived, "") as address:
        assert asyncio.run(one(address)) == status
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

    with redirecting(path, status, arrived, data["loopback_url"]) as address:
        config = Config.model_validate(data | {"loopback_url": address})
        outcome = run_with(config, lambda opened: _submitted(opened, intent))
    assert arrived == []
    assert isinstance(outcome, Unknown)
    assert "redirect" in outcome.why


async def _submitted(opened: Opened, intent: OrderIntent) -> Any:
    return await opened.venues[intent.account].submit(intent)


def test_a_redirected_read_is_unanswered_and_says_why(okx_data: dict[str, Any]) -> None:
    arrived = list[str]()

    async def read(opened: Opened) -> Any:
        return await opened.venues["okx-main"].read()

    path, onward = "/api/v5/account/positions", okx_data["loopback_url"]
    with redirecting(path, 302, arrived, onward) as address:
        config = Config.model_validate(okx_data | {"loopback_url": address})
        reading = run_with(config, read)
    assert arrived == []
    assert not reading.complete
    assert "a redirect to another address, not followed" in str(reading.missing)
