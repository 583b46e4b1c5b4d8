"""Reads every account and market at once, within a deadline, into one snapshot.

Accounts, prices and clocks are read first and may take three fifths of the time, markets and
networks after them (which markets are needed depends on what the accounts hold). How venues stand
is read beside all that. Whatever has not come by then counts as not read: see `assemble`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, ParamSpec, TypeVar

from allocator.adapters.assemble import Book, NotRead, Parts, assemble, mentioned
from allocator.adapters.deadline import deadline
from allocator.adapters.prices import Seen, told_now
from allocator.adapters.sources import (
    AccountSource,
    NamesUnread,
    Notes,
    TellsStatus,
    VenueSource,
)
from allocator.adapters.statuses import Statuses
from allocator.models.account import Account
from allocator.models.config import Config
from allocator.models.errors import VenueError
from allocator.models.snapshot import Snapshot
from allocator.models.status import Told, VenueStatus
from allocator.ports import Clock

log = logging.getLogger(__name__)

Key = TypeVar("Key", bound=Hashable)
Result = TypeVar("Result")
Asked = ParamSpec("Asked")
FIRST_SHARE = 0.6
STATUS_S = 2.0
"""Seconds that venues have at least to tell how they stand; no longer is waited for that alone."""

AT_ONCE = 10
"""Accounts of one venue that are read at once: where its limits do not let all be read in time,
some are read whole instead of all in part."""


class Gatherer:
    """Market data of a configuration's accounts; remembers the last snapshot.

    Parameters
    ----------
    config
        Deadline, tolerated clock skew, configured prices and routes.
    venues, accounts
        Where to read.
    clock
        Dates the snapshot: the time before the first read.
    told
        What venues said of themselves last, before this process began.
    """

    def __init__(
        self,
        config: Config,
        venues: Sequence[VenueSource],
        accounts: Sequence[AccountSource],
        clock: Clock,
        told: Mapping[str, Told] | None = None,
    ) -> None:
        self._config = config
        self._venues = {row.venue: row for row in venues}
        self._accounts = tuple(accounts)
        self._clock = clock
        self._last: Snapshot | None = None
        self._seen = dict[str, Seen]()
        self._marked = dict[str, datetime]()
        self._untold = dict[str, Exception]()
        self._noted: tuple[NotRead, ...] = ()
        self._statuses = Statuses(told)

    async def gather(self) -> Book:
        """Read everything; what cannot be read is named and stands frozen."""
        parts = Parts(self._clock.now())
        whole = float(self._config.gather.deadline_s)
        started = asyncio.get_running_loop().time()
        asked, until = self._ask_statuses(started + whole), 0.0
        try:
            await self._read_accounts(parts, started + whole * FIRST_SHARE)
            await self._read_markets(parts, started + whole)
            until = started + min(STATUS_S, whole)
        finally:
            statuses = {name: partial(_begun, row) for name, row in asked.items()}
            self._take_statuses(parts, await within(statuses, until))
        fresh = told_now(parts.prices, parts.instruments.values())
        self._seen |= {name: Seen(price, parts.as_of) for name, price in fresh.items()}
        self._name_untold(parts, fresh.keys())
        parts.seen = self._seen
        self._marked |= dict.fromkeys(parts.instruments, parts.as_of)
        parts.marked = self._marked
        book = assemble(self._config, self._accounts, parts, self._last)
        self._last = book.snapshot
        for row in book.notes:
            if row not in self._noted:
                log.warning("%s: %s", row.account, row.what)
        self._noted = book.notes
        return book

    def _name_untold(self, parts: Parts, fresh: Collection[str]) -> None:
        """Name failed price reads, each with the accounts that hold what nobody else priced now."""
        known = {*fresh, *(name for name, row in self._config.assets.items() if row.price)}
        for name, account in parts.accounts.items():
            told = self._untold.get(account.venue)
            held = {asset for asset, row in account.balances.items() if row.wallet}
            if told is not None and held - known:
                parts.fail(name, f"prices of {account.venue}: {describe(told)}")

    async def _read_accounts(self, parts: Parts, until: float) -> None:
        turns = {name: asyncio.Semaphore(AT_ONCE) for name in self._venues}
        accounts, skews, prices = await asyncio.gather(
            within(
                {row.config.id: _told(row.venue, "accounts", _in_turn, turns[row.venue], row)
                 for row in self._accounts}, until
            ),
            within({name: _told(name, "clock", self._skew, row)
                    for name, row in self._venues.items()}, until),
            within({name: _told(name, "prices", _prices, row)
                    for name, row in self._venues.items()}, until),
        )  # fmt: skip
        for name, told in prices.items():
            if not isinstance(told, Exception):
                parts.prices[name] = told
        for source in self._accounts:
            name, read = source.config.id, accounts[source.config.id]
            skew = skews[source.venue]
            if isinstance(read, Exception):
                parts.fail(name, describe(read))
            elif isinstance(skew, Exception):
                parts.fail(name, f"clock: {describe(skew)}")
            elif skew > self._config.gather.max_clock_skew_s:
                parts.fail(name, f"CLOCK_SKEW: {skew:.3f} s from {source.venue}'s clock")
            else:
                parts.accounts[name] = read
                for note in source.notes if isinstance(source, Notes) else ():
                    parts.notes.append(NotRead(name, note))
        self._untold = {name: row for name, row in prices.items() if isinstance(row, Exception)}

    def _ask_statuses(self, until: float) -> dict[str, asyncio.Task[VenueStatus]]:
        """Begin to ask the venues that publish how they stand, unless they are to be ignored."""
        status = self._config.gather.status
        known = deadline.set(until)
        asked = {
            name: asyncio.ensure_future(row.status()) for name, row in self._venues.items()
            if isinstance(row, TellsStatus) and row.tells_status and status.get(name) != "ignore"
        }  # fmt: skip
        deadline.reset(known)
        return asked

    def _take_statuses(self, parts: Parts, told: Mapping[str, VenueStatus | Exception]) -> None:
        parts.statuses = self._statuses.take(
            {name: describe(row) if isinstance(row, Exception) else row
             for name, row in told.items()},
            parts.as_of,
        )  # fmt: skip

    async def _read_markets(self, parts: Parts, until: float) -> None:
        wanted = self._wanted(parts)
        instruments, terms = await asyncio.gather(
            within({name: _told(name, "markets", row.instruments, wanted[name])
                    for name, row in self._venues.items()}, until),
            within({name: _told(name, "networks", row.networks, self._sent_from(name))
                    for name, row in self._venues.items() if self._sent_from(name)}, until),
        )  # fmt: skip
        for venue, found in instruments.items():
            if isinstance(found, Exception):
                mine = [row.config.id for row in self._accounts if row.venue == venue]
                for name in mine:
                    parts.fail(name, f"markets of {venue}: {describe(found)}")
            else:
                parts.instruments |= {row.id: row for row in found}
                self._name_unread(parts, self._venues[venue])
        for venue, known_terms in terms.items():
            if not isinstance(known_terms, Exception):
                parts.terms[venue] = known_terms

    def _name_unread(self, parts: Parts, venue: VenueSource) -> None:
        """Name each market that was not read with the accounts that trade or hold it."""
        unread = venue.unread if isinstance(venue, NamesUnread) else {}
        for source in self._accounts:
            read = parts.accounts.get(source.config.id)
            mine = {f"{source.venue}:{row}" for row in source.config.instruments}
            mine |= mentioned(read) if read is not None else set[str]()
            for name in sorted(mine & unread.keys()):
                told = f"market {name}: not traded: {unread[name]}"
                parts.notes.append(NotRead(source.config.id, told))
        parts.unread |= unread

    def _wanted(self, parts: Parts) -> dict[str, set[str]]:
        """List, by venue, the instruments that are configured or that an account refers to."""
        wanted = {name: set[str]() for name in self._venues}
        known = dict(self._last.account) if self._last is not None else {}
        known |= parts.accounts
        for source in self._accounts:
            wanted[source.venue] |= {f"{source.venue}:{row}" for row in source.config.instruments}
            if source.config.id in known:
                wanted[source.venue] |= mentioned(known[source.config.id])
        return wanted

    def _sent_from(self, venue: str) -> set[str]:
        """List the assets that configured on-chain routes carry away from a venue."""
        here = {row.config.id for row in self._accounts if row.venue == venue}
        return {
            row.asset for row in self._config.routes
            if row.kind == "onchain" and row.source in here
        }  # fmt: skip

    async def _skew(self, venue: VenueSource) -> float:
        """Measure by how many seconds the venue's clock is off, less half the way there."""
        await venue.prepare()
        before = self._clock.now()
        theirs = await venue.server_time()
        after = self._clock.now()
        return _outside(before, theirs, after)


