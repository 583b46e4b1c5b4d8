"""The exchange's own clock."""

import time
from collections.abc import Callable


class Clock:
    """Milliseconds since the epoch: the machine's time, plus what a test adds.

    Parameters
    ----------
    source_ms
        Where time comes from; the machine by default.
    offset_ms
        Added to it (restored from the state directory, so that time never goes back).
    """

    def __init__(self, source_ms: Callable[[], int] | None = None, offset_ms: int = 0) -> None:
        self._source_ms = source_ms or (lambda: time.time_ns() // 1_000_000)
        self.offset_ms = offset_ms

    def now_ms(self) -> int:
        """Return the exchange's time in milliseconds."""
        return self._source_ms() + self.offset_ms

    def advance(self, by_ms: int) -> None:
        """Move the exchange's time forward; settlements and funding fall due with it.

        Raises
        ------
        ValueError
            When time would go back.
        """
        if by_ms < 0:
            raise ValueError(f"time does not go back: {by_ms}")
        self.offset_ms += by_ms
