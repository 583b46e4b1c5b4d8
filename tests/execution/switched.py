"""A desk whose exchange cancels what rests after a silence."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine

from allocator.adapters.paper import Behaviour, Fault, PaperVenue
from allocator.execution.report import ExecutionReport
from allocator.models.intents import Capabilities, Outcome
from tests.execution.crashes import Crash
from tests.execution.desk import Desk
from tests.execution.limits import wide
from tests.execution.working import RESTING, SINGLE

SWITCH = Capabilities(dead_man_s=Decimal(10))


class Exchange:
    """A desk whose exchange has a switch, and what its switch was told."""

    def __init__(self, engine: Engine, *faults: Fault, able: Capabilities = SWITCH) -> None:
        self.desk = Desk.open(engine, behaviour=Behaviour(capabilities=able), faults=faults)
        self.desk.controls = wide(dead_man_s=5)
        self.told = list[int]()
        self.stood = list[bool]()
        self.dies = False
        arm = self.desk.exchange.arm

        def seen(account: str, seconds: int) -> None:
            self.told.append(seconds)
            records: list[Any] = [*self.desk.exchange.records.values()]
            self.stood.append(any(not row.ended for row in records))
            arm(account, seconds)
            if self.dies:
                raise Crash

        self.desk.exchange.arm = seen  # type: ignore[method-assign]

    def executor(self, config: Any = RESTING) -> Any:
        executor = self.desk.executor()
        object.__setattr__(executor._shell, "config", config)
        return executor

    def run(self) -> ExecutionReport:
        made = self.desk.plan(SINGLE)
        report: ExecutionReport = asyncio.run(
            self.executor().run(made, self.desk.start, self.desk.mandate)
        )
        return report

    def resume(self) -> ExecutionReport | None:
        report: ExecutionReport | None = asyncio.run(self.executor().resume())
        return report

    @property
    def set_for(self) -> set[str]:
        return {*self.desk.exchange._silent_at}


def armed_at(at: Exchange, took_s: float = 0) -> list[float]:
    """Note when the switch is asked to be set, seconds from now; each answer takes so long."""
    times, venue, start = list[float](), at.desk.venues["a"], at.desk.clock.now()
    assert isinstance(venue, PaperVenue)
    cancel_after = venue.cancel_after

    async def timed(seconds: int) -> Outcome:
        if seconds:
            times.append((at.desk.clock.now() - start).total_seconds())
            at.desk.clock.at += timedelta(seconds=took_s)
        return await cancel_after(seconds)

    venue.cancel_after = timed  # type: ignore[method-assign]
    return times
