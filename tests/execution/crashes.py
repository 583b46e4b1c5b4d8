"""A process that dies at a chosen point, and what must hold after its restart."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine

from allocator.adapters.paper import Behaviour, Fault
from allocator.execution.attempts import Attempt
from allocator.execution.entries import Entry
from allocator.execution.executor import Executor
from allocator.execution.history import History
from allocator.execution.journal import Journal
from allocator.execution.leader import next_epoch
from allocator.execution.transitions import Stage, State
from allocator.models.intents import (
    AccountReading,
    Finding,
    Intent,
    OrderIntent,
    Outcome,
)
from allocator.models.plan import Plan
from allocator.ports import Venue
from tests.execution.behind import Behind
from tests.execution.book import BTC_A, BTC_B, ROUTES, order, snapshot, transfer
from tests.execution.desk import CONFIG, Desk, let_through
from tests.execution.limits import NOBODY


class Crash(BaseException):
    """The process is gone: nobody catches this."""


@dataclass
class Fuse:
    """Counts the points that a process passes, and ends it at one of them; never at zero."""

    at: int = 0
    passed: int = 0

    def point(self) -> None:
        self.passed += 1
        if self.at and self.passed >= self.at:
            raise Crash


class DyingJournal(Journal):
    """Dies before a commit (nothing is written) or after one (nobody hears of it)."""

    def __init__(self, engine: Engine, desk: Desk, fuse: Fuse) -> None:
        super().__init__(engine, next_epoch(engine, "desk", "t", desk.clock.now()), desk.clock)
        self._fuse = fuse

    @contextmanager
    def write(self) -> Iterator[Entry]:
        with super().write() as entry:
            yield entry
            self._fuse.point()
        self._fuse.point()


class DyingVenue(Behind):
    """Dies before a request leaves or after its answer came."""

    def __init__(self, venue: Venue, fuse: Fuse) -> None:
        super().__init__(venue)
        self._fuse = fuse

    async def submit(self, intent: Intent) -> Outcome:
        self._fuse.point()
        out = await self._venue.submit(intent)
        self._fuse.point()
        return out

    async def find(self, intent: Intent, since: datetime, venue_id: str | None = None) -> Finding:
        self._fuse.point()
        return await self._venue.find(intent, since, venue_id)

    async def cancel(self, intent: OrderIntent) -> Outcome:
        self._fuse.point()
        out = await self._venue.cancel(intent)
        self._fuse.point()
        return out

    async def read(self) -> AccountReading:
        self._fuse.point()
        return await self._venue.read()


def fresh(source: sqlite3.Connection, engine: Engine) -> Engine:
    """Empty a database in memory: a new engine would compile every statement again."""
    raw = engine.raw_connection()
    source.backup(raw.driver_connection)  # type: ignore[arg-type]
    raw.close()
    return engine


ORDER_FAULTS = ("lost_before", "lost_after", "late", "rejected", "partial")
TRANSFER_FAULTS = ("lost_before", "lost_after", "late", "rejected", "returned")


@dataclass
class Story:
    """A seeded plan with its faults.

    Attributes
    ----------
    quiet
        Whether nothing but the crash goes wrong.
    """

    seed: int
    quiet: bool = False
    rng: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)

    def desk(self, engine: Engine) -> Desk:
        self.rng = random.Random(self.seed)
        faults: list[Fault] = []
        depth: Mapping[str, Decimal] = {}
        if not self.quiet:
            faults = [self._fault() for _ in range(self.rng.randint(0, 3))]
            if self.rng.random() < 0.4:
                depth = {self.rng.choice((BTC_A, BTC_B)): Decimal("0.15")}
        behaviour = Behaviour(
            depth=depth,
            deduplicates=self.rng.random() < 0.5,
            visible_after_s=Decimal(self.rng.choice(("0", "0.5"))),
        )
        routes = [{**row, "latency_s": "0.5"} for row in ROUTES]
        start = snapshot(routes=routes)
        return Desk.open(engine, faults=faults, behaviour=behaviour, start=start)

    def _fault(self) -> Fault:
        call = self.rng.choice(("order", "transfer", "find", "read"))
        hows = {"order": ORDER_FAULTS, "transfer": TRANSFER_FAULTS}.get(call, ("error",))
        return Fault(
            call=call,  # type: ignore[arg-type]
            how=self.rng.choice(hows),  # type: ignore[arg-type]
            nth=self.rng.randint(1, 3),
            delay_s=Decimal(self.rng.choice(("1", "4", "9"))),
        )

    def plan(self, desk: Desk) -> Plan:
        size = self.rng.choice(("0.1", "0.3", "0.5"))
        rows: list[dict[str, Any]] = [transfer(1, "1000")]
        after = [1] if self.rng.random() < 0.5 else []
        rows.append(order(2, "a", "sell", size, reduce_only=True, group="g", after=after))
        rows.append(order(3, "b", "buy", size, reduce_only=True, group="g", after=after))
        if self.rng.random() < 0.3:
            rows.append(transfer(4, "200", "b-a", after=[2, 3]))
        return desk.plan(*rows)


def executor_of(desk: Desk, fuse: Fuse) -> Executor:
    venues = {name: DyingVenue(venue, fuse) for name, venue in desk.venues.items()}
    journal = DyingJournal(desk.engine, desk, fuse)
    return Executor(
        journal,
        venues,
        desk.clock,
        release=let_through,
        config=CONFIG,
        controls=desk.controls,
        approval=NOBODY,
    )


async def be(desk: Desk, plan: Plan, executor: Executor) -> None:
    """Be a process: settle what an earlier one left, then carry the plan out if none has begun."""
    journal = executor._shell.journal
    await executor.resume()
    if not journal.history.actions(plan.plan_hash):
        slot = f"start {journal.lease.epoch}"
        await executor.run(plan, desk.start, desk.mandate, slot=slot)
    if any(row.state is State.IN_TRANSIT for row in journal.history.open_attempts()):
        # A plan that is given up waits for no money on its way: the next cycle begins with it.
        await desk.clock.sleep(10)
        await executor.resume()


def faults_found(desk: Desk, plan: Plan) -> list[str]:
    """List everything that was doubled, lost or left stuck, by the exchange's own record."""
    history = History(desk.engine)
    attempts = {row.client_id: row for row in history.attempts(plan.plan_hash)}
    out = [f"doubled {name}" for name, n in desk.exchange.effects.items() if n > 1]
    out += [f"sent twice {name}" for name, n in desk.exchange.received.items() if n > 1]
    out += lost(desk, attempts)
    out += stuck(attempts)
    out += [f"unfinished {cycle}" for cycle in history.unfinished()]
    out += [f"frozen {name}: {why}" for name, why in history.frozen().items()]
    out += [str(fault) for fault in history.verify()]
    for action in history.actions(plan.plan_hash):
        filled = sum((a.filled for a in attempts.values() if a.seq == action.seq), Decimal(0))
        row = next(row for row in plan.actions if row.seq == action.seq)
        if filled > (row.amount if row.kind == "transfer" else row.quantity):
            out.append(f"too much of {action.seq}: {filled}")
        if action.stage is Stage.WORKING:
            out.append(f"working {action.seq}")
    return out


def lost(desk: Desk, attempts: Mapping[str, Attempt]) -> list[str]:
    """List what the exchange did and the journal does not know, or knows otherwise."""
    out: list[str] = []
    for name, record in desk.exchange.records.items():
        attempt = attempts.get(name)
        if attempt is None or attempt.filled != record.found().filled:
            out.append(f"lost {name}: {attempt} against {record.found()}")
    unheard = (State.REJECTED, State.NOT_EXECUTED)
    for name, attempt in attempts.items():
        if attempt.filled and name not in desk.exchange.records:
            out.append(f"invented {name}")
        if attempt.state in unheard and desk.exchange.effects[name]:
            out.append(f"{attempt.state} and done {name}")
    return out


def stuck(attempts: Mapping[str, Attempt]) -> list[str]:
    """List what has no end."""
    return [
        f"stuck {name} {row.state}: {row.reason}" for name, row in attempts.items() if not row.final
    ]
