"""Reweighted l1, the classical way to few actions, to compare our search with.

A fixed cost f becomes a slope f / (x + eps) at the last sizes x, again and again; what ends above
nothing is the support, and its sizes are solved for once more.
"""

from __future__ import annotations

import numpy as np

from allocator.minimise.candidate import DUST, Candidate
from allocator.minimise.supports import polished
from allocator.program.form import Form
from allocator.program.separable import Mask, Vector
from allocator.program.solve import solve

ROUNDS = 8
EPS = 1e-3
"""Size in units below which a slope rises no further."""


def reweighted(form: Form) -> Candidate | None:
    """Choose a support by reweighted l1 from the program without fixed costs."""
    n = form.n_actions
    allowed = form.top > 0
    x = solve(form.weighted(np.zeros(n), allowed)).x
    allowed = _one_way(form, x, allowed)
    for _ in range(ROUNDS):
        x = solve(form.weighted(form.fixed / (np.maximum(x[:n], 0.0) + EPS), allowed)).x
    used = allowed & (x[:n] > np.maximum(0.5 * form.least, 10 * DUST))
    found = polished(form, used, x)
    return min(found, key=lambda row: row.value) if found else None


def plain(form: Form) -> Candidate | None:
    """Keep every action that the program without fixed costs uses."""
    n = form.n_actions
    allowed = _one_way(form, solve(form.weighted(np.zeros(n), form.top > 0)).x, form.top > 0)
    x = solve(form.weighted(np.zeros(n), allowed)).x
    found = polished(form, allowed & (x[:n] > np.maximum(0.5 * form.least, 10 * DUST)), x)
    return min(found, key=lambda row: row.value) if found else None


def _one_way(form: Form, x: Vector, allowed: Mask) -> Mask:
    out = allowed.copy()
    for group in form.directions:
        up = float(x[group.buys].sum()) >= float(x[group.sells].sum())
        out[group.sells if up else group.buys] = False
    for one, other in form.exclusive:
        out[one if x[one] < x[other] else other] = False
    return out
