"""A primal-dual interior point for separable convex programs, powers included.

For ``min phi(x), row_low <= A x <= row_high, low <= x <= high`` with separable phi each Newton
step solves one quasi-definite system::

    [ phi'' + Z/X    A'      ] [dx]
    [ A             -1/Theta ] [dy]

where Z/X adds up the prices of the bounds over the distances to them, and Theta does the same for
the rows' slacks (a small constant stands in for equal rows). phi'' is diagonal, so the 3/2 powers
cost no more than squares: one run takes the place of a series of quadratic programs. The
predictor-corrector is Mehrotra's (SIAM J. Optim. 2, 1992); the factorisation is QDLDL's, of which
the order of elimination depends on the pattern alone and may be kept. Nothing depends on time or
chance. An answer is judged elsewhere (`allocator.program.certify`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import qdldl

from allocator.program.certify import lower_bound
from allocator.program.separable import Index, Separable, Vector
from allocator.program.sparse import Matrix, sp

STEPS = 80
NEAR_BOUND = 0.995
"""Part of the way to the nearest bound that a step may go."""

START = 3.0
"""Distance from the bounds, in units, at which columns start."""

FIRST_PRICE = 3.0
"""Price of a bound at that distance: what trading usually costs at the margin."""

AGAIN = 3e-3
"""The same where a search begins near another one's end."""

CLOSE = 1e-7
"""Relative gap at which the steps end."""

FAR = 1e-4
"""Relative complementarity above which the gap is not worked out: it is no smaller."""

FITS = 1e-8
"""Residual of rows, in units, at which they end."""

HELD = (1e-9, 1e-8, 1e-7, 1e-6)
"""Stands in for slack of equal rows; a larger one where pivots vanish."""

REFINED = 2
"""Steps of refinement of a Newton direction; one for the predictor, which only aims."""

SOUND = 1e-5
"""Relative error before the last refinement from which more slack is lent."""

FLAT = 1e-7
"""Stands in for curvature of columns that have none and no bound nearby."""

TOUCHING = 1e-16
"""Distance to a bound, in units, that is taken where rounding leaves none."""

WORST_FIT = 5e-7
"""Residual of rows, in units, with which an answer is still one where steps stall."""

PROGRESS = 0.9
"""Factor by which gap or residual must fall for a step to count as progress."""

STALLED = 10
"""Steps without progress after which the steps end."""


@dataclass(slots=True)
class Point:
    """Columns and slacks, row prices, and the prices of lower and upper bounds."""

    w: Vector
    y: Vector
    down: Vector
    up: Vector

    def copy(self) -> Point:
        """Copy all of it."""
        return Point(self.w.copy(), self.y.copy(), self.down.copy(), self.up.copy())


@dataclass(frozen=True, slots=True)
class Inside:
    """Where the interior point ended, or began.

    Attributes
    ----------
    x, y
        Columns, and row prices (positive where the upper side binds).
    infeasible
        Whether the prices prove that no point keeps the rows.
    point
        The whole point, to begin another search near it.
    """

    x: Vector
    y: Vector
    infeasible: bool = False
    point: Point | None = None


class System:
    """The Newton system of a fixed pattern, factorised again for every diagonal."""

    def __init__(self, A: Matrix) -> None:
        m, n = A.shape
        self.n, self.m = n, m
        eye, zero = sp.eye_array(n, format="csc"), sp.eye_array(m, format="csc")
        K = sp.block_array([[eye, A.T], [None, zero]], format="csc")
        K.sort_indices()
        self.K = sp.csc_matrix((K.data.astype(np.float64), K.indices, K.indptr), shape=K.shape)
        last = self.K.indptr[1:] - 1
        self.diagonal: Index = np.asarray(last, dtype=np.int64)
        inner = np.ones(self.K.nnz, dtype=bool)
        inner[self.diagonal] = False
        self.inner: Index = np.flatnonzero(inner)
        self.rows = A
        self.At = A.T.tocsr()
        self.solver: qdldl.Solver | None = None

    def of(self, A: Matrix) -> System:
        """Take the values of another matrix of the same pattern."""
        sorted_rows = A.copy()
        sorted_rows.sort_indices()
        self.K.data[self.inner] = sorted_rows.data
        self.rows, self.At = A, A.T.tocsr()
        return self

    def factorise(self, top: Vector, bottom: Vector) -> None:
        """Take new diagonals.

        Parameters
        ----------
        top
            Of the columns, above zero, shape ``(n,)``.
        bottom
            Of the rows, not below zero, entering negative, shape ``(m,)``.
        """
        self.top, self.bottom = top, bottom
        self.held = 0
        self._factorise()

    def _factorise(self) -> None:
        held = HELD[self.held]
        self.K.data[self.diagonal] = np.concatenate([self.top + FLAT, -self.bottom - held])
        try:
            if self.solver is None:
                self.solver = qdldl.Solver(self.K, upper=True)
            else:
                self.solver.update(self.K, upper=True)
        except RuntimeError as error:
            self.solver = None  # a pivot of zero leaves half of it; the order follows from K alone
            raise ArithmeticError("the Newton system has no factors") from error

    def _times(self, v: Vector) -> Vector:
        dx, dy = v[: self.n], v[self.n :]
        return np.concatenate([self.top * dx + self.At @ dy, self.rows @ dx - self.bottom * dy])

    def solve(self, right: Vector, refined: int = REFINED) -> Vector:
        """Solve by refinement, which takes the effect of what stands in for slack out again.

        Where pivots vanished, which spoils everything at once, more slack is lent.

        Raises
        ------
        ArithmeticError
            When no slack that is lent makes the answer sound.
        """
        scale = float(np.abs(right).max(initial=0.0)) + 1e-12
        while True:
            out, error = self._refined(right, refined)
            if error <= SOUND * scale:
                return out
            self.held += 1
            if self.held == len(HELD):
                raise ArithmeticError("the Newton system could not be solved")
            self._factorise()

    def _refined(self, right: Vector, refined: int) -> tuple[Vector, float]:
        """Solve and refine; returns the answer and its error before the last refinement."""
        assert self.solver is not None
        out, error = np.asarray(self.solver.solve(right)), np.inf
        for _ in range(refined):
            rest = right - self._times(out)
            error = float(np.abs(rest).max(initial=0.0))
            if not np.isfinite(error):
                return out, np.inf
            out = out + self.solver.solve(rest)
        return out, error


