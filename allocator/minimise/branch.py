"""Raise a bound by cases: an action is used, and paid for whole, or it is not.

The relaxation pays for a part of an action's fixed cost. Taking the action that is underpaid most
and solving for both cases proves more, for every plan falls under one of them: the least bound of
the open cases is a bound of all. The case with the least bound is split next. Cases are counted,
never timed.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

import numpy as np

from allocator.models.errors import SolverError
from allocator.program.form import Form, Mask, Vector
from allocator.program.solve import TRIAL, Answer, InfeasibleError, solve

CASES = 120
"""Most cases that are solved."""

PAID = 1e-4
"""Fixed cost in objective units that is left unpaid, below which a case is not split."""

SMALLEST = 1e-5
"""Size in units that an interior point leaves where an action may be nothing."""

NEEDED = 0.02
"""Size in units from which an action is taken to be dear to do without."""


@dataclass(frozen=True, order=True)
class _Case:
    """Uses that are settled, and the answer of their relaxation."""

    bound: float
    number: int
    on: Mask = field(compare=False)
    off: Mask = field(compare=False)
    x: Vector = field(compare=False)


def by_cases(
    form: Form, first: Answer, best: float, cases: int = CASES
) -> tuple[float, Mask | None]:
    """Prove a bound in objective units; returns it and the actions of the case that attains it.

    Where that case leaves nothing unpaid, its actions are a plan as cheap as the bound.

    Parameters
    ----------
    form
        The program, its S capped.
    first
        The answer of its relaxation.
    best
        Value of the best plan that is known: cases that cost more are not split.
    cases
        Most cases that are solved.
    """
    none = np.zeros(form.n_actions, dtype=bool)
    waiting, solved = [_Case(first.bound, 0, none, none, first.x)], 0
    while solved < cases and waiting[0].bound < best:
        case = waiting[0]
        at = _underpaid(form, case)
        if at is None:
            break
        heapq.heappop(waiting)
        for used in (True, False):
            solved += 1
            on, off = case.on.copy(), case.off.copy()
            (on if used else off)[at] = True
            answer = _solved(form, on, off)
            if answer is None:
                continue
            bound = max(case.bound, answer.bound)
            heapq.heappush(waiting, _Case(bound, solved, on, off, answer.x))
        if not waiting:
            return best, None
    case = waiting[0]
    if case.bound >= best:
        return best, None
    return case.bound, case.on | (case.x[: form.n_actions] > SMALLEST)


def _solved(form: Form, on: Mask, off: Mask) -> Answer | None:
    """Solve a case; None where it is proven that nothing keeps its rows."""
    barred = form.without([np.flatnonzero(off)])
    try:
        return solve(barred.relaxed(on), TRIAL)
    except InfeasibleError:
        return None
    except SolverError:
        return Answer(form.low, form.row_low, np.inf, -np.inf, np.inf, "")


def _underpaid(form: Form, case: _Case) -> int | None:
    """Pick the action whose fixed cost is unpaid most; None if all is paid for."""
    size = np.maximum(case.x[: form.n_actions], 0.0)
    top = np.where(form.top > 0, form.top, 1.0)
    paid = form.fixed * np.minimum(size / top, 1.0)
    for hull in form.hulls:
        turnover = float(size[hull.orders].sum())
        if hull.tau > 0 and turnover > 0 and not case.on[hull.orders].any():
            part = hull.fixed * min(turnover / hull.tau, 1.0)
            paid[hull.orders] = part * size[hull.orders] / turnover
    settled = case.on | case.off | (size <= SMALLEST)
    unpaid = np.where(settled, 0.0, form.fixed - paid)
    worth = np.where(unpaid > PAID, unpaid * np.minimum(size / NEEDED, 1.0), 0.0)
    at = int(np.argmax(worth))
    return at if worth[at] > 0 else None
