"""Watches the leader's own work: looks that fail one after another, a slot that hangs."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from allocator.models.base import stamp
from allocator.models.config import Config
from allocator.service.live import Live
from allocator.service.states import States, Tell

MOST_FAILED = 3
"""Looks in a row that may fail untold: a venue may be out of reach for a moment."""


def longest_wait_s(config: Config) -> Decimal:
    """Tell for how long a slot may make no step: every wait in it ends by one of these.

    It reads once, waits for a transfer, and looks an unknown outcome up. A slot that goes on for
    long, slice by slice, makes steps.
    """
    execution = config.execution
    return config.gather.deadline_s + execution.transfer_timeout_s + execution.unknown_deadline_s


class Vigil:
    """Is told of looks, looks at the running slot now and then, and alerts once for each state.

    Parameters
    ----------
    live
        Says which slot runs and how many steps were made.
    most_s
        Seconds without a step after which a slot hangs.
    """

    def __init__(self, live: Live, most_s: Decimal, tell: Tell) -> None:
        self.most_s = most_s
        self._live = live
        self._states = States(tell)
        self._failed = 0
        self._seen: tuple[str, int] = ("", 0)
        self._began_at: datetime | None = None
        self._step_at: datetime | None = None

    def looked(self, error: Exception | None = None) -> None:
        """Take in how a look at the book went."""
        self._failed = 0 if error is None else self._failed + 1
        if error is None:
            self._states.take("look_failed", "")
        elif self._failed >= MOST_FAILED:
            why = f"{type(error).__name__}: {error}"[:500]
            self._states.take("look_failed", "failed", looks=str(self._failed), why=why)

    def watch(self, now: datetime) -> None:
        """Look at the running slot."""
        name, steps = self._live.busy, self._live.steps_made
        if name != self._seen[0]:
            self._began_at = now if name else None
        if (name, steps) != self._seen:
            self._step_at = now
        self._seen = name, steps
        self._states.take(
            "slot_hangs",
            name if self.hangs(now) else "",
            slot=name,
            since="" if self._step_at is None else stamp(self._step_at),
        )

    def age_s(self, now: datetime) -> float:
        """Tell for how long the slot has run; 0: none runs."""
        return _since(self._began_at, now) if self._live.busy else 0.0

    def silent_s(self, now: datetime) -> float:
        """Tell for how long the running slot has made no step; 0: none runs."""
        return _since(self._step_at, now) if self._live.busy else 0.0

    def hangs(self, now: datetime) -> str:
        """Say that the running slot hangs, to whoever asks; empty: it does not."""
        if self.silent_s(now) <= self.most_s or self._step_at is None:
            return ""
        return f"the running slot has made no step since {stamp(self._step_at)}"


def _since(at: datetime | None, now: datetime) -> float:
    return 0.0 if at is None else (now - at).total_seconds()
