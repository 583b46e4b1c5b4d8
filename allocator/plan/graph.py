"""Directed graphs of what waits for what: circles, everything that comes before, an order."""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Generic, TypeVar

N = TypeVar("N", bound=Hashable)


def circles(links: Mapping[N, Sequence[N]]) -> list[list[N]]:
    """Part the nodes into sets that reach one another (Tarjan 1972).

    >>> sorted(map(sorted, circles({1: [2], 2: [1, 3], 3: []})))
    [[1, 2], [3]]
    """
    search = _Search(links)
    for root in links:
        if root not in search.low:
            search.walk(root)
    return search.found


class _Search(Generic[N]):
    """Depth-first search without recursion."""

    def __init__(self, links: Mapping[N, Sequence[N]]) -> None:
        self.links = links
        self.index: dict[N, int] = {}
        self.low: dict[N, int] = {}
        self.held = list[N]()
        self.place: dict[N, int] = {}
        self.path = list[tuple[N, Iterator[N]]]()
        self.found = list[list[N]]()

    def _enter(self, node: N) -> None:
        self.index[node] = self.low[node] = len(self.index)
        self.place[node] = len(self.held)
        self.held.append(node)
        self.path.append((node, iter(self.links[node])))

    def walk(self, root: N) -> None:
        """Find the circles that a node reaches."""
        self._enter(root)
        while self.path:
            node, others = self.path[-1]
            for other in others:
                if other not in self.index:
                    self._enter(other)
                    break
                if other in self.place:
                    self.low[node] = min(self.low[node], self.index[other])
            else:
                self._leave(node)

    def _leave(self, node: N) -> None:
        self.path.pop()
        if self.path:
            parent = self.path[-1][0]
            self.low[parent] = min(self.low[parent], self.low[node])
        if self.low[node] == self.index[node]:
            start = self.place[node]
            circle = self.held[start:]
            del self.held[start:]
            for member in circle:
                del self.place[member]
            self.found.append(circle)


def ancestors(order: Sequence[N], needs: Mapping[N, AbstractSet[N]]) -> dict[N, frozenset[N]]:
    """Collect everything that comes before each node, directly or not.

    Parameters
    ----------
    order
        The nodes, each after what it needs.
    """
    out: dict[N, frozenset[N]] = {}
    for node in order:
        direct = needs[node]
        out[node] = frozenset(direct).union(*(out[other] for other in direct))
    return out


def reduced(order: Sequence[N], needs: Mapping[N, AbstractSet[N]]) -> dict[N, frozenset[N]]:
    """Leave out what another need implies (the transitive reduction)."""
    every = ancestors(order, needs)
    return {
        node: frozenset(o for o in needs[node] if not any(o in every[p] for p in needs[node]))
        for node in order
    }


def ordered(needs: Mapping[N, AbstractSet[N]], rank: Mapping[N, Any]) -> list[N] | None:
    """Sort nodes so that each follows what it needs, by rank where it is free; None in a circle.

    >>> ordered({"b": set(), "a": {"b"}, "c": set()}, {"a": 0, "b": 1, "c": 2})
    ['b', 'a', 'c']
    """
    left = {node: len(others) for node, others in needs.items()}
    waiting: dict[N, list[N]] = {}
    for node, others in needs.items():
        for other in others:
            waiting.setdefault(other, []).append(node)
    numbers = {node: at for at, node in enumerate(sorted(needs, key=rank.__getitem__))}
    ready = [(numbers[node], node) for node, count in left.items() if not count]
    heapq.heapify(ready)
    out = list[N]()
    while ready:
        _, node = heapq.heappop(ready)
        out.append(node)
        for follower in waiting.get(node, ()):
            left[follower] -= 1
            if not left[follower]:
                heapq.heappush(ready, (numbers[follower], follower))
    return out if len(out) == len(needs) else None
