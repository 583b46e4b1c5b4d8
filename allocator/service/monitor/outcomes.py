"""What became of the slots that urgent triggers asked for: a repair that did not mend it."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from sqlmodel import Session, col, select

from allocator.execution.history import History
from allocator.execution.transitions import Stage
from allocator.models.controls import ApprovalConfig
from allocator.models.errors import JournalError
from allocator.models.plan import Plan
from allocator.models.records import CycleRow, PlanRow
from allocator.models.service import TriggerRule
from allocator.risk.approvals import standing
from allocator.risk.breaker import Breaker
from allocator.risk.triggers import SAYS, Key, Line
from allocator.service.monitor.lines import firing_name
from allocator.service.repairs import NOTHING_BROKEN
from allocator.service.scheduler.slot import Slot, again, anew, executing
from allocator.service.scheduler.slots import Slots
from allocator.state import Book

LEAST_REST = timedelta(seconds=60)
"""Before it a firing has not come to nothing: what fails at once must not fire at every look. And
before it what was carried out need not show: an exchange may tell it late."""

MOST_FOLLOWED = 8
"""Slots that are followed of one firing: a plan is made anew so many times at most."""

KNOWN = 64
"""Plans of which it is kept what they promise."""

PART = "carried out in part: {done} of {count} actions ended as planned"
LEAVES = "carried out whole, but it leaves broken: {left}"
NO_ACTIONS = "the plan does nothing: {why}"
GIVEN_UP = "given up"
UNTOLD = "the slot came to no plan"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Lost:
    """A firing that came to nothing, or to a part of what was wanted, or did not last.

    Attributes
    ----------
    plan
        The plan that it came to; empty: none.
    why
        What became of it, in words that are the same each time it happens; empty: the slot itself
        failed or was missed, which is alerted where that is found, or one of the next two is so.
    note
        What the record says beside that.
    idle
        Whether nothing was broken that could be repaired, or all of it was: it is lost once
        something is broken, or the figure is clearly graver.
    expired
        Whether nobody let the plan go in time.
    acted
        Whether something was filled or moved.
    slot
        How the slot itself failed.
    """

    key: Key
    cause: str
    plan: str = ""
    why: str = ""
    note: str = ""
    idle: bool = False
    expired: bool = False
    acted: bool = False
    slot: str = ""

    @property
    def by(self) -> str:
        """What it came to nothing by: words without figures, by which one cause is another's."""
        return re.sub(r"\d+", "", "expired" if self.expired else self.why or self.slot)

    @property
    def alert(self) -> tuple[str, Mapping[str, str]] | None:
        """Topic and facts of what people are to be told; None: they are told already."""
        if self.expired:
            return "approval_expired", {"plan": self.plan, "cause": self.cause}
        if not self.why:
            return None
        rule, subject = self.key
        facts = {"trigger": rule, "of": fired_as(subject), "why": self.why, "plan": self.plan}
        facts |= {"note": self.note, "cause": self.cause}
        return "repair_unavailing", {name: value for name, value in facts.items() if value}


@dataclass(frozen=True, slots=True)
class _Carried:
    """The cycle that carried a plan out."""

    status: str
    note: str
    ended_at: datetime | None
    plan_hash: str | None


@dataclass(frozen=True, slots=True)
class _Promise:
    """What a plan would do, and what it leaves broken; `read` tells whether it can be told."""

    acts: bool = True
    left: str = ""
    why: str = ""
    read: bool = True


