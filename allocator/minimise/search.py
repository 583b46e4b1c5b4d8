"""The best set of actions: relax, bound, choose among supports, compare."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np

from allocator.minimise.brackets import in_brackets
from allocator.minimise.branch import Effort, by_cases
from allocator.minimise.candidate import SPARE, Candidate, only_shortfall
from allocator.minimise.cuts import columns_of, smaller, standing
from allocator.minimise.exact import exact
from allocator.minimise.lots import as_chosen
from allocator.minimise.mixed import COARSE, Exact, Exactly
from allocator.minimise.supports import polished, put_near, supports, usable
from allocator.models.errors import SolverError
from allocator.plan.lots import MoveKey
from allocator.program.arrays import Arrays
from allocator.program.build import Program, build
from allocator.program.form import Form
from allocator.program.memory import Memory
from allocator.program.requirements import ceilings
from allocator.program.separable import Mask, Vector
from allocator.program.solve import TRIAL, Answer, solve
from allocator.state import Pair

SMALL = 160
"""Number of usable actions up to which the mixed-integer program is solved."""

MIDDLING = 320
"""Number of usable actions up to which a bound is raised by many cases."""

WIDE = 2_000
"""Number of usable actions up to which it is raised by a few; of larger books it is close."""

FEW_CASES = 8
"""Cases of a wide book: each takes as long as a try of a set of actions."""

NEAR_ENOUGH = 1.2e-3
"""Relative gap of a wide book up to which cases are worth their time."""

CLOSER = 1e-4
"""Relative distance from the envelope's answer at which its brackets are tried."""

ATTAINED = 2e-6
"""Relative distance at which a value attains its bound."""

GRAIN = 1e-8
"""Room on an attained S, in units, for what floats miss of it; more would cost the bound."""

BLURRED = 2e-6
"""S in units by which a mixed-integer solver's tolerances alone may raise the least."""

FINER = 100.0
"""Objective units for a unit of S where whole uses are found that miss least of it."""

NOTHING_MISSING = 1e-8
"""S in units (a tenth of a cent) below which everything is repaired."""


@dataclass(frozen=True)
class Search:
    """What the search found.

    Attributes
    ----------
    program
        The program that plans are made with.
    candidates
        Best first.
    bound
        Proven lower bound of the total, numeraire.
    shortfall_bound
        Proven lower bound of S, numeraire.
    relaxed
        The relaxation's answer, for prices.
    proof
        How the bound was proven.
    """

    program: Program
    candidates: tuple[Candidate, ...]
    bound: float
    shortfall_bound: float
    relaxed: Answer
    proof: str
    below: Program
    least: Answer
    cap: float
    exactly: Exactly

    def bound_at(self, shortfall: float) -> tuple[float, str]:
        """Prove a lower bound of the total of every state with S up to `shortfall`, numeraire.

        Returns
        -------
        The bound, and how it was proven.
        """
        form = self.below.form.capped(shortfall / self.below.form.unit + GRAIN)
        try:
            relaxed = solve(form.relaxed(), TRIAL)
        except SolverError:
            form = form.capped(form.cap + SPARE)
            relaxed = solve(form.relaxed())
        sharp = _sharp(form, relaxed, self.exactly)
        if sharp is not None and sharp.bound > relaxed.bound:
            return sharp.bound * form.cost_unit, "exact"
        return relaxed.bound * form.cost_unit, "convex_hull_dual"

    def funded_first(
        self,
        accounts: Collection[str] | None = None,
        barred: Sequence[str | MoveKey] = (),
        capped: Mapping[Pair, Decimal] | None = None,
    ) -> Search:
        """Search again among plans whose transfers can all come before any order.

        Parameters
        ----------
        accounts
            Accounts that must stand with their present positions once all transfers are done;
            every account if left out.
        barred
            Routes and moves that are not used.
        capped
            Most contracts that are ordered of some pairs.
        """
        core = self.program.core
        brackets = ceilings(core.arrays, core.gross(self.relaxed.x))
        program = build(core.arrays, brackets, funded_first=True)
        form = program.form.without(columns_of(core, barred))
        form = smaller(core, form, capped or {})
        if accounts is not None:
            form = standing(form, accounts)
        program = Program(program.core, form)
        goal = _Goal(program, least_shortfall(program.form))
        goal.cap = max(goal.cap, self.cap)
        form = goal.capped(program.form)
        found, _ = candidates(form, self.relaxed.x, self.exactly)
        kept = Program(program.core, form)
        return replace(self, program=kept, candidates=found, cap=goal.cap)


