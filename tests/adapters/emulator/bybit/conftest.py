"""A raw signed caller beside the real client."""

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest

from allocator.adapters.emulator.bybit.venue import signature
from allocator.adapters.emulator.testing import Emulator
from tests.adapters.emulator.asking import answered

Raw = Callable[..., dict[str, Any]]


@pytest.fixture
def raw(emulator: Emulator) -> Raw:
    """`raw("GET", path, login="bybit-main", stamp=None, **params)` returns the reply's JSON."""
    return call_on(emulator.port)


@pytest.fixture
def caller() -> Callable[[int], Raw]:
    """`caller(port)` returns what `raw` is, for another server."""
    return call_on


def call_on(port: int) -> Raw:
    def call(
        method: str,
        path: str,
        login: str = "bybit-main",
        secret: str | None = None,
        age_ms: int = 0,
        window_ms: int = 5000,
        **params: Any,
    ) -> dict[str, Any]:
        query = urlencode(params) if method == "GET" else ""
        body = json.dumps(params) if method == "POST" else ""
        stamp = str(time.time_ns() // 1_000_000 - age_ms)
        key = f"{login}-key"
        payload = f"{stamp}{key}{window_ms}{query or body}"
        headers = {
            "X-Orig-Host": "api.bybit.com",
            "Content-Type": "application/json",
            "X-BAPI-API-KEY": key,
            "X-BAPI-TIMESTAMP": stamp,
            "X-BAPI-RECV-WINDOW": str(window_ms),
            "X-BAPI-SIGN": signature(secret or f"{login}-secret", payload),
        }
        target = f"{path}?{query}" if query else path
        return answered(port, method, target, headers, body)

    return call
