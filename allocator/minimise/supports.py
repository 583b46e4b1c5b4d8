"""Sets of actions: reweighting of the relaxation, polishing, dropping what does not pay."""

from __future__ import annotations

import numpy as np

from allocator.minimise.candidate import DUST, SPARE, Candidate, only_shortfall
from allocator.models.errors import SolverError
from allocator.program.form import Form
from allocator.program.separable import Mask, Vector
from allocator.program.solve import ROUGH, TRIAL, solve

TINY = 1e-4
"""Size in units below which an action is dear enough to go; dearer would only harm the numbers."""

FEW = 600
"""Number of usable actions up to which all of them are candidates."""

WANTED = 1e-6
"""Size in units from which an action of a large book's relaxation is a candidate."""

REWEIGHTED = 3
"""Rounds of reweighting."""

DROPS = 60
LEAST_DROPS = 2
DROP_WORK = 2000
"""Most actions that are tried to be left out; fewer of large sets, where each try costs more."""

IN_VAIN = 4
"""Actions that are tried one after another without any that pays to be left out."""


def usable(form: Form) -> int:
    """Count the actions that may be used at all."""
    return int((form.top > 0).sum())


def put_near(form: Form, x: Vector) -> Vector:
    """Take a point of the form near `x`, which may be of the other form."""
    if x.size > form.low.size:
        x = x[: form.low.size]
    elif x.size < form.low.size:
        x = np.concatenate([x[: form.n_actions], np.zeros(form.low.size - form.n_actions)])
    x = x.copy()
    for hull in form.hulls:
        x[hull.rest] = x[hull.orders].sum()
        x[hull.first] = 0.0
    return np.clip(x, form.low, form.high)


def supports(form: Form, near: Vector) -> list[Candidate]:
    """Choose supports by reweighting the relaxation, then drop what does not pay.

    Parameters
    ----------
    form
        The program.
    near
        Columns of the relaxation.
    """
    n = form.n_actions
    near = put_near(form, near)
    out = list[tuple[Form, Candidate]]()
    allowed, near = _likely(form, near)
    seen = set[bytes]()
    for _ in range(REWEIGHTED):
        slope = form.fixed / np.maximum(near[:n], np.maximum(0.1 * form.least, TINY))
        found = _reweighted(form, slope, allowed, near)
        if found is None:
            break
        form, near = found
        wanted = allowed & (near[:n] > np.maximum(0.5 * form.least, DUST))
        used = _within_counts(form, wanted, near[:n])
        allowed &= used | ~wanted
        if used.tobytes() not in seen:
            seen.add(used.tobytes())
            rows = _polished_at_its_best(form, used, near)
            if not any(row[0].cap <= form.cap for row in rows):
                rows += _with_the_smallest(form, allowed, near)
            out += rows
    out += [(form, row) for row in polished(form, np.zeros(n, dtype=bool))]
    if not out:
        return []
    form, best = min(out, key=lambda row: (row[0].cap, row[1].value))
    return [_dropped(form, best)]


def _likely(form: Form, near: Vector) -> tuple[Mask, Vector]:
    """Pick the actions among which supports are sought, and a point of them.

    All of one direction for each owner and instrument where they are few; of many those that the
    relaxation uses, or, where these alone keep S above its cap, those that it uses once the
    directions are fixed.
    """
    n = form.n_actions
    one_way = _one_way(form, near[:n])
    if usable(form) <= FEW:
        return one_way, near
    few = one_way & (near[:n] > WANTED)
    zero = np.zeros(n)
    try:
        solve(form.weighted(zero, few), TRIAL, near=near, passes=1, close=ROUGH)
    except SolverError:
        found = _reweighted(form, zero, one_way, near)
        if found is not None:
            near = found[1]
            few = one_way & (near[:n] > WANTED)
    return few, near