class Outcomes:
    """Looks up what urgent triggers have started.

    Parameters
    ----------
    dry
        Whether nothing can be sent at all: then no plan mends anything, and nobody is wanted.
    """

    def __init__(
        self, slots: Slots, history: History, approval: ApprovalConfig, *, dry: bool
    ) -> None:
        self._slots = slots
        self._history = history
        self._approval = approval
        self._dry = dry
        self._promise = lru_cache(KNOWN)(self._read_promise)

    def lost(
        self, rules: Iterable[TriggerRule], lines: Mapping[Key, Line], now: datetime
    ) -> Iterator[Lost]:
        """Yield firings of urgent triggers that wait for their figure, and did not mend it.

        What was mended whole is among them, as idle: its figure may stay short of the release,
        and grow again. Whether the figure has come back meanwhile, or something is broken, is not
        looked at.
        """
        urgent = {rule.id for rule in rules if rule.urgent}
        for (rule, subject), line in lines.items():
            if rule not in urgent or line.armed or line.fired_at is None:
                continue
            if not _rested(line.fired_at, now):
                continue
            slot = self._last(firing_name(rule, fired_as(subject), line.fired_at))
            if slot is None:
                continue
            if slot.status in ("failed", "missed"):
                # What follows the code tells times and figures.
                how = f"{slot.status} {slot.note.partition(':')[0]}"
                yield Lost((rule, subject), slot.cause, slot=how)
            elif slot.status == "done" and not self._dry:
                found = self._undone((rule, subject), slot, now)
                if found is not None:
                    yield found

    def resumed(self) -> frozenset[tuple[str, datetime]]:
        """Tell which scopes were halted and act again, and since when."""
        rows = self._history.breakers()
        return frozenset((row.scope, row.at) for row in rows if row.state is Breaker.ACTIVE)

    def _last(self, name: str) -> Slot | None:
        """Find the slot that a firing has come to: one that was overtaken has a successor.

        That is what was planned anew in its place, or what carries its approved plan out; nothing
        is lost while the successor is under way, and all of it where the successor is.
        """
        slot = self._slots.named(name)
        for _ in range(MOST_FOLLOWED):
            later = None if slot is None else self._follows(slot)
            if later is None:
                break
            slot = later
        return slot

    def _follows(self, slot: Slot) -> Slot | None:
        """Find the slot that took the place of one; what was called back takes none."""
        names = [again(slot.name)]
        if slot.plan_hash is not None:
            names += [executing(slot.plan_hash), anew(slot.plan_hash)]
        found = (self._slots.named(name) for name in names if name != slot.name)
        return next((row for row in found if row is not None and row.status != "skipped"), None)

    def _undone(self, key: Key, slot: Slot, now: datetime) -> Lost | None:
        """Tell what is wanting where a slot is done; None: nothing, or it is too early to tell."""
        cycle = self._cycle(slot)
        if cycle is not None:
            return self._carried(key, slot, cycle, now)
        if slot.plan_hash is not None:
            return self._proposed(key, slot, slot.plan_hash, now)
        if not _rested(slot.ended_at, now):
            return None
        if slot.note == NOTHING_BROKEN:
            return Lost(key, slot.cause, idle=True)
        return Lost(key, slot.cause, why=slot.note or UNTOLD)

    def _cycle(self, slot: Slot) -> _Carried | None:
        """Find the cycle of a slot's plan, whoever asked for it; of one without a plan, its own.

        A slot that was carried on by a later leader tells no plan: its cycle does.
        """
        query = select(CycleRow, PlanRow.plan_hash).join(PlanRow, isouter=True)
        if slot.plan_hash is None:
            query = query.where(
                CycleRow.portfolio == self._slots.portfolio, CycleRow.slot == slot.name
            )
        else:
            query = query.where(col(PlanRow.plan_hash) == slot.plan_hash)
        with Session(self._slots.reads) as session:
            found = session.exec(query).first()
            if found is None:
                return None
            row, plan_hash = found
            return _Carried(row.status, row.note, row.ended_at, plan_hash)

    def _carried(self, key: Key, slot: Slot, cycle: _Carried, now: datetime) -> Lost | None:
        """Tell what is wanting of a plan that was begun; what is under way wants nothing yet."""
        if cycle.status in ("open", "parked") or not _rested(cycle.ended_at, now):
            return None
        plan_hash, why = cycle.plan_hash or "", GIVEN_UP
        if cycle.status == "ended":
            stages = [row.stage for row in self._history.actions(plan_hash)]
            done = stages.count(Stage.DONE)
            if Stage.WORKING in stages:
                return None
            left = self._promise(plan_hash).left
            if done < len(stages):
                why = PART.format(done=done, count=len(stages))
            elif left:
                why = LEAVES.format(left=left)
            else:
                return Lost(key, slot.cause, plan_hash, idle=True)
        acted = any(row.filled for row in self._history.attempts(plan_hash))
        return Lost(key, slot.cause, plan_hash, why, cycle.note, acted=acted)

    def _proposed(self, key: Key, slot: Slot, plan_hash: str, now: datetime) -> Lost | None:
        """Tell what is wanting of a plan that was not begun."""
        promise = self._promise(plan_hash)
        if not promise.acts:
            if not _rested(slot.ended_at, now):
                return None
            return Lost(key, slot.cause, plan_hash, NO_ACTIONS.format(why=promise.why))
        if self._expired(slot, plan_hash, now, readable=promise.read):
            return Lost(key, slot.cause, plan_hash, expired=True)
        return None

    def _expired(self, slot: Slot, plan_hash: str, now: datetime, *, readable: bool) -> bool:
        """Tell whether nobody let a plan go in time; of one that cannot be read nobody can."""
        young = timedelta(seconds=float(self._approval.max_age_s))
        if slot.ended_at is None or now <= slot.ended_at + young:
            # Reading the proposal costs, and its snapshot is hardly older than its slot.
            return False
        if not readable:
            return True
        found = self._history.proposal(plan_hash)
        if found is None:
            return False
        book = Book.of(found.snapshot, found.mandate)
        verdicts = self._history.verdicts(plan_hash)
        return standing(book, found.plan, verdicts, self._approval, now).status == "expired"

    def _read_promise(self, plan_hash: str) -> _Promise:
        try:
            found = self._history.proposal(plan_hash)
        except JournalError:
            log.exception("a proposal cannot be read", extra={"plan": plan_hash})
            return _Promise(read=False)
        if found is None:
            return _Promise()
        left = _left(found.plan)
        why = left or found.plan.note or found.plan.status
        return _Promise(acts=bool(found.plan.actions), left=left, why=why)


def _left(plan: Plan) -> str:
    """Name what a plan leaves broken, without figures; empty: nothing."""
    return "; ".join((*(row.what for row in plan.infeasible), *plan.unrepairable))


def _rested(since: datetime | None, now: datetime) -> bool:
    """Tell whether a time is long enough ago; one of a far future was told by a clock ahead.

    What ended while the book was read is a little later than the book.
    """
    return since is not None and abs(now - since) >= LEAST_REST


def fired_as(subject: str) -> str:
    """Tell the subject of the firing: what remembers a venue's words fires for the venue."""
    return next((subject.removesuffix(end) for end in SAYS if subject.endswith(end)), subject)
