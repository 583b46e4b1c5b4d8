"""Programs of random books, for tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from allocator.models.mandate import Mandate
from allocator.models.scenario import Scenario
from allocator.models.snapshot import Snapshot
from allocator.program.build import Program, build
from allocator.program.crossing import arrays_of
from allocator.program.highs import Silent, linear_model, quiet
from allocator.program.separable import Separable, Vector
from allocator.state import Book
from tests.books import random_book


def scenario_of(seed: int, flavour: str) -> Scenario:
    return Scenario.model_validate(random_book(seed, flavour))


def program_of(snapshot: Snapshot, mandate: Mandate) -> Program:
    return build(arrays_of(Book.of(snapshot, mandate)), None)


def shared(program: Program) -> Vector:
    """Use of an action per unit of its size in the relaxation."""
    top = program.form.top
    return np.divide(1.0, top, out=np.zeros_like(top), where=top > 0)


def completed(problem: Separable, actions: Vector) -> Vector:
    """Fill in the other columns at their best, by simplex: curved ones follow from the actions."""
    low, high = problem.low.copy(), problem.high.copy()
    low[: actions.size] = high[: actions.size] = actions
    flat: Any = Separable(
        problem.A, problem.row_low, problem.row_high, low, high, problem.c, *([low * 0] * 3)
    )
    highs = quiet(Silent())
    highs.passModel(linear_model(flat))
    highs.run()
    return np.array(highs.getSolution().col_value)
