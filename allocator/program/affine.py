"""Vectors that are affine in the actions and their uses, and rows and columns being collected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from allocator.program.separable import Index, Lazy, Vector, nowhere
from allocator.program.sparse import Matrix, columns_scaled, rows_scaled, sp

WIDER = 1.0 + 1e-9
"""Factor on derived bounds, so that rounding never cuts off a state."""


@dataclass(frozen=True)
class Affine:
    """``X x + Z z + const`` over actions x and uses z, shape ``(m,)``."""

    X: Matrix
    Z: Matrix
    const: Vector

    def __add__(self, other: Affine) -> Affine:
        return Affine(self.X + other.X, self.Z + other.Z, self.const + other.const)

    def __sub__(self, other: Affine) -> Affine:
        return Affine(self.X - other.X, self.Z - other.Z, self.const - other.const)

    def __neg__(self) -> Affine:
        return Affine(-self.X, -self.Z, -self.const)

    def shifted(self, by: Vector | float) -> Affine:
        """Add a constant."""
        return Affine(self.X, self.Z, self.const + by)

    def mapped(self, S: Matrix) -> Affine:
        """Multiply from the left by a sparse matrix."""
        return Affine((S @ self.X).tocsr(), (S @ self.Z).tocsr(), np.asarray(S @ self.const))

    def take(self, at: Index) -> Affine:
        """Select rows."""
        return Affine(self.X[at], self.Z[at], self.const[at])

    def scaled(self, by: Vector | float) -> Affine:
        """Multiply each row."""
        each = np.broadcast_to(np.asarray(by, dtype=np.float64), self.const.shape)
        return Affine(rows_scaled(self.X, each), rows_scaled(self.Z, each), self.const * by)

    def only(self, at: Index) -> Affine:
        """Keep the effect of some actions alone."""
        chosen = np.zeros(self.X.shape[1])
        chosen[at] = 1.0
        X, Z = columns_scaled(self.X, chosen), columns_scaled(self.Z, chosen)
        return Affine(X, Z, self.const)

    def range(self, low: Vector, high: Vector) -> tuple[Vector, Vector]:
        """Bound each row over a box of the actions, uses anywhere in [0, 1]."""
        up, down = self.X.maximum(0), self.X.minimum(0)
        fee_up, fee_down = self.Z.maximum(0).sum(axis=1), self.Z.minimum(0).sum(axis=1)
        least = up @ low + down @ high + np.asarray(fee_down).ravel() + self.const
        most = up @ high + down @ low + np.asarray(fee_up).ravel() + self.const
        return np.asarray(least), np.asarray(most)


def groups(at: Index, count: int, weight: Vector | None = None) -> Matrix:
    """Build the matrix that sums entries into `count` groups, shape ``(count, len(at))``."""
    values = np.ones(at.size) if weight is None else weight
    return sp.csr_array((values, (at, np.arange(at.size))), shape=(count, at.size))


@dataclass
class Draft:
    """Columns and rows of a program being put together.

    The first columns are the actions. Rows are an affine vector of the actions plus entries on
    later columns.
    """

    n_actions: int
    low: list[Vector] = field(default_factory=list[Vector])
    high: list[Vector] = field(default_factory=list[Vector])
    cost: list[Vector] = field(default_factory=list[Vector])
    p: list[Vector] = field(default_factory=list[Vector])
    k: list[Vector] = field(default_factory=list[Vector])
    weight: list[Vector] = field(default_factory=list[Vector])
    n_columns: int = 0
    n_rows: int = 0
    X: list[Matrix] = field(default_factory=list[Matrix])
    Z: list[Matrix] = field(default_factory=list[Matrix])
    entries: list[tuple[Index, Index, Vector]] = field(
        default_factory=list[tuple[Index, Index, Vector]]
    )
    row_low: list[Vector] = field(default_factory=list[Vector])
    row_high: list[Vector] = field(default_factory=list[Vector])
    labels: list[tuple[str, ...]] = field(default_factory=list[tuple[str, ...]])
    rises: list[tuple[Index, Index, Index]] = field(
        default_factory=list[tuple[Index, Index, Index]]
    )
    falls: list[tuple[Index, Index]] = field(default_factory=list[tuple[Index, Index]])
    late: list[Index] = field(default_factory=list[Index])

    def columns(
        self,
        low: Vector,
        high: Vector,
        cost: Vector | float = 0.0,
        weight: Vector | float = 0.0,
    ) -> Index:
        """Add columns with a linear cost and a weight in S; returns their numbers."""
        return self._columns(low, high, (cost, 0.0, 0.0, weight))

    def curved(
        self, low: Vector, high: Vector, p: Vector | float = 0.0, k: Vector | float = 0.0
    ) -> Index:
        """Add columns with a quadratic or a 3/2-power cost; returns their numbers."""
        return self._columns(low, high, (0.0, p, k, 0.0))

    def _columns(self, low: Vector, high: Vector, price: tuple[Vector | float, ...]) -> Index:
        count = low.size
        kinds = (self.low, self.high, self.cost, self.p, self.k, self.weight)
        for kept, values in zip(kinds, (low, high, *price), strict=True):
            kept.append(np.broadcast_to(np.asarray(values, dtype=np.float64), (count,)).copy())
        self.n_columns += count
        return np.arange(self.n_columns - count, self.n_columns, dtype=np.int64)

    def rows(
        self,
        actions: Affine,
        low: Vector | float,
        high: Vector | float,
        labels: Sequence[tuple[str, ...]],
        *entries: tuple[Index, Index, Vector | float],
    ) -> Index:
        """Add rows ``low <= actions + entries <= high``; entries are (row, column, value)."""
        count = actions.const.size
        assert len(labels) == count
        self.X.append(actions.X)
        self.Z.append(actions.Z)
        self.row_low.append(np.broadcast_to(low, (count,)) - actions.const)
        self.row_high.append(np.broadcast_to(high, (count,)) - actions.const)
        for row, column, value in entries:
            values = np.broadcast_to(np.asarray(value, dtype=np.float64), row.shape)
            self.entries.append((row + self.n_rows, column, values))
        self.labels += labels
        self.n_rows += count
        return np.arange(self.n_rows - count, self.n_rows, dtype=np.int64)

    def lazy(self) -> Lazy:
        """Collect what a solve may leave out: `rises` with their families, `falls`, `late`."""
        none = nowhere()
        rise_row, rise_column, family = (
            np.concatenate([none, *(row[at] for row in self.rises)]) for at in range(3)
        )
        fall_row, fall_column = (
            np.concatenate([none, *(row[at] for row in self.falls)]) for at in range(2)
        )
        late = np.concatenate([none, *self.late])
        return Lazy(rise_row, rise_column, family, fall_row, fall_column, late)

    def matrix(self) -> tuple[Matrix, Matrix]:
        """Build A and Z of all rows."""
        X = sp.vstack(self.X, format="csr").tocoo()
        parts = [(X.row, X.col, X.data), *self.entries]
        row, column, value = (np.concatenate([part[at] for part in parts]) for at in range(3))
        shape = (self.n_rows, self.n_columns)
        A = sp.coo_array((value, (row, column)), shape=shape).tocsr()
        A.eliminate_zeros()
        return A, sp.vstack(self.Z, format="csr")


def every(names: list[str], *before: str) -> list[tuple[str, ...]]:
    """Label rows of one family."""
    return [(*before, name) for name in names]
