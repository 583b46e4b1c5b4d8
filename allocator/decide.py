"""Decide: the pure path from a snapshot and a mandate to a verified plan, on one screen."""

from __future__ import annotations

from pydantic import ValidationError

from allocator.minimise import search
from allocator.minimise.choose import choose
from allocator.minimise.explain import explained
from allocator.minimise.preview import Relaxed, relaxed
from allocator.minimise.solvers import ExactSolver, exactly
from allocator.models.errors import Problem, SnapshotError, SolverError
from allocator.models.mandate import Mandate
from allocator.models.plan import Plan
from allocator.models.refusals import book_problems
from allocator.models.snapshot import Snapshot
from allocator.plan.write import idle, released, written
from allocator.program.crossing import arrays_of
from allocator.program.memory import Memory
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
    return _decided(known(snapshot, mandate), exact, Memory())


def known(snapshot: Snapshot, mandate: Mandate) -> Book:
    """Derive the book of a sensible problem."""
    problems = book_problems(snapshot, mandate)
    if problems:
        raise SnapshotError(problems)
    return Book.of(snapshot, mandate)


def _decided(book: Book, exact: ExactSolver, memory: Memory, *, full: bool = True) -> Plan:
    try:
        return _planned(book, exact, memory, full=full)
    except ValidationError as error:
        # Each figure was one that can be told; a product of some, in the plan, is none.
        what = f"a book of figures that no plan can hold ({error.errors()[0]['msg']})"
        raise SnapshotError([Problem(("snapshot",), what)]) from error


def _planned(book: Book, exact: ExactSolver, memory: Memory, *, full: bool) -> Plan:
    solver = exactly(exact)
    try:
        found = search(arrays_of(book), solver, memory, cases=full)  # relaxation, bound, support
        chosen = choose(book, found, quick=not full)  # whole lots, order of steps
        told = explained(book, found, chosen, conflicts=full)  # what binds, what is in the way
    except SolverError as error:
        return released(book, idle(book, str(error)))
    return released(book, written(book, told, why=full))  # certificate, reasons, exact replay


class Engine:
    """Decides for one mandate again and again; safe to share between threads.

    It keeps the symbolic factorisation of the relaxed programs it has met, which answers do not
    depend on.

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
        self._memory = Memory()
        self._looks = Memory(points=True)

    @lawful
    def decide(self, snapshot: Snapshot) -> Plan:
        """Decide as `decide` does, byte for byte, whatever was decided before."""
        return _decided(known(snapshot, self.mandate), self.exact, self._memory)

    @lawful
    def quick(self, snapshot: Snapshot) -> Plan:
        """Find a plan that keeps every rule and is verified exactly, with less effort.

        It is the first safe one of the best set of actions: lots are mended, not improved; the
        bound is the relaxation's; actions have no reasons and shortages no conflicting rules.
        Several times faster than `decide` where books are not small.
        """
        book = known(snapshot, self.mandate)
        return _decided(book, self.exact, self._memory, full=False)

    @lawful
    def relaxed(self, snapshot: Snapshot) -> Relaxed:
        """Solve the relaxed program alone, whatever was solved before."""
        return relaxed(arrays_of(known(snapshot, self.mandate)), self._memory)

    @lawful
    def preview(self, snapshot: Snapshot) -> Relaxed:
        """Solve the relaxed program near the last preview's end.

        For looking: its last digits depend on what was looked at before, so it is never executed
        and has no hash.
        """
        return relaxed(arrays_of(known(snapshot, self.mandate)), self._looks)
