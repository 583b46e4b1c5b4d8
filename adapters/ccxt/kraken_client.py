"""Kraken Futures: what ccxt's client needs beside its settings: time, several orders, statuses.

No endpoint of the venue is for the time alone; every answer carries it (`serverTime`), and the
list of fee schedules is the shortest of the public ones.

A request of several orders is a form with them as JSON and, beside that, the time before which it
has to be processed (page "Batch order management": `json`, `ProcessBefore`), where ccxt would write
all of it as JSON; what it signs is the form as it is sent. It costs nine and one for each of its
orders (page "Derivatives Rate Limits").

The status of named orders is asked for by POST, its parameters in the address (page "Get Specific
Orders' Status"), where ccxt knows a GET.

A transfer is refused by nobody for being late, so one that was stamped longer ago than the receive
window is not signed: by then it has waited for its turn.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from allocator.adapters.ccxt.failures import NotSentError
from allocator.adapters.ccxt.windows import RECEIVE_WINDOW_MS, stamp_ms

TRANSFERS = frozenset({"transfer", "transfer/subaccount"})
ORDERS, DEADLINE = "batchOrder", "ProcessBefore"
BATCH, BATCH_COST = "batchorder", 9
"""The endpoint that takes several orders, and what it costs without them."""


def prepare(client: Any) -> None:
    """Read the time from the shortest public answer; write and weigh several orders."""
    client.fetch_time = partial(_time, client)
    client.json = partial(_form, client.json)
    client.sign = partial(_in_time, client, client.sign)
    client.private_post_orders_status = partial(
        client.request, "orders/status", ["private"], "POST", config={"cost": 1}
    )
    client.calculate_rate_limiter_cost = partial(_weight, client.calculate_rate_limiter_cost)


async def _time(client: Any, params: Any = None) -> Any:
    del params
    reply = await client.public_get_feeschedules({})
    return client.parse8601(reply["serverTime"])


def _in_time(client: Any, sign: Callable[..., Any], path: str, *others: Any, **named: Any) -> Any:
    """Sign a request, unless it is a transfer that was stamped too long ago.

    Raises
    ------
    NotSentError
        When it was.
    """
    stamp = stamp_ms.get()
    late = stamp is not None and int(client.milliseconds()) > stamp + RECEIVE_WINDOW_MS
    if path in TRANSFERS and late:
        raise NotSentError("the transfer was stamped too long ago")
    return sign(path, *others, **named)


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
