"""What is done without scipy's products gives what they give."""

from __future__ import annotations

import doctest

import numpy as np
import pytest

from allocator.program import sparse
from allocator.program.sparse import columns_scaled, diagonal, rows_scaled, sp, touched


@pytest.mark.parametrize("seed", range(20))
def test_the_same_as_products_with_diagonals(seed: int) -> None:
    rng = np.random.default_rng(seed)
    m, n = rng.integers(0, 9, 2)
    A = sp.random_array((m, n), density=0.4, format="csr", rng=rng)
    A.data[rng.random(A.nnz) < 0.2] = 0.0
    rows, columns = rng.integers(-1, 2, m) * rng.random(m), rng.integers(-1, 2, n) * rng.random(n)
    some = rng.random(m) < 0.5
    for made, product in (
        (rows_scaled(A, rows), sp.diags_array(rows) @ A if m else A),
        (columns_scaled(A, columns), A @ sp.diags_array(columns) if n else A),
        (diagonal(rows), np.diag(rows)),
    ):
        dense = product if isinstance(product, np.ndarray) else product.toarray()
        assert made.toarray().tolist() == dense.tolist()
        assert made.nnz == np.count_nonzero(dense)
    assert touched(A, some).tolist() == (abs(A.toarray())[some].sum(axis=0) > 0).tolist()


def test_doctests_hold() -> None:
    assert doctest.testmod(sparse).failed == 0
