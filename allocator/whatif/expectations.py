"""Checking a plan against what its scenario expects of it."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from allocator.models.base import plain
from allocator.models.plan import Plan
from allocator.models.scenario import Expect, Range

SHORTFALL_TOLERANCE = Decimal("0.01")
"""A shortfall of a cent is rounding: problem.md calls a plan infeasible above it."""


def check_expect(expect: Expect, plan: Plan) -> list[str]:
    """List what did not come out as expected.

    Returns
    -------
    One sentence each; empty: all did.
    """
    return [*_outcome(expect, plan), *_figures(expect, plan), *_names(expect, plan)]


def is_feasible(plan: Plan) -> bool:
    """Tell whether nothing is broken once the plan is done."""
    left = plan.certificate.shortfall if plan.certificate is not None else Decimal(0)
    return plan.status in ("act", "nothing") and left <= SHORTFALL_TOLERANCE


def _outcome(expect: Expect, plan: Plan) -> Iterator[str]:
    if expect.feasible is not None and is_feasible(plan) is not expect.feasible:
        wanted = "feasible" if expect.feasible else "infeasible"
        yield f"expected to be {wanted}, but the status is {plan.status}"
    if expect.status is not None and plan.status != expect.status:
        yield f"status: expected {expect.status}, got {plan.status}"


def _figures(expect: Expect, plan: Plan) -> Iterator[str]:
    kinds = [action.kind for action in plan.actions]
    proof = plan.certificate
    figures: dict[str, tuple[Range | None, Decimal | None]] = {
        "actions": (expect.actions, Decimal(len(kinds))),
        "orders": (expect.orders, Decimal(kinds.count("order"))),
        "transfers": (expect.transfers, Decimal(kinds.count("transfer"))),
        "moves": (expect.moves, Decimal(kinds.count("move"))),
        "total": (expect.total, plan.cost.total),
        "saving": (expect.saving, plan.cost.do_nothing - plan.cost.total),
        "gap_relative": (expect.gap_relative, proof.gap_relative if proof else None),
        "shortfall": (expect.shortfall, proof.shortfall if proof else None),
    }
    for name, (bounds, value) in figures.items():
        if bounds is not None:
            yield from _within(name, bounds, value)
    if expect.worst_margin_ratio is not None:
        yield from _margin(expect.worst_margin_ratio, plan)
    for name, bounds in expect.exposure.items():
        row = plan.exposure.get(name)
        yield from _within(f"exposure {name}", bounds, row.after if row is not None else None)


def _margin(bounds: Range, plan: Plan) -> Iterator[str]:
    """Check the worst margin ratio; without any maintenance margin there is no smallest one."""
    ratios = [row.margin_ratio_after for row in plan.accounts.values()]
    known = [ratio for ratio in ratios if ratio is not None]
    if known:
        yield from _within("worst_margin_ratio", bounds, min(known))
    elif bounds.max is not None or not plan.accounts:
        yield "worst_margin_ratio: no account has one"


def _within(name: str, bounds: Range, value: Decimal | None) -> Iterator[str]:
    if value is None:
        yield f"{name}: the plan does not tell"
        return
    if bounds.min is not None and value < bounds.min:
        yield f"{name}: expected at least {plain(bounds.min)}, got {plain(value)}"
    if bounds.max is not None and value > bounds.max:
        yield f"{name}: expected at most {plain(bounds.max)}, got {plain(value)}"


def _names(expect: Expect, plan: Plan) -> Iterator[str]:
    proof = plan.certificate
    bound = [row.limit for row in proof.binding] if proof is not None else []
    for name in expect.binding:
        if name not in bound:
            yield f"binding: expected {name} among {', '.join(bound) or 'none'}"
    broken = [text for row in plan.infeasible for text in (row.what, *row.conflicts)]
    for name in expect.infeasible:
        if not any(name in text for text in broken):
            yield f"infeasible: expected {name} to be named in {'; '.join(broken) or 'nothing'}"
    for name in expect.unrepairable:
        if not any(name in text for text in plan.unrepairable):
            listed = "; ".join(plan.unrepairable) or "nothing"
            yield f"unrepairable: expected {name} to be named in {listed}"