def _polished_at_its_best(form: Form, used: Mask, near: Vector) -> list[tuple[Form, Candidate]]:
    """Polish a support; where it misses the cap on S, at the least S that it attains."""
    rows = polished(form, used, near)
    if not rows and np.any(form.shortfall):
        try:
            alone = only_shortfall(form.capped(np.inf))
            form = form.capped(solve(alone.supported(used), TRIAL).value + SPARE)
        except SolverError:
            return []
        rows = polished(form, used, near)
    return [(form, row) for row in rows]


def _with_the_smallest(form: Form, allowed: Mask, near: Vector) -> list[tuple[Form, Candidate]]:
    """Polish all that is used at all: a little that is missing may take a whole smallest size."""
    size = near[: form.n_actions]
    used = _within_counts(form, allowed & (size > WANTED), size)
    return [(form, row) for row in polished(form, used, near)]


def _reweighted(
    form: Form, slope: Vector, allowed: Mask, near: Vector
) -> tuple[Form, Vector] | None:
    """Solve with costs per unit; where the cap on S is out of reach, at the least S in reach."""
    weighted = form.weighted(slope, allowed)
    try:
        return form, solve(weighted, TRIAL, near=near, passes=2, close=ROUGH).x
    except SolverError:
        if not np.any(form.shortfall):
            return None
    try:
        alone = only_shortfall(form.capped(np.inf))
        least = solve(alone.weighted(np.zeros(form.n_actions), allowed)).value
        form = form.capped(max(form.cap, least + SPARE))
        return form, solve(form.weighted(slope, allowed), near=near, passes=2).x
    except SolverError:
        return None


def _within_counts(form: Form, used: Mask, size: Vector) -> Mask:
    """Leave out the smallest actions where more are used than budgets and limits allow."""
    used = used.copy()
    rows = [
        at
        for at, label in enumerate(form.labels)
        if label[0] == "order_budget" or (label[0] == "limit" and label[-1] == "orders")
    ]
    for row in rows:
        most = float(form.row_high[row])
        counted = np.flatnonzero(form.Z[[row]].toarray().ravel())
        mine = counted[used[counted]]
        if mine.size > most:
            by_size = mine[np.argsort(-size[mine], kind="stable")]
            used[by_size[max(0, int(most)) :]] = False
    return used


def _one_way(form: Form, x: Vector) -> Mask:
    """Allow, for each owner and instrument, only the side that is used more."""
    allowed = form.top > 0
    for group in form.directions:
        buys, sells = float(x[group.buys].sum()), float(x[group.sells].sum())
        allowed[group.sells if buys >= sells else group.buys] = False
    for one, other in form.exclusive:
        allowed[one if x[one] < x[other] else other] = False
    return allowed


def polished(form: Form, used: Mask, near: Vector | None = None) -> list[Candidate]:
    """Find the best sizes of a support; leaves out what ends at nothing. Empty if infeasible."""
    try:
        answer = solve(form.supported(used), TRIAL, near=near, close=ROUGH)
    except SolverError:
        return []
    kept = used & (answer.x[: form.n_actions] > DUST)
    if kept.sum() < used.sum():
        return polished(form, kept, answer.x) or [Candidate(used, answer.x, answer.value)]
    return [Candidate(used, answer.x, answer.value)]


def _dropped(form: Form, start: Candidate) -> Candidate:
    """Drop actions, the smallest first, one after another while that saves."""
    best, tries = start, max(LEAST_DROPS, min(DROPS, DROP_WORK // max(1, int(start.used.sum()))))
    improved = True
    while improved and tries > 0:
        improved = False
        size = np.where(best.used, best.x[: form.n_actions], np.inf)
        for action in np.argsort(size, kind="stable")[: min(int(best.used.sum()), tries, IN_VAIN)]:
            tries -= 1
            fewer = best.used.copy()
            fewer[action] = False
            for other in polished(form, fewer, best.x):
                if other.value < best.value - 1e-9:
                    best, improved = other, True
            if improved:
                break
    return best
