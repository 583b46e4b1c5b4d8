"""The mixed-integer program of a small book, by outer approximation with HiGHS.

Every curved cost gets a column that lies above its tangents, so each linear mixed-integer program
bounds the true one from below; tangents are added where its answer lies, until cost and bound
meet. Nodes and rounds are limited, time is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import highspy
import numpy as np

from allocator.minimise.candidate import Candidate
from allocator.minimise.mixed import ERRS, Exact, Mixed, mixed_of
from allocator.program.form import Form
from allocator.program.highs import Silent, quiet
from allocator.program.separable import Mask, Vector

ROUNDS = 8
CLOSE_BY = (1.0, 0.99, 1.01, 0.96, 1.04, 0.88, 1.12)
"""Where tangents go around a known answer, relative to it."""

NODES = 20_000
"""Nodes of the search over all rounds: cheap books need few, and no book may take minutes."""

LARGEST = 1e9
"""Coefficient above which a program is not handed to the solver, which ended the process over some
and took minutes for three nodes of others; books of sane numbers stay far below."""

CLOSE = 2e-5
"""Gap in objective units at which the rounds end."""


def exact(form: Form, near: Vector, tried: Sequence[Candidate]) -> Exact | None:
    """Solve the mixed-integer program; None if no answer is found, or its numbers are absurd.

    Parameters
    ----------
    form
        The program.
    near
        Columns of the relaxation: where the first tangents go.
    tried
        Sets of actions that are known to be feasible, to start from.
    """
    mixed = mixed_of(form)
    told = (mixed.A.data, mixed.cost, mixed.form.p[mixed.curved], mixed.form.k[mixed.curved])
    if max(np.abs(row).max(initial=0.0) for row in told) > LARGEST:
        return None
    model = _Model(mixed)
    for point in _first_points(mixed, near):
        model.cut(point)
    for candidate in tried:
        model.cut_around(candidate.x, CLOSE_BY)
        model.start_from(candidate.used)
    best: Exact | None = None
    best_value, bound = np.inf, -np.inf
    for _ in range(ROUNDS):
        solved = model.run()
        if solved is None:
            break
        x, z, dual = solved
        bound = max(bound, dual)
        used = z > 0.5
        value = mixed.true_value(x, used)
        if value < best_value:
            best, best_value = Exact(used, x, bound), value
        if best_value - bound <= CLOSE or not mixed.curved.size:
            break
        model.cut_around(x, CLOSE_BY[:3])
    return None if best is None else Exact(best.used, best.x, bound - ERRS)


def _first_points(mixed: Mixed, near: Vector) -> list[Vector]:
    form, curved = mixed.form, mixed.curved
    low, high, at = form.low[curved], form.most[curved], near[curved]
    spread = [at + (high - at) * t for t in (0.0, 0.003, 0.01, 0.03, 0.1, 0.3)]
    spread += [at + (low - at) * t for t in (0.003, 0.01, 0.03, 0.1, 0.3)]
    return [*spread, low, 0.25 * at, 0.5 * at, 0.75 * at, 1.25 * at, 1.5 * at, 2.0 * at]


class _Model:
    """The linear program with the tangents so far."""

    def __init__(self, mixed: Mixed) -> None:
        self.mixed = mixed
        self.left = NODES
        self.highs = quiet(Silent())
        for name, value in (
            ("mip_rel_gap", 0.0),
            ("mip_abs_gap", CLOSE / 2),
            ("mip_heuristic_effort", 0.1),
        ):
            self.highs.setOptionValue(name, value)
        self.highs.passModel(self._model())

    def _model(self) -> Any:
        mixed = self.mixed
        lp = highspy.HighsLp()
        A = mixed.A.tocsc()
        lp.num_col_, lp.num_row_ = mixed.low.size, A.shape[0]
        lp.col_cost_, lp.offset_ = mixed.cost, mixed.form.constant
        lp.col_lower_, lp.col_upper_ = mixed.low, mixed.high
        lp.row_lower_, lp.row_upper_ = mixed.row_low, mixed.row_high
        lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = A.indptr, A.indices, A.data
        kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
        lp.integrality_ = [kinds[int(flag)] for flag in mixed.whole]
        model = highspy.HighsModel()
        model.lp_ = lp
        return model

    def cut_around(self, x: Vector, parts: Sequence[float]) -> None:
        """Add tangents at multiples of the columns `x`."""
        mixed = self.mixed
        at, low = x[mixed.curved], mixed.form.low[mixed.curved]
        for part in parts:
            self.cut(np.clip(part * at, low, mixed.form.most[mixed.curved]))

    def cut(self, x: Vector) -> None:
        """Add the tangent of every curved cost at `x`."""
        mixed = self.mixed
        p, k = mixed.form.p[mixed.curved], mixed.form.k[mixed.curved]
        slope = p * x + 1.5 * k * np.sqrt(np.maximum(x, 0.0))
        base = mixed.curve(x) - slope * x
        count = mixed.curved.size
        if not count:
            return
        own = np.arange(count)
        at = np.stack([mixed.curved, mixed.above + own], axis=1)
        value = np.stack([-slope, np.ones(count)], axis=1)
        self.highs.addRows(
            count,
            base,
            np.full(count, np.inf),
            2 * count,
            (2 * own).astype(np.int32),
            at.ravel().astype(np.int32),
            value.ravel(),
        )

    def start_from(self, used: Mask) -> None:
        """Offer a set of actions as a start; the solver finds the sizes."""
        uses = self.mixed.uses
        at = np.arange(uses.start, uses.stop, dtype=np.int32)
        self.highs.setSolution(at.size, at, used.astype(np.float64))

    def run(self) -> tuple[Vector, Vector, float] | None:
        """Solve within the nodes that are left; returns (columns, uses, bound)."""
        if self.left <= 0:
            return None
        status = self._status()
        if status == highspy.HighsModelStatus.kInfeasible:
            # Presolve rounds where a cap on S leaves little room, and may find none.
            self.highs.setOptionValue("presolve", "off")
            self.highs.clearSolver()
            status = self._status()
        fine = (highspy.HighsModelStatus.kOptimal, highspy.HighsModelStatus.kSolutionLimit)
        info = self.highs.getInfo()
        self.left -= max(int(info.mip_node_count), 1)
        if status not in fine or info.primal_solution_status != 2:
            return None
        values = np.array(self.highs.getSolution().col_value)
        uses = self.mixed.uses
        return values[: uses.start], values[uses], float(info.mip_dual_bound)

    def _status(self) -> Any:
        self.highs.setOptionValue("mip_max_nodes", self.left)
        self.highs.run()
        return self.highs.getModelStatus()
