"""Whole lots where lots are coarse: settle the coarsest action, solve the rest again, go on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from allocator.minimise.candidate import DUST, Candidate
from allocator.models.errors import SolverError
from allocator.program.core import Core
from allocator.program.form import Form, Vector
from allocator.program.solve import Answer, solve

COARSE = 2e-4
"""Lot in units from which rounding it by itself could cost or break something."""

MOST = 40
"""Number of coarse actions up to which each is settled by solving."""

WHOLE = 1e-6
"""Distance from a whole lot, in lots, that counts as none."""


def lots_of(core: Core) -> Vector:
    """Size of one lot or step of each action, units."""
    arrays = core.arrays
    lot = arrays.orders.lot
    return np.concatenate([lot, lot, arrays.routes.step, arrays.moves.lot])


def settled(form: Form, core: Core, candidate: Candidate) -> Candidate:
    """Settle coarse actions on whole lots, the coarsest first, each the cheaper way."""
    lots = lots_of(core)
    order = [
        int(at)
        for at in np.argsort(-lots, kind="stable")
        if candidate.used[at] and lots[at] >= COARSE
    ]
    if not order or len(order) > MOST:
        return candidate
    held = np.full(form.n_actions, np.nan)
    best = candidate
    for at in order:
        ways = [_with(form, best, held, at, size) for size in _whole(best.x[at], lots[at])]
        fits = [(answer.value, size, answer) for size, answer in ways if answer is not None]
        if not fits:
            return candidate
        value, size, answer = min(fits, key=lambda row: row[0])
        held[at] = size
        best = replace(best, x=answer.x, value=value)
    return best


def _whole(size: float, lot: float) -> list[float]:
    """Whole sizes next to a size."""
    lots = size / lot
    near = round(lots)
    if abs(lots - near) < WHOLE:
        return [near * lot, (near + 1) * lot, max(near - 1, 0) * lot]
    return [np.floor(lots) * lot, np.ceil(lots) * lot]


def _with(
    form: Form, best: Candidate, held: Vector, at: int, size: float
) -> tuple[float, Answer | None]:
    """Solve with one more action settled."""
    if not form.least[at] * (1 - 1e-9) <= size <= form.top[at] * (1 + 1e-9) or size < DUST:
        return size, None
    trial = held.copy()
    trial[at] = size
    try:
        return size, solve(form.supported(best.used, trial))
    except SolverError:
        return size, None
