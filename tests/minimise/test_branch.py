"""A bound by cases holds for every set of actions, and closes on the best of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from allocator.minimise.branch import by_cases
from allocator.minimise.exact import exact
from allocator.minimise.search import MIDDLING, SMALL, least_shortfall, search
from allocator.minimise.supports import supports, usable
from allocator.models.errors import SolverError
from allocator.program.crossing import arrays_of
from allocator.program.form import Form
from allocator.program.solve import solve
from allocator.state import Book
from bench.books import SIZES, book_of
from tests.program.programs import program_of, scenario_of


def form_of(flavour: str, seed: int) -> Form:
    """Take a book's program without lots, S within a numeraire of the least."""
    scenario = scenario_of(seed, flavour)
    form = program_of(scenario.snapshot, scenario.mandate).form
    form = replace(form, lot=np.zeros_like(form.lot))
    least = least_shortfall(form).value
    return form.capped(0.0 if least < 1e-8 else least + 1e-5)


@pytest.mark.parametrize("flavour", ["plain", "spot", "scenario", "moves", "flows", "broken"])
def test_a_bound_by_cases_lies_between_the_relaxation_and_the_optimum(flavour: str) -> None:
    for seed in range(3):
        form = form_of(flavour, seed)
        relaxed = solve(form.relaxed())
        found = supports(form, relaxed.x)
        sharp = exact(form, relaxed.x, found)
        if sharp is None or not found:
            continue
        best = min(row.value for row in found)
        bound, _ = by_cases(form, relaxed, best)
        optimum = solve(form.supported(sharp.used)).value
        assert relaxed.bound - 1e-9 <= bound <= min(best, optimum) + 1e-5


def test_a_case_in_which_an_action_is_used_costs_no_more_than_any_plan_that_uses_it() -> None:
    rng, proven = np.random.default_rng(3), 0
    for flavour in ("plain", "spot", "broken"):
        form = form_of(flavour, 1)
        for _ in range(8):
            used = (rng.random(form.n_actions) < 0.3) & (form.top > 0)
            sure = used & (rng.random(form.n_actions) < 0.5)
            try:
                plan = solve(form.supported(used))
            except SolverError:
                continue
            proven += 1
            barred = form.without([np.flatnonzero(~used)])
            assert solve(barred.relaxed(sure)).bound <= plan.value + 1e-6
    assert proven > 4


@pytest.mark.parametrize("seed", [0, 2])
def test_a_desk_of_ten_accounts_is_solved_to_a_ten_thousandth(seed: int) -> None:
    arrays = arrays_of(Book.of(*book_of(SIZES["10x40"], seed)))
    found = search(arrays)
    form = found.program.form
    assert SMALL < usable(form) <= MIDDLING
    best = found.candidates[0].value * form.cost_unit
    assert best * (1 - 1e-4) < found.bound <= best
