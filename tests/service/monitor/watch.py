"""A room whose monitor has one urgent trigger, and what is done to it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from allocator.adapters.paper.faults import Fault
from allocator.models.mandate import Mandate
from allocator.models.service import TriggerRule
from allocator.service.monitor.monitor import Monitor
from allocator.service.monitor.outcomes import Outcomes
from allocator.service.scheduler.worker import Worker
from tests.execution.book import START
from tests.service.rooms import EVERYBODY, Room
from tests.service.sites import MANDATE, snapshot

LIMIT = {"id": "cap", "measure": "gross_notional", "scope": {"portfolio": True}, "max": "30000"}
RULE = {"id": "used", "on": "utilisation", "threshold": "1", "release": "0.9", "urgent": True}


def mandate(**changes: Any) -> Mandate:
    """Hold what is held, below a cap."""
    return Mandate.model_validate(
        {**MANDATE, "targets": [], "targets_default": "hold", "limits": [LIMIT], **changes}
    )


class Watch:
    """A room whose monitor has one urgent trigger, and a worker."""

    def __init__(self, engine: Engine, folder: Path, **changes: Any) -> None:
        rule = {**RULE, **changes.pop("rule", {})}
        what = {"mandate": mandate(), "start": snapshot("1"), **changes}
        self.room = Room(engine, EVERYBODY, folder=folder, **what)
        monitor = self.room.cycles._monitor
        assert monitor is not None
        self.monitor: Monitor = monitor
        monitor._rules = (TriggerRule.model_validate(rule),)
        history = self.room.office.history
        dry = bool(changes.get("dry"))
        monitor._outcomes = Outcomes(self.room.slots, history, EVERYBODY, dry=dry)
        self.worker = Worker(
            self.room.slots, monitor._lease, self.room.clock, graces={},
            work=self.room.cycles.work, wake=asyncio.Event(),
        )  # fmt: skip

    def at(self, *minutes: float) -> None:
        """Look at each of these minutes, and carry out what fell due."""

        async def go() -> None:
            for minute in minutes:
                self.room.clock.at = max(self.room.clock.at, START + timedelta(minutes=minute))
                await self.room.cycles.look()
                while await self.worker.step():
                    pass

        asyncio.run(go())

    @property
    def fired(self) -> list[int]:
        rows = [row for row in self.room.slots.recent() if row.origin == "trigger"]
        return [round((row.due_at - START).total_seconds() / 60) for row in reversed(rows)]

    def told(self, topic: str = "repair_unavailing") -> list[Any]:
        return [row.body for row in self.room.office.history.alerts() if row.topic == topic]


def worsen(watch: Watch, times: str) -> None:
    """Multiply what is held."""
    watch.room.exchange.holdings["a"].holding("alpha:BTC/USDT:USDT").quantity *= Decimal(times)


def refusing(engine: Engine, folder: Path, times: int) -> Watch:
    """Watch without a cooldown while the venue refuses so many orders."""
    watch = Watch(engine, folder, rule={"cooldown_s": "0"})
    watch.room.exchange.faults.add(Fault("order", "rejected", times=times))
    return watch
