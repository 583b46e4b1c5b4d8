"""Every dependency-closed prefix of a plan against a rule.

Bound first: each step becomes one or two nodes (a transfer leaves, then arrives) with a weight
that is never less than what it adds to the excess in any order, so the worst prefix is at most a
maximum-weight closure. What closed sets must take along lowers it: any flow from rising nodes to
falling ancestors proves a bound (weak duality), the greedy one is used. Convexity puts the worst
part of an order at an end. Only if the bound fails are prefixes enumerated, up to `MOST_STEPS`
steps; beyond, the plan is refused and needs more `after` edges.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from allocator.models.base import ZERO
from allocator.state import Effect, lawful
from allocator.verify.faces import Changes, Curve, Face, Key, Rule, sum_changes
from allocator.verify.steps import Step, Timeline

MOST_STEPS = 10
"""Steps that touch one rule up to which prefixes are enumerated."""


@dataclass(frozen=True, slots=True)
class Breach:
    """A rule that some prefix breaks.

    Attributes
    ----------
    rule
        The rule.
    excess
        By how much, in the rule's unit.
    steps
        Names of the steps begun in that prefix (under a bound: those that raise the excess).
    proven
        Whether the prefix was evaluated; otherwise only the bound failed.
    """

    rule: Rule
    excess: Decimal
    steps: tuple[str, ...]
    proven: bool


@lawful
def breach_of(rule: Rule, timeline: Timeline) -> Breach | None:
    """Find a prefix that breaks a rule, or None if every prefix keeps it."""
    touching = timeline.touching(rule.accounts)
    if not touching:
        return None
    for face in rule.faces():
        found = _face_breach(rule, face, touching)
        if found is not None:
            return found
    return None


def _face_breach(
    rule: Rule, face: Face, steps: Sequence[tuple[Step, Sequence[Effect]]]
) -> Breach | None:
    stages = [(step, *sum_changes(effects, face)) for step, effects in steps]
    stages = [row for row in stages if row[1] or row[2]]
    if not stages:
        return None
    keys = {key for _, now, later in stages for key in (*now, *later)}
    curves = {key: face.curve(key) for key in sorted(keys)}
    bound, raising = _bound(face.base, curves, stages)
    if bound <= rule.allowed + rule.width:
        return None
    if len(stages) > MOST_STEPS:
        return Breach(rule, bound, raising, proven=False)
    for excess, begun in _enumerated(face.base, curves, stages):
        if excess > rule.allowed + rule.width:
            return Breach(rule, excess, begun, proven=True)
    return None


_Stages = Sequence[tuple[Step, Changes, Changes]]
_Node = tuple[str, int]
"""A step's name and how far it has got: 0 begun, 1 ended."""


def _bound(
    base: Decimal, curves: Mapping[Key, Curve], stages: _Stages
) -> tuple[Decimal, tuple[str, ...]]:
    """Bound the excess over all prefixes; also name the steps that raise it."""
    low, high = dict.fromkeys(curves, ZERO), dict.fromkeys(curves, ZERO)
    touched = dict.fromkeys(curves, 0)
    for _, now, later in stages:
        for changes in (now, later):
            for key, value in changes.items():
                touched[key] += 1
                (high if value > 0 else low)[key] += value
    jumpy = {key for key, curve in curves.items() if curve.jumps is not None}
    shared = {key for key in jumpy if touched[key] > 1}
    for key in shared:
        base += curves[key].peak(low[key], high[key]) - curves[key].at(ZERO)

    def rise(changes: Changes) -> list[Decimal]:
        rows = ((curves[k], v, low[k], high[k]) for k, v in changes.items() if k not in shared)
        return [_rise(*row) for row in rows]

    weights = dict[_Node, Decimal]()
    for step, now, later in stages:
        whole = sum(rise(now), ZERO)
        if step.is_order and jumpy & set(now):
            part = _part(curves, now, rise({k: v for k, v in now.items() if k not in jumpy}))
            weights[step.name, 0], weights[step.name, 1] = part, whole - part
        else:
            weights[step.name, 0], weights[step.name, 1] = whole, sum(rise(later), ZERO)
    return _closure(base, weights, {step.name: step.needs for step, _, _ in stages})


