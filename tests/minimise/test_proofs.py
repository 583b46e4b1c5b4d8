"""How near proofs come where the program of a plan is not the one that is bounded."""

from __future__ import annotations

import pytest

from allocator.decide import decide
from allocator.models.plan import Certificate, Plan
from allocator.models.scenario import Scenario
from allocator.state import Book
from bench.exact.bracket import bracket
from tests.books import random_book


def decided(flavour: str, seed: int) -> tuple[Book, Plan, Certificate]:
    scenario = Scenario.model_validate(random_book(seed, flavour))
    plan = decide(scenario.snapshot, scenario.mandate)
    assert plan.certificate is not None
    return Book.of(scenario.snapshot, scenario.mandate), plan, plan.certificate


@pytest.mark.parametrize("seed", [5013, 5016])
def test_whole_uses_raise_the_bound_below_whole_position_margin(seed: int) -> None:
    book, plan, proof = decided("whole_position", seed)
    best = bracket(book, float(plan.cost.total), float(proof.shortfall)).value
    assert proof.gap_relative < 1e-4
    assert best is not None
    assert float(proof.lower_bound) <= min(best, float(plan.cost.total)) + 1e-4


def test_a_bound_at_an_attained_shortfall_is_as_sharp_as_at_the_least() -> None:
    book, plan, proof = decided("mixed", 5003)
    assert proof.shortfall > 0
    assert proof.gap_relative < 1e-3
    best = bracket(book, float(plan.cost.total), float(proof.shortfall)).value
    assert best is not None
    assert float(proof.lower_bound) <= best + 1e-4


def test_an_attainable_shortfall_within_a_numeraire_of_the_least_is_used_to_save() -> None:
    _, plan, proof = decided("mixed", 5003)
    least = proof.shortfall_lower_bound
    assert least < proof.shortfall <= least + 1
    assert plan.cost.total < 663


def test_two_lots_are_changed_at_once_where_one_alone_would_cost() -> None:
    book, plan, proof = decided("broken", 5016)
    best = bracket(book, float(plan.cost.total), float(proof.shortfall)).value
    assert best is not None
    assert float(plan.cost.total) - best < 0.05


def test_lots_of_a_few_numeraire_are_whole_in_the_proof() -> None:
    _, plan, proof = decided("states", 5005)
    assert plan.status == "act"
    assert proof.proof == "exact"
    assert proof.gap_relative < 1e-4
