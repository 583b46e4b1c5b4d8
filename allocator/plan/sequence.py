"""An order of steps in which every prefix is safe.

Actions that share no contested face of a rule run side by side (`fronts`). In each set that does,
offsetting legs are joined (`legs`), every unit goes as soon as its pools can pay for it
(`schedule`), orders that wait for one another in a circle are joined and tried again, and
waiting without a reason is taken out (`thin`). Where that fails, plain shapes are tried; where
they fail, too, the first rule that could not be kept is the reason. Each order of steps is judged
by the exact check of every prefix, which knows nothing of how it was found.

A plan has at most one order per account and instrument, so no order is split: a circle that only
parts of an order could break has no order of steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Literal, get_args

from allocator.models.base import ZERO
from allocator.models.plan import Action, Order, PositionMove, Transfer
from allocator.plan.actions import actions_of, arranged
from allocator.plan.chains import chained
from allocator.plan.fronts import Front, Needs, Steps, Unit, components, fronts_of
from allocator.plan.graph import ancestors, ordered
from allocator.plan.legs import joined, knot_joined, knots, legs_joined
from allocator.plan.lots import MoveKey, Sizes
from allocator.plan.schedule import KINDS, Schedule, scheduled
from allocator.plan.shapes import shapes, waiting
from allocator.plan.thin import safe, thinned
from allocator.state import Book, Effect, Pair, effect_of, lawful

ROUNDS = 24
"""Most times that orders of one component are joined."""

MOST_TRIED = 500
"""Actions of one component up to which no groups to begin with are tried as well."""

MOST_SHAPED = 200
"""Actions of one component up to which every plain shape is tried."""

FEW_SHAPES = 2
"""Plain shapes that are tried of a larger one: all orders in one group, money before them."""

How = Literal["free", "first", "joined", "chain", "shape"]
"""No order needed; found at once; after joining orders; by trying chains; by a plain shape."""

HARDER: tuple[How, ...] = get_args(How)


@dataclass(frozen=True)
class Ordered:
    """Actions in a safe order.

    Attributes
    ----------
    actions
        Numbered, with groups and `after`.
    how
        How the hardest part was found.
    """

    actions: tuple[Action, ...]
    how: How


@dataclass(frozen=True)
class Tangle:
    """Why actions have no safe order.

    Attributes
    ----------
    code, name
        The rule that some action would break wherever it stands.
    missing
        What nothing frees in time, in the rule's unit.
    stuck
        The actions that cannot go.
    """

    code: str
    name: str
    missing: Decimal
    stuck: tuple[Action, ...]

    @property
    def senders(self) -> frozenset[str]:
        """Accounts whose transfers cannot go."""
        return frozenset(row.source for row in self.stuck if isinstance(row, Transfer))

    @property
    def orders(self) -> frozenset[Pair]:
        """Pairs whose orders cannot go."""
        rows = (row for row in self.stuck if isinstance(row, Order))
        return frozenset((row.account, row.instrument) for row in rows)

    @property
    def carriers(self) -> tuple[str | MoveKey, ...]:
        """Routes and moves that cannot go."""
        routes = [row.route for row in self.stuck if isinstance(row, Transfer)]
        moves = [row for row in self.stuck if isinstance(row, PositionMove)]
        return (*routes, *((row.source, row.target, row.instrument) for row in moves))

    def __str__(self) -> str:
        what = f"{self.code.replace('_', ' ')} of {self.name} is {self.missing:.2f} short"
        first, *others = self.stuck
        money = [row for row in others if not isinstance(row, Order)] or others
        circle = f", which waits for {_told(money[0])}" if money else ""
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        return f"{what} for {_told(first)}{circle}{more}"


@dataclass(frozen=True)
class _Part:
    """A safe order of one component."""

    needs: Needs
    how: How


@lawful
def sequenced(book: Book, sizes: Sizes) -> Ordered | Tangle:
    """Order the actions of sizes, or tell why none of the orders that were tried is safe."""
    actions = actions_of(book, sizes)
    effects = [effect_of(book, action) for action in actions]
    needs: dict[Unit, frozenset[Unit]] = {}
    hardest: How = "free"
    for members, fronts in components(len(effects), fronts_of(book, effects)):
        part = _Component(book, effects, members, fronts).ordered()
        if isinstance(part, Tangle):
            return part
        needs |= part.needs
        hardest = part.how if HARDER.index(part.how) > HARDER.index(hardest) else hardest
    return Ordered(_written(actions, needs), hardest)


def _written(actions: Sequence[Action], needs: Needs) -> tuple[Action, ...]:
    """Write the units: money, moves, what reduces, the rest, each after what it needs."""

    def rank(unit: Unit) -> tuple[int, bool, Unit]:
        rows = [actions[at] for at in unit]
        reduces = all(isinstance(row, Order) and row.reduce_only for row in rows)
        return KINDS[rows[0].kind], not reduces, unit

    order = ordered(needs, {unit: rank(unit) for unit in needs})
    assert order is not None, "units wait for one another"
    return arranged(actions, [(unit, needs[unit]) for unit in order])


class _Component:
    """Actions that share contested faces, and nothing with others."""

    def __init__(
        self,
        book: Book,
        effects: Sequence[Effect],
        members: Sequence[int],
        fronts: Sequence[Front],
    ) -> None:
        self.book, self.effects = book, effects
        self.members, self.fronts = members, fronts
        self.failed = list[Schedule]()

    def ordered(self) -> _Part | Tangle:
        """Find a safe order."""
        if not self.fronts:
            return _Part({(at,): frozenset() for at in self.members}, "free")
        for units in self._starts():
            part = self._refined(units)
            if part is not None:
                return part
        return self._chained() or self._shaped() or self._tangle()

    def _starts(self) -> Iterator[list[Unit]]:
        """List the groups to begin with: offsetting legs, none, everything that is an order."""
        lone: list[Unit] = [(at,) for at in self.members]
        orders = [unit for unit in lone if self.effects[unit[0]].action.kind == "order"]
        legs = legs_joined(self.book, self.effects, self.members, self.fronts)
        seen = list[list[Unit]]()
        starts = [legs, lone, joined(lone, [orders] if orders else [])]
        for units in starts if len(self.members) <= MOST_TRIED else starts[::2]:
            if units not in seen:
                seen.append(units)
                yield units

    def _refined(self, units: list[Unit]) -> _Part | None:
        """Schedule, join what waits for one another, and again."""
        for tried in range(ROUNDS):
            found = scheduled(self.effects, units, self.fronts)
            if not found.stuck:
                how: How = "joined" if tried or self.failed else "first"
                return self._judged(found.order, found.needs, how)
            more = knot_joined(self.effects, units, found)
            if more is None:
                self.failed.append(found)
                return None
            units = more
        return None

    def _judged(self, order: Sequence[Unit], needs: Needs, how: How) -> _Part | None:
        if not safe(self.effects, order, ancestors(order, needs), self.fronts):
            return None
        return _Part(thinned(self.effects, order, needs, self.fronts), how)

    def _chained(self) -> _Part | None:
        """Try every chain of a few units."""
        order = chained(self.effects, self.members, self.fronts)
        return (
            None if order is None else self._judged(order, waiting([[u] for u in order]), "chain")
        )

    def _shaped(self) -> _Part | None:
        listed = shapes(self.book, self.effects, self.members)
        for waves in islice(listed, None if len(self.members) <= MOST_SHAPED else FEW_SHAPES):
            order = [unit for wave in waves for unit in wave]
            part = self._judged(order, waiting(waves), "shape")
            if part is not None:
                return part
        return None

    def _tangle(self) -> Tangle:
        """Name the rule that is missed by most among those that failed at first."""
        found = self.failed[0] if self.failed else None
        if found is None:
            worst = self.fronts[0].rule
            return Tangle(worst.code, worst.name, ZERO, self._actions(self.members))
        circles = [unit for knot in knots(found) for unit in knot]
        stuck = circles or list(found.stuck)
        wants = [(want, unit) for unit in stuck for want in found.stuck[unit]]
        want, unit = max(wants, key=lambda row: row[0].missing)
        first = self._largest(want.front, unit)
        rest = [at for other in stuck for at in other if at != first]
        rule = want.front.rule
        return Tangle(rule.code, rule.name, want.missing, self._actions([first, *rest]))

    def _largest(self, front: Front, unit: Unit) -> int:
        """Find the action of a unit that adds most to a face."""
        lone = [(at,) for at in self.members]
        _, rows = front.weights(Steps(self.effects, lone))
        return max((first, -at) for (at,), first, _ in rows if at in unit)[1] * -1

    def _actions(self, places: Sequence[int]) -> tuple[Action, ...]:
        return tuple(self.effects[at].action for at in places)


def _told(action: Action) -> str:
    match action:
        case Order():
            return f"the {action.side} of {action.quantity} {action.instrument} in {action.account}"
        case _:
            return f"the {action.kind} from {action.source} to {action.target}"
