"""What may be asked of a venue, counted as the venue counts it: by address, by owner, by key.

Clients that a venue counts together draw on one budget, and whoever waits is served in turn. A
share of it is kept for what acts and for what looks one order up, which wait in a turn of their
own: a cancel leaves at once, however many accounts are being read. One who would have to wait past
the deadline of what it reads for is told so at once: nothing of it was asked then, and whoever
reads names it.

What is known beforehand is in `rates`. No venue's page bounds what an owner's accounts may ask
together unless by agreement, so such a bound comes from the configuration (`rates`), as do a
venue's better terms. Where a venue's count is no window, each client has a limiter of its own.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import contextvars
import json
import math
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from allocator.adapters.ccxt.failures import NotSentError
from allocator.adapters.ccxt.rates import (
    BUCKETS,
    COSTS,
    HEAVIER,
    LIMITS,
    ORDER_PATHS,
    ORDERS,
    ORDERS_EACH,
    ROWS,
    ROWS_A_UNIT,
    TELLS,
    USER_COSTS,
    Limit,
)
from allocator.adapters.deadline import deadline
from allocator.models.config import RateConfig, Scope
from allocator.models.errors import ConfigError

HEADROOM = 0.9
"""Share of a limit that is used: requests do not arrive evenly, others may share the address."""

KEPT = 0.12
"""Share of what is used of a limit that reads leave alone."""

LEEWAY_S = 0.05
"""Seconds before a deadline at which waiting for a budget ends."""

READS_BY_POST = frozenset({"info", "getCrossModeMarginRequirement"})
"""Paths of reads that are asked for by POST, as ccxt names them."""

NAMES_ORDER = frozenset(
    [
        "origClientOrderId",
        "orderId",
        "orderLinkId",
        "clOrdId",
        "ordId",
        "clientOid",
        "cliOrdIds",
        "oid",
    ]
)
"""Parameters by which a read is about one order."""

hurried: contextvars.ContextVar[bool] = contextvars.ContextVar("hurried", default=False)
"""Whether what is asked for is urgent though it is a read of another kind."""

ONE_SYMBOL = "?symbol"
"""Marks the path of a request that names one symbol."""


@contextlib.contextmanager
def hurry() -> Generator[None]:
    """Ask for what actions and look-ups wait for: markets, the time, terms and records of money."""
    known = hurried.set(True)
    try:
        yield
    finally:
        hurried.reset(known)


class Budget:
    """Units that may be spent in any stretch of so many seconds.

    Parameters
    ----------
    kept
        Share of them that only what is urgent may take.
    """

    def __init__(self, limit: Limit, whose: str, kept: float = 0.0) -> None:
        self._units = limit.units * HEADROOM
        self._most = {True: self._units, False: self._units * (1 - kept)}
        self._window_s = limit.window_s
        self._whose = f"{whose}: {limit.units:g} units in {limit.window_s:g} s by {limit.scope}"
        self._spent: collections.deque[tuple[float, float]] = collections.deque()
        self._used = 0.0
        self._turns = {True: asyncio.Lock(), False: asyncio.Lock()}

    async def take(self, cost: float, *, urgent: bool = False) -> None:
        """Wait until a cost can be spent, and spend it; one that exceeds all waits for all.

        Raises
        ------
        NotSentError
            When it cannot be spent before the deadline of what is being read: at once, where that
            is certain.
        """
        until = deadline.get()
        last = None if until is None else until - LEEWAY_S
        try:
            async with asyncio.timeout_at(last):
                await self._wait(cost, math.inf if last is None else last, urgent=urgent)
        except TimeoutError as error:
            raise NotSentError(f"BUDGET: {self._whose} are spent beyond the deadline") from error

    def used(self) -> float:
        """Tell which share of what may be used is used by now."""
        self._forget(asyncio.get_running_loop().time())
        return self._used / self._units

    def hear(self, used: float) -> None:
        """Count what others have spent, by what the venue says is spent in all.

        A process that takes over from another one, or shares an address, knows of nothing that was
        asked before or beside it. What it asked itself is in its own count for longer than in the
        venue's, which begins anew with each stretch.

        What is told frees nothing. It leaves out what is on its way; Binance's services that share
        a weight each tell one, and no page says that it is of both; while reads wait nothing is
        asked that would tell of a new stretch, and when one begins no page says either. Two
        processes that heard of one together would each spend all of it. Nor would it pay: what was
        left of one stretch is gained once, and the rate after that is the same. Had every budget
        begun anew with the clock's minute, 200 accounts would have taken 172 s instead of 181, and
        119 instead of 122 the second time (``bench.gather``, 0 over a limit in both); reckoned
        from every third second of a minute 6,000 units gain 27 s of 180 on average, 18,000 as much.
        """
        self._forget(asyncio.get_running_loop().time())
        self.add(max(0.0, used - self._used))

    def add(self, cost: float) -> None:
        """Count what was spent already, and nobody had to wait for."""
        if cost:
            self._spent.append((asyncio.get_running_loop().time() + self._window_s, cost))
            self._used += cost

    def _forget(self, now: float) -> None:
        while self._spent and self._spent[0][0] <= now:
            self._used -= self._spent.popleft()[1]

    def _free_at(self, cost: float, most: float) -> float:
        """Tell when a cost will fit, unless others spend before."""
        used, at = self._used, 0.0
        for ends_at, spent in self._spent:
            used, at = used - spent, max(at, ends_at)
            if used + cost <= most:
                break
        return at

    async def _wait(self, cost: float, last: float, *, urgent: bool) -> None:
        clock, most = asyncio.get_running_loop().time, self._most[urgent]
        async with self._turns[urgent]:
            while self._spent:
                now = clock()
                self._forget(now)
                if self._used + cost <= most or not self._spent:
                    break
                if self._free_at(cost, most) > last:
                    raise TimeoutError
                await asyncio.sleep(self._spent[0][0] - now)
            # What costs more than fits in one stretch is spent for as many as it fills.
            lasts_s = self._window_s * max(1.0, cost / self._units)
            self._spent.append((clock() + lasts_s, cost))
            self._used += cost


class Cost(NamedTuple):
    """What a request costs, by ccxt's names.

    Attributes
    ----------
    orders
        How many new orders it counts as.
    urgent
        Whether it acts, or looks one order up.
    """

    api: str
    path: str
    units: float
    orders: float = 0
    urgent: bool = False


class Budgets:
    """The budgets of one venue, for all its clients.

    Parameters
    ----------
    rates
        The configuration's; one replaces what is known of the same scope and service, and of those
        that draw on the same units. Of several, the one that lets less through holds.

    Raises
    ------
    ConfigError
        When a rate is of a service that only draws on another's units.
    """

    def __init__(self, venue: str, rates: Iterable[RateConfig] = ()) -> None:
        self._venue = venue
        known = LIMITS.get(venue, ())
        limits = {(row.scope, row.service): row for row in known}
        agreed = [_agreed(known, rate) for rate in rates if rate.venue == venue]
        agreed.sort(key=lambda row: row.units / row.window_s, reverse=True)
        limits |= {(row.scope, row.service): row for row in agreed}
        self._limits = sorted(limits.values(), key=lambda row: -len(row.service))
        self._budgets: dict[tuple[Limit, str, str], Budget] = {}

    def bind(self, client: Any, owner: str, key: str) -> None:
        """Make a client ask here before it sends, and after its own limiter where it keeps one."""
        if not self._limits:
            return
        own = client.throttler if self._venue in BUCKETS else None
        each = self._venue in ORDERS_EACH
        client.calculate_rate_limiter_cost = partial(
            _named, each, client.calculate_rate_limiter_cost
        )
        who: Mapping[Scope, str] = {"key": key, "owner": owner, "address": ""}
        client.throttler = partial(self._throttle, own, who)
        for venues, hear in ((TELLS, self._hear), (ROWS, self._hear_rows)):
            if self._venue in venues:
                client.handle_errors = partial(hear, client.handle_errors)

    def used(self, api: str) -> float:
        """Tell which share of what an address may spend on a service is used; 0: as it likes."""
        limit = self._limit("address", api)
        return 0.0 if limit is None or limit.each else self._budget(limit, "", "").used()

    def _hear(self, check: Callable[..., Any], *args: Any) -> Any:
        """Take in what an answer tells is spent, then let the client check it."""
        url, headers = str(args[2]), args[4]
        told = next((row for row in TELLS[self._venue] if row.path in url), None)
        if told is not None:
            used = next((v for k, v in headers.items() if k.lower() == told.header), "")
            limit = self._limit("address", told.service)
            if limit is not None and used.isdecimal():
                self._budget(limit, "", "").hear(float(used) / told.unit)
        return check(*args)

    def _hear_rows(self, check: Callable[..., Any], *args: Any) -> Any:
        """Count the rows of an answer where they weigh, then let the client check it."""
        rows, asked = args[6], json.loads(args[8] or "null")
        kind = asked.get("type") if isinstance(asked, dict) else None
        limit = self._limit("address", "")
        if isinstance(rows, list) and kind in ROWS[self._venue] and limit is not None:
            self._budget(limit, "", "").add(math.ceil(len(rows) / ROWS_A_UNIT))
        return check(*args)

    async def _throttle(self, own: Any, who: Mapping[Scope, str], cost: Cost) -> None:
        api, path, units, orders, urgent = cost
        urgent = urgent or hurried.get()
        if own is not None:
            await own(units)
        units = self._cost(api, path, units)
        for scope, name in who.items():
            limit = self._limit(scope, api)
            if limit is not None:
                each = path.removesuffix(ONE_SYMBOL) if limit.each else ""
                spent = 1 if limit.requests else self._cost_by(scope, api, path, units)
                await self._budget(limit, name, each).take(spent, urgent=urgent)
        for limit in ORDERS.get(self._venue, ()) if orders else ():
            if api.startswith(limit.services):
                await self._budget(limit, who[limit.scope], "orders").take(orders, urgent=True)

    def _limit(self, scope: Scope, api: str) -> Limit | None:
        return next(
            (row for row in self._limits if row.scope == scope and api.startswith(row.services)),
            None,
        )

    def _cost(self, api: str, path: str, units: float) -> float:
        plain = api, path.removesuffix(ONE_SYMBOL)
        return COSTS.get(self._venue, {}).get(plain) or HEAVIER.get((api, path), units)

    def _cost_by(self, scope: Scope, api: str, path: str, units: float) -> float:
        """Tell what a request costs of a limit by a scope, where that is no other's."""
        plain = api, path.removesuffix(ONE_SYMBOL)
        own = USER_COSTS.get(self._venue, {}) if scope == "key" else {}
        return own.get(plain, units)

    def _budget(self, limit: Limit, name: str, path: str) -> Budget:
        key = limit, name, path
        if key not in self._budgets:
            whose = " ".join(filter(None, (self._venue, name, path)))
            # A limit of each endpoint, or of reads alone, is none that reads and actions share.
            kept = 0.0 if limit.each or limit.reads else KEPT
            self._budgets[key] = Budget(limit, whose, kept)
        return self._budgets[key]


