"""Deribit: what ccxt's client needs beside its settings.

ccxt signs with the machine's own clock and a nonce of milliseconds, which repeats within one. The
venue dates a request by that time stamp (valid 60 s) and wants a nonce used once. It also lacks a
name for transfers between sub-accounts, and asks for instruments without the currency that the
venue's page requires.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

BETWEEN = "submit_transfer_between_subaccounts"


def prepare(client: Any) -> None:
    """Sign with the request's stamp and a nonce of its own; add what ccxt does not name."""
    client.sign = partial(_sign, client, client.sign, itertools.count(1))
    client.fetch_markets = partial(_markets, client.fetch_markets)
    client.private_get_submit_transfer_between_subaccounts = partial(
        client.request, BETWEEN, ["private"], "GET"
    )


def _sign(
    client: Any, sign: Callable[..., Any], numbers: itertools.count[int], *args: Any, **options: Any
) -> Any:
    """Sign while `milliseconds` tells the venue's time of the stamp; nothing runs in between."""
    stamp, plain = int(client.nonce()), client.nonce
    client.milliseconds = lambda: stamp
    client.nonce = lambda: f"{stamp}-{next(numbers)}"
    try:
        return sign(*args, **options)
    finally:
        client.nonce = plain
        del client.milliseconds


async def _markets(
    fetch: Callable[[Mapping[str, object]], Awaitable[Any]],
    params: Mapping[str, object] | None = None,
) -> Any:
    return await fetch({"currency": "any", **(params or {})})
