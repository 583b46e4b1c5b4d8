"""A convex program over linear rows whose objective falls apart into single columns.

::

    minimise    constant + sum_j  c_j x_j + p_j x_j^2 / 2 + k_j ((o_j + x_j)^1.5 - o_j^1.5)
    subject to  row_low <= A x <= row_high,   low <= x <= high
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from allocator.program.sparse import Matrix

Vector = NDArray[np.float64]
Index = NDArray[np.int64]
Mask = NDArray[np.bool_]

ALWAYS = -1
"""Family of rising columns that are never left out."""


def nowhere() -> Index:
    """Make an empty index."""
    return np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Lazy:
    """What a solve may leave out until an answer needs it.

    Attributes
    ----------
    rise_row, rise_column, rise_family
        Rows ``x_column >= affine``; the less such a column is, the better for every other row.
        Those of a family matter together; those of `ALWAYS` are never left out.
    fall_row, fall_column
        Rows ``x_column <= affine``; the more such a column is, the better.
    late
        Rows that seldom bind.
    """

    rise_row: Index = field(default_factory=nowhere)
    rise_column: Index = field(default_factory=nowhere)
    rise_family: Index = field(default_factory=nowhere)
    fall_row: Index = field(default_factory=nowhere)
    fall_column: Index = field(default_factory=nowhere)
    late: Index = field(default_factory=nowhere)


@dataclass(frozen=True, slots=True)
class Separable:
    """A convex program with a separable objective; see the module for the symbols."""

    A: Matrix
    row_low: Vector
    row_high: Vector
    low: Vector
    high: Vector
    c: Vector
    p: Vector
    k: Vector
    o: Vector
    constant: float = 0.0
    lazy: Lazy = field(default_factory=Lazy)

    def splits(self) -> tuple[Index, Index, Index]:
        """Find the rows ``e - s >= -q``, q not negative: rows, columns e, columns s.

        What lies beyond q never needs to be more than all of it, so ``e <= s`` may be added.
        """
        lazy, A = self.lazy, self.A
        if not lazy.rise_row.size:
            return nowhere(), nowhere(), nowhere()
        row = lazy.rise_row[lazy.rise_family == ALWAYS]
        rest = lazy.rise_column[lazy.rise_family == ALWAYS]
        two = np.diff(A.indptr)[row] == 2
        row, rest = row[two], rest[two]
        first = A.indptr[row]
        at = np.where(A.indices[first] == rest, first + 1, first)
        whole: Index = np.asarray(A.indices[at], dtype=np.int64)
        plain = (A.data[at] == -1.0) & (self.row_low[row] <= 0)
        plain &= (self.low[rest] == 0) & (self.low[whole] == 0)
        plain &= (self.p[whole] == 0) & (self.k[whole] == 0)
        plain &= (self.p[rest] == 0) & (self.k[rest] == 0)
        return row[plain], rest[plain], whole[plain]

    def objective(self, x: Vector) -> float:
        """Evaluate the objective at `x`, shape ``(n,)``."""
        base = np.maximum(self.o + x, 0.0)
        power = self.k * (base * np.sqrt(base) - self.o * np.sqrt(self.o))
        return float(self.constant + self.c @ x + 0.5 * self.p @ (x * x) + power.sum())

    def residual(self, x: Vector) -> float:
        """Return the largest violation of a row or a bound."""
        rows = self.A @ x
        parts = (self.row_low - rows, rows - self.row_high, self.low - x, x - self.high)
        return max((float(part.max()) for part in parts if part.size), default=0.0)
