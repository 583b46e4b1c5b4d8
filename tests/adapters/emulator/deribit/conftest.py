"""A raw signed caller beside the real client."""

import itertools
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from allocator.adapters.emulator.deribit.signing import signed
from allocator.adapters.emulator.testing import Emulator
from tests.adapters.emulator.asking import answered

Raw = Callable[..., dict[str, Any]]
NONCES = itertools.count(1)


@pytest.fixture
def raw(emulator: Emulator) -> Raw:
    """`raw("private/buy", login="deribit-main", age_ms=0, **params)` returns the reply's JSON.

    `once` is the signature's nonce, a new one unless given.
    """
    return call_on(emulator.port)


@pytest.fixture
def caller() -> Callable[[int], Raw]:
    """`caller(port)` returns what `raw` is, for another server."""
    return call_on


def call_on(port: int) -> Raw:
    def call(
        method: str,
        login: str = "deribit-main",
        secret: str | None = None,
        age_ms: int = 0,
        once: str | None = None,
        header: str | None = None,
        **params: Any,
    ) -> dict[str, Any]:
        query = urlencode(params, quote_via=quote)
        path = f"/api/v2/{method}" + (f"?{query}" if query else "")
        stamp = str(time.time_ns() // 1_000_000 - age_ms)
        nonce = str(next(NONCES)) if once is None else once
        sig = signed(secret or f"{login}-secret", stamp, nonce, f"GET\n{path}\n\n")
        told = f"deri-hmac-sha256 id={login}-key,ts={stamp},sig={sig},nonce={nonce}"
        headers = {"X-Orig-Host": "www.deribit.com", "Authorization": header or told}
        return answered(port, "GET", path, headers)

    return call
