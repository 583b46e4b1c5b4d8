"""Writes slots down as they fall due; APScheduler only wakes it.

The database is the truth: a tick writes what fell due since the last slot, whoever wrote that, so
a tick that comes late, twice or in two instances changes nothing. A tick is also the sign of
life.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from allocator.models.service import Schedule
from allocator.ports import Clock
from allocator.service.scheduler.due import due, timer_trigger
from allocator.service.scheduler.slots import Asked, Slots

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
        Told of slots of a schedule that fell due too late to be run, by the instance that wrote
        them down.
    """

    def __init__(  # noqa: PLR0913 - its ports
        self,
        schedules: Sequence[Schedule],
        slots: Slots,
        clock: Clock,
        *,
        wake: Callable[[], None],
        beat: Callable[[datetime], None],
        missed: Callable[[Sequence[Asked]], None] = lambda _rows: None,
    ) -> None:
        self._schedules = tuple(schedules)
        self._slots = slots
        self._clock = clock
        self._wake = wake
        self._beat = beat
        self._missed = missed
        started = clock.now()
        self._after = {row.id: slots.last_due(row.id) or started for row in self._schedules}

    def tick(self) -> int:
        """Write down what fell due; returns how many slots are new."""
        now, count = self._clock.now(), 0
        paused = self._slots.paused()
        for schedule in self._schedules:
            rows = due(schedule, self._after[schedule.id], now)
            if rows:
                self._after[schedule.id] = rows[-1].due_at
            if schedule.id in paused:
                continue
            new = [row for row in rows if self._slots.add(row)]
            count += len(new)
            late = [row for row in new if row.status == "missed"]
            if late:
                self._tell(late)
        self._beat(now)
        if count:
            self._wake()
        return count

    def _tell(self, late: Sequence[Asked]) -> None:
        """Tell of missed slots; what goes wrong there must not cost the tick its sign of life."""
        try:
            self._missed(late)
        except Exception:
            log.exception("missed slots were not told")

    @contextmanager
    def running(self) -> Generator[None]:
        """Tick at every slot, and now and then, for as long as the block runs.

        Must be entered in a running event loop.
        """
        from apscheduler.schedulers.asyncio import AsyncIOScheduler
        from apscheduler.triggers.interval import IntervalTrigger

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
        timer.add_job(tick, IntervalTrigger(seconds=BEAT_S, timezone=UTC), id="beat")
        timer.start()
        try:
            self.tick()
            yield
        finally:
            timer.shutdown(wait=False)
