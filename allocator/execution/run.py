"""A plan that is being carried out, with everything its parts need."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from allocator.execution.attempts import Attempt, quantity
from allocator.execution.expectation import Expected, expected_now, may_arrive
from allocator.execution.journal import Journal
from allocator.execution.report import Progress, Watch
from allocator.execution.transitions import Stage, State
from allocator.models.base import json_value
from allocator.models.config import ExecutionConfig
from allocator.models.errors import JournalError, RefusedError
from allocator.models.intents import AccountReading
from allocator.models.mandate import Mandate
from allocator.models.plan import Action, Plan, Violation
from allocator.models.snapshot import Snapshot
from allocator.ports import Clock, Venue
from allocator.state import Book

Release = Callable[[Snapshot, Mandate, Plan], Sequence[Violation]]
"""Checks a plan against the snapshot and mandate it was made from; empty: it may go."""


class Abort(Exception):  # noqa: N818 - it ends a plan, it is no error
    """The rest of the plan is given up: a new one is wanted."""


class OutsideChange(Abort):
    """An account holds what we did not cause."""


class Parked(Exception):  # noqa: N818 - somebody asked for it
    """The plan stops here on request; it may be taken up again."""


@dataclass(frozen=True, slots=True)
class Shell:
    """What the executor works with.

    Attributes
    ----------
    venues
        By account.
    clock_skew_s
        Seconds by which a venue's clock may differ from ours.
    """

    journal: Journal
    venues: Mapping[str, Venue]
    clock: Clock
    config: ExecutionConfig
    watch: Watch
    stopping: asyncio.Event
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
            raise RefusedError(f"NO_VENUE: account={account}")
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

    async def pause(self, at_least: Decimal = Decimal(0)) -> None:
        """Wait until the next look at a venue."""
        await self.clock.sleep(float(max(self.config.poll_s, at_least)))


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
    """

    shell: Shell
    cycle_id: int
    plan: Plan
    book: Book
    baseline: dict[str, AccountReading] = field(default_factory=dict[str, AccountReading])
    seen: dict[str, AccountReading] = field(default_factory=dict[str, AccountReading])
    confirms: bool = True

    @classmethod
    def of_record(cls, shell: Shell, hash_: str) -> Run:
        """Take a plan up from the journal.

        Raises
        ------
        JournalError
            When it is not there.
        """
        record = shell.journal.history.plan(hash_)
        if record is None:
            raise JournalError(f"NO_PLAN: plan_hash={hash_}")
        run = cls(shell, record.cycle_id, record.plan, Book.of(record.snapshot, record.mandate))
        for name, data in (record.baseline or {}).items():
            run.baseline[name] = AccountReading.model_validate(data)
        run.seen = dict(run.baseline)
        return run

    def set_baseline(self, readings: Mapping[str, AccountReading]) -> None:
        """Keep what the accounts hold before anything is done."""
        data: dict[str, Any] = {name: json_value(row) for name, row in sorted(readings.items())}
        self.shell.journal.set_baseline(self.plan.plan_hash, data)
        self.baseline, self.seen = dict(readings), dict(readings)

    @property
    def accounts(self) -> tuple[str, ...]:
        """Accounts that the plan touches, sorted."""
        return tuple(sorted(self.baseline))

    def stages(self) -> dict[int, Stage]:
        """Tell where each action stands."""
        rows = self.shell.journal.history.actions(self.plan.plan_hash)
        return {row.seq: row.stage for row in rows}

    def attempts(self, seq: int | None = None) -> tuple[Attempt, ...]:
        """List what was sent so far."""
        return self.shell.journal.history.attempts(self.plan.plan_hash, seq)

    def filled(self, seq: int) -> Decimal:
        """Tell how much of an action was filled so far."""
        return sum((row.filled for row in self.attempts(seq)), Decimal(0))

    def expected(self, without: str | None = None) -> Expected:
        """Work out what the accounts should hold now.

        Parameters
        ----------
        without
            Client id of an attempt that is taken not to have happened.
        """
        mine = [row for row in self.attempts() if row.client_id != without]
        out = expected_now(self.book, self.baseline, mine)
        others = self.shell.journal.history.with_state(State.IN_TRANSIT, State.ACKED)
        may_arrive(out, [row for row in others if row.plan_hash != self.plan.plan_hash])
        return out

    def tell(self, attempt: Attempt, parts: int = 1) -> None:
        """Let the watcher know how an attempt stands."""
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

    def tell_stage(self, action: Action, stage: Stage, note: str) -> None:
        """Let the watcher know how an action stands."""
        now = self.shell.clock.now()
        self.shell.watch(Progress(at=now, seq=action.seq, kind=action.kind, state=stage, note=note))