def _rise(curve: Curve, change: Decimal, low: Decimal, high: Decimal) -> Decimal:
    """Bound what a change adds to a convex curve, whatever has happened before it."""
    if curve.jumps is not None:
        return curve.at(change) - curve.at(ZERO)
    if change > 0:
        return curve.at(high) - curve.at(high - change)
    return curve.at(low) - curve.at(low - change)


def _part(curves: Mapping[Key, Curve], changes: Changes, smooth: Sequence[Decimal]) -> Decimal:
    """Bound what any part of a step adds where curves jump on the way."""
    total = sum((max(ZERO, rise) for rise in smooth), ZERO)
    for key, value in changes.items():
        curve = curves[key]
        if curve.jumps is not None:
            total += max(ZERO, curve.peak(min(value, ZERO), max(value, ZERO)) - curve.at(ZERO))
    return total


def _closure(
    base: Decimal, weights: Mapping[_Node, Decimal], needs: Mapping[str, frozenset[str]]
) -> tuple[Decimal, tuple[str, ...]]:
    """Bound the heaviest closed set of nodes by a greedy flow to falling ancestors."""
    falling = {node: -weight for node, weight in weights.items() if weight < 0}
    rising = [(node, weight) for node, weight in weights.items() if weight > 0]
    rising.sort(key=lambda row: len(needs[row[0][0]]))
    total, raising = base, list[str]()
    for (step, stage), weight in rising:
        rest = weight
        for node in tuple(falling):
            if not rest:
                break
            if node[0] in needs[step] or (stage and node == (step, 0)):
                taken = min(rest, falling[node])
                falling[node] -= taken
                rest -= taken
        if rest:
            raising.append(step)
        total += rest
    return total, tuple(dict.fromkeys(raising))


def _enumerated(
    base: Decimal, curves: Mapping[Key, Curve], stages: _Stages
) -> Iterator[tuple[Decimal, tuple[str, ...]]]:
    """Yield the excess of every prefix; a part of an order is taken at its worst."""
    jumpy = any(curve.jumps is not None for curve in curves.values())
    names = {step.name for step, _, _ in stages}
    rest = base - sum((curve.at(ZERO) for curve in curves.values()), ZERO)

    def walk(
        index: int, done: Changes, parts: Sequence[Changes], reached: Mapping[str, int]
    ) -> Iterator[tuple[Decimal, tuple[str, ...]]]:
        if index == len(stages):
            begun = tuple(name for name, stage in reached.items() if stage)
            yield rest + _worst(curves, done, parts), begun
            return
        step, now, later = stages[index]
        name = step.name
        yield from walk(index + 1, done, parts, {**reached, name: 0})
        if any(reached[other] < 2 for other in step.needs & names):
            return
        yield from walk(index + 1, _sum(done, now, later), parts, {**reached, name: 2})
        if step.is_transfer:
            yield from walk(index + 1, _sum(done, now), parts, {**reached, name: 1})
        elif step.is_order and jumpy:
            yield from walk(index + 1, done, (*parts, now), {**reached, name: 1})

    return walk(0, {}, (), {})


def _sum(*rows: Changes) -> Changes:
    out: Changes = {}
    for row in rows:
        for key, value in row.items():
            out[key] = out.get(key, ZERO) + value
    return out


def _worst(curves: Mapping[Key, Curve], done: Changes, parts: Sequence[Changes]) -> Decimal:
    total = ZERO
    for key, curve in curves.items():
        at = done.get(key, ZERO)
        moves = [part[key] for part in parts if key in part]
        if not moves:
            total += curve.at(at)
            continue
        low = at + sum((v for v in moves if v < 0), ZERO)
        high = at + sum((v for v in moves if v > 0), ZERO)
        total += curve.peak(low, high)
    return total
