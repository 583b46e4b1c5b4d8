"""Counters in fixed windows, shared by the venues; what to count and what to say is theirs."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Usage:
    """How much of a budget is used in the current window, and when the window ends."""

    used: int
    limit: int
    resets_ms: int

    @property
    def exceeded(self) -> bool:
        """Tell whether the request went over the limit."""
        return self.used > self.limit

    @property
    def remaining(self) -> int:
        """Return what is left, never negative."""
        return max(0, self.limit - self.used)


class Limiter:
    """Counts by name. A scale above one loosens every limit (tests that hammer on purpose)."""

    def __init__(self, scale: int = 1) -> None:
        self.scale = scale
        self._windows: dict[str, tuple[int, int]] = {}

    def take(self, name: str, cost: int, limit: int, window_ms: int, now_ms: int) -> Usage:
        """Count `cost` against `name` in the window that holds `now_ms`."""
        window = now_ms // window_ms
        began, used = self._windows.get(name, (window, 0))
        used = cost if began != window else used + cost
        self._windows[name] = (window, used)
        return Usage(used, limit * self.scale, (window + 1) * window_ms)
