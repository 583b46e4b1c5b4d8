"""Raise a bound by cases: an action is used, and paid for whole, or it is not.

The relaxation pays for a part of an action's fixed cost. Taking the action that is underpaid most
and solving for both cases proves more, for every plan falls under one of them: the least bound of
the open cases is a bound of all. The case with the least bound is split next. Cases are counted,
never timed.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field, replace

import numpy as np

from allocator.models.errors import SolverError
from allocator.program.certify import lower_bound, usable_prices
from allocator.program.form import Form
from allocator.program.separable import Mask, Separable, Vector
from allocator.program.solve import CHAIN, ROUGH, TRIAL, Answer, InfeasibleError, solve

PAID = 1e-4
"""Fixed cost in objective units that is left unpaid, below which a case is not split."""

SMALLEST = 1e-5
"""Size in units that an interior point leaves where an action may be nothing."""

LIKELY = 0.05
"""Price of a unit, above what it saves, up to which an unused action may be used in a case."""

MISPRICED = 3
"""Times that actions are taken in whose price in a case is below what they save."""

NEEDED = 0.02
"""Size in units from which an action is taken to be dear to do without."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How far a bound is raised.

    Attributes
    ----------
    cases
        Most cases that are solved.
    enough
        Relative gap at which there are enough.
    """

    cases: int = 120
    enough: float = 0.0


@dataclass(frozen=True, order=True)
class _Case:
    """Uses that are settled, and the answer of their relaxation."""

    bound: float
    number: int
    on: Mask = field(compare=False)
    off: Mask = field(compare=False)
    x: Vector = field(compare=False)


def by_cases(
    form: Form, first: Answer, best: float, effort: Effort = Effort()
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
    effort
        How far.
    """
    none = np.zeros(form.n_actions, dtype=bool)
    likely = _likely(form, first)
    waiting, solved = [_Case(first.bound, 0, none, none, first.x)], 0
    aim = best - effort.enough * (1.0 + abs(best))
    while solved < effort.cases and waiting[0].bound < aim:
        case = waiting[0]
        at = _underpaid(form, case)
        if at is None:
            break
        heapq.heappop(waiting)
        for used in (True, False):
            solved += 1
            on, off = case.on.copy(), case.off.copy()
            (on if used else off)[at] = True
            answer = _solved(form, (on, off), likely, case.x)
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


def _likely(form: Form, first: Answer) -> Mask:
    """Pick the actions that cases are solved with: others cost much more than they save."""
    n = form.n_actions
    slope = _slopes(form.relaxed(), first.y)[:n]
    return (first.x[:n] > SMALLEST) | (slope < LIKELY)


def _slopes(problem: Separable, y: Vector) -> Vector:
    return np.asarray(problem.c + problem.A.T @ usable_prices(problem, y), dtype=np.float64)


def _solved(form: Form, settled: tuple[Mask, Mask], likely: Mask, near: Vector) -> Answer | None:
    """Solve a case; None where it is proven that nothing keeps its rows.

    It is solved with the likely actions, and its prices prove a bound with all of them; those
    that the prices speak for are then likely, too.
    """
    on, off = settled
    whole, n = form.without([np.flatnonzero(off)]).relaxed(on), form.n_actions
    best: Answer | None = None
    for _ in range(MISPRICED):
        high = whole.high.copy()
        high[:n][~(likely | on)] = 0.0
        try:
            answer = solve(replace(whole, high=high), CHAIN[:1], near=near, close=ROUGH)
        except InfeasibleError:
            if (likely | on).all():
                return None
            break
        except SolverError:
            break
        bound = lower_bound(whole, answer.y)
        if best is None or bound > best.bound:
            best = replace(answer, bound=bound)
        wanted = ~likely & (_slopes(whole, answer.y)[:n] < 0) & (whole.high[:n] > 0)
        if answer.bound - bound <= PAID or not wanted.any():
            break
        likely |= wanted
    return best or _whole(whole)


def _whole(problem: Separable) -> Answer | None:
    """Solve a case with all actions."""
    try:
        return solve(problem, TRIAL, close=ROUGH)
    except InfeasibleError:
        return None
    except SolverError:
        low = problem.low
        return Answer(low, problem.row_low, np.inf, -np.inf, np.inf, "")


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
