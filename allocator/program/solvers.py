"""Solvers of quadratic programs behind one signature; none of them is believed.

Every tolerance is passed and every status is mapped; limits are iteration counts, never time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from allocator.program.separable import Separable, Vector
from allocator.program.sparse import diagonal, sp


@dataclass(frozen=True, slots=True)
class Raw:
    """What a solver says: columns and row prices, not yet believed."""

    x: Vector
    y: Vector


Solver = Callable[[Separable], Raw | None]
"""Solves a program without powers; None where it has no answer."""


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
        diagonal(problem.p),
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
    P = diagonal(problem.p)
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
    try:
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
    except osqp.OSQPException:
        return None  # it refuses figures of 1e30 and more, which it takes for none
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
