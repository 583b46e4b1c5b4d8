"""What is true of a solver's answer, computed again without the solver.

For rows ``row_low <= A x <= row_high`` and any row prices y the Lagrangian bound is::

    constant + sum_j min over low_j <= x_j <= high_j of [phi_j(x_j) + (A'y)_j x_j]
             - sum_i max(y_i row_low_i, y_i row_high_i)

and holds for every y, however badly the solver rounded it: dual residuals cost what the bounds of
their columns let them cost. Two columns with ``e >= s - q`` (`Separable.splits`) may as well be
taken as e, up to ``high of s, less q``, and ``s' = s - e``, up to q: the row then needs no price.
The better of both ways counts.
"""

from __future__ import annotations

import numpy as np

from allocator.program.separable import Separable, Vector

ROUNDING = 1e-12
"""Relative error that the sums of a bound are allowed, and that is taken off it."""


def usable_prices(problem: Separable, y: Vector) -> Vector:
    """Clip row prices where the row has no such side, shape ``(m,)``."""
    y = np.where(np.isfinite(y), y, 0.0)
    y = np.where(~np.isfinite(problem.row_high) & (y > 0), 0.0, y)
    return np.where(~np.isfinite(problem.row_low) & (y < 0), 0.0, y)


def least_of_columns(problem: Separable, slope: Vector) -> Vector:
    """Minimise each column's cost plus ``slope x`` over its bounds, shape ``(n,)``."""
    low, high, p, k, o = problem.low, problem.high, problem.p, problem.k, problem.o
    at = np.where(slope < 0, high, low)
    curved = p > 0
    at = np.where(curved, np.clip(-slope / np.where(curved, p, 1.0), low, high), at)
    bent = k > 0
    ceiling = np.sqrt(np.maximum(o + high, 0.0))
    root = np.minimum(np.maximum(-slope, 0.0) / np.where(bent, 1.5 * k, 1.0), ceiling)
    at = np.where(bent, np.clip(root * root - o, low, high), at)
    base = np.maximum(o + at, 0.0)
    value = slope * at + 0.5 * p * at * at + k * (base * np.sqrt(base) - o * np.sqrt(o))
    return np.asarray(value, dtype=np.float64)


def lower_bound(problem: Separable, y: Vector) -> float:
    """Prove a lower bound of the program's optimum from row prices `y`, shape ``(m,)``."""
    y = usable_prices(problem, y)
    slope = problem.c + problem.A.T @ y
    row, rest, whole = problem.splits()
    q, top = -problem.row_low[row], problem.high[whole]
    most = np.minimum(problem.high[rest], np.maximum(top - q, 0.0))
    columns = least_of_columns(problem, slope)
    columns[rest] = np.minimum(slope[rest], 0.0) * most
    together = np.minimum(slope[whole], 0.0) * np.minimum(top, q)
    together += np.minimum(slope[whole] + slope[rest], 0.0) * most
    columns[whole] = np.maximum(columns[whole] + columns[rest], together)
    columns[rest] = 0.0
    high = np.where(y > 0, y * np.where(np.isfinite(problem.row_high), problem.row_high, 0.0), 0.0)
    low = np.where(y < 0, y * np.where(np.isfinite(problem.row_low), problem.row_low, 0.0), 0.0)
    rows = high + low
    noise = ROUNDING * float(np.abs(columns).sum() + np.abs(rows).sum() + abs(problem.constant))
    return problem.constant + float(columns.sum()) - float(rows.sum()) - noise
