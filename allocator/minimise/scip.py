"""The mixed-integer program of a small book in SCIP, curved costs as they are.

An extra: `pip install allocator[scip]`. Nodes are limited, time is not, and seeds are fixed, so
that equal inputs give equal answers. Its tolerances are taken off the bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np

from allocator.minimise.candidate import Candidate
from allocator.minimise.mixed import ERRS, Exact, Mixed, mixed_of
from allocator.models.errors import ConfigError
from allocator.program.form import Form
from allocator.program.separable import Mask, Vector

NODES = 20_000
CLOSE = 1e-5
"""Gap in objective units at which the search ends."""

TOLERANCE = 1e-9
"""By how much a row may be missed, units."""


def exact_by_scip(form: Form, near: Vector, tried: Sequence[Candidate]) -> Exact | None:
    """Solve the mixed-integer program; None if no answer is found.

    Parameters
    ----------
    form
        The program.
    near
        Not needed: SCIP finds its own tangents.
    tried
        Sets of actions that are known to be feasible, to start from.

    Raises
    ------
    ConfigError
        When SCIP is not installed.
    """
    del near
    mixed = mixed_of(form)
    model, columns = scip_model(mixed)
    model.setParam("limits/totalnodes", NODES)
    for candidate in tried:
        start_from(model, columns[mixed.uses], candidate.used)
    model.optimize()
    if not model.getNSols():
        return None
    best = model.getBestSol()
    values = np.array([model.getSolVal(best, column) for column in columns])
    used, x = values[mixed.uses] > 0.5, values[: mixed.uses.start]
    bound = model.getDualbound() - CLOSE - TOLERANCE * float(np.abs(mixed.cost).sum())
    return Exact(used, x, bound - ERRS)


def scip_model(mixed: Mixed) -> tuple[Any, list[Any]]:
    """Build the model; returns it with its columns.

    Raises
    ------
    ConfigError
        When SCIP is not installed.
    """
    try:
        scip: Any = import_module("pyscipopt")
    except ImportError as error:
        raise ConfigError("SCIP is not installed: pip install allocator[scip]") from error
    model = scip.Model()
    model.hideOutput()
    model.setParam("numerics/feastol", TOLERANCE)
    model.setParam("limits/gap", 0.0)
    model.setParam("limits/absgap", CLOSE)
    columns = [
        model.addVar(lb=low, ub=high, obj=cost, vtype="I" if whole else "C")
        for low, high, cost, whole in zip(
            _finite(mixed.low), _finite(mixed.high), mixed.cost, mixed.whole, strict=True
        )
    ]
    model.addObjoffset(mixed.form.constant)
    _add_rows(model, scip, mixed, columns)
    for at, column in enumerate(mixed.curved):
        x, above = columns[column], columns[mixed.above + at]
        p, k = float(mixed.form.p[column]), float(mixed.form.k[column])
        curve = 0.5 * p * x * x if p > 0 else 0.0
        if k > 0:
            curve += k * x**1.5
        model.addCons(curve <= above)
    return model, columns


def start_from(model: Any, uses: list[Any], used: Mask) -> None:
    """Offer a set of actions as a start; the solver finds the sizes."""
    start = model.createPartialSol()
    for column, flag in zip(uses, used, strict=True):
        model.setSolVal(start, column, float(flag))
    model.addSol(start)


def _finite(values: Vector) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]


def _add_rows(model: Any, scip: Any, mixed: Mixed, columns: list[Any]) -> None:
    A = mixed.A.tocsr()
    for row, (low, high) in enumerate(
        zip(_finite(mixed.row_low), _finite(mixed.row_high), strict=True)
    ):
        part = slice(A.indptr[row], A.indptr[row + 1])
        if (low is None and high is None) or part.start == part.stop:
            continue
        pairs = zip(A.indices[part], A.data[part], strict=True)
        line = scip.quicksum(float(value) * columns[at] for at, value in pairs)
        if low is not None and low == high:
            model.addCons(line == low)
            continue
        if high is not None:
            model.addCons(line <= high)
        if low is not None:
            model.addCons(line >= low)
