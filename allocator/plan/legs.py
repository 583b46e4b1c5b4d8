"""Which orders go together: legs that offset each other, and those that wait for one another.

Orders of a group go from their start to their end in a straight line, so two legs of a hedge that
would leave the corridor one by one stay in it together. Groups are made only where a face that
looks at both sides needs them, of as few orders as do: the largest leg of one side joins the
largest of the other until the rest may go in any order.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from allocator.models.base import ZERO
from allocator.plan.fronts import Front, Steps, Unit
from allocator.plan.graph import circles
from allocator.plan.schedule import Schedule
from allocator.state import Book, Effect

FEW = 12
"""Orders that wait for one another up to which they are joined two by two."""


def joined(units: Iterable[Unit], together: Iterable[Iterable[Unit]]) -> list[Unit]:
    """Make one unit of each set of units; in order of their first actions."""
    left, out = set(units), list[Unit]()
    for group in together:
        rows = set(group)
        left -= rows
        out.append(tuple(sorted(at for unit in rows for at in unit)))
    return sorted([*left, *out])


def legs_joined(
    book: Book, effects: Sequence[Effect], members: Sequence[int], fronts: Sequence[Front]
) -> list[Unit]:
    """Join offsetting orders where corridors and net limits do not hold without."""
    rules = dict[tuple[str, str], list[Front]]()
    for front in fronts:
        if front.side:
            rules.setdefault((front.rule.code, front.rule.name), []).append(front)
    units: dict[int, Unit] = {at: (at,) for at in members}
    steps = Steps(effects, [(at,) for at in members])
    for _, faces in sorted(rules.items()):
        sides = _Sides(book.policy.max_slice, effects, units)
        for front in faces:
            sides.add(front, *front.weights(steps))
        for unit in sides.joined():
            units |= dict.fromkeys(unit, unit)
    return sorted(set(units.values()))


class _Sides:
    """Units on both sides of one rule, with what the rule leaves to each side.

    A group is sliced at equal fractions up to an imbalance of `max_slice`. The rule's width has
    room for one such imbalance; several groups under way at once must have it inside.

    Parameters
    ----------
    units
        The unit of each action so far.
    """

    def __init__(
        self, max_slice: Decimal, effects: Sequence[Effect], units: Mapping[int, Unit]
    ) -> None:
        self.max_slice, self.effects, self.units = max_slice, effects, units
        self.rooms: dict[int, Decimal] = {}
        self.nets: dict[Unit, Decimal] = {}

    def add(
        self, front: Front, room: Decimal, rows: Sequence[tuple[Unit, Decimal, Decimal]]
    ) -> None:
        """Read one face of lone actions: its side tells which of them rise."""
        nets: dict[Unit, Decimal] = {}
        for (at,), weight, _ in rows:
            if self.effects[at].action.kind == "order":
                unit = self.units[at]
                nets[unit] = nets.get(unit, ZERO) + weight * front.side
            else:
                room -= max(weight, ZERO)
        self.nets |= {unit: net for unit, net in nets.items() if net}
        self.rooms[front.side] = room

    def _fits(self, sums: Mapping[int, Decimal], groups: int) -> bool:
        spare = self.max_slice * max(0, groups - 1)
        return all(sums[side] + spare <= room for side, room in self.rooms.items())

    def joined(self) -> list[Unit]:
        """Join the largest of both sides until what remains may go in any order."""
        heaps: dict[int, list[tuple[Decimal, int, list[int]]]] = {1: [], -1: []}
        for unit, net in self.nets.items():
            heaps[1 if net > 0 else -1].append((-abs(net), unit[0], [*unit]))
        sums = {side: -sum((row[0] for row in heap), ZERO) for side, heap in heaps.items()}
        for heap in heaps.values():
            heapq.heapify(heap)
        groups = {unit[0]: [*unit] for unit in self.nets if len(unit) > 1}
        while heaps[1] and heaps[-1] and not self._fits(sums, 0):
            (up, one, ours), (down, other, theirs) = map(heapq.heappop, (heaps[1], heaps[-1]))
            few, many = sorted((ours, theirs), key=len)
            many += few
            groups.pop(max(one, other), None)
            groups[min(one, other)] = many
            net = down - up
            sums[1] += up + max(net, ZERO)
            sums[-1] += down + max(-net, ZERO)
            if net:
                row = (-abs(net), min(one, other), many)
                heapq.heappush(heaps[1 if net > 0 else -1], row)
        if len(groups) > 1 and not self._fits(sums, len(groups)):
            return [tuple(sorted(at for rows in groups.values() for at in rows))]
        return sorted(tuple(sorted(rows)) for rows in groups.values())


def knot_joined(
    effects: Sequence[Effect], units: Sequence[Unit], schedule: Schedule
) -> list[Unit] | None:
    """Join orders that wait for one another; None where nothing but other actions does."""
    together = list[Sequence[Unit]]()
    for knot in knots(schedule):
        orders = [unit for unit in knot if effects[unit[0]].action.kind == "order"]
        if len(orders) > FEW:
            together.append(orders)
        elif len(orders) > 1:
            together.append(_closest(orders, schedule))
    return joined(units, together) if together else None


def _closest(orders: Sequence[Unit], schedule: Schedule) -> tuple[Unit, Unit]:
    """Pick the two orders that help each other most often."""

    def help_of(one: Unit, other: Unit) -> int:
        wanted = {id(want.front) for want in schedule.stuck[one]}
        return sum(id(front) in wanted for front in schedule.frees[other])

    pairs = [(a, b) for at, a in enumerate(orders) for b in orders[at + 1 :]]
    return min(pairs, key=lambda pair: (-help_of(*pair) - help_of(*pair[::-1]), pair))


def knots(schedule: Schedule) -> list[list[Unit]]:
    """Find the stuck units that wait for one another in a circle (Tarjan 1972)."""
    freeing: dict[int, list[Unit]] = {}
    for unit, fronts in schedule.frees.items():
        for front in fronts:
            freeing.setdefault(id(front), []).append(unit)
    links: dict[object, list[object]] = {id_: list(rows) for id_, rows in freeing.items()}
    for unit, wants in schedule.stuck.items():
        links[unit] = [id(want.front) for want in wants if id(want.front) in freeing]
    out = list[list[Unit]]()
    for circle in circles(links):
        units = [node for node in circle if isinstance(node, tuple)]
        if len(units) > 1:
            out.append(sorted(units))
    return sorted(out)
