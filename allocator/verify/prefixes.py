"""Every dependency-closed prefix of a plan against a rule.

Bound first: each step becomes one or two stages (a transfer leaves, then arrives) with a weight
that is never less than what it adds to the excess in any order, so the worst prefix weighs at most
what the heaviest closed set of stages does (`allocator.verify.closure`). Convexity puts the worst
part of an order at an end. Only if the bound fails are prefixes enumerated, up to `MOST_STEPS`
steps; beyond, the plan is refused and needs more `after` edges.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from itertools import pairwise

from allocator.models.base import ONE, ZERO
from allocator.state import Effect, lawful
from allocator.verify.closure import Closure, Node
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
    touching = timeline.touching(rule.effects)
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
    return Ladder(face.base, curves, stages).breach(rule)


Stages = Sequence[tuple[Step, Changes, Changes]]
"""Steps with what each changes at once, and what more when it has ended."""


@dataclass(frozen=True)
class Ladder:
    """The stages of a face's steps with the curves they move along."""

    base: Decimal
    curves: Mapping[Key, Curve]
    stages: Stages

    @cached_property
    def reach(self) -> Mapping[Key, tuple[Decimal, Decimal]]:
        """The lowest and highest change of every coordinate over all prefixes."""
        low, high = dict.fromkeys(self.curves, ZERO), dict.fromkeys(self.curves, ZERO)
        for _, now, later in self.stages:
            for changes in (now, later):
                for key, value in changes.items():
                    (high if value > 0 else low)[key] += value
        return {key: (low[key], high[key]) for key in self.curves}

    @cached_property
    def jumpy(self) -> frozenset[Key]:
        """Coordinates whose curve is not convex."""
        return frozenset(key for key, curve in self.curves.items() if curve.jumps)

    @cached_property
    def shared(self) -> frozenset[Key]:
        """Those that several stages change: they are taken at their peak throughout."""
        if not self.jumpy:
            return self.jumpy
        found = Counter(key for _, *pair in self.stages for changes in pair for key in changes)
        return frozenset(key for key in self.jumpy if found[key] > 1)

    def rise(self, key: Key, change: Decimal) -> Decimal:
        """Bound what a change adds to a curve, whatever has happened before it."""
        curve = self.curves[key]
        if curve.slope is not None:
            return curve.slope * change
        if curve.jumps:
            return curve.at(change) - curve.at(ZERO)
        low, high = self.reach[key]
        if change > 0:
            return curve.at(high) - curve.at(high - change)
        return curve.at(low) - curve.at(low - change)

    def whole(self, changes: Changes) -> Decimal:
        """Bound what a whole stage adds."""
        total = ZERO
        for key, value in changes.items():
            if key not in self.shared:
                total += self.rise(key, value)
        return total

    def part(self, changes: Changes) -> Decimal:
        """Bound what any common fraction of an order or a group adds where curves jump.

        Between two jumps the sum is convex in the fraction, so its limits at both ends bound it.
        """
        alone = {k: v for k, v in changes.items() if k in self.jumpy and k not in self.shared}
        smooth = {k: v for k, v in changes.items() if k not in self.jumpy}
        cuts = {f for key, value in alone.items() for f in self.curves[key].fractions(value)}
        worst = ZERO
        for start, end in pairwise(sorted({ZERO, ONE, *cuts})):
            middle = (start + end) / 2
            for share in (start, end):
                total = sum((self.rise(k, v * share) for k, v in smooth.items()), ZERO)
                for key, value in alone.items():
                    curve = self.curves[key]
                    total += curve.towards(value * share, value * middle) - curve.at(ZERO)
                worst = max(worst, total)
        return worst

    def weights(self) -> tuple[Decimal, dict[Node, Decimal]]:
        """Bound what each stage adds in any order, and the excess that all of it adds to."""
        base = self.base
        for key in self.shared:
            base += self.curves[key].peak(*self.reach[key]) - self.curves[key].at(ZERO)
        weights = dict[Node, Decimal]()
        for step, now, later in self.stages:
            whole = self.whole(now) if now else ZERO
            if step.is_order and not self.jumpy.isdisjoint(now):
                part = self.part(now)
                weights[step.name, 0], weights[step.name, 1] = part, whole - part
            else:
                weights[step.name, 0] = whole
                weights[step.name, 1] = self.whole(later) if later else ZERO
        return base, weights

    def worst(self) -> Decimal:
        """Bound the excess whatever part of the stages is done, in any order."""
        base, weights = self.weights()
        return base + sum((weight for weight in weights.values() if weight > 0), ZERO)

    def breach(self, rule: Rule) -> Breach | None:
        """Find a prefix in which the rule whose face this is breaks; None if there is none."""
        room = rule.allowed + rule.width
        needs = {step.name: step.needs for step, _, _ in self.stages}
        bound, raising = Closure(*self.weights(), needs).bound(room)
        if bound <= room:
            return None
        if len(self.stages) > MOST_STEPS:
            return Breach(rule, bound, raising, proven=False)
        for excess, begun in self.enumerated():
            if excess > room:
                return Breach(rule, excess, begun, proven=True)
        return None

    def enumerated(self) -> Iterator[tuple[Decimal, tuple[str, ...]]]:
        """Yield the excess of every prefix; a part of an order is taken at its worst."""
        names = {step.name for step, _, _ in self.stages}
        parts = {step.name: self.part(now) for step, now, _ in self.stages if self.jumpy & set(now)}
        rest = self.base - sum((curve.at(ZERO) for curve in self.curves.values()), ZERO)

        def walk(
            index: int, done: Changes, under_way: Sequence[int], reached: Mapping[str, int]
        ) -> Iterator[tuple[Decimal, tuple[str, ...]]]:
            if index == len(self.stages):
                begun = tuple(name for name, stage in reached.items() if stage)
                extra = sum((parts[self.stages[i][0].name] for i in under_way), ZERO)
                yield rest + extra + self.value(done, [self.stages[i][1] for i in under_way]), begun
                return
            step, now, later = self.stages[index]
            name = step.name
            yield from walk(index + 1, done, under_way, {**reached, name: 0})
            if any(reached[other] < 2 for other in step.needs & names):
                return
            yield from walk(index + 1, _sum(done, now, later), under_way, {**reached, name: 2})
            if step.is_transfer:
                yield from walk(index + 1, _sum(done, now), under_way, {**reached, name: 1})
            elif step.is_order and name in parts:
                yield from walk(index + 1, done, (*under_way, index), {**reached, name: 1})

        return walk(0, {}, (), {})

    def value(self, done: Changes, under_way: Sequence[Changes]) -> Decimal:
        """Add up the curves; shared ones that jump at the peak that parts under way can reach."""
        total = ZERO
        for key, curve in self.curves.items():
            low = high = done.get(key, ZERO)
            for part in under_way if key in self.shared else ():
                low, high = (
                    low + min(ZERO, part.get(key, ZERO)),
                    high + max(ZERO, part.get(key, ZERO)),
                )
            total += curve.at(low) if low == high else curve.peak(low, high)
        return total


def _sum(*rows: Changes) -> Changes:
    out: Changes = {}
    for row in rows:
        for key, value in row.items():
            out[key] = out.get(key, ZERO) + value
    return out
