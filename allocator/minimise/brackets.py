"""Which bracket each whole-position pair stays in: margin is linear inside one, and jumps between.

The relaxation says where positions would like to be; from there one pair after another is moved a
bracket up or down while that makes the relaxed program cheaper.
"""

from __future__ import annotations

import numpy as np

from allocator.minimise.candidate import SPARE, only_shortfall
from allocator.models.errors import SolverError
from allocator.program.arrays import Arrays
from allocator.program.build import Program, build
from allocator.program.requirements import ceilings, jumps_of
from allocator.program.separable import Vector
from allocator.program.solve import RANKING, solve

TRIES = 30
"""Most programs that are built and solved to choose brackets."""

WORK = 6_000
"""Tries times pairs: programs of large books take long to build."""

BETTER = 1e-7
"""Objective units by which a bracket must be cheaper."""


def in_brackets(arrays: Arrays, below: Program, cap: float, x: Vector) -> Program:
    """Build the program of a plan: below's own unless some margin is on the whole position.

    Parameters
    ----------
    arrays
        The book.
    below
        The program that bounds from below.
    cap
        Largest S, units.
    x
        Columns of its relaxation.
    """
    models = {row.margin.model for row in arrays.book.accounts.values() if row.state != "frozen"}
    if "whole_position" not in models:
        return below
    chosen = ceilings(arrays, below.core.gross(x))
    best = build(arrays, chosen)
    rank = _rank(best, cap)
    jumps = jumps_of(arrays)
    tries, moved = min(TRIES, WORK // max(1, len(arrays.pairs.keys))), True
    while moved and tries > 0:
        moved = False
        for at in [at for at in chosen if best.core.live[at]]:
            for other in _neighbours(jumps[at], chosen[at]):
                tries -= 1
                program = build(arrays, {**chosen, at: other})
                seen = _rank(program, cap)
                if seen < (rank[0], rank[1] - BETTER):
                    best, rank, moved = program, seen, True
                    chosen = {**chosen, at: other}
            if tries <= 0:
                break
    return best


def _neighbours(jumps: tuple[float, ...], ceiling: float) -> list[float]:
    """List the jumps below and above."""
    here = int(np.searchsorted(jumps, ceiling * (1 - 1e-12)))
    return [jumps[other] for other in (here - 1, here + 1) if 0 <= other < len(jumps)]


def _rank(program: Program, cap: float) -> tuple[float, float]:
    """Least S beyond the cap, then the relaxed total; infinite where nothing is feasible."""
    form = program.form
    try:
        return 0.0, solve(form.capped(cap).relaxed(), RANKING).value
    except SolverError:
        pass
    try:
        least = solve(only_shortfall(form.capped(np.inf)).relaxed(), RANKING).value
        return least, solve(form.capped(least + SPARE).relaxed(), RANKING).value
    except SolverError:
        return np.inf, np.inf
