"""What a slot does: gather, mark, decide, propose, and carry out what may go.

resume -> gather -> mark -> decide -> propose -> (approved) execute -> mark
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from allocator.execution.executor import Executor
from allocator.execution.office import Office
from allocator.execution.report import ExecutionReport
from allocator.models.controls import ApprovalConfig
from allocator.models.errors import AllocatorError, RefusedError
from allocator.models.mandate import Mandate
from allocator.models.plan import Plan
from allocator.models.snapshot import Snapshot
from allocator.ports import Clock, Gathered, MarketData
from allocator.risk.approvals import standing
from allocator.service import telemetry
from allocator.service.cycle import PROPOSER
from allocator.service.live import Live
from allocator.service.mandate_versions import Unreadable, Version
from allocator.service.mandates import Mandates, UnreadableError
from allocator.service.monitor.monitor import Monitor
from allocator.service.reading import Reading, read_book
from allocator.service.repairs import NOTHING_BROKEN, repairing
from allocator.service.scheduler.due import PAUSED
from allocator.service.scheduler.slot import (
    AGAIN,
    Asked,
    Kind,
    Slot,
    Status,
    again,
    anew,
    executing,
    named_at,
)
from allocator.service.scheduler.slots import Slots
from allocator.service.scheduler.worker import Result
from allocator.service.snapshots import GATHERED, NARROWED, MissingError, Snapshots
from allocator.service.taking_up import MANDATE_CHANGED, TakenUp, take_up
from allocator.service.threads import to_its_end
from allocator.service.words import VenueShutError, Words
from allocator.state import Book

MOST_AGAIN = 2
"""How often a plan that was overtaken by an outside change is made anew without waiting."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ports:
    """What cycles work with.

    Attributes
    ----------
    dry
        Whether nothing can be sent at all.
    words
        What venues said last, which a plan is held against before it goes.
    """

    market: MarketData
    executor: Executor
    office: Office
    slots: Slots
    snapshots: Snapshots
    mandates: Mandates
    approval: ApprovalConfig
    clock: Clock
    live: Live
    dry: bool
    words: Words


MOST_NOTE = 500
"""Characters of a note that lists accounts."""


