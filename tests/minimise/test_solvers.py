"""Solvers of the exact step agree."""

from __future__ import annotations

import importlib.util

import pytest

from allocator.decide import Engine, decide
from allocator.minimise.solvers import exactly
from allocator.models.errors import ConfigError
from allocator.models.scenario import Scenario
from tests.books import random_book

HAVE_SCIP = importlib.util.find_spec("pyscipopt") is not None


def book(flavour: str, seed: int) -> Scenario:
    return Scenario.model_validate(random_book(seed, flavour))


def test_every_name_has_a_solver() -> None:
    assert exactly("highs") is not exactly("scip")


@pytest.mark.skipif(HAVE_SCIP, reason="SCIP is installed")
def test_a_solver_that_is_not_installed_is_told_with_the_remedy() -> None:
    scenario = book("plain", 1)
    with pytest.raises(ConfigError, match=r"allocator\[scip\]"):
        decide(scenario.snapshot, scenario.mandate, exact="scip")


@pytest.mark.skipif(not HAVE_SCIP, reason="SCIP is an extra")
@pytest.mark.parametrize("flavour", ["plain", "inverse", "broken", "moves", "spot"])
def test_scip_and_highs_come_to_the_same_total(flavour: str) -> None:
    for seed in range(3):
        scenario = book(flavour, seed)
        one = decide(scenario.snapshot, scenario.mandate)
        other = Engine(scenario.mandate, exact="scip").decide(scenario.snapshot)
        again = Engine(scenario.mandate, exact="scip").decide(scenario.snapshot)
        assert other == again
        assert one.certificate is not None
        assert other.certificate is not None
        assert abs(one.cost.total - other.cost.total) < 0.05
        assert one.certificate.lower_bound <= other.cost.total
        assert other.certificate.lower_bound <= one.cost.total
