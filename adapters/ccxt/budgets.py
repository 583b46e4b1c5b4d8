"""What may be asked of a venue, counted as the venue counts it: by address, by owner, by key.

Clients that a venue counts together draw on one budget, and whoever waits is served in turn. One
who would have to wait past the deadline of what it reads for is told so at once: nothing of it was
asked then, and whoever reads names it.

What is known beforehand is in `LIMITS`: Binance has a budget of weight by address for each of its
services (Limits, request weight; units here are ccxt's, which are a fifth of the weight at the spot
service and a tenth at the wallet's; portfolio margin: General Info), Bybit one of requests (Rate
Limit Rules, HTTP IP limit), Bitget too (Quick Start, Standard specification), KuCoin one for
public data (Rate Limit; ccxt's units are half of the venue's), Hyperliquid one of weight, Kraken
Futures one for trading and one for history (their pages of rate limits; Kraken's public data are
free).
None of these pages bounds what an owner's accounts may ask together unless by agreement, so such a
bound comes from the configuration (`rates`), as do a venue's better terms. Where nothing is said,
each client has a limiter of its own.
"""

from __future__ import annotations

import asyncio
import collections
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from allocator.adapters.ccxt.failures import NotSentError
from allocator.adapters.deadline import deadline
from allocator.models.config import RateConfig, Scope

HEADROOM = 0.9
"""Share of a limit that is used: requests do not arrive evenly, others may share the address."""

LEEWAY_S = 0.05
"""Seconds before a deadline at which waiting for a budget ends."""


@dataclass(frozen=True, slots=True)
class Limit:
    """Units that whoever is counted together may spend on a service in any so many seconds.

    Attributes
    ----------
    service
        Beginning of ccxt's name for it; the longest that fits a request holds.
    """

    scope: Scope
    service: str
    units: float
    window_s: float


LIMITS: Mapping[str, tuple[Limit, ...]] = {
    "binance": (
        Limit("address", "fapi", 2400, 60),
        Limit("address", "dapi", 2400, 60),
        Limit("address", "papi", 6000, 60),
        Limit("address", "sapi", 1200, 60),
        Limit("address", "", 1200, 60),
    ),
    "bitget": (Limit("address", "", 6000, 60),),
    "bybit": (Limit("address", "", 600, 5),),
    "hyperliquid": (Limit("address", "", 1200, 60),),
    "krakenfutures": (
        Limit("address", "private", 500, 10),
        Limit("address", "history", 100, 600),
    ),
    "kucoinfutures": (Limit("address", "futuresPublic", 4000, 30),),
}

ONE_EACH = frozenset({"bitget", "bybit"})
"""Venues that count requests, whatever they cost."""

COUNTED_HERE = frozenset({"binance", "hyperliquid", "krakenfutures"})
"""Venues whose clients keep no limiter of their own beside these budgets."""

ONE_SYMBOL = "?symbol"
"""Marks the path of a request that names one symbol."""

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

COSTS: Mapping[tuple[str, str], float] = {
    ("private", "sendorder"): 10,
    ("private", "cancelorder"): 10,
    ("private", "cancelallordersafter"): 25,
    ("private", "accounts"): 2,
    ("private", "openpositions"): 2,
    ("private", "openorders"): 2,
    ("private", "leveragepreferences"): 2,
}
"""Costs by Kraken's page, which ccxt puts at one each."""


class Budget:
    """Units that may be spent in any stretch of so many seconds."""

    def __init__(self, limit: Limit, whose: str) -> None:
        self._units = limit.units * HEADROOM
        self._window_s = limit.window_s
        self._whose = f"{whose}: {limit.units:g} units in {limit.window_s:g} s by {limit.scope}"
        self._spent: collections.deque[tuple[float, float]] = collections.deque()
        self._used = 0.0
        self._turn = asyncio.Lock()

    async def take(self, cost: float) -> None:
        """Wait until a cost can be spent, and spend it; one that exceeds all waits for all.

        Raises
        ------
        NotSentError
            When it cannot be spent before the deadline of what is being read.
        """
        until = deadline.get()
        try:
            async with asyncio.timeout_at(None if until is None else until - LEEWAY_S):
                await self._wait(cost)
        except TimeoutError as error:
            raise NotSentError(f"BUDGET: {self._whose} are spent beyond the deadline") from error

    async def _wait(self, cost: float) -> None:
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
    """The budgets of one venue, for all its clients.

    Parameters
    ----------
    rates
        The configuration's; one replaces what is known of the same scope and service.
    """

    def __init__(self, venue: str, rates: Iterable[RateConfig] = ()) -> None:
        self._venue = venue
        self._each = venue in ONE_EACH
        limits = {(row.scope, row.service): row for row in LIMITS.get(venue, ())}
        for rate in rates:
            if rate.venue == venue:
                told = Limit(rate.scope, rate.service, float(rate.units), float(rate.window_s))
                limits[rate.scope, rate.service] = told
        self._limits = sorted(limits.values(), key=lambda row: -len(row.service))
        self._budgets: dict[tuple[Limit, str], Budget] = {}

    def bind(self, client: Any, owner: str, key: str) -> None:
        """Make a client ask here before it sends, and after its own limiter where it keeps one."""
        if not self._limits:
            return
        own = None if self._venue in COUNTED_HERE else client.throttler
        client.calculate_rate_limiter_cost = partial(_named, client.calculate_rate_limiter_cost)
        who: Mapping[Scope, str] = {"key": key, "owner": owner, "address": ""}
        client.throttler = partial(self._throttle, own, who)

    async def _throttle(
        self, own: Any, who: Mapping[Scope, str], cost: tuple[str, str, float]
    ) -> None:
        api, path, units = cost
        if own is not None:
            await own(units)
        units = 1 if self._each else self._cost(api, path, units)
        for scope, name in who.items():
            limit = next(
                (row for row in self._limits
                 if row.scope == scope and api.startswith(row.service)), None
            )  # fmt: skip
            if limit is not None:
                await self._budget(limit, name).take(units)

    def _cost(self, api: str, path: str, units: float) -> float:
        if self._venue == "krakenfutures":
            return COSTS.get((api, path.removesuffix(ONE_SYMBOL)), units)
        return HEAVIER.get((api, path), units)

    def _budget(self, limit: Limit, name: str) -> Budget:
        if (limit, name) not in self._budgets:
            whose = f"{self._venue} {name}".rstrip()
            self._budgets[limit, name] = Budget(limit, whose)
        return self._budgets[limit, name]


def _named(
    count: Callable[..., Any], api: Any, method: Any, path: Any, params: Any, *config: Any
) -> tuple[str, str, float]:
    """Keep which service a cost is of; a read of one symbol costs what ccxt says."""
    name = api if isinstance(api, str) else api[0]
    asked = f"{path}{ONE_SYMBOL}" if "symbol" in params else str(path)
    return name, asked, float(count(api, method, path, params, *config))
