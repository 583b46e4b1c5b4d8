"""A plan that is being carried out, with everything its parts need."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from allocator.execution.attempts import Attempt, quantity
from allocator.execution.expectation import Expected, Folding, may_arrive
from allocator.execution.filling import filled_effects
from allocator.execution.journal import Journal
from allocator.execution.recent import Recent
from allocator.execution.release import units_of
from allocator.execution.report import Progress, Watch
from allocator.execution.shortfall import Shortfall, shortfalls
from allocator.execution.slices import leg_of, parts_of
from allocator.execution.transitions import Stage, State
from allocator.models.base import json_value
from allocator.models.canonical import mandate_hash, snapshot_hash
from allocator.models.config import ExecutionConfig
from allocator.models.controls import ControlsConfig
from allocator.models.errors import JournalError, RefusedError
from allocator.models.intents import AccountReading, Quote
from allocator.models.mandate import Mandate
from allocator.models.plan import Action, Plan, Violation
from allocator.models.snapshot import Snapshot
from allocator.ports import Clock, Venue
from allocator.state import Book
from allocator.state import State as BookState

Release = Callable[[Snapshot, Mandate, Plan], Sequence[Violation]]
"""Checks a plan against the snapshot and mandate it was made from; empty: it may go."""


class Abort(Exception):  # noqa: N818 - it ends a plan, it is no error
    """The rest of the plan is given up: a new one is wanted."""


class OutsideChange(Abort):
    """Accounts hold what we did not cause.

    Parameters
    ----------
    accounts
        Which, where that is known.
    """

    def __init__(self, why: str, accounts: Iterable[str] = ()) -> None:
        super().__init__(why)
        self.accounts = frozenset(accounts)


class Parked(Exception):  # noqa: N818 - somebody asked for it
    """The plan stops here on request; it may be taken up again."""


class Marks:
    """Marks of instruments as they were seen, for the collar over a window."""

    def __init__(self) -> None:
        self._rows: defaultdict[str, deque[tuple[datetime, Decimal]]] = defaultdict(deque)

    def add(self, quote: Quote) -> None:
        """Remember a mark."""
        self._rows[quote.instrument].append((quote.at, quote.mark))

    def latest(self) -> dict[str, Decimal]:
        """Tell the mark of every instrument that was seen last."""
        return {name: rows[-1][1] for name, rows in self._rows.items() if rows}

    def within(self, instrument: str, since: datetime) -> tuple[Decimal, ...]:
        """List marks since a time, forgetting older ones."""
        rows = self._rows[instrument]
        while rows and rows[0][0] < since:
            rows.popleft()
        return tuple(mark for _, mark in rows)


@dataclass(frozen=True, slots=True)
class Shell:
    """What the executor works with.

    Attributes
    ----------
    venues
        By account.
    controls
        Limits that every request is held against.
    recent, marks
        What was sent and seen before, as the controls need it.
    armed
        When the dead man's switch of an account was set last.
    asking
        Accounts whose switch is being set just now, by whoever waits beside us.
    ended
        Client ids of transfers that wait for an operator and were told as over before.
    clock_skew_s
        Seconds by which a venue's clock may differ from ours.
    """

    journal: Journal
    venues: Mapping[str, Venue]
    clock: Clock
    config: ExecutionConfig
    watch: Watch
    stopping: asyncio.Event
    controls: ControlsConfig
    recent: Recent = field(default_factory=Recent)
    armed: dict[str, datetime] = field(default_factory=dict[str, datetime])
    asking: set[str] = field(default_factory=set[str])
    marks: Marks = field(default_factory=Marks)
    ended: set[str] = field(default_factory=set[str])
    clock_skew_s: Decimal = Decimal(1)

    def venue(self, account: str) -> Venue:
        """Look up who is asked for an account.

        Raises
        ------
        RefusedError
            When the account has no venue here.
        """
        venue = self.venues.get(account)
        if venue is None:
            raise RefusedError(
                f"NO_VENUE: account={account}; it is not opened here: put it back into the "
                "configuration until what was planned or sent for it has ended"
            )
        return venue

    def check_stop(self) -> None:
        """Stop here if somebody asked for it.

        Raises
        ------
        Parked
            When a stop was asked for.
        """
        if self.stopping.is_set():
            raise Parked


@dataclass(slots=True)
class Run:
    """One plan under way.

    Attributes
    ----------
    baseline
        What each account held before the first action.
    seen
        The latest complete reading of each account.
    confirms
        Whether money counts as arrived only once its receiver shows it; not so for a plan that
        was given up, whose accounts have moved on.
    shortfalls
        What its actions came to, by number, once that was measured.
    back
        Client ids of transfers that the venue tells as returned, on record or not yet.
    """

    shell: Shell
    cycle_id: int
    plan: Plan
    book: Book
    baseline: dict[str, AccountReading] = field(default_factory=dict[str, AccountReading])
    seen: dict[str, AccountReading] = field(default_factory=dict[str, AccountReading])
    confirms: bool = True
    shortfalls: dict[int, Shortfall] = field(default_factory=dict[int, Shortfall])
    back: set[str] = field(default_factory=set[str])
    _attempts: dict[str, Attempt] | None = None
    _stages: dict[int, Stage] | None = None
    _folding: Folding | None = None
    _parts: dict[int, int] | None = None
    _others: tuple[Attempt, ...] | None = None

    @classmethod
    def of_record(cls, shell: Shell, hash_: str) -> Run:
        """Take a plan up from the journal.

        Raises
        ------
        JournalError
            When it is not there, or what it was made from is not what it was bound to.
        """
        record = shell.journal.history.plan(hash_)
        if record is None:
            raise JournalError(f"NO_PLAN: plan_hash={hash_}")
        bound = (record.plan.snapshot_hash, record.plan.mandate_hash)
        if bound != (snapshot_hash(record.snapshot), mandate_hash(record.mandate)):
            raise JournalError(f"PLAN_CHANGED: plan_hash={hash_} what=snapshot or mandate")
        run = cls(shell, record.cycle_id, record.plan, Book.of(record.snapshot, record.mandate))
        for name, data in (record.baseline or {}).items():
            run.baseline[name] = AccountReading.model_validate(data)
        run.seen = dict(run.baseline)
        return run

    def set_baseline(self, readings: Mapping[str, AccountReading]) -> None:
        """Keep what the accounts hold before anything is done."""
        data: dict[str, Any] = {name: json_value(row) for name, row in sorted(readings.items())}
        self.shell.journal.set_baseline(self.plan.plan_hash, data)
        self.hold(readings)

    def hold(self, readings: Mapping[str, AccountReading]) -> None:
        """Go by what the accounts hold, which is not on record yet."""
        self.baseline, self.seen = dict(readings), dict(readings)

    @property
    def accounts(self) -> tuple[str, ...]:
        """Accounts that the plan touches, sorted."""
        return tuple(sorted(self.baseline))

    def stages(self) -> dict[int, Stage]:
        """Tell where each action stands."""
        if self._stages is None:
            rows = self.shell.journal.history.actions(self.plan.plan_hash)
            self._stages = {row.seq: row.stage for row in rows}
        return dict(self._stages)

    def measure(self) -> None:
        """Keep what the actions came to against the plan's forecast."""
        marks = self.shell.marks.latest()
        rows = shortfalls(self.book, self.plan, self.attempts(), marks)
        self.shell.journal.measured(self.plan.plan_hash, rows)
        self.shortfalls = {row.seq: row for row in rows}

    def set_stage(self, seqs: Sequence[int], to: Stage, reason: str = "") -> None:
        """Step actions, in the journal and here."""
        self.shell.journal.set_stage(self.plan.plan_hash, seqs, to, reason)
        self.note_stage(seqs, to)

    def note_stage(self, seqs: Sequence[int], to: Stage) -> None:
        """Take note of a step that the journal has made."""
        if self._stages is not None:
            self._stages.update(dict.fromkeys(seqs, to))

    def keep(self, attempt: Attempt) -> Attempt:
        """Take note of how an attempt stands now."""
        self._known()[attempt.client_id] = attempt
        return attempt

    def _known(self) -> dict[str, Attempt]:
        # This process is the only one that steps the attempts of a run, so they are read once;
        # but for those that wait for an operator, who may have ended them by now.
        history = self.shell.journal.history
        if self._attempts is None:
            rows = history.attempts(self.plan.plan_hash)
            self._attempts = {row.client_id: row for row in rows}
        for id_, row in self._attempts.items():
            if row.state is State.MANUAL:
                self._attempts[id_] = history.attempt(id_) or row
        return self._attempts

    def attempts(self, seq: int | None = None) -> tuple[Attempt, ...]:
        """List what was sent so far."""
        rows = self._known().values()
        return tuple(row for row in rows if seq is None or row.seq == seq)

    def filled(self, seq: int) -> Decimal:
        """Tell how much of an action was filled so far."""
        return sum((row.filled for row in self.attempts(seq)), Decimal(0))

    def state(self) -> BookState:
        """Tell where the book stands, by the fills that are known."""
        effects = filled_effects(self.book, self.plan, self._known().values())
        return BookState.start(self.book).after(effects)

    def expected(self, without: Collection[str] = ()) -> Expected:
        """Work out what the accounts should hold now.

        Parameters
        ----------
        without
            Client ids of attempts that are taken not to have happened.
        """
        mine = [row for row in self._known().values() if row.client_id not in without]
        if self._folding is None or not self._folding.folded.isdisjoint(without):
            self._folding = Folding(self.book, self.baseline)
        out = self._folding.expected(mine)
        may_arrive(out, self._others_under_way())
        return out

    def _others_under_way(self) -> tuple[Attempt, ...]:
        # A start settles what earlier plans left before it takes one up, and one plan is carried
        # out at a time: what is under way when a run first asks stays so until it ends.
        if self._others is None:
            rows = self.shell.journal.history.with_state(State.IN_TRANSIT, State.ACKED)
            mine = self.plan.plan_hash
            self._others = tuple(row for row in rows if row.plan_hash != mine)
        return self._others

    def tell(self, attempt: Attempt, parts: int = 0) -> None:
        """Let the watcher know how an attempt stands; parts: 0: as many slices as planned."""
        parts = parts or self._planned_parts(attempt.seq)
        self.shell.watch(
            Progress(
                at=self.shell.clock.now(),
                seq=attempt.seq,
                kind=attempt.kind,
                state=attempt.state,
                part=attempt.part,
                parts=max(parts, attempt.part),
                filled=attempt.filled,
                quantity=quantity(attempt.intent),
                note=attempt.reason,
            )
        )

    def _planned_parts(self, seq: int) -> int:
        if self._parts is None:
            self._parts = {}
            for unit in units_of(self.plan):
                legs = [leg_of(self.book, order) for order in unit.orders]
                parts = parts_of(legs, self.book.policy.max_slice) if legs else 1
                self._parts |= dict.fromkeys(unit.seqs, parts)
        return self._parts[seq]

    def tell_stage(self, action: Action, stage: Stage, note: str) -> None:
        """Let the watcher know how an action stands."""
        now = self.shell.clock.now()
        self.shell.watch(Progress(at=now, seq=action.seq, kind=action.kind, state=stage, note=note))
