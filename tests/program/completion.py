"""The direct assembly at given sizes of its actions, every other column at its best.

The columns behind the actions are settled by the rows that define them, without a solver: turnover
fills in order, whatever lies above its rows rises to them, collateral falls to them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from allocator.program.form import Form
from allocator.program.separable import Index, Separable, Vector

EQUAL = ("turnover", "gap")
ABOVE = ("band", "flip", "kink", "gross", "long", "short", "borrowed", "venue")
BELOW = ("collateral", "stressed")
DEFINING = (*EQUAL, *ABOVE, "factor", *BELOW, "missing")
NOT_RULES = {*DEFINING, "shortfall", "cover", "repeats"}


@dataclass(frozen=True)
class Completed:
    """Objective (numeraire), excess of every rule, and S (both in units)."""

    total: float
    excess: dict[tuple[str, ...], float]
    shortfall: float


def without_covers(form: Form) -> Form:
    """Leave out the cuts and their uses: they cut off what is no plan, and no plan at all."""
    covers = np.array([label[0] == "cover" for label in form.labels], dtype=bool)
    low = np.where(covers, -np.inf, form.row_low)
    return replace(form, loose=form.loose[:0], row_low=low)


class Completion:
    """Settles the columns of one of a form's programs.

    Parameters
    ----------
    problem
        The program; without one the form's relaxation.
    """

    def __init__(self, form: Form, problem: Separable | None = None) -> None:
        self.form = form
        self.problem = without_covers(form).relaxed() if problem is None else problem
        self.A = self.problem.A.tocsr()
        self.rows: dict[str, list[int]] = {}
        for row, label in enumerate(form.labels):
            self.rows.setdefault(label[0], []).append(row)

    def at(self, actions: Vector) -> Completed:
        """Settle everything for sizes of the actions."""
        problem, n = self.problem, self.form.n_actions
        x = np.clip(np.zeros(problem.low.size), problem.low, problem.high)
        x[:n] = actions
        known = np.zeros(x.size, dtype=bool)
        known[:n] = True
        for family in DEFINING:
            settled = np.zeros_like(known)
            for row in self.rows.get(family, []):
                settled |= self._settle(family, row, x, known, settled)
            known |= settled
        activity = self.A @ x
        beyond = np.maximum(activity - problem.row_high, problem.row_low - activity)
        excess: dict[tuple[str, ...], float] = {}
        for value, label in zip(beyond, self.form.labels, strict=True):
            if label[0] not in NOT_RULES:
                excess[label] = max(excess.get(label, -np.inf), float(value))
        total = problem.objective(x) * self.form.cost_unit
        return Completed(total, excess, float(self.form.shortfall @ x))

    def _settle(
        self, family: str, row: int, x: Vector, known: np.ndarray, settled: np.ndarray
    ) -> np.ndarray:
        """Settle the columns that a row defines; says which."""
        at = slice(self.A.indptr[row], self.A.indptr[row + 1])
        column, value = self.A.indices[at], self.A.data[at]
        own = ~known[column]
        columns: Index = column[own]
        order = np.argsort(columns)
        columns, slope = columns[order], value[own][order]
        base = float(value[~own] @ x[column[~own]])
        assert np.all(slope == slope[0])
        bound = self.problem.row_high[row] if family == "missing" else self.problem.row_low[row]
        needed = float((bound - base) / slope[0])
        fresh = not settled[columns].any()
        if family in BELOW:
            x[columns] = needed if fresh else min(needed, float(x[columns[0]]))
        elif family in EQUAL or family == "factor" or needed > float(x[columns].sum()):
            self._fill(x, columns, needed)
        out = np.zeros_like(known)
        out[columns] = True
        return out

    def _fill(self, x: Vector, columns: Index, needed: float) -> None:
        """Fill columns in order; the last takes what is left, however much."""
        for at in columns[:-1]:
            x[at] = min(needed, self.problem.high[at])
            needed -= x[at]
        x[columns[-1]] = needed
