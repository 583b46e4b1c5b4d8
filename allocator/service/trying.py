"""How an instance fares that tries to lead: nobody is told by a leader where there is none."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from allocator.service.beats import GONE
from allocator.service.outage import words_of

STUCK_S = 60.0
"""Seconds for which an instance may fail to lead, while none does, before it is told."""

LASTS_S = 15.0
"""Seconds after which a lead is one though its first slot goes on still: it may be long."""

WITHIN_S = 900.0
TOO_OFTEN = (3, WITHIN_S), (6, 3600.0)
"""Leads that may break off within so many seconds before it is told, though each did something."""

MOST = max(count for count, _ in TOO_OFTEN)
"""Leads that are remembered."""

HOLDS_S = WITHIN_S
"""Seconds after which a lead holds: those that broke off before it count no more."""

BROKE_OFF = (
    "{count} leads broke off within {minutes:.0f} minutes, the last by {why}; what breaks them off "
    "stands in the log: mend that, or stop this instance where another can lead"
)

MOST_WHY = 500
"""Characters of the reason that is told."""


class Trying:
    """Remembers since when an instance has failed to lead, and which leads of it broke off.

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
        self._broke = tuple[float, ...]()
        self._told = ""

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
        """Take in that another leads; once it has been so for long, its leads hold."""
        self._since_s = None
        if self._broke and self._steady() - self._broke[-1] >= WITHIN_S:
            self._broke, self._told = (), ""

    def failed(self, error: Exception, told: str = "") -> None:
        """Take in why it cannot lead, or leads no more; `told` says it better than the error."""
        self._why = (told or words_of(error))[:MOST_WHY]
        if self._since_s is None:
            self._since_s = self._steady()
        if self._led_s is not None and not self.unproven:
            self._break_off()
        self._led_s, self._worked = None, False

    def _break_off(self) -> None:
        """Count a lead that was one: those that came to nothing are told as no lead."""
        if self._holds:
            self._broke, self._told = (), ""
        now_s = self._steady()
        self._broke = (*self._broke, now_s)[-MOST:]
        for count, within_s in TOO_OFTEN:
            if sum(now_s - at_s <= within_s for at_s in self._broke) >= count:
                self._told = BROKE_OFF.format(count=count, minutes=within_s / 60, why=self._why)
                return

    @property
    def _holds(self) -> bool:
        led_s = self._led_s
        return led_s is not None and self._steady() - led_s >= HOLDS_S

    def breaking(self) -> str:
        """Say why leads break off, of an instance that leads now and then; empty: a lead holds."""
        return "" if self._holds else self._told

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
