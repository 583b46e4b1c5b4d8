"""Until when a request holds good.

An action is stamped with the time of its intent, so that a venue refuses it once its receive
window has passed, however long the sender was paused. A venue whose own window is longer than
ours gets a stamp that is older by the difference: what it takes for nearly expired is new to us.
Where a venue knows a deadline beside the stamp, it is told that as well.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

RECEIVE_WINDOW_MS = 5000
OWN_WINDOW_MS: Mapping[str, int] = {"bitget": 30_000, "gate": 60_000, "okx": 30_000}
"""Windows that cannot be set by request (OKX: overview, REST authentication; Gate: the gap between
a request's time and the server's may be 60 s; Bitget: quick start, standard specification). Gate's
stamp is in whole seconds, cut off: a request may be refused up to one second early, never late."""

DEADLINES: Mapping[str, tuple[str, frozenset[str]]] = {
    "gate": ("x-gate-exptime", frozenset({"{settle}/orders", "{settle}/batch_orders"})),
    "okx": ("expTime", frozenset({"trade/order", "trade/batch-orders"})),
}
"""The header for a deadline and the endpoints that take it (OKX: overview, transaction timeouts;
Gate: POST /futures/{settle}/orders and batch_orders)."""

stamp_ms: contextvars.ContextVar[int | None] = contextvars.ContextVar("stamp_ms", default=None)
"""When the action of the request under way was intended, by our clock; None: it is none."""


def bound(client: Any, venue: str) -> None:
    """Make a ccxt client sign with the stamp of the action under way."""
    client.nonce = partial(_nonce, client, OWN_WINDOW_MS.get(venue, RECEIVE_WINDOW_MS))
    if venue in DEADLINES:
        header, paths = DEADLINES[venue]
        client.sign = partial(_with_deadline, client, client.sign, header, paths)


def offset_ms(client: Any) -> int:
    """Tell by how many milliseconds our clock was found ahead of the venue's."""
    return int(client.options.get("timeDifference") or 0)


def set_offset_ms(client: Any, ahead_ms: int) -> None:
    """Tell a client by how many milliseconds our clock is ahead of the venue's."""
    client.options["timeDifference"] = ahead_ms


def _nonce(client: Any, window_ms: int) -> int:
    stamp = stamp_ms.get()
    if stamp is None:
        return int(client.milliseconds()) - offset_ms(client)
    return stamp - (window_ms - RECEIVE_WINDOW_MS) - offset_ms(client)


def _with_deadline(
    client: Any,
    sign: Callable[..., Any],
    header: str,
    paths: frozenset[str],
    path: str,
    *args: Any,
) -> Any:
    request = sign(path, *args)
    stamp = stamp_ms.get()
    if stamp is not None and path in paths:
        request["headers"][header] = str(stamp + RECEIVE_WINDOW_MS - offset_ms(client))
    return request
