"""A lower bound holds for any row prices, and meets the optimum at the right ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from allocator.models.errors import SolverError
from allocator.program.certify import lower_bound
from allocator.program.interior import FLAT, System
from allocator.program.separable import Separable, Vector
from allocator.program.solve import CHAIN, solve
from allocator.program.solvers import Raw
from allocator.program.sparse import sp
from tests.program.programs import program_of, scenario_of


def small(seed: int) -> Separable:
    rng = np.random.default_rng(seed)
    n, m = 8, 5
    A = sp.csr_array(rng.normal(size=(m, n)))
    at = A @ rng.uniform(0, 1, n)
    curved = rng.random(n) < 0.4
    bent = ~curved & (rng.random(n) < 0.5)
    return Separable(
        A,
        np.where(rng.random(m) < 0.3, -np.inf, at - 0.1),
        at + 0.1,
        np.zeros(n),
        np.full(n, 2.0),
        rng.normal(size=n),
        np.where(curved, rng.uniform(0.1, 2, n), 0.0),
        np.where(bent, rng.uniform(0.1, 2, n), 0.0),
        np.where(bent, rng.uniform(0, 1, n), 0.0),
    )


@pytest.mark.parametrize("seed", range(10))
def test_any_row_prices_give_a_bound(seed: int) -> None:
    problem, rng = small(seed), np.random.default_rng(seed + 100)
    best = solve(problem)
    for scale in (0.01, 1.0, 100.0):
        prices = best.y + scale * rng.normal(size=best.y.size)
        assert lower_bound(problem, prices) <= best.value + 1e-9


@pytest.mark.parametrize("seed", range(10))
def test_certified_prices_close_the_gap(seed: int) -> None:
    answer = solve(small(seed))
    assert answer.bound <= answer.value + 1e-12
    assert answer.value - answer.bound <= 1e-5 * (1 + abs(answer.value))
    assert answer.residual <= 1e-6


@pytest.mark.parametrize("name", [name for name, _ in CHAIN])
def test_every_solver_of_the_chain_gives_the_same_optimum(name: str) -> None:
    problem = small(3)
    chain = tuple(row for row in CHAIN if row[0] == name)
    assert solve(problem, chain).value == pytest.approx(solve(problem).value, abs=1e-5)


def test_an_answer_that_breaks_a_row_is_not_used() -> None:
    def liar(problem: Separable) -> Raw:
        return Raw(problem.high.copy(), np.zeros(problem.row_low.size))

    assert solve(small(1), (("liar", liar), *CHAIN)).solver != "liar"
    with pytest.raises(SolverError, match="liar: residual"):
        solve(small(1), (("liar", liar),))


def test_an_infeasible_program_is_an_error_and_no_answer() -> None:
    problem = small(2)
    rows = sp.csr_array(np.ones((1, 8)))
    impossible = Separable(
        rows,
        np.array([99.0]),
        np.array([99.0]),
        *[getattr(problem, name) for name in ("low", "high", "c", "p", "k", "o")],
    )
    with pytest.raises(SolverError):
        solve(impossible)


@pytest.mark.parametrize("flavour", ["plain", "mixed", "broken"])
def test_doing_nothing_is_always_feasible(flavour: str) -> None:
    for seed in range(4):
        scenario = scenario_of(seed, flavour)
        form = program_of(scenario.snapshot, scenario.mandate).form
        idle = form.supported(np.zeros(form.n_actions, dtype=bool))
        assert solve(idle).residual <= 1e-6


def test_a_pivot_of_zero_or_without_a_number_is_no_answer_and_leaves_the_system_usable() -> None:
    problem = small(0)
    system = System(problem.A.tocsr())
    top, bottom = np.ones(problem.low.size), np.ones(problem.row_low.size)
    right = np.ones(top.size + bottom.size)

    def solved(diagonal: Vector) -> Vector:
        system.factorise(diagonal, bottom)
        return system.solve(right)

    for spoilt in (np.full(top.size, -FLAT), np.full(top.size, np.nan)):
        with pytest.raises(ArithmeticError):
            solved(spoilt)
        x = solved(top)
        assert np.allclose(top * x[: top.size] + problem.A.T @ x[top.size :], right[: top.size])


def test_bounds_that_meet_but_for_rounding_hold_their_column() -> None:
    problem = small(1)
    low, high = problem.low.copy(), problem.high.copy()
    low[0], high[0] = 1.0, np.nextafter(1.0, 2.0)
    assert solve(replace(problem, low=low, high=high)).x[0] == pytest.approx(1.0)
