"""A raw signed caller beside the real client."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from allocator.adapters.emulator.okx.venue import signature
from allocator.adapters.emulator.testing import Emulator
from tests.adapters.emulator.asking import answered
from tests.adapters.times import now

Raw = Callable[..., dict[str, Any]]


@pytest.fixture
def raw(emulator: Emulator) -> Raw:
    """`raw("GET", "account/config", login="okx-main", **params)` returns the reply's JSON.

    `rows` sends a list; `age_ms` stamps in the past; `headers` replace, None leaves one out.
    """
    return call_on(emulator.port)


@pytest.fixture
def caller() -> Callable[[int], Raw]:
    """`caller(port)` returns what `raw` is, for another server."""
    return call_on


def call_on(port: int) -> Raw:
    def call(
        method: str,
        path: str,
        login: str = "okx-main",
        secret: str | None = None,
        age_ms: int = 0,
        rows: list[Any] | None = None,
        headers: dict[str, str | None] | None = None,
        **params: Any,
    ) -> dict[str, Any]:
        query = urlencode(params) if method == "GET" else ""
        body = "" if method == "GET" else json.dumps(params if rows is None else rows)
        moment = now() - timedelta(milliseconds=age_ms)
        stamp = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        target = f"/api/v5/{path}" + (f"?{query}" if query else "")
        sent = {
            "X-Orig-Host": "www.okx.com",
            "Content-Type": "application/json",
            "OK-ACCESS-KEY": f"{login}-key",
            "OK-ACCESS-PASSPHRASE": f"{login}-passphrase",
            "OK-ACCESS-TIMESTAMP": stamp,
            "OK-ACCESS-SIGN": signature(
                secret or f"{login}-secret", stamp + method + target + body
            ),
            **(headers or {}),
        }
        told = {name: value for name, value in sent.items() if value is not None}
        return answered(port, method, target, told, body)

    return call
