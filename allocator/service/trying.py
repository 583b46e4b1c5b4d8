"""How an instance fares that tries to lead: nobody is told by a leader where there is none."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from allocator.service.beats import GONE

STUCK_S = 60.0
"""Seconds for which an instance may fail to lead, while none does, before it is told."""

LASTS_S = 15.0
"""Seconds after which a lead is one though its first slot goes on still: it may be long."""

MOST_WHY = 500
"""Characters of the reason that is told."""


class Trying:
    """Remembers since when an instance has failed to lead.

    Parameters
    ----------
    steady
        Tells seconds of a clock that nobody sets.
    """

    def __init__(self, steady: Callable[[], float]) -> None:
        self._steady = steady
        self._since_s: float | None = None
        self._led_s: float | None = None
        self._worked = False
        self._why = ""

    def begins(self) -> None:
        """Take in that it tries now."""
        self._led_s, self._worked = None, False

    def leads(self) -> None:
        """Take in that a lead begins: it may break off before anything is done."""
        self._led_s = self._steady()

    def worked(self) -> None:
        """Take in that the leader has done a step of its work."""
        self._worked, self._since_s = True, None

    @property
    def unproven(self) -> bool:
        """Whether a lead has begun that has come to nothing yet: it may be one of many such."""
        if self._led_s is None or self._worked:
            return False
        return self._steady() - self._led_s < LASTS_S

    def follows(self) -> None:
        """Take in that another leads."""
        self._since_s = None

    def failed(self, error: Exception) -> None:
        """Take in why it cannot lead, or leads no more."""
        self._why = f"{type(error).__name__}: {error}"[:MOST_WHY]
        if self._since_s is None:
            self._since_s = self._steady()
        self._led_s, self._worked = None, False

    def stuck(self, leader_at: datetime | None, now: datetime) -> str:
        """Say why nobody leads, once it has failed for a while; empty: somebody does, or may soon.

        Parameters
        ----------
        leader_at
            When a leader last ticked by the signs there are now; None: none did.
        """
        if leader_at is not None and now - leader_at <= GONE:
            self._since_s = None
        # Whoever asks for readiness asks from another thread.
        since_s = self._since_s
        if since_s is None or self._steady() - since_s <= STUCK_S:
            return ""
        return self._why
