"""The mixed-integer program of a small book, by outer approximation.

Every curved cost gets a column that lies above its tangents, so each linear mixed-integer program
bounds the true one from below; tangents are added where its answer lies, until cost and bound
meet. Nodes and rounds are limited, time is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np

from allocator.minimise.candidate import Candidate
from allocator.program.form import Form, Index, Mask, Vector
from allocator.program.highs import Silent, quiet
from allocator.program.sparse import sp

ROUNDS = 8
CLOSE_BY = (1.0, 0.99, 1.01, 0.96, 1.04, 0.88, 1.12)
"""Where tangents go around a known answer, relative to it."""

NODES = 20_000
COARSE = 5e-5
"""Lot in units from which sizes are whole lots in the mixed-integer program.

A lot beside a band costs its worth times the penalty: of coarser ones rounding loses cents.
"""

CLOSE = 2e-5
"""Gap in objective units at which the rounds end."""


@dataclass(frozen=True, slots=True)
class Exact:
    """What the exact step found.

    Attributes
    ----------
    used
        Actions of the best answer.
    x
        Its columns.
    bound
        No choice of actions costs less, objective units.
    """

    used: Mask
    x: Vector
    bound: float


def exact(form: Form, near: Vector, tried: Sequence[Candidate]) -> Exact | None:
    """Solve the mixed-integer program; None if no answer is found.

    Parameters
    ----------
    form
        The program.
    near
        Columns of the relaxation: where the first tangents go.
    tried
        Sets of actions that are known to be feasible, to start from.
    """
    curved = np.flatnonzero((form.p > 0) | (form.k > 0))
    model = _Model(form, curved)
    for point in _first_points(form, curved, near):
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
        value = model.true_value(x, used)
        if value < best_value:
            best, best_value = Exact(used, x, bound), value
        if best_value - bound <= CLOSE or not curved.size:
            break
        model.cut_around(x, CLOSE_BY[:3])
    return None if best is None else Exact(best.used, best.x, bound)


def _first_points(form: Form, curved: Index, near: Vector) -> list[Vector]:
    low, high, at = form.low[curved], form.most[curved], near[curved]
    spread = [at + (high - at) * t for t in (0.0, 0.003, 0.01, 0.03, 0.1, 0.3)]
    spread += [at + (low - at) * t for t in (0.003, 0.01, 0.03, 0.1, 0.3)]
    return [*spread, low, 0.25 * at, 0.5 * at, 0.75 * at, 1.25 * at, 1.5 * at, 2.0 * at]


class _Model:
    """Columns: the form's, uses, directions, one above each curved cost."""

    def __init__(self, form: Form, curved: Index) -> None:
        self.form, self.curved = form, curved
        self.n, self.nz = form.low.size, form.n_actions
        self.sided = [d for d in form.directions if d.buys.size and _both(form, d)]
        self.coarse = np.flatnonzero((form.lot >= COARSE) & (form.top > 0))
        self.counts = self.n + self.nz + len(self.sided)
        self.above = self.counts + self.coarse.size
        self.width = self.above + curved.size
        self.highs = quiet(Silent())
        for name, value in (
            ("mip_rel_gap", 0.0),
            ("mip_abs_gap", CLOSE / 2),
            ("mip_max_nodes", NODES),
            ("mip_heuristic_effort", 0.1),
        ):
            self.highs.setOptionValue(name, value)
        self.highs.passModel(self._model())

    def _model(self) -> Any:
        form = self.form
        rows, row_low, row_high = self._rows()
        lp = highspy.HighsLp()
        A = rows.tocsc()
        lp.num_col_, lp.num_row_ = self.width, A.shape[0]
        lp.col_cost_ = np.concatenate(
            [form.c, form.fixed, np.zeros(self.above - self.n - self.nz), np.ones(self.curved.size)]
        )
        lp.offset_ = form.constant
        least, most = self._curved_range()
        unused = form.top <= 0
        lots = np.floor(form.top[self.coarse] / form.lot[self.coarse] * (1 + 1e-9))
        lp.col_lower_ = np.concatenate([form.low, np.zeros(self.above - self.n), least])
        lp.col_upper_ = np.concatenate(
            [form.most, np.where(unused, 0.0, 1.0), np.ones(len(self.sided)), lots, most]
        )
        lp.row_lower_, lp.row_upper_ = row_low, row_high
        lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = A.indptr, A.indices, A.data
        whole = highspy.HighsVarType.kInteger
        free = highspy.HighsVarType.kContinuous
        lp.integrality_ = (
            [free] * self.n + [whole] * (self.above - self.n) + [free] * self.curved.size
        )
        model = highspy.HighsModel()
        model.lp_ = lp
        return model

    def _rows(self) -> tuple[Any, Vector, Vector]:
        form, n, nz = self.form, self.n, self.nz
        own = np.arange(nz)
        parts = [sp.hstack([form.A, form.Z, sp.csr_array((form.A.shape[0], self.width - n - nz))])]
        low, high = [form.row_low], [form.row_most]
        shape = (nz, self.width)
        for size, ends in ((form.top, (-np.inf, 0.0)), (form.least, (0.0, np.inf))):
            values = np.concatenate([np.ones(nz), -size])
            at = (np.concatenate([own, own]), np.concatenate([own, n + own]))
            parts.append(sp.coo_array((values, at), shape=shape))
            low.append(np.full(nz, ends[0]))
            high.append(np.full(nz, ends[1]))
        own = np.arange(self.coarse.size)
        values = np.concatenate([np.ones(own.size), -form.lot[self.coarse]])
        at = (np.concatenate([own, own]), np.concatenate([self.coarse, self.counts + own]))
        parts.append(sp.coo_array((values, at), shape=(own.size, self.width)))
        low.append(np.zeros(own.size))
        high.append(np.zeros(own.size))
        row, column, value, cap = self._choices()
        parts.append(sp.coo_array((value, (row, column)), shape=(cap.size, self.width)))
        low.append(np.full(cap.size, -np.inf))
        high.append(cap)
        return sp.vstack(parts, format="csr"), np.concatenate(low), np.concatenate(high)

    def _choices(self) -> tuple[Index, Index, Vector, Vector]:
        """One direction per owner and instrument; a move or the sender's order."""
        row, column, value, cap = list[int](), list[int](), list[float](), list[float]()
        for number, group in enumerate(self.sided):
            side = self.n + self.nz + number
            for actions, sign, most in ((group.buys, -1.0, 0.0), (group.sells, 1.0, 1.0)):
                for action in actions:
                    row += [len(cap)] * 2
                    column += [self.n + int(action), side]
                    value += [1.0, sign]
                    cap.append(most)
        for one, other in self.form.exclusive:
            row += [len(cap)] * 2
            column += [self.n + one, self.n + other]
            value += [1.0, 1.0]
            cap.append(1.0)
        return (
            np.array(row, dtype=np.int64),
            np.array(column, dtype=np.int64),
            np.array(value, dtype=np.float64),
            np.array(cap, dtype=np.float64),
        )

    def _curved_range(self) -> tuple[Vector, Vector]:
        ends = [self._curve(self.form.low[self.curved]), self._curve(self.form.most[self.curved])]
        return np.zeros(self.curved.size), np.maximum(*ends) + 1.0

    def _curve(self, x: Vector) -> Vector:
        p, k = self.form.p[self.curved], self.form.k[self.curved]
        base = np.maximum(x, 0.0)
        return np.asarray(0.5 * p * x * x + k * base * np.sqrt(base), dtype=np.float64)

    def cut_around(self, x: Vector, parts: Sequence[float]) -> None:
        """Add tangents at multiples of the columns `x`."""
        at, low, high = x[self.curved], self.form.low[self.curved], self.form.most[self.curved]
        for part in parts:
            self.cut(np.clip(part * at, low, high))

    def cut(self, x: Vector) -> None:
        """Add the tangent of every curved cost at `x`."""
        p, k = self.form.p[self.curved], self.form.k[self.curved]
        slope = p * x + 1.5 * k * np.sqrt(np.maximum(x, 0.0))
        base = self._curve(x) - slope * x
        count = self.curved.size
        if not count:
            return
        own = np.arange(count)
        at = np.stack([self.curved, self.above + own], axis=1)
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
        at = np.arange(self.n, self.n + self.nz, dtype=np.int32)
        self.highs.setSolution(at.size, at, used.astype(np.float64))

    def run(self) -> tuple[Vector, Vector, float] | None:
        """Solve; returns (columns, uses, bound)."""
        self.highs.run()
        status = self.highs.getModelStatus()
        fine = (highspy.HighsModelStatus.kOptimal, highspy.HighsModelStatus.kSolutionLimit)
        info = self.highs.getInfo()
        if status not in fine or info.primal_solution_status != 2:
            return None
        values = np.array(self.highs.getSolution().col_value)
        return values[: self.n], values[self.n : self.n + self.nz], float(info.mip_dual_bound)

    def true_value(self, x: Vector, used: Mask) -> float:
        """Evaluate the true objective."""
        form = self.form
        smooth = float(form.c @ x + self._curve(x[self.curved]).sum())
        return form.constant + smooth + float(form.fixed @ used)


def _both(form: Form, group: Any) -> bool:
    return bool((form.top[group.buys] > 0).any() and (form.top[group.sells] > 0).any())
