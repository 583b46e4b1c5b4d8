"""Whole lots where lots are coarse: settle the coarsest actions, solve the rest again, go on.

What is left free makes up for what rounding did to exposure and margin. Few coarse actions are
settled one by one, each the cheaper way; many in batches, each action to its nearest lot.
"""

from __future__ import annotations

import numpy as np

from allocator.minimise.candidate import DUST, SPARE, Candidate, only_shortfall
from allocator.models.errors import SolverError
from allocator.program.form import Form
from allocator.program.separable import Index, Mask, Vector
from allocator.program.solve import ROUGH, TRIAL, Answer, solve

COARSE = 2e-5
"""Lot in units from which rounding it by itself could cost or break something."""

SINGLE = 24
"""Number of coarse actions up to which each is settled by itself."""

BATCHES = 8
"""Number of batches in which more of them are settled."""

WHOLE = 1e-6
"""Distance from a whole lot, in lots, that counts as none."""

NEARLY = 1e-3
"""The same where answers are those of an interior point, a little off every bound."""


def as_chosen(form: Form, used: Mask, x: Vector, coarse: float) -> list[Candidate]:
    """Keep whole lots and split sizes that a mixed-integer answer has chosen; settle the rest.

    Parameters
    ----------
    used, x
        The answer's actions and columns.
    coarse
        Lot in units from which its sizes are whole.
    """
    size = x[: form.n_actions]
    chosen, split = used & (form.lot >= coarse), used & form.split
    if not (chosen | split).any():
        return []
    held = np.full(form.n_actions, np.nan)
    held[split] = np.where(size < form.open_least, form.closes, size)[split]
    held[chosen] = np.round(size[chosen] / form.lot[chosen]) * form.lot[chosen]
    try:
        answer = solve(form.supported(used, held), TRIAL, near=x, close=ROUGH)
    except SolverError:
        return []
    return [settled(form, Candidate(used, answer.x, answer.value), held)]


def settled(form: Form, candidate: Candidate, held: Vector | None = None) -> Candidate:
    """Settle coarse actions on whole lots, the coarsest first, each the cheaper way.

    Where no whole lot keeps S within its cap, the cap rises to the least that one does.

    Parameters
    ----------
    held
        Sizes that are settled already, NaN for the rest, shape ``(n_actions,)``.
    """
    lots = form.lot
    order = [
        int(at)
        for at in np.argsort(-lots, kind="stable")
        if candidate.used[at] and lots[at] >= COARSE and (held is None or np.isnan(held[at]))
    ]
    held = np.full(form.n_actions, np.nan) if held is None else held
    if len(order) > SINGLE:
        return _by_batches(form, candidate, np.array(order, dtype=np.int64), held)
    return _one_by_one(form, candidate, order, held)


def _by_batches(form: Form, candidate: Candidate, order: Index, held: Vector) -> Candidate:
    """Settle the coarsest batch on nearest lots, or toward zero risk, and solve again.

    A batch that fits neither way stays free.
    """
    best = candidate
    for batch in np.array_split(order, BATCHES):
        lots = best.x[batch] / form.lot[batch]
        reduces = best.x[batch] < form.closes[batch]
        safe = np.where(reduces, np.ceil(lots - NEARLY), np.floor(lots + NEARLY))
        for whole in (np.round(lots), safe):
            trial = held.copy()
            trial[batch] = np.clip(whole * form.lot[batch], form.least[batch], form.top[batch])
            found = _solved(form, best, trial)
            if found is not None:
                best, held = found, trial
                break
    return best


def _solved(form: Form, best: Candidate, held: Vector) -> Candidate | None:
    try:
        answer = solve(form.supported(best.used, held), TRIAL, near=best.x, close=ROUGH)
    except SolverError:
        return None
    return Candidate(best.used, answer.x, answer.value)


def _one_by_one(form: Form, candidate: Candidate, order: list[int], held: Vector) -> Candidate:
    """Settle one action after another, each the cheaper way."""
    lots, best, held = form.lot, candidate, held.copy()
    for at in order:
        near = _whole(best.x[at], lots[at])
        sizes = [size for size in near if _allowed(form, at, size)]
        if len(sizes) < len(near):
            sizes.append(0.0)
        fits = _tried(form, best, held, at, sizes)
        if not fits:
            form = _raised(form, best, held, at, sizes)
            fits = _tried(form, best, held, at, sizes)
        if not fits:
            return candidate
        value, size, answer = min(fits, key=lambda row: row[0])
        held[at] = size
        best = Candidate(_kept(best.used, at, size), answer.x, value)
    return best


def _kept(used: Mask, at: int, size: float) -> Mask:
    """Leave an action out whose size is nothing."""
    out = used.copy()
    out[at] = size > 0
    return out


def _whole(size: float, lot: float) -> list[float]:
    """Whole sizes next to a size."""
    lots = size / lot
    near = round(lots)
    if abs(lots - near) < WHOLE:
        return [near * lot, (near + 1) * lot, max(near - 1, 0) * lot]
    return [np.floor(lots) * lot, np.ceil(lots) * lot]


def _allowed(form: Form, at: int, size: float) -> bool:
    inside = form.least[at] * (1 - 1e-9) <= size <= form.top[at] * (1 + 1e-9)
    return bool(inside and size >= DUST)


Fit = tuple[float, float, Answer]
"""Value, size and answer of one way to settle an action."""


def _tried(form: Form, best: Candidate, held: Vector, at: int, sizes: list[float]) -> list[Fit]:
    """Solve with one more action settled, for each size; leaves out what is infeasible."""
    out = list[Fit]()
    for size in sizes:
        trial = held.copy()
        trial[at] = size
        try:
            used = _kept(best.used, at, size)
            answer = solve(form.supported(used, trial), TRIAL, near=best.x, close=ROUGH)
        except SolverError:
            continue
        out.append((answer.value, size, answer))
    return out


def _raised(form: Form, best: Candidate, held: Vector, at: int, sizes: list[float]) -> Form:
    """Raise the cap on S to the least that one of the sizes leaves."""
    alone = only_shortfall(form.capped(np.inf))
    least = min((value for value, _, _ in _tried(alone, best, held, at, sizes)), default=np.nan)
    return form.capped(least + SPARE) if least > form.cap else form
