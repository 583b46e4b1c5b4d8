"""Everything a cycle works with, over one database."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

from sqlalchemy import Engine

from allocator.adapters.paper import open_paper
from allocator.execution.executor import Executor
from allocator.execution.journal import Journal
from allocator.execution.leader import Lease, next_epoch
from allocator.execution.office import Office
from allocator.execution.report import Progress, Watch, nothing
from allocator.models.config import GatherConfig
from allocator.models.controls import ApprovalConfig
from allocator.models.mandate import Mandate
from allocator.models.snapshot import Snapshot
from allocator.service.cycles import Cycles, Ports
from allocator.service.live import Live
from allocator.service.mandates import Mandates
from allocator.service.monitor.base import Bases
from allocator.service.monitor.flows import Ledger
from allocator.service.monitor.history import MarkStore
from allocator.service.monitor.lines import Lines
from allocator.service.monitor.memory import Memory
from allocator.service.monitor.monitor import Monitor
from allocator.service.scheduler.slot import Asked
from allocator.service.scheduler.slots import Slots
from allocator.service.scheduler.worker import Result
from allocator.service.snapshots import Snapshots
from allocator.service.words import Words
from allocator.verify import verify
from tests.execution.book import START, JumpingClock
from tests.execution.limits import wide
from tests.service.sites import MANDATE, snapshot

EVERYBODY = ApprovalConfig(auto_below=Decimal(10_000_000), second_above=Decimal(10_000_000))
CAP = {"id": "cap", "measure": "gross_notional", "scope": {"account": "a"}, "max": "30000",
       "source": "test"}  # fmt: skip
SOMEBODY = ApprovalConfig(auto_below=Decimal(0), second_above=Decimal(10_000_000))


class Room:
    """Everything a cycle works with, over one database."""

    def __init__(
        self,
        engine: Engine,
        approval: ApprovalConfig = EVERYBODY,
        *,
        start: Snapshot | None = None,
        mandate: Mandate | None = None,
        dry: bool = False,
        folder: Path | None = None,
    ) -> None:
        self.clock = JumpingClock()
        self.start = start or snapshot()
        self.exchange, market, venues = open_paper(self.start, self.clock)
        lease = next_epoch(engine, "desk", "t", self.clock.now())
        executor = Executor(
            Journal(engine, lease, self.clock),
            {} if dry else venues,
            self.clock,
            release=verify,
            controls=wide(),
            approval=approval,
            watch=self.tell,
        )
        self.told: Watch = nothing
        self.office = Office(engine, "desk", self.clock)
        self.slots = Slots(engine, "desk")
        self.mandates = Mandates(engine, "desk")
        self.mandates.from_config(mandate or Mandate.model_validate(MANDATE), START)
        self.live = Live("t")
        self.cycles = Cycles(
            Ports(
                market=market,
                executor=executor,
                office=self.office,
                slots=self.slots,
                snapshots=Snapshots(engine, "desk"),
                mandates=self.mandates,
                approval=approval,
                clock=self.clock,
                live=self.live,
                dry=dry,
                words=Words(Memory(engine, "desk"), GatherConfig()),
            ),
            None if folder is None else self.watch(engine, lease, folder),
        )

    def tell(self, progress: Progress) -> None:
        self.told(progress)

    def watch(self, engine: Engine, lease: Lease, folder: Path) -> Monitor:
        lines = Lines(engine, "desk")
        return Monitor(
            MarkStore(folder), Ledger(engine), lines, lease, (),
            bases=Bases(engine, "desk", folder), venues={"a": "alpha", "b": "beta"},
            keep_days=9, fired=lambda _: None,
        )  # fmt: skip

    def work(self, kind: str = "plan", name: str = "s", plan_hash: str | None = None) -> Result:
        asked = Asked(name, "x", kind, "a test", self.clock.now(), plan_hash=plan_hash)  # type: ignore[arg-type]
        self.slots.add(asked)
        slot = self.slots.named(name)
        assert slot is not None
        return asyncio.run(self.cycles.work(slot))
