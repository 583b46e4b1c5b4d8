"""Kraken Futures: what ccxt's client needs beside its settings: time, several orders, statuses.

No endpoint of the venue is for the time alone; every answer carries it (`serverTime`), and the
list of fee schedules is the shortest of the public ones.

A request of several orders is a form with them as JSON and, beside that, the time before which it
has to be processed (page "Batch order management": `json`, `ProcessBefore`), where ccxt would write
all of it as JSON; what it signs is the form as it is sent. It costs nine and one for each of its
orders (page "Derivatives Rate Limits").

The status of named orders is asked for by POST, its parameters in the address (page "Get Specific
Orders' Status"), where ccxt knows a GET.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

ORDERS, DEADLINE = "batchOrder", "ProcessBefore"
BATCH, BATCH_COST = "batchorder", 9
"""The endpoint that takes several orders, and what it costs without them."""


def prepare(client: Any) -> None:
    """Read the time from the shortest public answer; write and weigh several orders."""
    client.fetch_time = partial(_time, client)
    client.json = partial(_form, client.json)
    client.private_post_orders_status = partial(
        client.request, "orders/status", ["private"], "POST", config={"cost": 1}
    )
    client.calculate_rate_limiter_cost = partial(_weight, client.calculate_rate_limiter_cost)


async def _time(client: Any, params: Any = None) -> Any:
    del params
    reply = await client.public_get_feeschedules({})
    return client.parse8601(reply["serverTime"])


def _form(write: Callable[[Any], str], data: Any, params: Any = None) -> str:
    """Write JSON; of several orders with a deadline what follows ``json=`` in their form."""
    del params
    if not isinstance(data, dict) or DEADLINE not in data:
        return write(data)
    rest = {key: value for key, value in data.items() if key != DEADLINE}
    return f"{write(rest)}&{DEADLINE}={data[DEADLINE]}"


def _weight(
    count: Callable[..., float], api: Any, method: Any, path: Any, params: Any, *config: Any
) -> float:
    """Tell what a request costs."""
    if path == BATCH:
        return BATCH_COST + len(params.get(ORDERS) or ())
    return count(api, method, path, params, *config)