def _agreed(known: Sequence[Limit], rate: RateConfig) -> Limit:
    """Read a rate of the configuration, which is of all services that the venue counts with its.

    Raises
    ------
    ConfigError
        When it is of one that only draws on another's units.
    """
    for row in known:
        if row.scope == rate.scope and row.also and rate.service.startswith(row.also):
            raise ConfigError(
                f"rates: {rate.venue} counts {rate.service} together with {row.service} by "
                f"{row.scope}: configure the rate of both under service: {row.service}"
            )
    shared = next(
        (row for row in known if (row.scope, row.service) == (rate.scope, rate.service)), None
    )
    return Limit(
        rate.scope,
        rate.service,
        float(rate.units),
        float(rate.window_s),
        "the configuration",
        requests=any(row.requests for row in known),
        reads=shared is not None and shared.reads,
        also=() if shared is None else shared.also,
    )


def _named(  # noqa: PLR0913, PLR0917 - ccxt's own arguments, and one before them
    each: bool,
    count: Callable[..., Any],
    api: Any,
    method: Any,
    path: Any,
    params: Any,
    *config: Any,
) -> Cost:
    """Keep which service a cost is of; a read of one symbol costs what ccxt says."""
    name = api if isinstance(api, str) else api[0]
    asked = f"{path}{ONE_SYMBOL}" if "symbol" in params else str(path)
    times = len(params) if each and isinstance(params, list) else 1
    orders = ORDER_PATHS.get(str(path), 0) if method == "POST" else 0
    units = times * float(count(api, method, path, params, *config))
    acts = method != "GET" and path not in READS_BY_POST
    return Cost(name, asked, units, orders, acts or not NAMES_ORDER.isdisjoint(params))
