"""What differs between two plans."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

from allocator.models.base import plain
from allocator.models.explain import describe
from allocator.models.plan import COST_PARTS, Action, Order, Plan, PositionMove, Transfer

Difference = tuple[str, str, str]
"""What, before, after; an empty text where one plan does not have it."""


def differences(before: Plan, after: Plan) -> list[Difference]:
    """List what differs: status, actions (matched by what they act on), exposures, cost."""
    return [
        *_changed("status", before.status, after.status),
        *_actions(before, after),
        *_figures("exposure", _exposures(before), _exposures(after)),
        *_figures("cost", _costs(before), _costs(after)),
    ]


def _changed(what: str, before: str, after: str) -> Iterator[Difference]:
    if before != after:
        yield what, before, after


def key_of(action: Action) -> tuple[str, ...]:
    """Name what an action acts on."""
    match action:
        case Transfer():
            return ("transfer", action.route)
        case Order():
            return ("order", action.account, action.instrument)
        case PositionMove():
            return ("move", action.source, action.target, action.instrument)


def _actions(before: Plan, after: Plan) -> Iterator[Difference]:
    old = {key_of(action): describe(action) for action in before.actions}
    new = {key_of(action): describe(action) for action in after.actions}
    for key in sorted({*old, *new}):
        yield from _changed(" ".join(key), old.get(key, ""), new.get(key, ""))


def _exposures(plan: Plan) -> dict[str, Decimal]:
    return {name: row.after for name, row in plan.exposure.items()}


def _costs(plan: Plan) -> dict[str, Decimal]:
    return {name: getattr(plan.cost, name) for name in (*COST_PARTS, "total", "do_nothing")}


def _figures(
    kind: str, before: Mapping[str, Decimal], after: Mapping[str, Decimal]
) -> Iterator[Difference]:
    for name in dict.fromkeys([*before, *after]):
        old, new = before.get(name), after.get(name)
        if old != new:
            yield (
                f"{kind} {name}",
                "" if old is None else plain(old),
                "" if new is None else plain(new),
            )
