"""Solve a separable convex program: a chain of solvers whose answers are checked here.

The own interior point takes the 3/2 powers as they are. The others solve quadratic programs: the
powers are replaced by their second-order expansion at the last point, pass by pass, while value
and bound use the powers themselves (`allocator.program.certify`), and the best pass is kept.
Limits are iteration counts, never time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from allocator.models.errors import SolverError
from allocator.program.certify import lower_bound
from allocator.program.interior import CLOSE
from allocator.program.memory import Memory
from allocator.program.reduced import Reduced
from allocator.program.separable import Separable, Vector
from allocator.program.solvers import Raw, Solver, by_clarabel, by_highs, by_osqp, by_piqp

TOLERANCE = 1e-6
"""Largest residual of a row or bound, in units, that a used answer may have."""

GAP = 1e-6
"""Relative gap at which the passes over the powers end, and no other solver is asked."""

WIDE = 1e-4
"""The same of a trial, and of a large program."""

ROUGH = 1e-6
"""Relative gap that is close enough to compare sets of actions."""

PASSES = 12
POWER_FLOOR = 1e-5
WIDENINGS = 25
"""Times that bends are taken in before a solver is given up."""

USUAL_SLOPE = 0.3
"""Objective per unit that trading usually costs at the margin, to guess a first point."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A certified answer.

    Attributes
    ----------
    x, y
        Columns, row prices (positive where the upper side binds).
    value, bound
        Objective at x, proven lower bound of the optimum.
    residual
        Largest violation of a row or bound, in units.
    solver
        Which solver gave it.
    """

    x: Vector
    y: Vector
    value: float
    bound: float
    residual: float
    solver: str

    @property
    def gap(self) -> float:
        """Value less bound, relative to the value."""
        return (self.value - self.bound) / (1.0 + abs(self.value))


CHAIN: tuple[tuple[str, Solver | None], ...] = (
    ("interior", None),
    ("piqp", by_piqp),
    ("clarabel", by_clarabel),
    ("osqp", by_osqp),
    ("highs", by_highs),
)
"""Solvers in the order in which they are asked; the own one, first, needs no expansion."""

TRIAL = CHAIN[:2]
"""The chain of a trial, of which no answer is an answer too: the set of actions is not used."""

RANKING = tuple(row for row in CHAIN if row[0] != "osqp")
"""The chain of programs that are compared: many have no answer, where splitting takes longest."""

TINY = 300
"""Columns that can move up to which a trial asks PIQP first, which starts up faster."""

LARGE = 5_000
"""Columns that can move from which a trial is left to the own interior point alone."""


class InfeasibleError(SolverError):
    """Row prices prove that no point keeps the rows: no other solver could say anything else."""


def solve(  # noqa: PLR0913 - one call, whose options are few and named
    problem: Separable,
    chain: tuple[tuple[str, Solver | None], ...] = CHAIN,
    *,
    near: Vector | None = None,
    passes: int = PASSES,
    memory: Memory | None = None,
    close: float = CLOSE,
) -> Answer:
    """Solve a program and certify the answer.

    Parameters
    ----------
    problem
        The program.
    chain
        Solvers in the order in which they are asked.
    near
        Columns around which the powers are expanded first; a function of the inputs alone.
    passes
        Most expansions; a single one near the optimum is often enough.
    memory
        What is kept of earlier programs of the same pattern.
    close
        Relative gap at which the own interior point ends.

    Raises
    ------
    SolverError
        When no solver's answer keeps rows and bounds to `TOLERANCE`.
    """
    last, best = "no solver was asked", None
    columns = int((problem.high > problem.low).sum())
    large = columns > LARGE
    trial = chain is TRIAL
    if trial:
        chain = TRIAL[:1] if large else TRIAL[::-1] if columns <= TINY else TRIAL
    for name, solver in chain:
        if solver is None:
            answer = _followed(problem, name, (memory or Memory(), near), close, strict=not trial)
        else:
            answer = _passes(problem, (name, solver), near, passes)
        if answer is not None and answer.residual <= TOLERANCE:
            best = answer if best is None or answer.gap < best.gap else best
            if best.gap <= (WIDE if large or trial else GAP):
                return best
            continue
        last = f"{name}: " + ("no answer" if answer is None else f"residual {answer.residual:.1e}")
    if best is not None:
        return best
    raise SolverError(f"no solver's answer could be certified; the last one, {last}")


def _followed(
    problem: Separable,
    name: str,
    known: tuple[Memory, Vector | None],
    close: float,
    *,
    strict: bool,
) -> Answer | None:
    """Follow the central path, taking in bends as answers cross them."""
    memory, near = known
    fits = near is not None and near.size == problem.low.size
    small = Reduced(problem, near if fits else None, strict=strict)
    for _ in range(WIDENINGS):
        left = small.left
        if not left.low.size:
            found = None
            x, y = small.whole(left.low, np.zeros(left.row_low.size))
        else:
            found = memory.solve(left, close)
            if found is None:
                return None
            if found.infeasible:
                raise InfeasibleError("no sizes keep all the rows")
            x, y = small.whole(found.x, found.y)
        if found is None or not small.widened(x):
            return _answer(problem, name, x, y)
    return None


def _answer(problem: Separable, name: str, x: Vector, y: Vector) -> Answer:
    value, bound = problem.objective(x), lower_bound(problem, y)
    return Answer(x, y, value, bound, problem.residual(x), name)


def _passes(
    problem: Separable, asked: tuple[str, Solver], near: Vector | None, passes: int
) -> Answer | None:
    name, solver = asked
    bent = problem.k > 0
    first = _first_guess(problem) if near is None else problem.o + near
    point = np.maximum(problem.o, np.maximum(first, POWER_FLOOR))
    best: Answer | None = None
    bound = -np.inf
    small = Reduced(problem)
    for _ in range(passes + WIDENINGS):
        left = small.left
        raw = solver(_tangent_parabolas(left, point[small.free])) if left.low.size else None
        if left.low.size == 0:
            raw = Raw(left.low, np.zeros(left.row_low.size))
        if raw is None or not np.all(np.isfinite(raw.x)):
            break
        x, y = small.whole(raw.x, raw.y)
        point = np.maximum(problem.o + x, POWER_FLOOR)
        if small.widened(x):
            continue
        passes -= 1
        seen = _answer(problem, name, x, y)
        bound = max(bound, seen.bound)
        if best is None or seen.value < best.value or best.residual > TOLERANCE:
            best = seen
        near_enough = best.value - bound <= GAP * (1.0 + abs(best.value))
        if not bent.any() or near_enough or passes <= 0:
            break
    return None if best is None else replace(best, bound=bound)


def _first_guess(problem: Separable) -> Vector:
    """Guess where each power will end: where its slope is that of a usual toll."""
    slope = np.where(
        problem.k > 0, USUAL_SLOPE / np.where(problem.k > 0, 1.5 * problem.k, 1.0), 0.0
    )
    return np.asarray(np.minimum(slope * slope, problem.o + problem.high), dtype=np.float64)


def _tangent_parabolas(problem: Separable, point: Vector) -> Separable:
    """Replace each power by its second-order expansion at `point`."""
    bent = problem.k > 0
    root = np.sqrt(point)
    curve = np.where(bent, 0.75 * problem.k / root, 0.0)
    slope = np.where(bent, 1.5 * problem.k * root, 0.0)
    return replace(
        problem,
        p=problem.p + curve,
        c=problem.c + slope - curve * (point - problem.o),
        k=np.zeros_like(problem.k),
        o=np.zeros_like(problem.o),
    )