def _told(
    venue: str,
    phase: str,
    read: Callable[Asked, Awaitable[Result]],
    *args: Asked.args,
    **named: Asked.kwargs,
) -> Callable[[], Awaitable[Result]]:
    """Make a read that says where people look who wait that it is done."""

    async def job() -> Result:
        result = await read(*args, **named)
        log.debug("%s: %s read", venue, phase)
        return result

    return job


def _begun(task: asyncio.Task[Result]) -> asyncio.Task[Result]:
    return task


async def _in_turn(turn: asyncio.Semaphore, source: AccountSource) -> Account:
    async with turn:
        return await source.account()


async def _prices(venue: VenueSource) -> Any:
    """Read prices, once more where the login they went through turned out to be dead."""
    try:
        await venue.prepare()
        return await venue.prices()
    except VenueError:
        return await venue.prices()


def _outside(before: datetime, theirs: datetime, after: datetime) -> float:
    """Tell by how many seconds a time lies outside an interval."""
    early, late = (before - theirs).total_seconds(), (theirs - after).total_seconds()
    return max(0.0, early, late)


async def within(
    jobs: Mapping[Key, Callable[[], Awaitable[Result]]], until: float
) -> dict[Key, Result | Exception]:
    """Run jobs at once until a time of the loop's clock, which they know; a failure is a value.

    A job that is not done by then is cancelled and counts as `TimeoutError`. When this is
    cancelled itself, its jobs have ended before it does, and none is begun after it.
    """
    known = deadline.set(until)
    tasks = {key: asyncio.ensure_future(job()) for key, job in jobs.items()}
    deadline.reset(known)
    if not tasks:
        return {}
    left = max(0.0, until - asyncio.get_running_loop().time())
    try:
        await asyncio.wait(tasks.values(), timeout=left)
    finally:
        for task in tasks.values():
            task.cancel()
        done = await asyncio.gather(*tasks.values(), return_exceptions=True)
    results = dict[Key, Result | Exception]()
    for key, outcome in zip(tasks, done, strict=True):
        if isinstance(outcome, asyncio.CancelledError):
            results[key] = TimeoutError("not read within the deadline")
        elif isinstance(outcome, BaseException) and not isinstance(outcome, Exception):
            raise outcome
        else:
            results[key] = outcome
    return results


def describe(error: Exception) -> str:
    """Say in one line what went wrong."""
    return f"{type(error).__name__}: {error}".splitlines()[0][:300]
