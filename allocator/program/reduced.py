"""A program without what cannot matter: fixed columns, empty rows, what an answer does not need."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from allocator.program.separable import ALWAYS, Index, Lazy, Mask, Separable, Vector
from allocator.program.sparse import Matrix, sp, touched

CROSSED = 1e-8
"""Units by which an answer may cross a row that was left out."""

CLOSE_BY = 1e-4
"""Room in units, near an expected answer, of rows and rises that are taken in at once."""


class Reduced:
    """What is left of a program, and the way back.

    Interior points like neither fixed columns nor empty rows. Late rows are taken in once an
    answer breaks them, and rising columns that start at their lower bound once an answer wants
    one of their family higher; columns that no row in the program uses are out with their own
    rows. What is left out has no price, and a bound holds for any prices.

    A row ``e >= s - q`` over two columns is turned into a bound: with ``s = s' + e`` in place of
    s it says ``s' <= q``, and ``s' >= 0`` loses nothing, for e never needs to exceed s.

    Parameters
    ----------
    problem
        The program.
    near
        Columns near which the answer may lie, to take in at once what an answer there needs.
    strict
        Whether a rising column that is out and ends above its upper bound is taken in. Otherwise
        flips are put back to their least: a little dearer, with the same bound and less to solve.

    Attributes
    ----------
    left
        The program to solve.
    """

    def __init__(
        self, problem: Separable, near: Vector | None = None, *, strict: bool = True
    ) -> None:
        self.problem, self.lazy, self.strict = problem, problem.lazy, strict
        self.A = problem.A.tocsr()
        self.rises = self.A[self.lazy.rise_row]
        self.falls = self.A[self.lazy.fall_row]
        self.plain: Mask = np.ones(problem.row_low.size, dtype=bool)
        self.plain[self.lazy.rise_row] = self.plain[self.lazy.fall_row] = False
        self.split_row, self.split_rest, self.split_whole = problem.splits()
        close = CLOSE_BY if near is not None else 0.0
        near = np.zeros(problem.low.size) if near is None else near
        start = np.clip(near, problem.low, problem.high)
        column = self.lazy.rise_column
        wanted = self._raised(start, least=True)
        need = problem.row_low[self.lazy.rise_row] - self.rises @ wanted + wanted[column]
        self.risen: Mask = need > problem.low[column] - close
        self.risen |= self.lazy.rise_family == ALWAYS
        self.out: Mask = np.zeros(problem.row_low.size, dtype=bool)
        self.out[self.lazy.late] = True
        self.cramped: Mask = np.zeros(problem.low.size, dtype=bool)
        self.out &= self.excess(self.completed(start)) <= CROSSED - close
        self.cramped[:] = False  # of the start, which may be far from any answer
        self._reduce()

    def _raised(self, x: Vector, *, least: bool) -> Vector:
        """Set rising columns to what their rows ask of them.

        Those that are always in may be wanted higher: what counts as a flip is no repeat. At
        their least nothing is.
        """
        lazy, problem = self.lazy, self.problem
        out = x.copy()
        need = problem.row_low[lazy.rise_row] - self.rises @ x + x[lazy.rise_column]
        alone = lazy.rise_column[(lazy.rise_family != ALWAYS) | least]
        out[alone] = problem.low[alone]
        np.maximum.at(out, lazy.rise_column, need)
        return out

    def completed(self, x: Vector) -> Vector:
        """Set every lazy column to its best; kinks depend on flips, so rises are set twice."""
        lazy = self.lazy
        out = self._raised(self._raised(x, least=False), least=False)
        above = out > self.problem.high + CROSSED
        if np.any(above):
            self.cramped |= above & self.strict
            out = self._raised(self._raised(x, least=True), least=True)
        room = self.falls @ out - self.problem.row_low[lazy.fall_row] + out[lazy.fall_column]
        out[lazy.fall_column] = self.problem.high[lazy.fall_column]
        np.minimum.at(out, lazy.fall_column, room)
        return out

    def excess(self, x: Vector) -> Vector:
        """Tell by how much each row is broken."""
        rows = self.A @ x
        return np.asarray(np.maximum(self.problem.row_low - rows, rows - self.problem.row_high))

    def widened(self, x: Vector) -> bool:
        """Take in what a completed answer needs; tell whether there was anything."""
        lazy = self.lazy
        broken = self.out & (self.excess(x) > CROSSED)
        wanted = x[lazy.rise_column] > self.problem.low[lazy.rise_column] + CROSSED
        wanted &= ~self.risen & self.used[lazy.rise_column]
        wanted |= self.cramped[lazy.rise_column] & ~self.risen
        if not (broken.any() or wanted.any()):
            return False
        self.out &= ~broken
        self.risen |= np.isin(lazy.rise_family, np.unique(lazy.rise_family[wanted]))
        self._reduce()
        return True

    def _reduce(self) -> None:
        problem, lazy = self.problem, self.lazy
        kept = ~self.out
        self.used = self._used(kept)
        free = (problem.high > problem.low) & self.used
        free[lazy.rise_column[~self.risen]] = False
        kept[lazy.rise_row] = self.risen & free[lazy.rise_column]
        kept[lazy.fall_row] = self.used[lazy.fall_column]
        self.free = np.flatnonzero(free)
        self.fixed = np.where(free, 0.0, problem.low)
        number = np.full(free.size, -1, dtype=np.int64)
        number[self.free] = np.arange(self.free.size)
        row, rest, whole = self.split_row, self.split_rest, self.split_whole
        self.split = np.flatnonzero(free[rest] & free[whole])
        row, rest, whole = row[self.split], rest[self.split], whole[self.split]
        kept[row] = False
        join = (number[whole], number[rest]) if row.size else None
        A = _joined(self.A[:, self.free], join)
        high, c = problem.high.copy(), problem.c.copy()
        c[rest] += c[whole]
        high[rest] = np.minimum(high[rest], np.maximum(high[whole] + problem.row_low[row], 0.0))
        high[whole] = np.minimum(high[whole], -problem.row_low[row])
        self.rows = np.flatnonzero((np.diff(A.indptr) > 0) & kept)
        at, shift = self.free, (self.A @ self.fixed)[self.rows]
        self.left = replace(
            problem,
            A=A[self.rows],
            row_low=problem.row_low[self.rows] - shift,
            row_high=problem.row_high[self.rows] - shift,
            low=problem.low[at],
            high=high[at],
            c=c[at],
            p=problem.p[at],
            k=problem.k[at],
            o=problem.o[at],
            constant=0.0,
            lazy=Lazy(),
        )

    def _used(self, kept: Mask) -> Mask:
        """Tell which columns matter: not lazy ones that are free and that no row asks about."""
        lazy = self.lazy
        used = np.ones(self.problem.low.size, dtype=bool)
        own: Index = np.concatenate([lazy.rise_column, lazy.fall_column])
        asked = touched(self.A, kept & self.plain) | (self.problem.c > 0)
        used[own] = asked[own] | self.cramped[own]
        inner = np.zeros_like(kept)
        inner[lazy.rise_row] = used[lazy.rise_column]
        used[own] |= touched(self.A, inner)[own]
        return used

    def whole(self, x: Vector, y: Vector) -> tuple[Vector, Vector]:
        """Fill in columns and row prices of the whole program."""
        columns, prices = self.fixed.copy(), np.zeros(self.problem.row_low.size)
        columns[self.free], prices[self.rows] = x, y
        rest, whole = self.split_rest[self.split], self.split_whole[self.split]
        columns[whole] += columns[rest]
        columns = np.clip(columns, self.problem.low, self.problem.high)
        return self.completed(columns), prices


def _joined(A: Matrix, join: tuple[Index, Index] | None) -> Matrix:
    """Add columns, the first of each pair, to others, the second."""
    if join is None:
        return A
    square = (A.shape[1], A.shape[1])
    return (A + A @ sp.coo_array((np.ones(join[0].size), join), shape=square).tocsr()).tocsr()
