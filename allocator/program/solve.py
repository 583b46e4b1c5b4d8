"""Solve a separable convex program: a chain of solvers whose answers are checked here.

The 3/2 powers are replaced by their second-order expansion at the last point, so that each pass is
a quadratic program; value and bound use the powers themselves (`allocator.program.certify`), and
the best pass is kept. Limits are iteration counts, never time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

import numpy as np

from allocator.models.errors import SolverError
from allocator.program.certify import lower_bound
from allocator.program.form import Separable, Vector
from allocator.program.sparse import sp

TOLERANCE = 1e-6
"""Largest residual of a row or bound, in units, that a used answer may have."""

GAP = 1e-6
"""Relative gap at which the passes over the powers end."""

PASSES = 12
POWER_FLOOR = 1e-5

CROSSED = 1e-8
"""Units by which an answer may cross the row of a bend that was left out."""

USUAL_SLOPE = 0.3
"""Objective per unit that trading usually costs at the margin, to guess a first point."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A certified answer.

    Attributes
    ----------
    x, y
        Columns, row prices (positive where the upper side binds).
    value, bound
        Objective at x, proven lower bound of the optimum.
    residual
        Largest violation of a row or bound, in units.
    solver
        Which solver gave it.
    """

    x: Vector
    y: Vector
    value: float
    bound: float
    residual: float
    solver: str


@dataclass(frozen=True, slots=True)
class Raw:
    """What a solver says: columns and row prices, not yet believed."""

    x: Vector
    y: Vector


Solver = Callable[[Separable], Raw | None]


def by_piqp(problem: Separable) -> Raw | None:
    """Solve with PIQP's interior point."""
    import piqp

    equal = problem.row_low == problem.row_high
    sided = ~equal & (np.isfinite(problem.row_low) | np.isfinite(problem.row_high))
    A, G = problem.A[equal].tocsc(), problem.A[sided].tocsc()
    solver = piqp.SparseSolver()
    settings = solver.settings
    settings.verbose = False
    settings.eps_abs = settings.eps_rel = 1e-9
    settings.eps_duality_gap_abs = settings.eps_duality_gap_rel = 1e-9
    settings.eps_primal_inf = settings.eps_dual_inf = 1e-10
    settings.max_iter = 200
    settings.num_threads = 1
    settings.preconditioner_scale_cost = True
    solver.setup(
        sp.diags_array(problem.p).tocsc(),
        problem.c,
        A,
        problem.row_low[equal],
        G,
        problem.row_low[sided],
        problem.row_high[sided],
        problem.low,
        problem.high,
    )
    status = solver.solve()
    if status not in (piqp.PIQP_SOLVED, piqp.PIQP_MAX_ITER_REACHED, piqp.PIQP_NUMERICS):
        return None
    result = solver.result
    y = np.zeros(equal.size)
    y[equal], y[sided] = result.y, result.z_u - result.z_l
    return Raw(np.array(result.x), y)


def by_clarabel(problem: Separable) -> Raw | None:
    """Solve with Clarabel's interior point."""
    clarabel: Any = import_module("clarabel")

    n, equal = problem.low.size, problem.row_low == problem.row_high
    up = ~equal & np.isfinite(problem.row_high)
    down = ~equal & np.isfinite(problem.row_low)
    eye = sp.eye_array(n, format="csr")
    A = sp.vstack([problem.A[equal], problem.A[up], -problem.A[down], eye, -eye], format="csc")
    b = np.concatenate(
        [
            problem.row_low[equal],
            problem.row_high[up],
            -problem.row_low[down],
            problem.high,
            -problem.low,
        ]
    )
    cones = [
        clarabel.ZeroConeT(int(equal.sum())),
        clarabel.NonnegativeConeT(int(b.size - equal.sum())),
    ]
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.max_iter = 300
    settings.max_threads = 1
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-9
    P = sp.diags_array(problem.p).tocsc()
    solution = clarabel.DefaultSolver(P, problem.c, A, b, cones, settings).solve()
    if str(solution.status) not in ("Solved", "AlmostSolved", "MaxIterations"):
        return None
    z, y = np.array(solution.z), np.zeros(equal.size)
    counts = np.cumsum([equal.sum(), up.sum(), down.sum()])
    y[equal] = z[: counts[0]]
    y[up] += z[counts[0] : counts[1]]
    y[down] -= z[counts[1] : counts[2]]
    return Raw(np.array(solution.x), y)