def search(
    arrays: Arrays,
    exactly: Exactly = exact,
    memory: Memory | None = None,
    *,
    cases: bool = True,
) -> Search:
    """Search the least-cost set of actions.

    Parameters
    ----------
    arrays
        The book.
    exactly
        Who solves the mixed-integer program of a small book.
    memory
        What an engine keeps of the relaxation; the answer does not depend on it.
    cases
        Whether the bound of a book that is not small is raised by cases.

    Raises
    ------
    SolverError
        When no answer of the relaxation can be certified.
    """
    below = build(arrays, None)
    least, relaxed = relaxation(below.form, memory)
    goal = _Goal(below, least)
    planning = in_brackets(arrays, below, goal.cap, relaxed.x)
    if usable(below.form) <= SMALL and goal.sharpen(planning.form, exactly):
        relaxed = solve(goal.capped(below.form).relaxed())
    form = goal.capped(planning.form)
    floor = relaxed.bound if planning is below else -np.inf
    found, sharp = candidates(form, relaxed.x, exactly, floor)
    bound, proof = relaxed.bound, "convex_hull_dual"
    if planning is not below:
        sharp, planning, found = _enveloped(goal, planning, (found, sharp), relaxed, exactly)
        form = goal.capped(planning.form)
    if sharp is not None and sharp > bound:
        bound, proof = sharp, "exact"
    elif cases and found and planning is below and SMALL < usable(form) <= WIDE:
        bound, used = by_cases(form, relaxed, found[0].value, _effort(form))
        found = _with(found, form, used)
    return Search(
        program=Program(planning.core, form),
        candidates=found,
        bound=bound * below.form.cost_unit,
        shortfall_bound=max(0.0, goal.bound) * below.form.unit,
        relaxed=relaxed,
        proof=proof,
        below=below,
        least=least,
        cap=goal.cap,
        exactly=exactly,
    )


_Found = tuple[tuple[Candidate, ...], float | None]
"""Candidates, best first, and the bound of an exact step."""


def _enveloped(
    goal: _Goal, planning: Program, found: _Found, relaxed: Answer, exactly: Exactly
) -> tuple[float | None, Program, tuple[Candidate, ...]]:
    """Bound from below the envelope of whole-position margin, and plan in the brackets it ends in.

    Which brackets are best was chosen without whole uses and lots; where the envelope's own answer
    with them is cheaper than any plan in those, its brackets are tried, too.

    Returns
    -------
    The bound in objective units, None for a large book; the better program; its candidates.
    """
    below = goal.below
    sharp = _sharp(goal.capped(below.form), relaxed, exactly)
    if sharp is None:
        return None, planning, found[0]
    best = _whole(found)
    if best - sharp.bound > CLOSER * (1.0 + abs(sharp.bound)):
        arrays = below.core.arrays
        other = build(arrays, ceilings(arrays, below.core.gross(sharp.x)))
        more = candidates(goal.capped(other.form), relaxed.x, exactly)
        if _whole(more) < best:
            return sharp.bound, other, more[0]
    return sharp.bound, planning, found[0]


def _whole(found: _Found) -> float:
    """Tell what the best plan with whole uses and lots costs at least, objective units."""
    rows, bound = found
    if bound is not None:
        return bound
    return rows[0].value if rows else np.inf


def _effort(form: Form) -> Effort:
    """Tell how far a bound is raised by cases."""
    return Effort() if usable(form) <= MIDDLING else Effort(FEW_CASES, NEAR_ENOUGH)


def _with(found: tuple[Candidate, ...], form: Form, used: Mask | None) -> tuple[Candidate, ...]:
    """Add a set of actions to the candidates, best first."""
    more = [] if used is None else polished(form, used)
    return tuple(sorted((*found, *more), key=lambda row: row.value))


