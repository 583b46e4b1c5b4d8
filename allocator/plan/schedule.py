"""One safe order of units, and the waiting that it needs: who pays for whom.

Every contested face has a pool: the room that the book has before the plan, and what finished
units have freed. A unit goes once all its pools can pay for it, and then waits only for those
whose money (margin, exposure, notional) it takes. What frees goes first, what only takes goes
last, the smallest first, so that most of that fits in the room and waits for nobody.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from allocator.models.base import ZERO
from allocator.plan.fronts import Front, Needs, Steps, Unit
from allocator.state import Effect

KINDS = {"transfer": 0, "move": 1, "order": 2}


@dataclass(frozen=True)
class Want:
    """A pool that cannot pay for a unit.

    Attributes
    ----------
    front
        The face.
    missing
        By how much the pool falls short, in the rule's unit.
    """

    front: Front
    missing: Decimal


@dataclass(frozen=True)
class Schedule:
    """Who waits for whom, and who cannot go at all.

    Attributes
    ----------
    order
        Units in an order that is safe one by one.
    needs
        Units that each waits for, directly.
    stuck
        Units that never can go, with the pools that fail them.
    frees
        What stuck units would free, by face.
    """

    order: tuple[Unit, ...]
    needs: Needs
    stuck: Mapping[Unit, tuple[Want, ...]]
    frees: Mapping[Unit, tuple[Front, ...]]


@dataclass
class _Pool:
    """What a face can still pay: its own room, then what units have freed."""

    room: Decimal
    freed: dict[Unit, Decimal] = field(default_factory=dict[Unit, Decimal])
    waiting: list[tuple[Decimal, int, Unit]] = field(
        default_factory=list[tuple[Decimal, int, Unit]]
    )
    total: Decimal = ZERO


class _Share:
    """What a unit adds to one excess at its start and at its end; negative frees.

    Attributes
    ----------
    taken
        What the pool must be able to pay before the unit begins.
    left
        What it leaves to others once it has ended.
    """

    __slots__ = ("left", "pool", "taken")

    def __init__(self, pool: int, first: Decimal, then: Decimal) -> None:
        self.pool = pool
        whole = first + then
        self.taken = max(first, whole, ZERO)
        self.left = self.taken - whole


def scheduled(
    effects: Sequence[Effect], units: Sequence[Unit], fronts: Sequence[Front]
) -> Schedule:
    """Let every unit go as soon as its pools can pay for it."""
    return _Desk(effects, units, fronts).run()


class _Desk:
    def __init__(
        self, effects: Sequence[Effect], units: Sequence[Unit], fronts: Sequence[Front]
    ) -> None:
        self.fronts = fronts
        self.pools = list[_Pool]()
        self.shares: dict[Unit, list[_Share]] = {unit: [] for unit in units}
        self._fill(effects, units)
        self.rank = {unit: at for at, unit in enumerate(sorted(units, key=self._priority(effects)))}
        self.order = list[Unit]()
        self.needs: dict[Unit, set[Unit]] = {unit: set() for unit in units}
        self.before: dict[Unit, set[Unit]] = {}

    def _fill(self, effects: Sequence[Effect], units: Sequence[Unit]) -> None:
        steps = Steps(effects, units)
        for number, front in enumerate(self.fronts):
            room, rows = front.weights(steps)
            self.pools.append(_Pool(room, total=room))
            for unit, first, then in rows:
                if first or then:
                    self.shares[unit].append(_Share(number, first, then))

    def _priority(
        self, effects: Sequence[Effect]
    ) -> Callable[[Unit], tuple[int, int, Decimal, Unit]]:
        """Sort what takes nothing first, what frees nothing last; money, moves, the smallest."""

        def key(unit: Unit) -> tuple[int, int, Decimal, Unit]:
            shares = self.shares[unit]
            takes = any(share.taken > 0 for share in shares)
            frees = any(share.left > 0 for share in shares)
            level = 0 if not takes else 1 if frees else 2
            size = sum((effects[at].notional for at in unit), ZERO)
            kind = KINDS[effects[unit[0]].action.kind]
            return level, kind, size, unit

        return key

    def run(self) -> Schedule:
        """Take ready units by rank; one that must wait queues at the first pool that fails it."""
        ready = [(self.rank[unit], unit) for unit in self.shares]
        heapq.heapify(ready)
        while ready:
            _, unit = heapq.heappop(ready)
            failing = next((s for s in self.shares[unit] if not self._pays(s)), None)
            if failing is not None:
                waiting = self.pools[failing.pool].waiting
                heapq.heappush(waiting, (failing.taken, self.rank[unit], unit))
                continue
            for woken in self._go(unit):
                heapq.heappush(ready, (self.rank[woken], woken))
        done = set(self.order)
        stuck = [unit for unit in self.shares if unit not in done]
        return Schedule(
            tuple(self.order),
            {unit: frozenset(self.needs[unit]) for unit in self.order},
            {unit: self._wants(unit) for unit in stuck},
            {
                unit: tuple(self.fronts[s.pool] for s in self.shares[unit] if s.left > 0)
                for unit in stuck
            },
        )

    def _pays(self, share: _Share) -> bool:
        return share.taken <= 0 or share.taken <= self.pools[share.pool].total

    def _wants(self, unit: Unit) -> tuple[Want, ...]:
        failing = (share for share in self.shares[unit] if not self._pays(share))
        return tuple(Want(self.fronts[s.pool], s.taken - self.pools[s.pool].total) for s in failing)

    def _go(self, unit: Unit) -> Iterable[Unit]:
        """Begin and end a unit; yields the waiting ones whose pool can pay for them now."""
        self.before[unit] = set()
        for share in self.shares[unit]:
            self._claim(unit, share)
        self.order.append(unit)
        for share in self.shares[unit]:
            pool = self.pools[share.pool]
            if share.left > 0:
                pool.freed[unit] = share.left
                pool.total += share.left
                while pool.waiting and pool.waiting[0][0] <= pool.total:
                    yield heapq.heappop(pool.waiting)[2]

    def _claim(self, unit: Unit, share: _Share) -> None:
        """Take what a unit needs: from those it waits for anyway, from the room, from others."""
        pool, wanted = self.pools[share.pool], share.taken
        if wanted <= 0:
            return
        pool.total -= wanted
        known = self.before[unit]
        if len(known) < len(pool.freed):
            near = sorted(other for other in known if other in pool.freed)
        else:
            near = [other for other in pool.freed if other in known]
        for other in near:
            wanted -= self._take(pool, other, wanted)
        own = min(pool.room, wanted) if pool.room > 0 else ZERO
        pool.room -= own
        wanted -= own
        while wanted > 0:
            other = next(iter(pool.freed))
            wanted -= self._take(pool, other, wanted)
            self.needs[unit].add(other)
            known.add(other)
            known |= self.before[other]

    @staticmethod
    def _take(pool: _Pool, other: Unit, wanted: Decimal) -> Decimal:
        taken = min(wanted, pool.freed[other])
        pool.freed[other] -= taken
        if not pool.freed[other]:
            del pool.freed[other]
        return taken
