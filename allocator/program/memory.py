"""What an engine keeps between decisions.

A system's order of elimination depends on its pattern alone, so a decision that finds one kept
gives the same bytes as one that makes it anew. Points are kept for previews, whose last digits
may depend on what was looked at before.
"""

from __future__ import annotations

from allocator.program.interior import CLOSE, Inside, InteriorPoint, Point, System
from allocator.program.separable import Separable

KEPT = 8
"""Patterns of which systems are kept."""

Pattern = tuple[tuple[int, ...], bytes, bytes]


class Memory:
    """Keeps systems by pattern; a system in use is nobody else's.

    Parameters
    ----------
    points
        Whether searches begin near the last end of their pattern.
    """

    def __init__(self, *, points: bool = False) -> None:
        self.systems: dict[Pattern, System] = {}
        self.points: dict[Pattern, Point] | None = {} if points else None

    def solve(self, problem: Separable, close: float = CLOSE) -> Inside | None:
        """Follow the central path of a program with what is kept for its pattern."""
        A = problem.A
        pattern = (A.shape, A.indptr.tobytes(), A.indices.tobytes())
        search = InteriorPoint(problem, self.systems.pop(pattern, None))
        near = None if self.points is None else self.points.get(pattern)
        found = search.solve(near, close)
        if found is None and near is not None:
            found = search.solve(None, close)
        if len(self.systems) < KEPT:
            self.systems[pattern] = search.system
        if self.points is not None and found is not None and found.point is not None:
            self.points = {pattern: found.point}
        return found