def by_osqp(problem: Separable) -> Raw | None:
    """Solve with OSQP's splitting, its adaptive step tied to iterations instead of the clock."""
    import osqp

    n = problem.low.size
    A = sp.vstack([problem.A, sp.eye_array(n, format="csr")], format="csc")
    low = np.concatenate([problem.row_low, problem.low])
    high = np.concatenate([problem.row_high, problem.high])
    solver = osqp.OSQP()
    solver.setup(
        sp.csc_matrix(sp.diags_array(problem.p)),
        problem.c,
        sp.csc_matrix(A),
        low,
        high,
        verbose=False,
        eps_abs=1e-8,
        eps_rel=1e-8,
        max_iter=50_000,
        adaptive_rho=1,
        adaptive_rho_interval=50,
    )
    result = solver.solve(raise_error=False)
    if result.info.status not in ("solved", "solved inaccurate", "maximum iterations reached"):
        return None
    return Raw(np.array(result.x), np.array(result.y[: problem.row_low.size]))


def by_highs(problem: Separable) -> Raw | None:
    """Solve with HiGHS: simplex for a linear program, its active set for a quadratic one."""
    import highspy

    from allocator.program.highs import Silent, hessian, linear_model, quiet

    highs = quiet(Silent())
    model = linear_model(problem)
    if np.any(problem.p > 0):
        model = hessian(model, problem.p)
    highs.passModel(model)
    highs.run()
    if highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None
    solution = highs.getSolution()
    return Raw(np.array(solution.col_value), -np.array(solution.row_dual))


CHAIN: tuple[tuple[str, Solver], ...] = (
    ("piqp", by_piqp),
    ("clarabel", by_clarabel),
    ("osqp", by_osqp),
    ("highs", by_highs),
)
"""Solvers in the order in which they are asked."""


def solve(
    problem: Separable,
    chain: tuple[tuple[str, Solver], ...] = CHAIN,
    *,
    near: Vector | None = None,
    passes: int = PASSES,
) -> Answer:
    """Solve a program and certify the answer.

    Parameters
    ----------
    problem
        The program.
    chain
        Solvers in the order in which they are asked.
    near
        Columns around which the powers are expanded first; a function of the inputs alone.
    passes
        Most expansions; a single one near the optimum is often enough.

    Raises
    ------
    SolverError
        When no solver's answer keeps rows and bounds to `TOLERANCE`.
    """
    last = "no solver was asked"
    for name, solver in chain:
        answer = _passes(problem, (name, solver), near, passes)
        if answer is not None and answer.residual <= TOLERANCE:
            return answer
        last = f"{name}: " + ("no answer" if answer is None else f"residual {answer.residual:.1e}")
    raise SolverError(f"no solver's answer could be certified; the last one, {last}")


def _passes(
    problem: Separable, asked: tuple[str, Solver], near: Vector | None, passes: int
) -> Answer | None:
    name, solver = asked
    bent = problem.k > 0
    first = _first_guess(problem) if near is None else problem.o + near
    point = np.maximum(problem.o, np.maximum(first, POWER_FLOOR))
    best: Answer | None = None
    bound = -np.inf
    small = Reduced(problem)
    while passes > 0:
        raw = small.solve(solver, _tangent_parabolas(problem, point))
        if raw is None or not np.all(np.isfinite(raw.x)):
            break
        x = np.clip(raw.x, problem.low, problem.high)
        point = np.maximum(problem.o + x, POWER_FLOOR)
        if small.widened(x):
            continue
        passes -= 1
        bound = max(bound, lower_bound(problem, raw.y))
        value, residual = problem.objective(x), problem.residual(x)
        if best is None or value < best.value or best.residual > TOLERANCE:
            best = Answer(x, raw.y, value, bound, residual, name)
        if not bent.any() or best.value - bound <= GAP * (1.0 + abs(best.value)):
            break
    return None if best is None else replace(best, bound=bound)