class Cycles:
    """Carries slots out.

    Parameters
    ----------
    monitor
        Marks whatever is gathered; None: nothing is marked.
    observed
        Told how long each step took, seconds.
    """

    def __init__(
        self,
        ports: Ports,
        monitor: Monitor | None,
        observed: Callable[[str, float], None] = lambda _step, _seconds: None,
    ) -> None:
        self._ports = ports
        self._monitor = monitor
        self._observed = observed
        self._reading = asyncio.Lock()
        self._kept = False

    async def work(self, slot: Slot) -> Result:
        """Carry a slot out.

        Raises
        ------
        RefusedError, StaleError, JournalError
            As the executor does.
        """
        live = self._ports.live
        live.busy = slot.name
        telemetry.bind(slot=slot.name, cause=slot.cause)
        try:
            return await self._work(slot)
        finally:
            self._ports.executor.ended()
            live.busy = ""
            telemetry.unbind("slot", "cause", "plan")

    async def settle(self) -> None:
        """Settle what a slot that broke off has left open, and go on with its plan if that is safe.

        A plan for a mandate that no longer holds, or cannot be read, is given up and planned anew,
        and so is one of which nobody can tell.

        Raises
        ------
        RefusedError, StaleError, JournalError
            As the executor does.
        """
        history, live = self._ports.office.history, self._ports.live
        if not (history.unfinished() or history.open_attempts()):
            return
        live.busy = "what an earlier slot left open"
        try:
            taken = await self._take_up()
            if taken.given_up and taken.report is not None:
                self._plan_anew(taken.report.plan_hash, taken.given_up)
        finally:
            self._ports.executor.ended()
            live.busy = ""

    async def _work(self, slot: Slot) -> Result:
        taken = await self._take_up()
        if self._ports.slots.had_cycle(slot.name):
            if taken.given_up:
                self._again(slot, taken.given_up)
            note = "carried on where an earlier leader had stopped"
            return Result("done", f"{note}: {_told(taken.report)}", slot.plan_hash)
        if slot.origin == "schedule" and slot.source in self._ports.slots.paused():
            return Result("skipped", PAUSED)
        if slot.kind == "execute":
            return await self._execute(slot, str(slot.plan_hash))
        return await self._plan(slot)

    async def _take_up(self) -> TakenUp:
        ports = self._ports
        return await take_up(ports.executor, ports.office.history, ports.mandates)

    def _plan_anew(self, plan_hash: str, why: str) -> None:
        """Ask for a plan in the place of one that was given up between slots."""
        cause = f"{why} under the plan {plan_hash[:12]}"
        now = self._ports.clock.now()
        kind = self._kind_of(plan_hash)
        asked = Asked(anew(plan_hash), "again", kind, cause, now, origin="again")
        self._ports.slots.add(asked)

    def _kind_of(self, plan_hash: str) -> Kind:
        """Tell what a plan was made as: what takes the place of a repair is a repair."""
        slot = self._ports.slots.proposed(plan_hash)
        return "repair" if slot is not None and slot.kind == "repair" else "plan"

    async def look(self) -> None:
        """Mark the book between slots; the first reading of its accounts is kept.

        Mandates are held against it: a slot may be a day away.
        """
        read = await self._gather(busy=bool(self._ports.live.busy))
        if not self._kept:
            self._kept = await asyncio.to_thread(self._keep_first, read)

    def _keep_first(self, read: Reading) -> bool:
        """Keep a reading where none is kept of these accounts; tells whether one is by now.

        A mandate that names an account which the kept one lacks would be refused until a slot.
        """
        whole = not read.unclear and not self._ports.live.missing
        kept = self._kept_accounts() == {row.id for row in read.snapshot.accounts}
        if whole and not kept:
            self._ports.snapshots.keep(read.snapshot, GATHERED)
        return whole or kept

    def _kept_accounts(self) -> set[str] | None:
        """Name the accounts of the latest reading that is kept; None: none can be read."""
        try:
            return {row.id for row in self._ports.snapshots.latest().accounts}
        except MissingError:
            return None
        except (AllocatorError, ValueError):
            log.exception("the latest snapshot cannot be read")
            return None

    async def _plan(self, slot: Slot) -> Result:
        read = await self._gather(busy=True)
        snapshot = read.snapshot
        holds = self._ports.mandates.published()
        if holds is None:
            return Result("failed", "no mandate is published")
        why = self._not_to_be_planned(slot, read)
        if why:
            return Result("failed", why[:MOST_NOTE])
        asked = (snapshot, holds.mandate)
        if slot.kind == "repair":
            narrowed = repairing(snapshot, holds.mandate)
            if narrowed is None:
                return Result("done", NOTHING_BROKEN)
            asked = narrowed
        if not read.unclear:
            self._ports.snapshots.keep(snapshot, GATHERED)
        plan = await self._timed("decide", asked)
        telemetry.bind(plan=plan.plan_hash)
        now = self._ports.mandates.published()
        if now is not None and now.hash != holds.hash:
            self._again(slot, MANDATE_CHANGED)
            return Result("done", f"{MANDATE_CHANGED} while this was planned: it is planned anew")
        if asked[0] is not snapshot:
            self._ports.snapshots.keep(asked[0], NARROWED)
        self._ports.office.propose(plan, *asked, PROPOSER)
        result = await self._let_go(slot, plan, asked)
        log.info(
            "cycle",
            extra={
                "mandate_version": holds.version,
                "status": plan.status,
                "actions": len(plan.actions),
                "note": result.note,
            },
        )
        return result

    def _not_to_be_planned(self, slot: Slot, read: Reading) -> str:
        """Say why nothing can be planned on what was read; empty: it can."""
        missing = self._ports.live.missing
        if missing and all(row.id in missing for row in read.snapshot.accounts):
            why = "; ".join(f"{name}: {what}" for name, what in sorted(missing.items()))
            return f"no account was read: {why}"
        if read.unclear and slot.kind != "repair":
            return f"where this is is not known, so nothing is planned but repairs: {read.unclear}"
        return ""

    async def _timed(self, step: str, asked: tuple[Snapshot, Mandate]) -> Plan:
        from allocator.decide import decide

        loop = asyncio.get_running_loop()
        began = loop.time()
        plan = await asyncio.to_thread(decide, *asked)
        self._observed(step, loop.time() - began)
        return plan

    async def _let_go(self, slot: Slot, plan: Plan, asked: tuple[Snapshot, Mandate]) -> Result:
        """Carry a plan out if it needs nobody; else leave it to people."""
        ports = self._ports
        if not plan.actions:
            note = plan.note or plan.status
            return Result("done", note, plan.plan_hash)
        if ports.dry:
            return Result("done", "proposed; dry: nothing is sent", plan.plan_hash)
        stands = standing(Book.of(*asked), plan, (), ports.approval, ports.clock.now())
        if stands.may_go:
            return await self._execute(slot, plan.plan_hash)
        with ports.office.write() as entry:
            entry.alert(
                "approval_wanted",
                plan=plan.plan_hash,
                people=stands.needed,
                until=stands.expires_at.isoformat(),
                cause=slot.cause,
            )
        note = f"waits for {stands.needed} to approve"
        return Result("done", note, plan.plan_hash)

    async def _execute(self, slot: Slot, plan_hash: str) -> Result:
        if self._ports.dry:
            raise RefusedError("DRY_RUN: mode dry sends nothing")
        found = self._ports.office.history.proposal(plan_hash)
        try:
            if found is not None:
                self._ports.mandates.check_holds(found.mandate, found.at)
                self._ports.words.check(found.plan, found.snapshot, found.mandate)
        except UnreadableError:
            # Nothing can be planned in its place either.
            raise
        except RefusedError as error:
            shut = isinstance(error, VenueShutError)
            self._again(slot, "a venue shut" if shut else MANDATE_CHANGED)
            raise
        loop = asyncio.get_running_loop()
        began = loop.time()
        report = await self._ports.executor.execute(plan_hash, slot=slot.name)
        self._observed("execute", loop.time() - began)
        if report.replan and report.status == "superseded":
            self._again(slot, "the book changed")
        status: Status = "failed" if report.status == "refused" else "done"
        return Result(status, _told(report), plan_hash)

    def _again(self, slot: Slot, why: str) -> None:
        """Ask for a new plan where the old one was overtaken, so many times at most."""
        if slot.name.count(AGAIN) >= MOST_AGAIN:
            return
        kind: Kind = "repair" if slot.kind == "repair" else "plan"
        if slot.kind == "execute":
            kind = self._kind_of(str(slot.plan_hash))
        self._ports.slots.add(
            Asked(
                name=again(slot.name),
                source="again",
                origin="again",
                kind=kind,
                cause=f"{why} under the plan of: {slot.cause}",
                due_at=self._ports.clock.now(),
            )
        )

    async def _gather(self, *, busy: bool) -> Reading:
        """Read everything, one reading at a time, and mark it."""
        ports, loop = self._ports, asyncio.get_running_loop()
        async with self._reading:
            began = loop.time()
            if self._monitor is not None:
                await to_its_end(self._monitor.before_reading)
            read = await read_book(ports.market, ports.executor, ports.office.history)
            self._observed("gather", loop.time() - began)
            missing = missing_of(read.gathered)
            if missing and missing.keys() != ports.live.missing.keys():
                log.warning("accounts were not read", extra={"missing": missing})
            ports.live.snapshot, ports.live.missing = read.snapshot, missing
            ports.live.unclear = read.unclear
            await to_its_end(self._mark, read, busy)
        return read

    def _mark(self, read: Reading, busy: bool) -> None:
        live, holds = self._ports.live, self._ports.mandates.holds()
        live.unreadable = holds if isinstance(holds, Unreadable) else None
        if self._monitor is None:
            return
        # Margins are watched whatever is the matter with the mandate.
        mandate = holds.mandate if isinstance(holds, Version) else None
        missing, statuses = missing_of(read.gathered), read.gathered.statuses
        self._monitor.take(
            read.snapshot, mandate, missing, statuses=statuses, places=read.places, busy=busy
        )
        live.marks = self._monitor.latest


def missing_of(gathered: Gathered) -> dict[str, str]:
    """Tell what was not read, by account."""
    return {row.account: row.what for row in gathered.missing}


def request(who: str, kind: str, now: datetime, plan_hash: str | None = None) -> Asked:
    """Tell the slot that a person asks for."""
    if kind == "execute":
        assert plan_hash is not None
        cause = f"{who} asked to carry out {plan_hash[:12]}"
        return Asked(executing(plan_hash), who, "execute", cause, now, plan_hash=plan_hash)
    cause = f"{who} asked for a plan"
    return Asked(named_at(who, now), who, "plan", cause, now)


def _told(report: ExecutionReport | None) -> str:
    if report is None:
        return "nothing was left open"
    return f"{report.status}: {report.why}" if report.why else report.status
