"""Kraken Futures: what ccxt's client needs beside its settings: the venue's time.

No endpoint of the venue is for the time alone; every answer carries it (`serverTime`), and the
list of fee schedules is the shortest of the public ones.
"""

from __future__ import annotations

from functools import partial
from typing import Any


def prepare(client: Any) -> None:
    """Read the time from the shortest public answer."""
    client.fetch_time = partial(_time, client)


async def _time(client: Any, params: Any = None) -> Any:
    del params
    reply = await client.public_get_feeschedules({})
    return client.parse8601(reply["serverTime"])
