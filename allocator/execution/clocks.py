"""Whether what was read is of one time, and the venues' clocks are ours."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from allocator.execution.run import Abort, Run, Shell
from allocator.models.base import ZERO
from allocator.models.errors import RefusedError, VenueError
from allocator.models.intents import AccountReading
from allocator.ports import Clock
from allocator.risk import table
from allocator.risk.control import Reading, judge


class Onward:
    """Our clock, going on from where it stood if it is set back: what waits by it waits no longer.

    Parameters
    ----------
    since
        A time that it has told before.
    """

    def __init__(self, clock: Clock, since: datetime) -> None:
        self._clock, self._last, self._back = clock, since, timedelta()

    def now(self) -> datetime:
        """Tell the time as if nobody had set it back."""
        told = self._clock.now()
        self._back += max(timedelta(), self._last - told)
        self._last = told
        return told + self._back


async def check_clocks(run: Run, readings: Mapping[str, AccountReading]) -> None:
    """Refuse readings of different times, or a venue whose clock is another.

    A plan that is taken up again is held to this as one that begins.

    Raises
    ------
    Abort
        With the code of the control that blocks.
    """
    shell = run.shell
    times = [row.at for row in readings.values()]
    spread = (max(times) - min(times)).total_seconds() if times else 0
    rows = [Reading(table.EPOCH, Decimal(str(spread)))]
    for venue, account in _one_of_each(run, readings):
        rows.append(Reading(table.SKEW, await skew_s(shell, account), venue))
    refusals = judge(rows, shell.controls) if readings else ()
    if refusals:
        shell.journal.refuse_plan(run.plan.plan_hash, refusals)
        raise Abort("; ".join(map(str, refusals)))


def _one_of_each(run: Run, accounts: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Name one account of each venue, by venue."""
    found = {run.book.accounts[name].venue: name for name in sorted(accounts, reverse=True)}
    yield from sorted(found.items())


async def skew_s(shell: Shell, account: str) -> Decimal | None:
    """Measure by how much a venue's clock surely differs from ours; None: it was not told.

    Half the time that the answer took may be the way back, so that much is no difference.
    """
    before = shell.clock.now()
    try:
        async with asyncio.timeout(float(shell.config.order_timeout_s)):
            told = await shell.venue(account).server_time()
    except (VenueError, RefusedError, TimeoutError):
        return None
    after = shell.clock.now()
    took = (after - before).total_seconds()
    middle = before + (after - before) / 2
    return max(ZERO, Decimal(str(abs((told - middle).total_seconds()) - took / 2)))
