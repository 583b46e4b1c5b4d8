"""A look at the relaxed program: what would be wished, without lots, order of steps or proof."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allocator.minimise.candidate import Candidate
from allocator.minimise.search import relaxation
from allocator.minimise.wishes import wish_of
from allocator.plan.lots import Wish
from allocator.program.arrays import Arrays
from allocator.program.build import Program, build
from allocator.program.memory import Memory
from allocator.program.solve import Answer


@dataclass(frozen=True)
class Relaxed:
    """The relaxed program of a book and its answer.

    Attributes
    ----------
    program
        The program.
    answer
        The certified answer.
    total, bound
        Its total, and the proven lower bound of every plan's, numeraire.
    missing
        The least S, numeraire.
    """

    program: Program
    answer: Answer
    total: float
    bound: float
    missing: float

    def wish(self) -> Wish:
        """Tell the sizes in contracts and asset units, whatever their fixed costs."""
        count = self.program.core.layout.count
        used = self.answer.x[:count] > 0
        return wish_of(self.program, Candidate(used, self.answer.x, self.answer.value))


def relaxed(arrays: Arrays, memory: Memory) -> Relaxed:
    """Build and solve the relaxed program of a book.

    Raises
    ------
    SolverError
        When no answer can be certified.
    """
    program = build(arrays, None)
    form = program.form
    least, answer = relaxation(form, memory)
    missing = max(0.0, float(np.maximum(least.value, 0.0))) * form.unit
    return Relaxed(
        program, answer, answer.value * form.cost_unit, answer.bound * form.cost_unit, missing
    )