class InteriorPoint:
    """One program and the state of its solution.

    Parameters
    ----------
    problem
        Columns that can move and rows that are not empty.
    system
        The Newton system of its matrix, kept from another program with the same one.
    """

    def __init__(self, problem: Separable, system: System | None = None) -> None:
        self.problem = problem
        self.A = problem.A.tocsr()
        self.system = System(self.A) if system is None else system.of(self.A)
        self.m, self.n = self.A.shape
        self.equal = problem.row_low == problem.row_high
        self.sided = np.flatnonzero(~self.equal)
        self.low = np.concatenate([problem.low, problem.row_low[self.sided]])
        self.high = np.concatenate([problem.high, problem.row_high[self.sided]])
        self.L = np.flatnonzero(np.isfinite(self.low))
        self.U = np.flatnonzero(np.isfinite(self.high))
        self.right = np.where(self.equal, problem.row_low, 0.0)

    def solve(self, near: Point | None = None, close: float = CLOSE) -> Inside | None:
        """Follow the central path; None where it ends nowhere.

        Parameters
        ----------
        close
            Relative gap at which the steps end.
        near
            Where a program of the same shape ended, to begin near it. The answer then depends
            on it in its last digits.
        """
        point = self._first() if near is None else self._again(near)
        best, least, idle = None, np.inf, 0
        for _ in range(STEPS):
            rows = self._rows(point.w)
            misfit = float(np.abs(rows).max(initial=0.0))
            merit = max(self._gap(point) / close, misfit / FITS)
            if not np.isfinite(merit):
                break
            idle = 0 if merit < PROGRESS * least else idle + 1
            if merit < least:
                least = merit
                if misfit <= WORST_FIT:
                    best = self._inside_at(point)
            if merit <= 1.0 or idle > STALLED:
                break
            if misfit > WORST_FIT and self._impossible(point.y):
                return self._inside_at(point, infeasible=True)
            if not self._stepped(point, rows):
                break
        return best

    def _gap(self, point: Point) -> float:
        """Relative gap between the value at a point and the bound that its prices prove."""
        value = self.problem.objective(point.w[: self.n])
        below, above = self._distances(point.w)
        open_ = float(point.down[self.L] @ below + point.up[self.U] @ above) / (1.0 + abs(value))
        if open_ > FAR:
            return open_
        return (value - lower_bound(self.problem, point.y)) / (1.0 + abs(value))

    def _inside_at(self, point: Point, *, infeasible: bool = False) -> Inside:
        return Inside(point.w[: self.n].copy(), point.y.copy(), infeasible, point.copy())

    def _stepped(self, point: Point, rows: Vector) -> bool:
        try:
            return self._step(point, rows)
        except (ArithmeticError, RuntimeError):
            return False

    def _impossible(self, y: Vector) -> bool:
        """Whether the rows' prices alone prove that no point keeps them."""
        scale = float(np.abs(y).max(initial=0.0))
        if scale < 1e3:
            return False
        P = self.problem
        none = np.zeros(self.n)
        bare = Separable(self.A, P.row_low, P.row_high, P.low, P.high, none, none, none, none)
        return lower_bound(bare, y / scale) > 1e-9

    def _first(self) -> Point:
        """Begin a little inside every bound, all prices on the central path."""
        P = self.problem
        x = np.clip(np.zeros(self.n), P.low, P.high)
        w = self._inside(x, START)
        mu = FIRST_PRICE * START
        below, above = self._distances(w)
        down, up = np.zeros(w.size), np.zeros(w.size)
        down[self.L], up[self.U] = mu / below, mu / above
        y = np.zeros(self.m)
        y[self.sided] = (up - down)[self.n :]
        return Point(w, y, down, up)

    def _again(self, near: Point) -> Point:
        """Begin near another program's end, lifted off the bounds and their zero prices."""
        w = self._inside(near.w[: self.n], AGAIN)
        below, above = self._distances(w)
        down, up = np.zeros(w.size), np.zeros(w.size)
        down[self.L] = np.maximum(near.down[self.L], AGAIN**2 / below)
        up[self.U] = np.maximum(near.up[self.U], AGAIN**2 / above)
        return Point(w, near.y.copy(), down, up)

    def _distances(self, w: Vector) -> tuple[Vector, Vector]:
        """Distances to the lower bounds at `L` and to the upper ones at `U`, never zero."""
        below = np.maximum((w - self.low)[self.L], TOUCHING)
        above = np.maximum((self.high - w)[self.U], TOUCHING)
        return below, above

    def _inside(self, x: Vector, distance: float) -> Vector:
        """Keep columns, and the slacks that follow from them, a distance off their bounds."""
        room = np.minimum(0.25 * (self.high - self.low), distance)
        w = np.concatenate([x, np.zeros(self.sided.size)])
        w[: self.n] = np.clip(x, (self.low + room)[: self.n], (self.high - room)[: self.n])
        w[self.n :] = (self.A @ w[: self.n])[self.sided]
        return np.asarray(np.clip(w, self.low + room, self.high - room), dtype=np.float64)

    def _rows(self, w: Vector) -> Vector:
        """Residual of the rows, slacks included."""
        out = self.A @ w[: self.n] - self.right
        out[self.sided] -= w[self.n :]
        return np.asarray(out)

    def _slopes(self, point: Point) -> tuple[Vector, Vector]:
        """Dual residual of columns and slacks, and the curvature of columns."""
        P, x = self.problem, point.w[: self.n]
        root = np.sqrt(np.maximum(P.o + x, 1e-30))
        slope = P.c + P.p * x + 1.5 * P.k * root + self.system.At @ point.y
        curve = P.p + np.where(P.k > 0, 0.75 * P.k / root, 0.0)
        return np.concatenate([slope, -point.y[self.sided]]) - point.down + point.up, curve

    def _step(self, point: Point, rows: Vector) -> bool:
        """Take one predictor-corrector step; tell whether it went anywhere."""
        n, L, U = self.n, self.L, self.U
        slope, curve = self._slopes(point)
        below, above = self._distances(point.w)
        down, up = point.down[L], point.up[U]
        mu = float(down @ below + up @ above) / max(1, L.size + U.size)
        theta = np.zeros(point.w.size)
        theta[L] += down / below
        theta[U] += up / above
        top = curve + theta[:n]
        exact = np.zeros(self.m)
        exact[self.sided] = 1.0 / np.maximum(theta[n:], 1e-14)
        self.system.factorise(top, exact)

        def direction(
            target: tuple[Vector, Vector], refined: int
        ) -> tuple[Vector, Vector, Vector, Vector]:
            pull = -slope
            pull[L] += target[0] / below - down
            pull[U] -= target[1] / above - up
            right = np.concatenate([pull[:n], -rows])
            right[n + self.sided] += pull[n:] * exact[self.sided]
            solved = self.system.solve(right, refined)
            dw = np.concatenate([solved[:n], np.zeros(self.sided.size)])
            dy = solved[n:]
            dw[n:] = (dy[self.sided] + pull[n:]) * exact[self.sided]
            return (
                dw,
                dy,
                (target[0] - down * dw[L]) / below - down,
                (target[1] + up * dw[U]) / above - up,
            )

        none = np.zeros(L.size), np.zeros(U.size)
        dw, dy, dd, du = direction(none, 1)
        primal, dual = self._reach(dw, below, above), _reach_of((down, dd), (up, du))
        after = (down + dual * dd) @ (below + primal * dw[L])
        after += (up + dual * du) @ (above - primal * dw[U])
        centre = (float(after) / max(1, L.size + U.size) / mu) ** 3 * mu
        dw, dy, dd, du = direction((centre - dd * dw[L], centre + du * dw[U]), REFINED)
        if not (np.all(np.isfinite(dw)) and np.all(np.isfinite(dy))):
            return False
        primal = min(1.0, NEAR_BOUND * self._reach(dw, below, above))
        dual = min(1.0, NEAR_BOUND * _reach_of((down, dd), (up, du)))
        point.w += primal * dw
        point.y += dual * dy
        point.down[L] = down + dual * dd
        point.up[U] = up + dual * du
        return max(primal, dual) > 1e-10

    def _reach(self, dw: Vector, below: Vector, above: Vector) -> float:
        return _reach_of((below, dw[self.L]), (above, -dw[self.U]))


def _reach_of(*pairs: tuple[Vector, Vector]) -> float:
    """Largest step that keeps positive values positive, at most a little above one."""
    out = 1.0 / NEAR_BOUND
    for value, change in pairs:
        falls = change < 0
        if falls.any():
            out = min(out, float((-value[falls] / change[falls]).min()))
    return out
