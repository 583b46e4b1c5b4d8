"""The sparse assembly and the cvxpy specification part with the same rule and find one optimum."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from allocator.minimise.search import least_shortfall
from allocator.program.build import Program
from allocator.program.form import Form
from allocator.program.separable import Separable, Vector
from allocator.program.solve import solve
from allocator.program.specification import Specification, specify
from tests.books import FLAVOURS
from tests.program.completion import Completion
from tests.program.programs import program_of, scenario_of, shared

CONVEX = sorted(set(FLAVOURS) - {"whole_position"})
EDGE = 1e-9
"""Excess from which a rule counts as broken, in whatever the rule measures."""

NEAR = 1e-7
"""How far apart the two points may be, as a part of the whole direction."""


@cache
def both(flavour: str, seed: int) -> tuple[Program, Specification] | None:
    """Both forms of a book's program; None where margin jumps, which is not convex."""
    scenario = scenario_of(seed, flavour)
    if any(row.margin.model == "whole_position" for row in scenario.snapshot.accounts):
        return None
    program = program_of(scenario.snapshot, scenario.mandate)
    return program, specify(program.core)


def shares(program: Program, form: Form) -> Separable:
    """Every use costs its share of the largest size."""
    return form.weighted(form.fixed * shared(program), form.top > 0)


def directions(program: Program, count: int, seed: int) -> list[Vector]:
    """Random sizes of a few actions, one side a pair, far enough to break something."""
    rng = np.random.default_rng(seed)
    layout, top = program.core.layout, program.form.top
    out = list[Vector]()
    for _ in range(count):
        chosen = rng.random(top.size) < rng.choice((0.15, 0.5))
        side = rng.random(layout.orders) < 0.5
        chosen[layout.buys] &= side
        chosen[layout.sells] &= ~side
        out.append(np.where(chosen, top * rng.random(top.size), 0.0))
    return out


def assembled_excess(completion: Completion, actions: Vector) -> float:
    return max(completion.at(actions).excess.values(), default=-np.inf)


def specified_excess(model: Specification, actions: Vector) -> float:
    model.actions.value = actions
    return max(float(np.max(rule.violation())) for rule in model.rules)


def exit_of(completion: Completion, along: Vector) -> float:
    """Find how far along a direction every rule holds, in [0, 1], by bisection."""
    low, high = 0.0, 1.0
    if assembled_excess(completion, along) <= EDGE:
        return 1.0
    for _ in range(50):
        middle = (low + high) / 2
        kept = assembled_excess(completion, middle * along) <= EDGE
        low, high = (middle, high) if kept else (low, middle)
    return low


@pytest.mark.parametrize("flavour", CONVEX)
def test_both_let_go_at_the_same_point_of_any_direction(flavour: str) -> None:
    for seed in (3, 4):
        found = both(flavour, seed)
        if found is None:
            continue
        program, model = found
        completion = Completion(program.form)
        for along in directions(program, 6, seed):
            reach = exit_of(completion, along)
            if reach > NEAR:
                assert specified_excess(model, (reach - NEAR) * along) <= EDGE
                missing = completion.at((reach - NEAR) * along).shortfall
                assert float(model.shortfall.value) == pytest.approx(missing, abs=1e-8)
            if reach < 1 - NEAR:
                assert specified_excess(model, (reach + NEAR) * along) > EDGE


@pytest.mark.parametrize("flavour", CONVEX)
def test_cost_agrees_where_rules_are_broken_too(flavour: str) -> None:
    for seed in (3, 4):
        found = both(flavour, seed)
        if found is None:
            continue
        program, model = found
        completion = Completion(program.form, shares(program, program.form))
        for actions in directions(program, 6, seed + 10):
            model.actions.value = actions
            cost = completion.at(actions).total / program.form.cost_unit
            near = 1e-9 * max(1.0, abs(cost))
            assert float(model.cost.value) == pytest.approx(cost, abs=near, rel=0)


@pytest.mark.parametrize("flavour", CONVEX)
@pytest.mark.filterwarnings("ignore:Solution may be inaccurate")
def test_least_cost_agrees(flavour: str) -> None:
    found = both(flavour, 3)
    if found is None:
        pytest.skip("margin on the whole position is not convex")
    program, model = found
    cap = max(0.0, least_shortfall(program.form).value) + 1e-5
    answer = solve(shares(program, program.form.capped(cap)))
    problem = model.least_cost(cap)
    problem.solve(solver="CLARABEL", tol_gap_abs=1e-10, tol_gap_rel=1e-10, tol_feas=1e-10)
    room = 1e-6 * (1.0 + abs(answer.value))
    assert float(problem.value) == pytest.approx(answer.value, abs=room, rel=0)
    assert answer.bound <= float(problem.value) + room


@pytest.mark.parametrize("flavour", ["plain", "spot", "mixed"])
def test_orders_are_paid_by_the_perspective_of_their_cost(flavour: str) -> None:
    for seed in (3, 4, 5):
        scenario = scenario_of(seed, flavour)
        program = program_of(scenario.snapshot, scenario.mandate)
        form, n = program.form, program.form.n_actions
        hulled, layout = Completion(form), program.core.layout
        slope = form.fixed * shared(program)
        slope[layout.buys] = slope[layout.sells] = 0.0
        powers = Completion(form, form.weighted(slope, form.top > 0))
        for actions in directions(program, 4, seed + 20):
            assert actions.size == n
            saved = powers.at(actions).total - hulled.at(actions).total
            paid = sum(
                perspective(hull.fixed, hull.k, float(actions[hull.orders].sum()), hull.top)
                - hull.k * float(actions[hull.orders].sum()) ** 1.5
                for hull in form.hulls
            )
            assert -saved == pytest.approx(paid * form.cost_unit, abs=1e-6)


def perspective(fixed: float, k: float, size: float, most: float) -> float:
    """Minimise ``f z + k y^1.5 / sqrt(z)`` over the fractions z that y allows, by thirds."""
    if size <= 0:
        return 0.0

    def cost(use: float) -> float:
        return fixed * use + k * size**1.5 / use**0.5

    low, high = min(size / most, 1.0), 1.0
    for _ in range(200):
        left, right = low + (high - low) / 3, high - (high - low) / 3
        low, high = (low, right) if cost(left) < cost(right) else (left, high)
    return cost((low + high) / 2)
