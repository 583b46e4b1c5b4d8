"""What one address may ask of a venue, counted as the venue counts it.

A venue that counts by address counts all our logins together, so their clients draw on one budget:
Binance has one of weight for each of its services (Limits, request weight; units here are ccxt's,
which are a fifth of the weight at the spot service and a tenth at the wallet's), Bybit one of
requests (Rate Limit Rules, HTTP IP limit). Where it counts by user, each client has a limiter of
its own. Whoever waits is served in turn.
"""

from __future__ import annotations

import asyncio
import collections
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

HEADROOM = 0.9
"""Share of a limit that is used: requests do not arrive evenly, others may share the address."""

LIMITS: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "binance": {"fapi": (2400, 60), "dapi": (2400, 60), "sapi": (1200, 60), "": (1200, 60)},
    "bybit": {"": (600, 5)},
}
"""Units and seconds by venue and service."""

ONE_EACH = frozenset({"bybit"})
"""Venues that count requests, whatever they cost."""

HEAVIER: Mapping[tuple[str, str], float] = {
    ("fapiPrivateV3", "account"): 5,
    ("fapiPrivateV3", "balance"): 5,
    ("fapiPrivateV3", "positionRisk"): 5,
    ("fapiPublic", "exchangeInfo"): 10,
    ("dapiPublic", "exchangeInfo"): 10,
    ("fapiPublic", "premiumIndex"): 10,
    ("dapiPrivate", "openOrders"): 40,
}
"""Weights that the venue's pages put higher than ccxt does, for reads of every symbol."""


class Budget:
    """Units that may be spent in any stretch of so many seconds."""

    def __init__(self, units: float, window_s: float) -> None:
        self._units = units * HEADROOM
        self._window_s = window_s
        self._spent: collections.deque[tuple[float, float]] = collections.deque()
        self._used = 0.0
        self._turn = asyncio.Lock()

    async def take(self, cost: float) -> None:
        """Wait until a cost can be spent, and spend it; one that exceeds all waits for all."""
        clock = asyncio.get_running_loop().time
        async with self._turn:
            while self._spent:
                now = clock()
                while self._spent and self._spent[0][0] <= now - self._window_s:
                    self._used -= self._spent.popleft()[1]
                if self._used + cost <= self._units or not self._spent:
                    break
                await asyncio.sleep(self._spent[0][0] + self._window_s - now)
            self._spent.append((clock(), cost))
            self._used += cost


class Budgets:
    """The budgets of one venue, for all its clients."""

    def __init__(self, venue: str) -> None:
        self._each = venue in ONE_EACH
        self._services = {
            name: Budget(*row) for name, row in LIMITS.get(venue, {}).items()
        }  # fmt: skip

    def bind(self, client: Any) -> None:
        """Make a client ask here before it sends, and after its own limiter where it keeps one."""
        if not self._services:
            return
        client.calculate_rate_limiter_cost = partial(_named, client.calculate_rate_limiter_cost)
        client.throttler = partial(self._throttle, client.throttler if self._each else None)

    async def _throttle(self, own: Any, cost: tuple[str, str, float]) -> None:
        api, path, units = cost
        if own is not None:
            await own(units)
        service = next(row for name, row in self._services.items() if api.startswith(name))
        await service.take(1 if self._each else HEAVIER.get((api, path), units))


def _named(
    count: Callable[..., Any], api: Any, method: Any, path: Any, params: Any, *config: Any
) -> tuple[str, str, float]:
    """Keep which service a cost is of; a read of one symbol costs what ccxt says."""
    name = api if isinstance(api, str) else api[0]
    asked = str(path) if "symbol" not in params else ""
    return name, asked, float(count(api, method, path, params, *config))
