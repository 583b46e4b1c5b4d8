"""The real client on an emulator, and a raw signed caller beside it."""

import asyncio
import http.client
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest

from allocator.adapters.ccxt.loopback import LoopbackSession
from allocator.adapters.emulator.binance.signing import sign
from allocator.adapters.emulator.testing import PATIENCE_S, Emulator


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: Any


@pytest.fixture
def raw(emulator: Emulator) -> Callable[..., Answer]:
    """`raw("GET", "fapi", "/fapi/v1/order", login="binance-main", **params)`."""
    return caller(emulator.port)


@pytest.fixture
def caller_on() -> Callable[..., Callable[..., Answer]]:
    """`caller_on(port)` returns a raw caller of another emulator."""
    return caller


@pytest.fixture
def run(emulator: Emulator) -> Callable[..., Any]:
    """`run(work, login="binance-main")` gives `work` a real client and returns its result."""
    return runner(emulator.base_url)


def runner(base_url: str) -> Callable[..., Any]:
    ccxt = pytest.importorskip("ccxt.async_support")

    def run(work: Callable[[Any], Awaitable[Any]], login: str = "binance-main") -> Any:
        async def main() -> Any:
            session = LoopbackSession(base_url)
            client = ccxt.binance(
                {
                    "apiKey": f"{login}-key",
                    "secret": f"{login}-secret",
                    "session": session,
                    "enableRateLimit": False,
                }
            )
            client.number = str
            try:
                return await work(client)
            finally:
                await client.close()
                await session.close()

        return asyncio.run(main())

    return run


def caller(port: int) -> Callable[..., Answer]:
    def call(
        method: str,
        host: str,
        path: str,
        login: str = "binance-main",
        secret: str | None = None,
        age_ms: int = 0,
        window_ms: int = 10_000,
        **params: Any,
    ) -> Answer:
        now_ms = time.time_ns() // 10**6
        signed = {**params, "recvWindow": window_ms, "timestamp": now_ms - age_ms}
        text = urlencode(params if not login else signed)
        headers = {"X-Orig-Host": f"{host}.binance.com"}
        if login:
            text = f"{text}&signature={sign(text, secret or f'{login}-secret')}"
            headers["X-MBX-APIKEY"] = f"{login}-key"
        in_body = method in {"POST", "PUT"}
        if in_body:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        target = path if in_body or not text else f"{path}?{text}"
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        try:
            connection.request(method, target, text if in_body else None, headers)
            response = connection.getresponse()
            body = json.loads(response.read().decode())
        finally:
            connection.close()
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, body)

    return call
