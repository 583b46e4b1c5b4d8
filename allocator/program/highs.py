"""HiGHS models from separable programs."""

from __future__ import annotations

from typing import Any

import highspy
import numpy as np

from allocator.program.separable import Separable, Vector


class Silent(highspy.Highs):  # type: ignore[misc]
    """A solver that prints no banner: the base prints one while its callbacks are set up."""

    def enableCallbacks(self) -> Any:  # noqa: N802
        """Turn the output off before the base uses it."""
        self.setOptionValue("output_flag", False)
        return super().enableCallbacks()


def quiet(highs: Any) -> Any:
    """Set every option that matters: silent, one thread, tight, no clock."""
    for name, value in (
        ("output_flag", False),
        ("threads", 1),
        ("random_seed", 0),
        ("simplex_iteration_limit", 200_000),
        ("qp_iteration_limit", 2_000),
        ("primal_feasibility_tolerance", 1e-9),
        ("dual_feasibility_tolerance", 1e-9),
        ("mip_feasibility_tolerance", 1e-9),
    ):
        highs.setOptionValue(name, value)
    return highs


def linear_model(problem: Separable) -> Any:
    """Build the linear part: columns, rows and linear costs."""
    lp = highspy.HighsLp()
    A = problem.A.tocsc()
    lp.num_col_, lp.num_row_ = int(problem.low.size), int(problem.row_low.size)
    lp.col_cost_, lp.offset_ = problem.c, problem.constant
    lp.col_lower_, lp.col_upper_ = problem.low, problem.high
    lp.row_lower_, lp.row_upper_ = problem.row_low, problem.row_high
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_, lp.a_matrix_.index_ = A.indptr, A.indices
    lp.a_matrix_.value_ = A.data
    model = highspy.HighsModel()
    model.lp_ = lp
    return model


def hessian(model: Any, p: Vector) -> Any:
    """Add a diagonal Hessian."""
    at = np.flatnonzero(p > 0)
    model.hessian_.dim_ = int(p.size)
    model.hessian_.format_ = highspy.HessianFormat.kTriangular
    model.hessian_.start_ = np.concatenate([[0], np.cumsum(p > 0)]).astype(np.int32)
    model.hessian_.index_ = at.astype(np.int32)
    model.hessian_.value_ = p[at]
    return model
