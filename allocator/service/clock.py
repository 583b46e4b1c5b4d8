"""The real clock, and one that nobody sets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime

MOST_LEAP_S = 30.0
"""Seconds by which a clock may be put right between two looks at it."""

HELD_S = 120.0
"""Seconds for which a clock that was set must stand before it is believed."""


class SystemClock:
    """Tells the machine's time and really waits."""

    def now(self) -> datetime:
        """Tell the time, UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait, letting other tasks run."""
        await asyncio.sleep(seconds)


def steady_s() -> float:
    """Tell seconds of a clock that nobody sets; where it can, it goes on while a machine sleeps."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


class Leaps:
    """Notices that a clock was set, by one that nobody sets.

    Parameters
    ----------
    steady
        Tells seconds of that one.
    """

    def __init__(self, steady: Callable[[], float], now: datetime) -> None:
        self._steady = steady
        self._apart_s = now.timestamp() - steady()
        self._suspect: tuple[float, float] | None = None

    def believes(self, now: datetime) -> bool:
        """Tell whether a time may be used, whoever asks; only taking it in changes what is."""
        return abs(now.timestamp() - self._steady() - self._apart_s) <= MOST_LEAP_S

    def take(self, now: datetime) -> tuple[bool, float]:
        """Hold a time against the steady clock.

        Returns
        -------
        Whether the time is to be used, and by how many seconds it has leapt since it was asked
        for last; 0: it has not. A time after a leap is not used until it has stood for `HELD_S`.
        """
        steady = self._steady()
        apart_s = now.timestamp() - steady
        if abs(apart_s - self._apart_s) <= MOST_LEAP_S:
            self._apart_s, self._suspect = apart_s, None
            return True, 0.0
        if self._suspect is None or abs(apart_s - self._suspect[0]) > MOST_LEAP_S:
            self._suspect = apart_s, steady
            return False, apart_s - self._apart_s
        if steady - self._suspect[1] < HELD_S:
            return False, 0.0
        self._apart_s, self._suspect = apart_s, None
        return True, 0.0
