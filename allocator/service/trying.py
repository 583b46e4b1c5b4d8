"""How an instance fares that tries to lead: nobody is told by a leader where there is none."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from allocator.service.beats import GONE

STUCK_S = 60.0
"""Seconds for which an instance may fail to lead, while none does, before it is told."""

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
        self._began_s = steady()
        self._why = ""

    def begins(self) -> None:
        """Take in that it tries now."""
        self._began_s = self._steady()

    def follows(self) -> None:
        """Take in that another leads."""
        self._since_s = None

    def failed(self, error: Exception) -> None:
        """Take in why it cannot lead, or leads no more."""
        self._why = f"{type(error).__name__}: {error}"[:MOST_WHY]
        if self._since_s is None or self._steady() - self._began_s > STUCK_S:
            self._since_s = self._steady()

    def stuck(self, leader_at: datetime | None, now: datetime) -> str:
        """Say why nobody leads, once it has failed for a while; empty: somebody does, or may soon.

        Parameters
        ----------
        leader_at
            When a leader last ticked; None: none ever did.
        """
        if leader_at is not None and now - leader_at <= GONE:
            self._since_s = None
        if self._since_s is None or self._steady() - self._since_s <= STUCK_S:
            return ""
        return self._why
