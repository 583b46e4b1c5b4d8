"""Every prefix of a plan by the law itself: states replayed, no curves, no bounds."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import combinations

from allocator.exposure import exposures, goals, present
from allocator.models.base import ZERO
from allocator.models.plan import Action
from allocator.state import Book, Effect, State, effect_of
from allocator.verify import Index, Rule, step_rules, steps_of

PARTS = tuple(Decimal(part) for part in ("0.25", "0.5", "0.75"))
NOISE = Decimal("0.000002")


class Law:
    """The rules on prefixes of some actions, asked of states."""

    def __init__(self, book: Book, actions: Sequence[Action]) -> None:
        self.book = book
        self.effects = [effect_of(book, action) for action in actions]
        self.rules = step_rules(book, Index(self.effects))
        self.start, end = State.start(book), State.start(book).after(self.effects)
        first, last, wanted = present(book), exposures(book, end), goals(book)
        self.hull: dict[str, tuple[Decimal, Decimal]] = {}
        for name in book.underlyings:
            rows = [book.units[e.action.instrument] for e in self.effects if self._orders(e, name)]
            width = max(book.policy.max_slice, min((r.smallest for r in rows), default=ZERO))
            goal = wanted[name]
            spots = (first[name], last[name], goal.target - goal.band, goal.target + goal.band)
            self.hull[name] = (
                min(first[name], last[name], spots[2]) - width - NOISE,
                max(first[name], last[name], spots[3]) + width + NOISE,
            )

    def _orders(self, effect: Effect, underlying: str) -> bool:
        action = effect.action
        if action.kind != "order":
            return False
        return self.book.instruments[action.instrument].underlying == underlying

    def broken(self, state: State) -> list[str]:
        """Name what a state of a prefix breaks."""
        out = [
            f"{rule.code} {rule.name}"
            for rule in self.rules
            if rule.code != "corridor" and self._exceeds(rule, state)
        ]
        for name, value in exposures(self.book, state).items():
            low, high = self.hull[name]
            if not low <= value <= high:
                out.append(f"corridor {name}")
        return out

    @staticmethod
    def _exceeds(rule: Rule, state: State) -> bool:
        return rule.excess(state) > rule.allowed + rule.width + NOISE


def prefix_states(law: Law, actions: Sequence[Action]) -> Iterator[State]:
    """Walk over the dependency-closed prefixes; one group or order at most is done in part.

    Several in part at once lie between those: margin that jumps apart, rules are convex.
    """
    steps = steps_of([effect_of(law.book, action) for action in actions])

    def walk(index: int, state: State, done: Mapping[str, bool], part: bool) -> Iterator[State]:
        if index == len(steps):
            yield state
            return
        step = steps[index]
        yield from walk(index + 1, state, {**done, step.name: False}, part)
        if not all(done[name] for name in step.needs):
            return
        yield from walk(index + 1, state.after(step.effects), {**done, step.name: True}, part)
        begun = {**done, step.name: False}
        if step.is_transfer:
            yield from walk(index + 1, state.after(step.effects, arrived=False), begun, part)
        elif step.is_order and not part:
            for share in PARTS:
                yield from walk(index + 1, state.after(step.effects, share), begun, True)

    return walk(0, law.start, {}, False)


def has_safe_chain(law: Law) -> bool:
    """Search all chains of single actions and groups for a safe one."""
    count = len(law.effects)
    seen: set[tuple[int, ...]] = set()
    queue: list[tuple[int, ...]] = [()]
    while queue:
        past = heapq.heappop(queue)
        if past in seen:
            continue
        seen.add(past)
        if len(past) == count:
            return True
        left = [at for at in range(count) if at not in past]
        orders = [at for at in left if law.effects[at].action.kind == "order"]
        units: list[tuple[int, ...]] = [(at,) for at in left]
        units += [u for size in range(2, len(orders) + 1) for u in combinations(orders, size)]
        for unit in units:
            after = tuple(sorted((*past, *unit)))
            if after not in seen and _goes(law, past, unit):
                heapq.heappush(queue, after)
    return False


def _goes(law: Law, past: tuple[int, ...], unit: tuple[int, ...]) -> bool:
    base = law.start.after([law.effects[at] for at in past])
    own = [law.effects[at] for at in unit]
    states = [base.after(own)]
    if own[0].action.kind == "transfer":
        states.append(base.after(own, arrived=False))
    if own[0].action.kind == "order":
        states += [base.after(own, share) for share in PARTS]
    return not any(law.broken(state) for state in states)
