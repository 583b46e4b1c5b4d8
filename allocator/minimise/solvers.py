"""The solvers of the exact step, by name."""

from __future__ import annotations

from typing import Literal, assert_never

from allocator.minimise.exact import exact
from allocator.minimise.mixed import Exactly
from allocator.minimise.scip import exact_by_scip

ExactSolver = Literal["highs", "scip"]
"""Who solves the mixed-integer program of a small book; SCIP is an extra."""


def exactly(solver: ExactSolver) -> Exactly:
    """Look a solver of the exact step up."""
    match solver:
        case "highs":
            return exact
        case "scip":
            return exact_by_scip
        case _:
            assert_never(solver)
