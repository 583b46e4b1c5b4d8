"""A library that refuses a program gives no answer, and ends the chain by no error of its own."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from allocator.program.separable import Separable
from allocator.program.solvers import by_osqp


def beyond(figure: float) -> Separable:
    """Ask for more than any library takes for finite."""
    return Separable(
        A=sp.csr_array(np.ones((1, 2))),
        row_low=np.array([figure]),
        row_high=np.array([np.inf]),
        low=np.zeros(2),
        high=np.full(2, 2 * figure),
        c=np.ones(2),
        p=np.zeros(2),
        k=np.zeros(2),
        o=np.zeros(2),
    )


def test_a_program_that_osqp_refuses_has_no_answer_of_its() -> None:
    assert by_osqp(beyond(1.28e39)) is None
