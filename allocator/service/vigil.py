"""Watches the leader's own work: looks that fail one after another, a slot that hangs."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from allocator.models.base import stamp
from allocator.models.config import Config
from allocator.service.live import Live
from allocator.service.outage import words_of
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

    How long something lasts is told by a clock that nobody sets; while a machine sleeps it stands,
    for nothing can make a step then.

    Parameters
    ----------
    live
        Says which slot runs and how many steps were made.
    most_s
        Seconds without a step after which a slot hangs.
    steady
        Tells seconds of that clock.
    """

    def __init__(
        self,
        live: Live,
        most_s: Decimal,
        tell: Tell,
        *,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self.most_s = most_s
        self._live = live
        self._steady = steady
        self._states = States(tell)
        self._failed = 0
        self._looked_s: float | None = None
        self._seen: tuple[str, int] = ("", 0)
        self._began_s = 0.0
        self._step_s = 0.0
        self._step_at: datetime | None = None

    def looked(self, error: Exception | None = None) -> None:
        """Take in how a look at the book went."""
        self._failed = 0 if error is None else self._failed + 1
        if error is None:
            self._looked_s = self._steady()
            self._states.take("look_failed", "")
        elif self._failed >= MOST_FAILED:
            why = words_of(error)[:500]
            self._states.take("look_failed", "failed", looks=str(self._failed), why=why)

    def unlooked_s(self) -> float | None:
        """Tell how long ago a look went well; None: none did."""
        return None if self._looked_s is None else self._steady() - self._looked_s

    def watch(self, now: datetime) -> None:
        """Look at the running slot; the time is told in the alert."""
        name, steps = self._live.busy, self._live.steps_made
        if name != self._seen[0]:
            self._began_s = self._steady()
        if (name, steps) != self._seen:
            self._step_s, self._step_at = self._steady(), now
        self._seen = name, steps
        self._states.take(
            "slot_hangs",
            name if self.hangs() else "",
            slot=name,
            since="" if self._step_at is None else stamp(self._step_at),
        )

    def age_s(self) -> float:
        """Tell for how long the slot has run; 0: none runs."""
        return self._steady() - self._began_s if self._runs else 0.0

    def silent_s(self) -> float:
        """Tell for how long the running slot has made no step; 0: none runs."""
        return self._steady() - self._step_s if self._runs else 0.0

    @property
    def _runs(self) -> bool:
        """Whether a slot runs that was looked at: only then is it known since when."""
        return bool(self._live.busy and self._seen[0])

    def hangs(self) -> str:
        """Say that the running slot hangs, to whoever asks; empty: it does not."""
        if self.silent_s() <= self.most_s or self._step_at is None:
            return ""
        return f"the running slot has made no step since {stamp(self._step_at)}"
