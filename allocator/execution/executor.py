"""Carries out plans, one at a time: admits, sends in order, guards, reconciles, reports."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from functools import cache, partial

from allocator.execution.admission import Case, Rules, admit, only_reduces, still_approved
from allocator.execution.away import away, how_left, is_away
from allocator.execution.clocks import check_clocks
from allocator.execution.endings import close
from allocator.execution.expectation import of_snapshot
from allocator.execution.history import History
from allocator.execution.journal import Journal
from allocator.execution.orders import Orders
from allocator.execution.readings import guard, read_complete
from allocator.execution.recent import DAY
from allocator.execution.reconcile import reconcile
from allocator.execution.recorded import plan_known
from allocator.execution.recovery import Recovery
from allocator.execution.release import WAITING, Unit, accounts_of, ready
from allocator.execution.report import ExecutionReport, Watch, nothing
from allocator.execution.requests import Requests
from allocator.execution.run import Abort, OutsideChange, Parked, Release, Run, Shell
from allocator.execution.summary import Course, outcome, summarise
from allocator.execution.switches import Switches
from allocator.execution.transfers import Transfers
from allocator.execution.transitions import Stage, State
from allocator.execution.waits import pause
from allocator.execution.whereabouts import (
    Whereabouts,
    ended_since,
    exposed,
    have_ended,
    whereabouts,
)
from allocator.models.base import stamp
from allocator.models.config import ExecutionConfig
from allocator.models.controls import ApprovalConfig, ControlsConfig
from allocator.models.errors import JournalError, RefusedError
from allocator.models.mandate import Mandate
from allocator.models.plan import Plan, PositionMove, Transfer
from allocator.models.snapshot import Snapshot
from allocator.ports import Clock, Venue
from allocator.state import Book

_Begin = Callable[[Run], Awaitable[None]]


class Executor:
    """Carries out plans through the venues of their accounts.

    Parameters
    ----------
    journal
        The durable record, written as leader.
    venues
        By account.
    release
        Checks a plan independently; nothing is sent that it has not let through.
    controls
        Limits that every request is held against; by default none is set, so nothing is sent.
    approval
        Who has to let a plan go; by default two people every plan.
    max_age_s
        Seconds a snapshot may be old when a plan that nobody had to look at begins.
    watch
        Is told of everything that happens, as it happens.
    ended
        Called once a cycle has ended, so that where the audit ends can be kept elsewhere.
    """

    def __init__(  # noqa: PLR0913 - the ports it works with
        self,
        journal: Journal,
        venues: Mapping[str, Venue],
        clock: Clock,
        *,
        release: Release,
        config: ExecutionConfig | None = None,
        controls: ControlsConfig | None = None,
        approval: ApprovalConfig | None = None,
        max_age_s: Decimal = Decimal(60),
        watch: Watch = nothing,
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        self.ended = ended
        self._rules = Rules(release, approval or ApprovalConfig(), max_age_s)
        self._shell = Shell(
            journal=journal,
            venues=venues,
            clock=clock,
            config=config or ExecutionConfig(),
            watch=watch,
            stopping=asyncio.Event(),
            controls=controls or ControlsConfig(),
        )
        self._switches = Switches(self._shell)

    def stop(self) -> None:
        """Ask to stop: what is being sent is followed to its end, the rest is parked."""
        self._shell.stopping.set()

    async def run(  # noqa: PLR0913 - who and when, beside what
        self,
        plan: Plan,
        snapshot: Snapshot,
        mandate: Mandate,
        *,
        slot: str | None = None,
        proposer: str = "",
        approver: str | None = None,
    ) -> ExecutionReport:
        """Carry out a plan.

        Parameters
        ----------
        slot
            Names the cycle; each slot has one.
        proposer, approver
            Who made the plan, and who lets it go here and now, beside those whose verdicts are
            stored; not the same.

        Raises
        ------
        RefusedError
            When the plan is not let in: nothing was sent.
        StaleError
            When its snapshot is too old: nothing was sent.
        JournalError
            When the record contradicts itself, or another leader took over.
        """
        case = Case(plan, snapshot, mandate, proposer, approver)
        self._check_clean(plan)
        admit(self._shell, case, self._rules)
        run = self._begin(case, slot)

        async def start(run: Run) -> None:
            approval = still_approved(self._shell, case, self._rules)
            if approval.approvers:
                self._shell.journal.approve(plan.plan_hash, ", ".join(approval.approvers))
            await self._start(run)

        return await self._carry(run, start)

    async def execute(self, plan_hash: str, *, slot: str | None = None) -> ExecutionReport:
        """Carry out a proposed plan that people have let go.

        Raises
        ------
        RefusedError
            When it is not known, not approved as it has to be, or not let in.
        StaleError
            When its snapshot is too old.
        JournalError
            When the record contradicts itself, or another leader took over.
        """
        found = self._shell.journal.history.proposal(plan_hash)
        if found is None:
            raise RefusedError(f"NOT_PROPOSED: plan_hash={plan_hash}")
        return await self.run(
            found.plan, found.snapshot, found.mandate, slot=slot, proposer=found.proposer
        )

    async def resume(self) -> ExecutionReport | None:
        """Settle what an earlier start left open, and go on with its plan if that is safe.

        Must end before anything new is sent. None: there was no unfinished plan.
        """
        recovery = Recovery(self._shell)
        return await self._take_up(recovery, recovery.take_up)

    async def give_up(self, why: str) -> ExecutionReport | None:
        """Settle what an earlier start left open, and give its plan up: nothing new is sent.

        None: there was no unfinished plan.
        """

        async def given_up(_run: Run) -> None:
            raise Abort(why)

        return await self._take_up(Recovery(self._shell), given_up)

    async def _take_up(self, recovery: Recovery, begin: _Begin) -> ExecutionReport | None:
        self._switches.take_over()
        await recovery.settle_attempts()
        # What waits for an operator may stand in the market: its switch stays.
        await self._switches.take_back()
        report: ExecutionReport | None = None
        for cycle in self._shell.journal.history.unfinished():
            if cycle.plan_hash is None:
                self._shell.journal.close_cycle(cycle.id, "superseded", "it had no plan yet")
                continue
            run = Run.of_record(self._shell, cycle.plan_hash)
            report = await self._carry(run, begin, resumed=True)
        return report

    def unsettled(self) -> tuple[str, ...]:
        """Tell of open requests whose accounts are not opened here, and what to do."""
        return tuple(how_left(row) for row in away(self._shell))

    def _check_clean(self, plan: Plan) -> None:
        history = self._shell.journal.history
        open_ = [row for row in history.open_attempts() if row.state is not State.IN_TRANSIT]
        if gone := [how_left(row) for row in open_ if is_away(self._shell, row)]:
            raise RefusedError(f"UNRESOLVED: {'; '.join(gone)}")
        if open_ or history.unfinished():
            raise RefusedError(
                "UNRESOLVED: an earlier start left something open; "
                "the next `allocator execute` or cycle takes it up"
            )
        known = history.plan(plan.plan_hash)
        if known is not None:
            raise RefusedError(plan_known(history.cycle(known.cycle_id)))

    def _begin(self, case: Case, slot: str | None) -> Run:
        journal, plan = self._shell.journal, case.plan
        name = f"{stamp(case.snapshot.as_of)} {plan.plan_hash[:12]}" if slot is None else slot
        cycle = journal.open_cycle(journal.lease.name, name)
        if cycle is None:
            raise RefusedError(f"SLOT_TAKEN: slot={name}")
        journal.record_plan(cycle, plan, case.snapshot, case.mandate, case.proposer)
        journal.set_stage(plan.plan_hash, [row.seq for row in plan.actions], Stage.CHECKED)
        return Run.of_record(self._shell, plan.plan_hash)

    async def whereabouts(self) -> Whereabouts:
        """Ask where money is that was sent and has no end in the record; nothing is written.

        Ask after the accounts were read: what is on its way then was not in their wallets.
        """
        return await whereabouts(self._shell)

    async def _start(self, run: Run) -> None:
        """Read every account of a plan; it must hold what the plan was made for.

        So must accounts whose money was on its way when the plan was made: what a wallet held
        already and the record had in flight as well was counted twice.
        """
        now = await self.whereabouts()
        ended = ended_since(run.shell, run.book.snapshot, now)
        names = {name for action in run.plan.actions for name in accounts_of(action)}
        purses = {pair for pair in ended.purses if pair[0] in run.shell.venues}
        readings = await read_complete(run.shell, names | {name for name, _ in purses})
        expected = of_snapshot(run.book, readings)
        have_ended(expected, ended)
        breaks = [
            row
            for name in sorted(readings)
            for row in expected.breaks(readings[name])
            if name in names or (name, row.what) in purses
        ]
        mine = {name: row for name, row in readings.items() if name in names}
        run.hold(mine)
        unclear = exposed(run.book.snapshot.assets, now.unclear)
        if unclear and not only_reduces(run.book, run.plan):
            raise OutsideChange(f"where this is is not known: {unclear}")
        await check_clocks(run, readings)
        if breaks:
            told = "; ".join(str(row) for row in breaks)
            raise OutsideChange(
                f"the book is not the snapshot's: {told}", {row.account for row in breaks}
            )
        # Once it has passed, not before: a start that finds it on record goes on with the plan.
        run.set_baseline(mine)

    async def _carry(self, run: Run, begin: _Begin, *, resumed: bool = False) -> ExecutionReport:
        """Go through a plan from wherever it stands to its end."""
        journal = run.shell.journal
        _count_anew(run)
        course = Course(run.shell.clock.now(), resumed)
        gave_up = False
        try:
            await begin(run)
            await self._work(run)
        except Abort as error:
            course.why, gave_up = str(error), True
            course.outside = error.accounts if isinstance(error, OutsideChange) else frozenset()
        except Parked:
            course.status, course.why = "parked", "stopped on request"
            journal.close_cycle(run.cycle_id, "parked", course.why)
            return summarise(run, course)
        except asyncio.CancelledError:
            journal.close_cycle(run.cycle_id, "parked", "cancelled")
            raise
        self._give_up_rest(run, course.why or "what it waits for did not end well")
        course.breaks, course.reconciled = await reconcile(run, explained=course.outside)
        run.measure()
        course.status = outcome(journal.history.actions(run.plan.plan_hash), gave_up=gave_up)
        ended = "superseded" if course.status == "superseded" else "ended"
        journal.close_cycle(run.cycle_id, ended, course.why)
        self.ended()
        return summarise(run, course)

    async def _work(self, run: Run) -> None:
        """Release the plan's actions until none may go and nothing is under way."""
        requests = Requests(run)
        try:
            await self._release(run, Transfers(run, requests), Orders(run, requests))
        except (Abort, Parked):
            await self._switches.take_back()
            raise
        await self._switches.take_back()

    async def _release(self, run: Run, transfers: Transfers, orders: Orders) -> None:
        while True:
            run.shell.check_stop()
            await transfers.follow()
            unit = next(
                (row for row in ready(run.plan, run.stages()) if _free(transfers, row)), None
            )
            if unit is None:
                if not transfers.under_way():
                    return
                await self._switches.leave(())
                await pause(run.shell, transfers.next_look_s())
                continue
            await self._switches.leave({row.account for row in unit.orders})
            await guard(run, unit.accounts)
            first = unit.actions[0]
            if isinstance(first, Transfer | PositionMove):
                await transfers.start(first)
            else:
                await orders.work(unit)

    def _give_up_rest(self, run: Run, why: str) -> None:
        stages = run.stages()
        for action in run.plan.actions:
            if stages[action.seq] is Stage.WORKING:
                close(run, action, why)
        before = WAITING | {Stage.PLANNED}
        rest = [action for action in run.plan.actions if stages[action.seq] in before]
        if rest:
            seqs = [action.seq for action in rest]
            run.set_stage(seqs, Stage.SUPERSEDED, why)
        for action in rest:
            run.tell_stage(action, Stage.SUPERSEDED, why)


def _count_anew(run: Run) -> None:
    """Count what the record has of the last day, for the controls."""
    shell, now = run.shell, run.shell.clock.now()
    history = shell.journal.history
    sent, cancels = history.attempts_since(now - DAY), history.cancels_since(now - DAY)
    last = max((*(row.intent_at for row in sent), *(at for at, _ in cancels)), default=now)
    written = history.written_by(now) if last > now else {}
    shell.recent.load(run.book, sent, cancels, cache(partial(_made_for, history)), written)


def _made_for(history: History, plan_hash: str) -> Book | None:
    """Read the book that a plan was made for; one that cannot be read ends no other plan."""
    try:
        record = history.plan(plan_hash)
    except JournalError:
        return None
    return None if record is None else Book.of(record.snapshot, record.mandate)


def _free(transfers: Transfers, unit: Unit) -> bool:
    first = unit.actions[0]
    return not isinstance(first, Transfer) or transfers.may_start(first)
