"""An executor over the paper exchange."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine

from allocator.adapters.paper import Behaviour, Fault, PaperExchange, open_paper
from allocator.adapters.paper.venue import PaperMarket
from allocator.execution.executor import Executor
from allocator.execution.journal import Journal
from allocator.execution.leader import next_epoch
from allocator.execution.report import ExecutionReport, Progress, Watch, nothing
from allocator.models.config import ExecutionConfig
from allocator.models.controls import ControlsConfig
from allocator.models.mandate import Mandate
from allocator.models.plan import Plan, Violation
from allocator.models.snapshot import Snapshot
from allocator.ports import Venue
from tests.execution.book import MANDATE, JumpingClock, plan, snapshot
from tests.execution.limits import NOBODY, wide

CONFIG = ExecutionConfig.model_validate(
    {"order_timeout_s": "2", "transfer_timeout_s": "600", "unknown_deadline_s": "30"}
)


def let_through(_snapshot: Snapshot, _mandate: Mandate, _plan: Plan) -> tuple[Violation, ...]:
    return ()


@dataclass
class Desk:
    """A journal, a paper exchange and an executor between them."""

    engine: Engine
    clock: JumpingClock
    exchange: PaperExchange
    venues: Mapping[str, Venue]
    start: Snapshot
    mandate: Mandate = MANDATE
    seen: list[Progress] = field(default_factory=list[Progress])
    watch: Watch = nothing
    controls: ControlsConfig = field(default_factory=wide)

    @classmethod
    def open(
        cls,
        engine: Engine,
        *,
        faults: Iterable[Fault] = (),
        behaviour: Behaviour | None = None,
        start: Snapshot | None = None,
        mandate: Mandate = MANDATE,
    ) -> Desk:
        clock = JumpingClock()
        start = snapshot() if start is None else start
        exchange, _, venues = open_paper(start, clock, faults=faults, behaviour=behaviour)
        return cls(engine, clock, exchange, venues, start, mandate)

    def journal(self) -> Journal:
        return Journal(
            self.engine, next_epoch(self.engine, "desk", "t", self.clock.now()), self.clock
        )

    def executor(self, journal: Journal | None = None) -> Executor:
        return Executor(
            self.journal() if journal is None else journal,
            self.venues,
            self.clock,
            release=let_through,
            config=CONFIG,
            controls=self.controls,
            approval=NOBODY,
            watch=self.told,
        )

    def told(self, row: Progress) -> None:
        self.seen.append(row)
        self.watch(row)

    def plan(self, *actions: dict[str, Any], status: str = "act") -> Plan:
        return plan(*actions, at=self.start, status=status, mandate=self.mandate)

    def run(self, *actions: dict[str, Any]) -> ExecutionReport:
        made = self.plan(*actions)
        return asyncio.run(self.executor().run(made, self.start, self.mandate))

    def resume(self) -> ExecutionReport | None:
        return asyncio.run(self.executor().resume())

    def stages(self) -> dict[int, str]:
        """Tell where the actions of the last plan stand."""
        history = self.journal().history
        (cycle,) = history.cycles(1)
        assert cycle.plan_hash is not None
        return {row.seq: str(row.stage) for row in history.actions(cycle.plan_hash)}

    def held(self, account: str, instrument: str) -> Decimal:
        return self.exchange.holdings[account].holding(instrument).quantity

    def wallet(self, account: str, asset: str = "USDT") -> Decimal:
        return self.exchange.holdings[account].wallet(asset).units


async def gathered(desk: Desk) -> Snapshot:
    """Read the exchange a second later."""
    desk.clock.at += timedelta(seconds=1)
    return (await PaperMarket(desk.exchange).gather()).snapshot
