"""The monolithic mixed-integer model at equal time: SCIP with the curves, HiGHS with tangents.

Sizes are free of lots here, which is in the solvers' favour. Wall-clock limits, so figures vary.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np

from allocator.minimise.exact import CLOSE_BY, _first_points, _Model
from allocator.minimise.mixed import Mixed, mixed_of
from allocator.minimise.scip import scip_model
from allocator.program.form import Form
from allocator.program.separable import Vector


@dataclass(frozen=True, slots=True)
class Reached:
    """Best value and bound within a time, objective units; not finite where there is none."""

    value: float
    bound: float
    seconds: float


def without_lots(form: Form) -> Mixed:
    """Write the program without lots as arrays."""
    return mixed_of(replace(form, lot=np.zeros_like(form.lot)))


def by_scip(mixed: Mixed, seconds: float) -> Reached:
    """Give the model to SCIP."""
    start = perf_counter()
    model, columns = scip_model(mixed)
    model.setParam("limits/time", seconds)
    model.setParam("numerics/feastol", 1e-6)
    model.optimize()
    value = float("inf")
    if model.getNSols():
        best = model.getBestSol()
        at = np.array([model.getSolVal(best, column) for column in columns])
        value = mixed.true_value(at[: mixed.uses.start], at[mixed.uses] > 0.5)
    bound = float(model.getDualbound())
    bound = -float("inf") if model.isInfinity(-bound) else bound
    return Reached(value, bound, perf_counter() - start)


def by_highs(mixed: Mixed, near: Vector, seconds: float) -> Reached:
    """Give the model to HiGHS, with tangents where its answers lie, until the time is over."""
    start, value, bound = perf_counter(), float("inf"), -float("inf")
    model = _Model(mixed)
    for point in _first_points(mixed, near):
        model.cut(point)
    while True:
        left = seconds - (perf_counter() - start)
        if left <= 0.05:
            break
        model.highs.setOptionValue("mip_max_nodes", 10**9)
        model.highs.setOptionValue("time_limit", model.highs.getRunTime() + left)
        model.highs.run()
        info = model.highs.getInfo()
        bound = max(bound, float(info.mip_dual_bound))
        if info.primal_solution_status != 2:
            break
        at = np.array(model.highs.getSolution().col_value)
        x, used = at[: mixed.uses.start], at[mixed.uses] > 0.5
        value = min(value, mixed.true_value(x, used))
        if value - bound <= 1e-5:
            break
        model.cut_around(x, CLOSE_BY[:3])
    return Reached(value, bound, perf_counter() - start)
