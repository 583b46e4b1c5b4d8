"""The heaviest dependency-closed set of stages, bounded by flows.

A set of stages is closed if it holds everything that comes before its members. Rising stages raise
an excess, falling ones lower it; whatever a rising stage must take along pays for it first. Any
flow from rising stages to falling ancestors proves a bound (weak duality), and the largest flow
gives the heaviest set itself (Picard 1976, maximal closure as a minimum cut). A greedy flow is
tried first; paths that shift it are looked for only where it proves too little.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from decimal import Decimal

from allocator.models.base import ZERO

Node = tuple[str, int]
"""A step's name and how far it has got: 0 begun, 1 ended."""

MOST_WORK = 200_000
"""Arcs that are looked at for one bound; beyond, the flow found so far is the proof."""


class Closure:
    """Rising stages with the flow that their falling ancestors take off them.

    Parameters
    ----------
    base
        Excess of the empty set.
    weights
        What each stage adds.
    needs
        Names of all steps that come before a step.
    """

    def __init__(
        self, base: Decimal, weights: Mapping[Node, Decimal], needs: Mapping[str, frozenset[str]]
    ) -> None:
        self.left = {node: -weight for node, weight in weights.items() if weight < 0}
        rising = [(node, weight) for node, weight in weights.items() if weight > 0]
        rising.sort(key=lambda row: len(needs[row[0][0]]))
        self.rest = dict(rising)
        self.total = base + sum(self.rest.values(), ZERO)
        self.needs = needs
        self.payers: dict[Node, tuple[Node, ...]] = {}
        self.taken: dict[Node, dict[Node, Decimal]] = {}
        self.work = 0

    def bound(self, room: Decimal) -> tuple[Decimal, tuple[str, ...]]:
        """Bound the weight; stop looking once it is within `room`. Also name what rises."""
        if self.total > room and self.left:
            self.greedy()
        if self.total > room and self.left:
            self.augment(room)
        raising = (name for (name, _), rest in self.rest.items() if rest)
        return self.total, tuple(dict.fromkeys(raising))

    def _ancestors(self, node: Node) -> tuple[Node, ...]:
        """List the falling stages that come before a stage."""
        if node not in self.payers:
            name, stage = node
            needed = self.needs[name]
            if 2 * len(needed) < len(self.left):
                near = [(other, at) for other in sorted(needed) for at in (0, 1)]
                found = [other for other in near if other in self.left]
            else:
                found = [other for other in self.left if other[0] in needed]
            if stage and (name, 0) in self.left:
                found.append((name, 0))
            self.payers[node] = tuple(found)
        return self.payers[node]

    def _pay(self, node: Node, payer: Node, amount: Decimal) -> None:
        takers = self.taken.setdefault(payer, {})
        takers[node] = takers.get(node, ZERO) + amount
        if not takers[node]:
            del takers[node]

    def greedy(self) -> None:
        """Let each rising stage take what its falling ancestors have left, the oldest first."""
        for node in self.rest:
            for payer in self._ancestors(node):
                paid = min(self.rest[node], self.left[payer])
                if paid:
                    self.left[payer] -= paid
                    self.rest[node] -= paid
                    self.total -= paid
                    self._pay(node, payer, paid)

    def augment(self, room: Decimal) -> None:
        """Shift payments until the weight is within `room` or no path is left."""
        for node in self.rest:
            while self.rest[node] and self.total > room and self.work < MOST_WORK:
                if not self._shift(node):
                    break

    def _shift(self, start: Node) -> bool:
        """Pay for a stage by moving other payments along the shortest path; False if none."""
        came: dict[Node, tuple[Node, Node]] = {}
        seen, queue = {start}, deque([start])
        while queue:
            node = queue.popleft()
            for payer in self._ancestors(node):
                self.work += 1
                if payer in came:
                    continue
                came[payer] = (node, payer)
                if self.left[payer]:
                    self._moved(start, payer, came)
                    return True
                for other in self.taken.get(payer, ()):
                    if other not in seen:
                        seen.add(other)
                        came[other] = (node, payer)
                        queue.append(other)
        return False

    def _moved(self, start: Node, payer: Node, came: Mapping[Node, tuple[Node, Node]]) -> None:
        path: list[tuple[Node, Node]] = []  # each node with the payer that it gains
        node = came[payer][0]
        gained = payer
        amount = min(self.left[payer], self.rest[start])
        while True:
            path.append((node, gained))
            if node == start:
                break
            _, lost = came[node]
            amount = min(amount, self.taken[lost][node])
            node, gained = came[lost][0], lost
        self.left[payer] -= amount
        self.rest[start] -= amount
        self.total -= amount
        for node, gained in path:
            self._pay(node, gained, amount)
            if node != start:
                self._pay(node, came[node][1], -amount)
