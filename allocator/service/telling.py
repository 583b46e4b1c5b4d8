"""One instance tells people: alerts as the leader, that there is none as everybody else."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime
from typing import TYPE_CHECKING

from allocator.service.notify import Notifier

if TYPE_CHECKING:
    from allocator.service.run import Service

NOTIFY_S = 5.0
"""Seconds between two times that it is looked what there is to tell."""

log = logging.getLogger(__name__)


class Telling:
    """Tells what waits, and watches the leader's ticks.

    Parameters
    ----------
    service
        The instance.
    notifier
        Tells it.
    """

    def __init__(self, service: Service, notifier: Notifier) -> None:
        self._service = service
        self._notifier = notifier
        self._leader_at: datetime | None = None

    async def run(self) -> None:
        """Deliver alerts as the leader; watch the leader's ticks as everybody else."""
        started = self._service.clock.now()
        while True:
            started = await self.alert(started)
            await asyncio.sleep(NOTIFY_S)

    async def alert(self, started: datetime) -> datetime:
        """Deliver and watch once; tells since when ticks are awaited.

        A machine may start with its clock ahead: that time would not come for long.
        """
        service = self._service
        now = service.clock.now()
        started = min(started, now)
        leader_at = self._leader_at
        try:
            leader_at = service.beats.leader_at(now)
            # One that leads no more takes its sign back: it led until then all the same.
            self._leader_at = leader_at or (self._leader_at and min(self._leader_at, now))
        except Exception:
            # People have to hear of it all the same: the last tick that was seen grows old.
            log.exception("ticks cannot be read")
        try:
            if service.believes_time():
                await self._notifier.watch(self._leader_at, started, now)
                await self._notifier.stuck(service.trying.stuck(leader_at, now))
            breaking = service.trying.breaking()
            await self._notifier.breaking(breaking and f"{service.live.holder}: {breaking}")
            if service.live.leads:
                service.vigil.watch(now)
                await self._notifier.deliver(
                    now, between_runs=not service.live.busy, believed=service.believes_time()
                )
        except Exception:
            log.exception("alerts could not be delivered")
        return started
