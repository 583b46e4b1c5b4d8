"""Published instances with a known optimum."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

from allocator.decide import decide
from allocator.models.scenario import Scenario
from allocator.verify import verify
from allocator.whatif.reader import load_scenario

ROOT = Path(__file__).parents[2]
PUBLISHED = json.loads((ROOT / "tests/data/balinski_8x12.json").read_text(encoding="utf-8"))
CENT = Decimal("0.01")


def transportation() -> Scenario:
    return load_scenario(ROOT / "scenarios" / "fixed-charge-transport.yaml")


def test_the_scenario_is_the_published_instance() -> None:
    scenario = transportation()
    routes = {row.id: row for row in scenario.snapshot.routes}
    for i, (fees, rates) in enumerate(
        zip(PUBLISHED["fixed_cost"], PUBLISHED["unit_cost"], strict=True), start=1
    ):
        for j, (fee, rate) in enumerate(zip(fees, rates, strict=True), start=1):
            row = routes.pop(f"r{i}-{j:02d}")
            assert (row.source, row.target) == (f"treasury-{i}", f"desk-{j:02d}")
            assert (row.fee, row.rate) == (Decimal(fee), Decimal(rate) / 1000)
    assert not routes
    bounds = [row.max or row.min for row in scenario.mandate.limits]
    assert bounds == [Decimal(v) * 1000 for v in (*PUBLISHED["supply"], *PUBLISHED["demand"])]


def test_a_fixed_charge_transport_is_solved_to_its_published_optimum_with_proof() -> None:
    scenario, optimum = transportation(), Decimal(PUBLISHED["optimum"])
    plan = decide(scenario.snapshot, scenario.mandate)
    assert plan.certificate is not None
    assert plan.certificate.proof == "exact"
    assert plan.certificate.shortfall == 0
    assert abs(plan.cost.total - optimum) < CENT
    assert optimum - CENT < plan.certificate.lower_bound <= plan.cost.total
    assert verify(scenario.snapshot, scenario.mandate, plan) == ()


def test_routes_without_steps_end_at_the_same_optimum_with_nothing_missing() -> None:
    scenario, optimum = transportation(), Decimal(PUBLISHED["optimum"])
    routes = [row.model_copy(update={"step": Decimal(0)}) for row in scenario.snapshot.routes]
    snapshot = scenario.snapshot.model_copy(update={"routes": tuple(routes)})
    plan = decide(snapshot, scenario.mandate)
    assert plan.certificate is not None
    assert plan.certificate.shortfall == 0
    assert abs(plan.cost.total - optimum) < CENT
    assert optimum - CENT < plan.certificate.lower_bound <= plan.cost.total
