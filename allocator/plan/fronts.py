"""Where free steps could break a rule: the only places that an order of steps must mind.

A rule that holds whatever part of the actions is done, in any order and grouping, asks for no
order. What is left are the contested faces of rules, each a sum of what its actions add.
Actions that share none of them are independent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from allocator.models.base import ZERO
from allocator.state import Book, Effect, lawful
from allocator.verify import Changes, Curve, Face, Index, Key, Ladder, Rule
from allocator.verify import Step as UnitStep
from allocator.verify import step_rules as rules_on_steps

Unit = tuple[int, ...]
"""Actions that go together, by their position in the list of effects, ascending."""

SIGNED = frozenset({"corridor", "limit"})
"""Codes of rules that have two faces only if they look at both sides of a signed sum."""

Needs = Mapping[Unit, frozenset[Unit]]
"""What each unit waits for."""


@dataclass(frozen=True, eq=False)
class Front:
    """One face of a rule that some set of the actions could break.

    Attributes
    ----------
    rule
        The rule.
    base
        Excess before the plan.
    changes
        What each action changes at once and on arrival, by position.
    curves
        The curve of every coordinate that changes.
    side
        1 and -1 for the upper and lower face of a rule on a signed sum (a corridor, a net
        limit), whose falls on one side are rises on the other; else 0.
    """

    rule: Rule
    base: Decimal
    side: int
    changes: Mapping[int, tuple[Changes, Changes]]
    curves: Mapping[Key, Curve] = field(repr=False)

    @property
    def room(self) -> Decimal:
        """Largest excess that a prefix may have."""
        return self.rule.allowed + self.rule.width

    def ladder(self, steps: Steps) -> Ladder:
        """Set the units that touch the face on its curves."""
        stages = list[tuple[UnitStep, Changes, Changes]]()
        for unit in steps.touching(self):
            if len(unit) == 1:
                now, later = self.changes[unit[0]]
            else:
                own = [self.changes[at] for at in unit if at in self.changes]
                now, later = (_summed(row[stage] for row in own) for stage in (0, 1))
            stages.append((steps.step[unit], now, later))
        return Ladder(self.base, self.curves, stages)

    def weights(self, steps: Steps) -> tuple[Decimal, list[tuple[Unit, Decimal, Decimal]]]:
        """Bound what each unit adds at its start and at its end, whatever came before.

        Returns
        -------
        tuple
            The room that is left before the plan, and the rows.
        """
        base, weights = self.ladder(steps).weights()
        names = [steps.step[unit].name for unit in steps.touching(self)]
        rows = [
            (unit, weights[name, 0], weights[name, 1])
            for unit, name in zip(steps.touching(self), names, strict=True)
        ]
        return self.room - base, rows


class Steps:
    """Units as the verifier's steps, and which of them touch a face.

    Parameters
    ----------
    effects
        The plan's actions.
    order
        The units, each after what it needs.
    before
        All that comes before each unit; nothing if left out.
    """

    def __init__(
        self, effects: Sequence[Effect], order: Sequence[Unit], before: Needs | None = None
    ) -> None:
        self.order = tuple(order)
        self.place = {at: number for number, unit in enumerate(self.order) for at in unit}
        names = {unit: str(unit[0]) for unit in order}
        self.step = {
            unit: UnitStep(
                names[unit],
                tuple(effects[at] for at in unit),
                frozenset(names[other] for other in before[unit]) if before else frozenset(),
            )
            for unit in order
        }

    def touching(self, front: Front) -> list[Unit]:
        """List the units that touch a face, in order."""
        return [self.order[at] for at in sorted({self.place[at] for at in front.changes})]


def _summed(rows: Iterable[Changes]) -> Changes:
    out: Changes = {}
    for row in rows:
        for key, value in row.items():
            out[key] = out.get(key, ZERO) + value
    return _without_zeros(out)


def _without_zeros(changes: Changes) -> Changes:
    if all(changes.values()):
        return changes
    return {key: value for key, value in changes.items() if value}


@lawful
def fronts_of(book: Book, effects: Sequence[Effect]) -> list[Front]:
    """List the contested faces of all rules that the actions touch."""
    lone = [UnitStep(str(at), (effect,), frozenset()) for at, effect in enumerate(effects)]
    place = {id(effect): at for at, effect in enumerate(effects)}
    out = list[Front]()
    for rule in rules_on_steps(book, Index(effects)):
        if rule.effects:
            faces = rule.faces()
            signed = rule.code in SIGNED and len(faces) == 2
            for face, side in zip(faces, (1, -1) if signed else (0,) * len(faces), strict=True):
                changes = _changes(face, [(place[id(effect)], effect) for effect in rule.effects])
                keys = {key for pair in changes.values() for part in pair for key in part}
                curves = {key: face.curve(key) for key in sorted(keys)}
                ladder = Ladder(
                    face.base, curves, [(lone[at], *pair) for at, pair in changes.items()]
                )
                if ladder.worst() > rule.allowed + rule.width:
                    out.append(Front(rule, face.base, side, changes, curves))
    return out


def _changes(
    face: Face, effects: Iterable[tuple[int, Effect]]
) -> dict[int, tuple[Changes, Changes]]:
    out = dict[int, tuple[Changes, Changes]]()
    for at, effect in effects:
        now, later = map(_without_zeros, face.changes(effect))
        if now or later:
            out[at] = (now, later)
    return out


def components(count: int, fronts: Sequence[Front]) -> list[tuple[tuple[int, ...], list[Front]]]:
    """Part the actions into sets that share no contested face, with the faces of each."""
    parent = list(range(count))

    def root(at: int) -> int:
        while parent[at] != at:
            parent[at] = parent[parent[at]]
            at = parent[at]
        return at

    for front in fronts:
        first, *others = front.changes
        for other in others:
            one, two = sorted((root(first), root(other)))
            parent[two] = one
    members: dict[int, list[int]] = {}
    for at in range(count):
        members.setdefault(root(at), []).append(at)
    own: dict[int, list[Front]] = {}
    for front in fronts:
        own.setdefault(root(next(iter(front.changes))), []).append(front)
    return [(tuple(rows), own.get(at, [])) for at, rows in members.items()]
