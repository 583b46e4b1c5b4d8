"""A timer and a worker over one database, whose work is written down."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import Engine

from allocator.execution.leader import next_epoch
from allocator.models.errors import StaleError
from allocator.models.service import Schedule
from allocator.service.scheduler.slot import Slot
from allocator.service.scheduler.slots import Slots
from allocator.service.scheduler.timer import Timer
from allocator.service.scheduler.worker import Result, Worker
from tests.execution.book import JumpingClock

OFTEN = Schedule(id="often", every_s=Decimal(60), grace_s=Decimal(90))


class Bench:
    """A timer and a worker over one database; the work is written down."""

    def __init__(self, engine: Engine, clock: JumpingClock, holder: str = "a") -> None:
        self.engine, self.clock = engine, clock
        self.slots = Slots(engine, "desk")
        self.done = list[Slot]()
        self.takes_s = 0.0
        self.beats = list[object]()
        self.settled = list[datetime]()
        self.unsettled = 0
        self.believed, self.agreed = True, False
        self.asked = 0
        self.wake = asyncio.Event()
        self.timer = Timer((OFTEN,), self.slots, clock, wake=self.wake.set, beat=self.beats.append)
        self.worker = self.lead(holder)

    def lead(self, holder: str) -> Worker:
        self.lease = next_epoch(self.engine, "desk", holder, self.clock.now())
        return Worker(
            self.slots,
            self.lease,
            self.clock,
            graces={"often": OFTEN.grace_s},
            work=self.work,
            wake=self.wake,
            settle=self.settle,
            believed=lambda: self.believed,
            agreed=self.agree,
        )

    async def agree(self) -> bool:
        self.asked += 1
        return self.agreed

    async def settle(self) -> None:
        self.settled.append(self.clock.now())
        if self.unsettled:
            self.unsettled -= 1
            raise StaleError("venue down")

    async def work(self, slot: Slot) -> Result:
        self.done.append(slot)
        self.clock.at += timedelta(seconds=self.takes_s)
        if slot.cause == "stale":
            raise StaleError("venue down")
        if slot.cause == "bug":
            raise ZeroDivisionError
        return Result("done")

    def steps(self) -> int:
        async def go() -> int:
            count = 0
            while await self.worker.step():
                count += 1
            return count

        return asyncio.run(go())

    def statuses(self) -> list[tuple[str, str]]:
        return [(row.name, row.status) for row in reversed(self.slots.recent())]
