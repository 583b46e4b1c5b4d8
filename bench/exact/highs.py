"""Solve a convex mixed-integer model by linear ones: tangents below every curve, nodes limited."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np

from allocator.program.highs import Silent
from bench.exact.model import Curve, Line, Model

ABSOLUTE_GAP = 0.002
"""Gap of a tree search that counts as closed, numeraire."""

QUIET = (
    ("output_flag", False),
    ("threads", 1),
    ("random_seed", 0),
    ("small_matrix_value", 1e-12),
)

PARTS = (0.0, 0.05, 0.2, 0.5, 0.8, 0.95, 1.0, 1.05, 1.3, 2.0, 4.0)
"""Multiples of a point at which curves get their first tangents."""


@dataclass(frozen=True, slots=True)
class Found:
    """Columns and a lower bound of the model's cost; no columns where none were found."""

    x: list[float] | None
    bound: float
    infeasible: bool = False


class Tangents:
    """Linear rows below the curves of a model, growing.

    A tangent of a convex function is below it everywhere, so whatever the points are, the linear
    model's optimum bounds the true one from below.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.points: list[tuple[Curve, float]] = []
        self.seen: set[tuple[int, float]] = set()

    def add(self, curve: Curve, at: float) -> None:
        """Add the tangent of a curve at a point."""
        key = (curve.above, float(f"{at:.6g}"))
        if key not in self.seen:
            self.seen.add(key)
            self.points.append((curve, at))

    def around(self, x: Sequence[float], parts: Sequence[float] = PARTS) -> None:
        """Add tangents at multiples of a point."""
        for curve in self.model.curves:
            for part in parts:
                self.add(curve, x[curve.at] * part)

    def missed(self, x: Sequence[float]) -> float:
        """Add up by how much curves are above their columns at a point."""
        return sum(max(0.0, c.value(x[c.at]) - x[c.above]) for c in self.model.curves)

    def rows(self) -> list[tuple[Line, float]]:
        """List the tangents as ``line >= low``."""
        out = list[tuple[Line, float]]()
        for curve, at in self.points:
            slope = curve.slope(at)
            line = Line({curve.above: 1.0, curve.at: -slope})
            out.append((line, curve.value(at) - slope * at))
        return out


def solve(
    model: Model, tangents: Tangents, *, nodes: int, start: Sequence[float] | None = None
) -> Found:
    """Solve the linear mixed-integer model under the tangents.

    Parameters
    ----------
    nodes
        Most nodes of the tree search.
    start
        Columns to start from.
    """
    if not model.low:
        return Found([], model.cost.constant)
    highs = _asked(_linear(model, tangents, whole=True), nodes)
    if start is not None:
        at = np.arange(len(start), dtype=np.int32)
        highs.setSolution(at.size, at, np.array(start))
    highs.run()
    return _found(highs, whole=any(model.whole))


def relaxed(model: Model, tangents: Tangents) -> Found:
    """Solve the linear model under the tangents with nothing whole."""
    if not model.low:
        return Found([], model.cost.constant)
    highs = _asked(_linear(model, tangents, whole=False), 0)
    highs.run()
    return _found(highs, whole=False)


def _asked(model: Any, nodes: int) -> Any:
    highs = Silent()
    for name, value in (
        *QUIET,
        ("primal_feasibility_tolerance", 1e-9),
        ("dual_feasibility_tolerance", 1e-9),
        ("mip_feasibility_tolerance", 1e-9),
        ("mip_rel_gap", 0.0),
        ("mip_abs_gap", ABSOLUTE_GAP),
        ("mip_max_nodes", nodes),
    ):
        highs.setOptionValue(name, value)
    highs.passModel(model)
    return highs


def _found(highs: Any, *, whole: bool) -> Found:
    status, info = highs.getModelStatus(), highs.getInfo()
    if status in (
        highspy.HighsModelStatus.kInfeasible,
        highspy.HighsModelStatus.kUnboundedOrInfeasible,
    ):
        return Found(None, float("inf"), infeasible=True)
    bound = info.mip_dual_bound if whole else info.objective_function_value
    if not whole and status != highspy.HighsModelStatus.kOptimal:
        return Found(None, -float("inf"))
    if info.primal_solution_status != 2:
        return Found(None, float(bound))
    return Found(list(highs.getSolution().col_value), float(bound))


def _linear(model: Model, tangents: Tangents, *, whole: bool) -> Any:
    lp = highspy.HighsLp()
    rows = [(row.line, row.low, row.high) for row in model.rows]
    rows += [(line, low, float("inf")) for line, low in tangents.rows()]
    start, index, value = [0], list[int](), list[float]()
    for line, _, _ in rows:
        index += line.of.keys()
        value += line.of.values()
        start.append(len(index))
    lp.num_col_, lp.num_row_ = len(model.low), len(rows)
    cost = np.zeros(len(model.low))
    for column, rate in model.cost.of.items():
        cost[column] = rate
    lp.col_cost_, lp.offset_ = cost, model.cost.constant
    lp.col_lower_, lp.col_upper_ = np.array(model.low), np.array(model.high)
    lp.row_lower_ = np.array([low - line.constant for line, low, _ in rows])
    lp.row_upper_ = np.array([high - line.constant for line, _, high in rows])
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_ = np.array(start, dtype=np.int32)
    lp.a_matrix_.index_ = np.array(index, dtype=np.int32)
    lp.a_matrix_.value_ = np.array(value)
    if whole:
        kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
        lp.integrality_ = [kinds[flag] for flag in model.whole]
    out = highspy.HighsModel()
    out.lp_ = lp
    return out


def largest(
    model: Model, tangents: Tangents, columns: Sequence[int], ceiling: float
) -> list[float]:
    """Bound columns from above over every point of the relaxation that costs up to `ceiling`."""
    highs = Silent()
    for name, value in QUIET:
        highs.setOptionValue(name, value)
    highs.passModel(_linear(model, tangents, whole=False))
    at = np.array(list(model.cost.of), dtype=np.int32)
    rates = np.array(list(model.cost.of.values()))
    highs.addRow(-float("inf"), ceiling - model.cost.constant, at.size, at, rates)
    every = np.arange(len(model.low), dtype=np.int32)
    highs.changeColsCost(every.size, every, np.zeros(every.size))
    out = list[float]()
    for column in columns:
        highs.changeColCost(column, -1.0)
        highs.run()
        fine = highs.getModelStatus() == highspy.HighsModelStatus.kOptimal
        found = -highs.getInfo().objective_function_value + highs.getLp().offset_ if fine else 0.0
        out.append(found if fine else model.high[column])
        highs.changeColCost(column, 0.0)
    return out
