"""Decide: the pure path from a snapshot and a mandate to a verified plan, on one screen."""

from __future__ import annotations

from allocator.minimise import search
from allocator.minimise.choose import choose
from allocator.minimise.explain import explained
from allocator.minimise.solvers import ExactSolver, exactly
from allocator.models.errors import SnapshotError, SolverError
from allocator.models.mandate import Mandate
from allocator.models.plan import Plan
from allocator.models.refusals import book_problems
from allocator.models.snapshot import Snapshot
from allocator.plan.write import idle, released, written
from allocator.program.crossing import arrays_of
from allocator.state import Book, lawful


@lawful
def decide(snapshot: Snapshot, mandate: Mandate, *, exact: ExactSolver = "highs") -> Plan:
    """Find the least-cost plan that keeps every rule, prove it, and verify it exactly.

    Pure: equal inputs give equal plans, whatever was decided before.

    Parameters
    ----------
    exact
        Who solves the mixed-integer program of a small book.

    Returns
    -------
    A plan that `allocator.verify.verify` has released; or one with status ``refused`` and no
    actions that says why there is none.

    Raises
    ------
    SnapshotError
        When snapshot and mandate make no sensible problem.
    ConfigError
        When the solver asked for is not installed.
    """
    problems = book_problems(snapshot, mandate)
    if problems:
        raise SnapshotError(problems)
    book = Book.of(snapshot, mandate)
    try:
        found = search(arrays_of(book), exactly(exact))  # relaxation, bound, support
        chosen = choose(book, found)  # whole lots, order of steps
        told = explained(book, found, chosen)  # what binds, what stands in the way
    except SolverError as error:
        return released(book, idle(book, str(error)))
    return released(book, written(book, told))  # certificate, reasons, exact replay


class Engine:
    """Decides for one mandate again and again.

    Parameters
    ----------
    mandate
        What the owner wants.
    exact
        Who solves the mixed-integer program of a small book.
    """

    def __init__(self, mandate: Mandate, *, exact: ExactSolver = "highs") -> None:
        self.mandate = mandate
        self.exact: ExactSolver = exact

    def decide(self, snapshot: Snapshot) -> Plan:
        """Decide as `decide` does, byte for byte, whatever was decided before."""
        return decide(snapshot, self.mandate, exact=self.exact)