class Reduced:
    """A program without its fixed columns, its empty rows and the bends that do not bend.

    Interior points like neither fixed columns nor empty rows, and most bends never matter: one
    is taken in once an answer crosses its row. What is left out has no price, and a bound holds
    for any prices.
    """

    def __init__(self, problem: Separable) -> None:
        self.problem = problem
        movable = problem.high[problem.bend_column] > problem.low[problem.bend_column]
        self.row, self.column = problem.bend_row[movable], problem.bend_column[movable]
        start = np.clip(np.zeros(problem.low.size), problem.low, problem.high)
        self.bends = problem.A[self.row]
        self.out = self.row_need(start) <= 0
        self._reduce()

    def row_need(self, x: Vector) -> Vector:
        """Tell how far each bend's row asks its column to rise above its lower bound."""
        own = x[self.column] - self.problem.low[self.column]
        return np.asarray(self.problem.row_low[self.row] - self.bends @ x + own, dtype=np.float64)

    def widened(self, x: Vector) -> bool:
        """Take in the bends whose rows an answer crosses; tell whether there were any."""
        crossed = self.out & (self.row_need(x) > CROSSED)
        if not crossed.any():
            return False
        self.out &= ~crossed
        self._reduce()
        return True

    def _reduce(self) -> None:
        problem = self.problem
        free = problem.high > problem.low
        free[self.column[self.out]] = False
        kept = np.ones(problem.row_low.size, dtype=bool)
        kept[self.row[self.out]] = False
        self.free = np.flatnonzero(free)
        self.fixed = np.where(free, 0.0, problem.low)
        A = problem.A[:, self.free].tocsr()
        self.rows = np.flatnonzero((np.diff(A.indptr) > 0) & kept)
        self.A = A[self.rows]
        self.shift = (problem.A @ self.fixed)[self.rows]

    def solve(self, solver: Solver, problem: Separable) -> Raw | None:
        """Solve what is left, and fill in the rest."""
        at, rows = self.free, self.rows
        left = Separable(
            self.A,
            problem.row_low[rows] - self.shift,
            problem.row_high[rows] - self.shift,
            problem.low[at],
            problem.high[at],
            problem.c[at],
            problem.p[at],
            problem.k[at],
            problem.o[at],
        )
        x, y = self.fixed.copy(), np.zeros(problem.row_low.size)
        if at.size:
            raw = solver(left)
            if raw is None:
                return None
            x[at], y[rows] = raw.x, raw.y
        return Raw(x, y)


def _first_guess(problem: Separable) -> Vector:
    """Guess where each power will end: where its slope is that of a usual toll."""
    slope = np.where(
        problem.k > 0, USUAL_SLOPE / np.where(problem.k > 0, 1.5 * problem.k, 1.0), 0.0
    )
    return np.asarray(np.minimum(slope * slope, problem.o + problem.high), dtype=np.float64)


def _tangent_parabolas(problem: Separable, point: Vector) -> Separable:
    """Replace each power by its second-order expansion at `point`."""
    bent = problem.k > 0
    root = np.sqrt(point)
    curve = np.where(bent, 0.75 * problem.k / root, 0.0)
    slope = np.where(bent, 1.5 * problem.k * root, 0.0)
    return replace(
        problem,
        p=problem.p + curve,
        c=problem.c + slope - curve * (point - problem.o),
        k=np.zeros_like(problem.k),
        o=np.zeros_like(problem.o),
    )
