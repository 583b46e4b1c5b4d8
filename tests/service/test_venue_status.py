"""A venue in maintenance, from its own answer over HTTP to the cycle that it starts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine

from allocator.adapters.emulator.testing import Emulator
from allocator.adapters.registry import open_venues
from allocator.execution.executor import Executor
from allocator.execution.journal import Journal
from allocator.execution.leader import next_epoch
from allocator.execution.office import Office
from allocator.models.config import Config
from allocator.models.service import TriggerRule
from allocator.service.bootstrap import open_desk
from allocator.service.clock import SystemClock
from allocator.service.cycles import Cycles, Ports
from allocator.service.live import Live
from allocator.service.mandates import Mandates
from allocator.service.monitor.base import Bases
from allocator.service.monitor.flows import Ledger
from allocator.service.monitor.history import MarkStore
from allocator.service.monitor.lines import Lines
from allocator.service.monitor.memory import Memory
from allocator.service.monitor.monitor import Monitor
from allocator.service.scheduler.slots import Slots
from allocator.service.snapshots import Snapshots
from allocator.service.words import Words
from allocator.verify import verify
from tests.adapters.ccxt.conftest import okx_config, patient

RULE = TriggerRule.model_validate(
    {"id": "down", "on": "venue", "threshold": "60", "cooldown_s": "0"}
)
MANDATE = {"targets": [{"underlying": "BTC", "delta": "0", "unit": "base", "band": "0.1"}]}


class Desk:
    """A leader over a loopback exchange; every look opens its venues anew, as after a restart."""

    def __init__(self, engine: Engine, folder: Path, config: Config) -> None:
        self.engine, self.folder, self.config = engine, folder, config
        self.clock, self.live = SystemClock(), Live("t")
        self.slots = Slots(engine, "desk")
        self.mandates = Mandates(engine, "desk")
        self.mandates.from_config(config.mandate, self.clock.now())

    def run(self, work: Callable[[Cycles], Awaitable[object]]) -> None:
        asyncio.run(self._run(work))

    async def _run(self, work: Callable[[Cycles], Awaitable[object]]) -> None:
        told = Memory(self.engine, "desk").told()
        opened = open_venues(self.config, self.clock, told=told)
        lease = next_epoch(self.engine, "desk", "t", self.clock.now())
        executor = Executor(
            Journal(self.engine, lease, self.clock), opened.venues, self.clock, release=verify
        )
        monitor = Monitor(
            MarkStore(self.folder), Ledger(self.engine), Lines(self.engine, "desk"), lease,
            (RULE,), bases=Bases(self.engine, "desk", self.folder),
            venues={row.id: "okx" for row in self.config.accounts}, keep_days=9,
            fired=lambda _: None,
        )  # fmt: skip
        ports = Ports(
            market=opened.market,
            executor=executor,
            office=Office(self.engine, "desk", self.clock),
            slots=self.slots,
            snapshots=Snapshots(self.engine, "desk"),
            mandates=self.mandates,
            approval=self.config.approval,
            clock=self.clock,
            live=self.live,
            dry=True,
            words=Words(Memory(self.engine, "desk"), self.config.gather),
        )
        try:
            await work(Cycles(ports, monitor))
        finally:
            await opened.close()


@pytest.fixture
def desk(lite: Engine, tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Desk:
    data = {**okx_config(emulator.base_url, monkeypatch), "mandate": MANDATE}
    return Desk(lite, tmp_path / "history", patient(Config.model_validate(data)))


def test_a_venue_s_own_word_starts_one_cycle_that_leaves_it_alone(
    desk: Desk, emulator: Emulator
) -> None:
    desk.run(lambda cycles: cycles.look())
    assert desk.slots.recent() == ()
    notice = {"title": "Trading system upgrade", "end_ms": 1795000000000}
    emulator.admin("POST", "notice", venue="okx", state="maintenance", **notice)
    for _ in range(2):
        desk.run(lambda cycles: cycles.look())
    (slot,) = desk.slots.with_status("due")
    assert slot.cause == (
        "trigger down: venue okx says maintenance until 2026-11-18T11:06:40Z: "
        "Trading system upgrade"
    )
    assert desk.live.marks is not None
    assert desk.live.marks.whole, "its accounts are read all the same"
    assert {row.state for row in desk.live.marks.accounts} == {"frozen"}
    desk.run(lambda cycles: cycles.work(slot))
    assert desk.live.snapshot is not None
    assert {row.state for row in desk.live.snapshot.accounts} == {"frozen"}
    (proposal,) = Office(desk.engine, "desk", desk.clock).history.proposals()
    assert proposal.plan.actions == (), "the book is off its target, and nothing can be sent"
    emulator.admin("POST", "notice", venue="okx", state="open")
    desk.run(lambda cycles: cycles.look())
    assert {row.state for row in desk.live.marks.accounts} == {"open"}
    emulator.admin("POST", "notice", venue="okx", state="maintenance", **notice)
    desk.run(lambda cycles: cycles.look())
    assert len(desk.slots.with_status("due")) == 2, "it came back and went away again"


def test_a_restart_goes_on_with_what_a_venue_said_last_while_it_cannot_be_asked(
    desk: Desk, emulator: Emulator
) -> None:
    emulator.admin("POST", "notice", venue="okx", state="maintenance", title="An upgrade")
    desk.run(lambda cycles: cycles.look())
    (slot,) = desk.slots.with_status("due")
    emulator.fault({"kind": "html", "path": "/api/v5/system/status", "times": 99})
    desk.run(lambda cycles: cycles.look())
    assert desk.slots.with_status("due") == (slot,), "it was told before the restart"
    assert desk.live.marks is not None
    told = desk.live.marks.statuses["okx"]
    assert (told.state, told.before) == ("unknown", "maintenance")
    assert {row.state for row in desk.live.marks.accounts} == {"frozen"}
    at = Memory(desk.engine, "desk").told()["okx"].at
    assert told.before_at == at, "it is as old as when it was read"

    async def next_leader() -> set[str]:
        url = desk.engine.url.render_as_string(hide_password=False)
        history = desk.config.service.history.model_copy(update={"folder": str(desk.folder)})
        service = desk.config.service.model_copy(update={"history": history})
        config = desk.config.model_copy(update={"database": url, "service": service})
        async with open_desk(config, "desk") as opened:
            gathered = await opened.market.gather()
            return {row.state for row in gathered.snapshot.accounts}

    assert asyncio.run(next_leader()) == {"frozen"}
    emulator.admin("POST", "faults", rules=[])
    emulator.admin("POST", "notice", venue="okx", state="open")
    desk.run(lambda cycles: cycles.look())
    assert {row.state for row in desk.live.marks.accounts} == {"open"}
