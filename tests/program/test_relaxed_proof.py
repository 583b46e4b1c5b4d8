"""The first solver alone proves what it found: no other needs to be asked about a relaxation."""

from __future__ import annotations

import numpy as np
import pytest

from allocator.minimise.search import least_shortfall
from allocator.models.errors import SolverError
from allocator.program.certify import lower_bound
from allocator.program.separable import Separable
from allocator.program.solve import CHAIN, GAP, solve
from bench.books import SIZES, book_of
from tests.books import FLAVOURS
from tests.program.programs import program_of, scenario_of

ROOM = 1e-6
"""Units of shortfall above the least that a relaxation is given."""


def relaxation(seed: int, flavour: str) -> Separable | None:
    """Build the relaxation at the least shortfall; None where nothing keeps the rows."""
    scenario = scenario_of(seed, flavour)
    form = program_of(scenario.snapshot, scenario.mandate).form
    try:
        cap = least_shortfall(form).value + ROOM if np.any(form.shortfall) else 0.0
    except SolverError:
        return None
    return form.capped(cap).relaxed()


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_own_solver_closes_the_gap_of_every_flavour(flavour: str) -> None:
    closed = 0
    for seed in range(8):
        problem = relaxation(seed, flavour)
        if problem is None:
            continue
        try:
            answer = solve(problem, CHAIN[:1])
        except SolverError:
            continue
        assert answer.bound <= answer.value + GAP * (1 + abs(answer.value))
        assert answer.gap <= GAP, (flavour, seed)
        closed += 1
    assert closed >= 7


@pytest.mark.parametrize("flavour", ["legs", "collateral", "inverse", "broken"])
def test_any_prices_bound_a_relaxation_with_flips(flavour: str) -> None:
    flips = 0
    for seed in range(8):
        problem = relaxation(seed, flavour)
        assert problem is not None
        flips += problem.splits()[0].size
        best, rng = solve(problem), np.random.default_rng(seed)
        for scale in (0.0, 0.01, 1.0, 100.0):
            prices = best.y + scale * rng.normal(size=best.y.size)
            assert lower_bound(problem, prices) <= best.value + 1e-6 * (1 + abs(best.value))
    assert flips


def test_own_solver_closes_the_gap_where_flips_would_break_margin() -> None:
    form = program_of(*book_of(SIZES["30x100"])).form
    assert solve(form.relaxed(), CHAIN[:1]).gap <= GAP
