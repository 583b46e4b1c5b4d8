"""What became of the slots that urgent triggers asked for: a repair that came to nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from allocator.execution.history import History
from allocator.models.controls import ApprovalConfig
from allocator.models.errors import JournalError
from allocator.models.service import TriggerRule
from allocator.risk.approvals import standing
from allocator.risk.triggers import SAYS, Key, Line
from allocator.service.monitor.lines import firing_name
from allocator.service.scheduler.slots import Slot, Slots, again, anew, executing
from allocator.state import Book

LEAST_REST = timedelta(seconds=60)
"""Before it a firing has not come to nothing: what fails at once must not fire at every look."""

MOST_FOLLOWED = 8
"""Slots that are followed of one firing: a plan is made anew so many times at most."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Lost:
    """A firing that came to nothing.

    Attributes
    ----------
    expired
        The plan that nobody let go in time; empty: the slot itself failed or was missed.
    """

    key: Key
    cause: str
    expired: str = ""


class Outcomes:
    """Looks up what urgent triggers have started.

    Parameters
    ----------
    dry
        Whether nothing can be sent at all: then a plan expires without anybody being wanted.
    """

    def __init__(
        self, slots: Slots, history: History, approval: ApprovalConfig, *, dry: bool
    ) -> None:
        self._slots = slots
        self._history = history
        self._approval = approval
        self._dry = dry

    def lost(
        self, rules: Iterable[TriggerRule], lines: Mapping[Key, Line], now: datetime
    ) -> Iterator[Lost]:
        """Yield firings of urgent triggers that wait for their figure, and came to nothing."""
        urgent = {rule.id for rule in rules if rule.urgent}
        for (rule, subject), line in lines.items():
            if rule not in urgent or line.armed or line.fired_at is None:
                continue
            if timedelta() <= now - line.fired_at < LEAST_REST:
                continue
            slot = self._last(firing_name(rule, _fired_as(subject), line.fired_at))
            if slot is None:
                continue
            if slot.status in ("failed", "missed"):
                yield Lost((rule, subject), slot.cause)
            elif plan_hash := self._expired(slot, now):
                yield Lost((rule, subject), slot.cause, plan_hash)

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

    def _expired(self, slot: Slot, now: datetime) -> str:
        """Name the plan that a slot proposed and nobody let go in time; empty: there is none."""
        young = timedelta(seconds=float(self._approval.max_age_s))
        if self._dry or slot.status != "done" or slot.plan_hash is None or slot.ended_at is None:
            return ""
        if now <= slot.ended_at + young:
            # Reading the proposal costs, and its snapshot is hardly older than its slot.
            return ""
        try:
            found = self._history.proposal(slot.plan_hash)
        except JournalError:
            log.exception("a proposal cannot be read", extra={"plan": slot.plan_hash})
            return slot.plan_hash
        if found is None or found.begun or not found.plan.actions:
            return ""
        book = Book.of(found.snapshot, found.mandate)
        verdicts = self._history.verdicts(slot.plan_hash)
        stands = standing(book, found.plan, verdicts, self._approval, now)
        return slot.plan_hash if stands.status == "expired" else ""


def _fired_as(subject: str) -> str:
    """Tell the subject of the firing: what remembers a venue's words fires for the venue."""
    return next((subject.removesuffix(end) for end in SAYS if subject.endswith(end)), subject)
