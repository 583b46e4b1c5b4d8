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
from allocator.verify import Breach, Changes, Curve, Face, Index, Key, Ladder, Rule, Step
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
    effects: Sequence[Effect] = field(repr=False)
    changes: Mapping[int, tuple[Changes, Changes]]
    curves: Mapping[Key, Curve] = field(repr=False)

    @property
    def room(self) -> Decimal:
        """Largest excess that a prefix may have."""
        return self.rule.allowed + self.rule.width

    def ladder(self, units: Iterable[Unit], needs: Needs | None = None) -> Ladder:
        """Set the units that touch the face on its curves."""
        stages = list[tuple[Step, Changes, Changes]]()
        for unit in units:
            own = [self.changes[at] for at in unit if at in self.changes]
            if own:
                before = () if needs is None else map(named, needs[unit])
                effects = tuple(self.effects[at] for at in unit)
                step = Step(named(unit), effects, frozenset(before))
                now, later = (_summed(row[stage] for row in own) for stage in (0, 1))
                stages.append((step, now, later))
        return Ladder(self.base, self.curves, stages)

    def breach(self, units: Iterable[Unit], needs: Needs) -> Breach | None:
        """Find a prefix that breaks the face; `needs` holds all that comes before a unit."""
        return self.ladder(units, needs).breach(self.rule)


def named(unit: Unit) -> str:
    """Name a unit by its first action, which no other unit has."""
    return str(unit[0])


def _summed(rows: Iterable[Changes]) -> Changes:
    out: Changes = {}
    for row in rows:
        for key, value in row.items():
            out[key] = out.get(key, ZERO) + value
    return {key: value for key, value in out.items() if value}


@lawful
def fronts_of(book: Book, effects: Sequence[Effect]) -> list[Front]:
    """List the contested faces of all rules that the actions touch."""
    place = {id(effect): at for at, effect in enumerate(effects)}
    out = list[Front]()
    for rule in rules_on_steps(book, Index(effects)):
        if rule.effects:
            mine = [(place[id(effect)], effect) for effect in rule.effects]
            faces = rule.faces()
            signed = rule.code in SIGNED and len(faces) == 2
            for face, side in zip(faces, (1, -1) if signed else (0,) * len(faces), strict=True):
                front = _front(rule, face, side, mine, effects)
                out += [] if front is None else [front]
    return out


def _front(
    rule: Rule,
    face: Face,
    side: int,
    mine: Sequence[tuple[int, Effect]],
    effects: Sequence[Effect],
) -> Front | None:
    changes = dict[int, tuple[Changes, Changes]]()
    for at, effect in mine:
        now, later = face.changes(effect)
        now = {key: value for key, value in now.items() if value}
        later = {key: value for key, value in later.items() if value}
        if now or later:
            changes[at] = (now, later)
    keys = {key for pair in changes.values() for part in pair for key in part}
    curves = {key: face.curve(key) for key in sorted(keys)}
    front = Front(rule, face.base, side, effects, changes, curves)
    base, weights = front.ladder((at,) for at in changes).weights()
    worst = base + sum((weight for weight in weights.values() if weight > 0), ZERO)
    return front if worst > front.room else None


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
