"""Writes slots down as they fall due; APScheduler only wakes it.

The database is the truth: a tick writes what fell due since the last slot, whoever wrote that, so
a tick that comes late, twice or in two instances changes nothing. A tick is also the sign of
life.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from allocator.models.service import Schedule
from allocator.ports import Clock
from allocator.service.clock import Leaps
from allocator.service.scheduler.due import due, timer_trigger
from allocator.service.scheduler.slot import Asked, Slot, untold
from allocator.service.scheduler.slots import Slots

BEAT_S = 5
"""Seconds between two ticks when no schedule asks for one."""

MISFIRE_GRACE_S = 60
"""Seconds by which APScheduler may be late with a tick; the schedule's own grace is another."""


log = logging.getLogger(__name__)


class Timer:
    """Turns schedules into slots.

    Parameters
    ----------
    wake
        Called when something fell due.
    beat
        Called at each tick with its time.
    missed
        Told of slots of a schedule that fell due too late to be run, once their alert is left, by
        the instance that left it.
    leaps
        Notices that the clock was set; None: it is believed. What a tick writes down for a wrong
        time is there when that time comes, and is not run again.
    leapt
        Told of a leap, seconds.
    """

    def __init__(  # noqa: PLR0913 - its ports
        self,
        schedules: Sequence[Schedule],
        slots: Slots,
        clock: Clock,
        *,
        wake: Callable[[], None],
        beat: Callable[[datetime], None],
        missed: Callable[[Sequence[Slot]], None] = lambda _rows: None,
        leaps: Leaps | None = None,
        leapt: Callable[[float], None] = lambda _seconds: None,
    ) -> None:
        self._schedules = tuple(schedules)
        self._slots = slots
        self._clock = clock
        self._wake = wake
        self._beat = beat
        self._missed = missed
        self._leaps = leaps
        self._leapt = leapt
        self._after = slots.starts(schedules, clock.now())

    def tick(self) -> int:
        """Write down what fell due; returns how many slots are new."""
        now = self._clock.now()
        if not self._believes(now):
            return 0
        try:
            count = self._write(now)
        finally:
            # Also where something could not be written: what was is new no more the next time.
            self._tell(now)
        self._beat(now)
        if count:
            self._wake()
        return count

    def _write(self, now: datetime) -> int:
        """Write what fell due down; returns how many slots are new."""
        count, paused = 0, self._slots.paused()
        for schedule in self._schedules:
            # What was reached by a clock that was ahead must not be waited for.
            after = min(self._after[schedule.id], now)
            rows = due(schedule, after, now)
            if schedule.id not in paused:
                count += self._add(rows)
            # Only now: what could not be written down falls due again at the next tick.
            self._after[schedule.id] = rows[-1].due_at if rows else after
        return count

    def _add(self, rows: Sequence[Asked]) -> int:
        """Write slots down; returns how many are new. Those that were missed are to be told."""
        return sum(self._slots.add(untold(row) if row.status == "missed" else row) for row in rows)

    def _believes(self, now: datetime) -> bool:
        """Tell whether a time is to be used; a leap is told, and no sign of life is left then."""
        if self._leaps is None:
            return True
        believed, by_s = self._leaps.take(now)
        if by_s:
            log.error("the clock was set: no slot begins until it stands", extra={"by_s": by_s})
            try:
                self._leapt(by_s)
            except Exception:
                log.exception("a leap of the clock was not told")
        return believed

    def _tell(self, now: datetime) -> None:
        """Tell of missed slots; what goes wrong there must not cost the tick its sign of life.

        What was not told stands in the database as such: the next tick tells it, of whichever
        process.
        """
        try:
            sources = self._slots.untold()
        except Exception:
            log.exception("whether missed slots are to be told cannot be read")
            return
        for source in sources:
            try:
                late = self._slots.tell(source, now)
            except Exception:
                log.exception("missed slots were not told")
                continue
            if late:
                self._missed(late)

    @contextmanager
    def running(self) -> Generator[None]:
        """Tick at every slot, and now and then, for as long as the block runs.

        Must be entered in a running event loop.
        """
        from apscheduler.schedulers.asyncio import AsyncIOScheduler

        logging.getLogger("apscheduler").setLevel(logging.WARNING)
        timer: Any = AsyncIOScheduler(
            timezone=UTC,
            job_defaults={
                "coalesce": True,
                "max_instances": 1,
                "misfire_grace_time": MISFIRE_GRACE_S,
            },
        )

        async def tick() -> None:
            # An error in one tick must not end the timer, nor go unseen.
            try:
                self.tick()
            except Exception:
                log.exception("tick")

        for schedule in self._schedules:
            timer.add_job(tick, timer_trigger(schedule), id=schedule.id)

        async def beat() -> None:
            # By the loop's own clock: APScheduler would wait for a time that was set back from.
            while True:
                await asyncio.sleep(BEAT_S)
                await tick()

        timer.start()
        beating = asyncio.get_running_loop().create_task(beat())
        try:
            self.tick()
            yield
        finally:
            beating.cancel()
            timer.shutdown(wait=False)
