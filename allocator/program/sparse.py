"""Sparse matrices as the type checkers see them: scipy brings no types."""

from __future__ import annotations

from typing import Any

import scipy.sparse

sp: Any = scipy.sparse
"""The module `scipy.sparse`."""

Matrix = Any
"""A sparse matrix in CSR form."""