def candidates(
    form: Form, x: Vector, exactly: Exactly = exact, floor: float = -np.inf
) -> tuple[tuple[Candidate, ...], float | None]:
    """Find sets of actions, best first, and the exact step's bound where the book is small.

    Parameters
    ----------
    form
        The program, its S capped.
    x
        Columns of the relaxation.
    exactly
        Who solves the mixed-integer program.
    floor
        Known lower bound, objective units: where a set of actions without coarse lots attains it,
        nothing is left to find.
    """
    found = supports(form, x)
    bound: float | None = None
    if usable(form) <= SMALL and not _attained(form, found, floor):
        sharp = exactly(form, put_near(form, x), found)
        if sharp is not None:
            found += polished(form, sharp.used)
            found += as_chosen(form, sharp.used, sharp.x, COARSE)
            bound = sharp.bound
    return tuple(sorted(found, key=lambda row: row.value)), bound


def _sharp(form: Form, relaxed: Answer, exactly: Exactly) -> Exact | None:
    """Bound a small form from below with whole uses; None if large.

    A plan's uses and lots are whole, so what is proven of a form that lies below every plan, the
    envelope of whole-position margin, holds for plans.
    """
    return exactly(form, put_near(form, relaxed.x), []) if usable(form) <= SMALL else None


def _attained(form: Form, found: list[Candidate], floor: float) -> bool:
    """Tell whether a set of actions that leaves no more missing than the cap is as cheap as can be.

    One that leaves more missing may well be cheaper than what bounds the rest.
    """
    within = [row for row in found if float(form.shortfall @ row.x) <= form.cap + SPARE]
    best = min(within, key=lambda row: row.value, default=None)
    if best is None or np.any((form.lot >= COARSE)[best.used] | form.split[best.used]):
        return False
    return best.value - floor <= ATTAINED * (1.0 + abs(best.value))


class _Goal:
    """The least S: what the relaxation attains, or what whole uses do.

    Attributes
    ----------
    cap
        S that plans may have, units.
    bound
        Proven least S, units.
    """

    def __init__(self, below: Program, least: Answer) -> None:
        self.below = below
        self.bound = least.bound
        self.cap = _with_room(least.value)

    def capped(self, form: Form) -> Form:
        """Keep S of a form within the cap."""
        return form.capped(self.cap)

    def sharpen(self, form: Form, exactly: Exactly) -> bool:
        """Raise cap and bound to what whole uses can attain; tell whether the cap rose."""
        if not np.any(form.shortfall):
            return False
        before = self.cap
        sharp = whole_shortfall(form, exactly)
        if sharp is not None:
            value, bound = sharp
            if value > self.bound + BLURRED:
                self.cap = max(self.cap, _with_room(value))
            if form is self.below.form:
                self.bound = max(self.bound, bound)
        return self.cap > before


def relaxation(form: Form, memory: Memory | None = None) -> tuple[Answer, Answer]:
    """Solve for the least S, then for the least cost at it; returns both answers.

    S is never below zero, so an answer without any tells the least S by itself.
    """
    if np.any(form.shortfall):
        try:
            return nothing_missing(form), solve(form.capped(0.0).relaxed(), TRIAL, memory=memory)
        except SolverError:
            least = least_shortfall(form)
    else:
        least = nothing_missing(form)
    return least, solve(form.capped(_with_room(least.value)).relaxed(), memory=memory)


def least_shortfall(form: Form) -> Answer:
    """Solve for the least S alone."""
    if not np.any(form.shortfall):
        return nothing_missing(form)
    return solve(only_shortfall(form).relaxed())


def whole_shortfall(form: Form, exactly: Exactly) -> tuple[float, float] | None:
    """Find the least S with whole uses and lots, and bound it from below, units; None if unknown.

    The solver's tolerance on costs would leave a numeraire of S.
    """
    alone = only_shortfall(form)
    finer = replace(alone, c=alone.c * FINER)
    sharp = exactly(finer, np.clip(np.zeros(form.low.size), form.low, form.high), [])
    return None if sharp is None else (float(form.shortfall @ sharp.x), sharp.bound / FINER)


def nothing_missing(form: Form) -> Answer:
    """Tell that S is zero; its rows have no prices then."""
    return Answer(form.low, np.zeros(form.row_low.size), 0.0, 0.0, 0.0, "")


def _with_room(value: float) -> float:
    return 0.0 if value < NOTHING_MISSING else value + SPARE
