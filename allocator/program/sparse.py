"""Sparse matrices as the type checkers see them: scipy brings no types.

Most matrices here are small: what scipy does around a product takes longer than the product.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse

sp: Any = scipy.sparse
"""The module `scipy.sparse`."""

Matrix = Any
"""A sparse matrix in CSR form."""


def rows_scaled(A: Matrix, by: Any) -> Matrix:
    """Multiply each row of a CSR matrix: a product with a diagonal, which costs ten times this.

    >>> rows_scaled(sp.csr_array([[1.0, 2.0], [3.0, 0.0]]), np.array([0.0, 2.0])).toarray().tolist()
    [[0.0, 0.0], [6.0, 0.0]]
    """
    return _weighted(A, np.repeat(by, np.diff(A.indptr)))


def columns_scaled(A: Matrix, by: Any) -> Matrix:
    """Multiply each column of a CSR matrix.

    >>> columns_scaled(sp.csr_array([[1.0, 2.0], [3.0, 0.0]]), np.array([0.0, 2.0])).nnz
    1
    """
    return _weighted(A, by[A.indices])


def _weighted(A: Matrix, weight: Any) -> Matrix:
    out = A.copy()
    out.data = A.data * weight
    if not out.data.all():
        out.eliminate_zeros()
    return out


def diagonal(values: Any) -> Matrix:
    """Build a square CSC matrix with these values on its diagonal, and no entry for a zero.

    >>> diagonal(np.array([0.0, 3.0])).toarray().tolist()
    [[0.0, 0.0], [0.0, 3.0]]
    """
    used = values != 0
    ends = np.concatenate([[0], np.cumsum(used)])
    return sp.csc_array((values[used], np.flatnonzero(used), ends), shape=(used.size, used.size))


def touched(A: Matrix, rows: Any) -> Any:
    """Tell which columns of a CSR matrix have an entry other than zero in some rows.

    >>> touched(sp.csr_array([[1.0, 0.0], [0.0, 2.0]]), np.array([False, True])).tolist()
    [False, True]
    """
    out = np.zeros(A.shape[1], dtype=bool)
    out[A.indices[np.repeat(rows, np.diff(A.indptr)) & (A.data != 0)]] = True
    return out
