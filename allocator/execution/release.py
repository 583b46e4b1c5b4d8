"""Which actions of a plan may go next. Pure.

A group goes as one unit, once everything that any of its members waits for has ended well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from allocator.execution.transitions import Stage
from allocator.models.plan import Action, Order, Plan, PositionMove, Transfer

WAITING = frozenset({Stage.CHECKED, Stage.APPROVED})


@dataclass(frozen=True, slots=True)
class Unit:
    """Actions that go together: one, or the orders of a group."""

    actions: tuple[Action, ...]

    @property
    def seqs(self) -> tuple[int, ...]:
        """Sequence numbers of its actions."""
        return tuple(action.seq for action in self.actions)

    @property
    def after(self) -> frozenset[int]:
        """What it waits for: the union over its members."""
        return frozenset(seq for action in self.actions for seq in action.after) - {*self.seqs}

    @property
    def orders(self) -> tuple[Order, ...]:
        """Its orders."""
        return tuple(action for action in self.actions if isinstance(action, Order))

    @property
    def accounts(self) -> frozenset[str]:
        """Every account that it may change."""
        return frozenset(name for action in self.actions for name in accounts_of(action))


def accounts_of(action: Action) -> tuple[str, ...]:
    """Name the accounts that an action may change."""
    match action:
        case Order():
            return (action.account,)
        case Transfer() | PositionMove():
            return (action.source, action.target)


def units_of(plan: Plan) -> tuple[Unit, ...]:
    """Put the actions of a plan into units, in the order of their first members."""
    groups: dict[str | int, list[Action]] = {}
    for action in sorted(plan.actions, key=lambda row: row.seq):
        group = action.group if isinstance(action, Order) else None
        groups.setdefault(action.seq if group is None else group, []).append(action)
    return tuple(Unit(tuple(rows)) for rows in groups.values())


def _rank(unit: Unit, stages: Mapping[int, Stage]) -> tuple[int, int]:
    """Order units: what was begun, money, moves, what reduces risk, the rest."""
    first = unit.actions[0]
    if any(stages[seq] is Stage.WORKING for seq in unit.seqs):
        return (-1, first.seq)
    if isinstance(first, Transfer):
        return (0, first.seq)
    if isinstance(first, PositionMove):
        return (1, first.seq)
    return (2 if all(order.reduce_only for order in unit.orders) else 3, first.seq)


def ready(plan: Plan, stages: Mapping[int, Stage]) -> tuple[Unit, ...]:
    """List units that may go now, the most urgent first; half-worked groups included."""
    out = [
        unit
        for unit in units_of(plan)
        if all(stages[seq] is Stage.DONE for seq in unit.after) and _may_go(unit, stages)
    ]
    return tuple(sorted(out, key=lambda unit: _rank(unit, stages)))


def _may_go(unit: Unit, stages: Mapping[int, Stage]) -> bool:
    now = {stages[seq] for seq in unit.seqs}
    if unit.orders:
        return now <= WAITING | {Stage.WORKING, Stage.DONE} and now != {Stage.DONE}
    return now <= WAITING
