"""Every order of a few units, one after another: a search over what is done.

A safe order of steps exists if and only if a safe chain does, since a chain has the fewest
prefixes. The state after some actions does not depend on their order, so the search runs over sets
of actions; from each, one transfer, one move or any set of orders together may go next if the way
there keeps every face. The chain with the smallest groups is returned.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import combinations

from allocator.models.base import ZERO
from allocator.plan.fronts import Front, Unit
from allocator.state import Effect
from allocator.verify import Changes

MOST_CHAINED = 8
"""Actions of a component up to which every chain is looked at."""


def chained(
    effects: Sequence[Effect], members: Sequence[int], fronts: Sequence[Front]
) -> tuple[Unit, ...] | None:
    """Find the safe chain with the smallest groups; None if no chain is safe or there are many."""
    if len(members) > MOST_CHAINED:
        return None
    ways = [_Way(front) for front in fronts]
    done: set[Unit] = set()
    queue: list[tuple[int, tuple[Unit, ...], Unit]] = [(0, (), ())]
    while queue:
        grouped, chain, past = heapq.heappop(queue)
        if past in done:
            continue
        done.add(past)
        if len(past) == len(members):
            return chain
        for unit in _next_units(effects, [at for at in members if at not in past]):
            after = tuple(sorted((*past, *unit)))
            if after not in done and all(way.keeps(past, unit) for way in ways):
                row = (grouped + len(unit) - 1, (*chain, unit), after)
                heapq.heappush(queue, row)
    return None


def _next_units(effects: Sequence[Effect], left: Sequence[int]) -> Iterator[Unit]:
    orders = [at for at in left if effects[at].action.kind == "order"]
    yield from ((at,) for at in left)
    for count in range(2, len(orders) + 1):
        yield from combinations(orders, count)


class _Way:
    """One face along chains."""

    def __init__(self, front: Front) -> None:
        self.front = front
        self.known: dict[Unit, Changes] = {(): {}}

    def keeps(self, past: Unit, unit: Unit) -> bool:
        """Tell whether a unit may go after some actions; convexity looks at its ends alone.

        Coordinates that jump are taken at their peak on the way.
        """
        if not any(at in self.front.changes for at in unit):
            return True
        start, end = self._done(past), self._done(tuple(sorted((*past, *unit))))
        points = [start, end]
        if len(unit) == 1:
            points.append(self._sum(start, self.front.changes[unit[0]][0]))
        return all(self._value(point, (start, end)) <= self.front.room for point in points)

    def _done(self, past: Unit) -> Changes:
        if past not in self.known:
            own = [self.front.changes[at] for at in past if at in self.front.changes]
            self.known[past] = self._sum(*(part for pair in own for part in pair))
        return self.known[past]

    @staticmethod
    def _sum(*rows: Changes) -> Changes:
        out: Changes = {}
        for row in rows:
            for key, value in row.items():
                out[key] = out.get(key, ZERO) + value
        return out

    def _value(self, point: Changes, ends: tuple[Changes, Changes]) -> Decimal:
        total = self.front.base
        for key, curve in self.front.curves.items():
            if curve.jumps:
                low, high = sorted(end.get(key, ZERO) for end in ends)
                total += curve.peak(low, high) - curve.at(ZERO)
            elif key in point:
                total += curve.at(point[key]) - curve.at(ZERO)
        return total
