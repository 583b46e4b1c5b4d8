"""A quick decision is a plan like any other, with a looser bound."""

from __future__ import annotations

from decimal import Decimal

import pytest

import allocator
from bench.books import SIZES, book_of
from tests.program.programs import scenario_of


def test_a_quick_plan_of_ten_accounts_is_verified_and_close_to_the_full_one() -> None:
    snapshot, mandate = book_of(SIZES["10x40"], 0)
    engine = allocator.Engine(mandate)
    quick, full = engine.quick(snapshot), engine.decide(snapshot)
    assert allocator.verify(snapshot, mandate, quick) == ()
    assert quick.actions
    assert quick.certificate is not None
    assert full.certificate is not None
    assert quick.certificate.lower_bound < full.certificate.lower_bound <= quick.cost.total
    assert quick.cost.total <= full.cost.total * Decimal("1.01")
    assert (bool(full.reasons), bool(quick.reasons)) == (True, False)


@pytest.mark.parametrize("flavour", ["plain", "spot", "moves", "flows", "broken"])
def test_quick_plans_keep_every_rule_and_their_bounds_hold(flavour: str) -> None:
    for seed in range(4):
        scenario = scenario_of(seed, flavour)
        engine = allocator.Engine(scenario.mandate)
        quick, full = engine.quick(scenario.snapshot), engine.decide(scenario.snapshot)
        assert allocator.verify(scenario.snapshot, scenario.mandate, quick) == ()
        assert quick.refusals == full.refusals == ()
        for plan in (quick, full):
            assert plan.certificate is not None
            assert plan.certificate.lower_bound <= plan.cost.total
        assert quick.plan_hash == engine.quick(scenario.snapshot).plan_hash
