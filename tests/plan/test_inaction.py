"""Why nothing is done: the best alternative by part, and the rule that stands in the way."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from allocator.cost import cost
from allocator.decide import decide
from allocator.models.plan import Plan
from allocator.models.scenario import Scenario
from allocator.state import Book
from allocator.whatif.document import read
from tests.books import random_book

SCENARIOS = Path(__file__).resolve().parents[2] / "scenarios"


def changed(name: str, change: Any) -> Plan:
    raw = read(SCENARIOS / f"{name}.yaml").data
    change(raw)
    scenario = Scenario.model_validate({k: v for k, v in raw.items() if k != "expect"})
    return decide(scenario.snapshot, scenario.mandate)


def test_the_alternative_is_priced_by_part() -> None:
    plan = changed("nothing-worth-doing", lambda raw: None)
    assert plan.idle is not None
    assert plan.idle.doing == "sell 0.03 binance:BTC/USDT:USDT in binance-main"
    assert plan.idle.changes["actions"] == 25
    assert plan.idle.changes["tracking"] == Decimal("-19.2")
    assert plan.idle.extra == sum(plan.idle.changes.values())
    assert plan.idle.extra > 0


def test_no_gap_is_told_as_such() -> None:
    plan = changed("money-already-on-its-way", lambda raw: None)
    assert plan.idle is not None
    rules = [row.rule for row in plan.idle.obstacles]
    assert rules == [
        "money on its way covers what bybit-a is short of today: 36,000.00 USD of initial margin",
        "every exposure is at its target",
    ]


def halted(raw: dict[str, Any]) -> None:
    for row in raw["snapshot"]["instruments"]:
        row["status"] = "halted"


def frozen(raw: dict[str, Any]) -> None:
    for row in raw["snapshot"]["accounts"]:
        row["state"] = "frozen"


def spent(raw: dict[str, Any]) -> None:
    for row in raw["snapshot"]["accounts"]:
        row["order_budget"] = 0


@pytest.mark.parametrize(
    ("change", "told"),
    [(halted, "is halted"), (frozen, "is frozen"), (spent, "the order budget of")],
)
def test_what_forbids_orders_is_named_with_its_place(change: Any, told: str) -> None:
    plan = changed("frozen-account", change)
    assert plan.status == "nothing"
    assert plan.idle is not None
    assert plan.idle.doing == ""
    open_ones = [row for row in plan.idle.obstacles if "bybit-a is frozen" not in row.rule]
    assert open_ones or change is frozen
    for row in open_ones:
        assert told in row.rule
        assert row.place[0] == "snapshot"


def wide_band(raw: dict[str, Any]) -> None:
    for row in raw["mandate"]["targets"]:
        row["band"] = "1000000"
    raw["mandate"]["policy"]["risk_aversion"] = "0"


def test_a_gap_inside_the_band_is_told_as_such() -> None:
    plan = changed("nothing-worth-doing", wide_band)
    assert plan.idle is not None
    assert [row.rule for row in plan.idle.obstacles] == ["BTC is inside its band already"]
    assert plan.idle.obstacles[0].place == ("mandate", "targets", "BTC")


def test_a_held_repair_names_the_policy() -> None:
    plan = changed(
        "infeasible-named-cause", lambda raw: raw["mandate"]["policy"].update(infeasible="hold")
    )
    assert plan.status == "infeasible"
    assert plan.idle is not None
    assert plan.idle.doing.startswith("send ")
    assert "infeasible: hold" in plan.idle.refused


@pytest.mark.parametrize("seed", range(60))
def test_no_alternative_is_said_to_be_cheaper_than_doing_nothing(seed: int) -> None:
    scenario = Scenario.model_validate(random_book(seed, "states"))
    plan = decide(scenario.snapshot, scenario.mandate)
    assert (plan.idle is None) == bool(plan.actions)
    if plan.idle is not None and plan.idle.extra is not None and not plan.idle.refused:
        assert plan.idle.extra >= -plan.certificate.gap  # type: ignore[union-attr]
        book = Book.of(scenario.snapshot, scenario.mandate)
        assert cost(book, ()).total == plan.cost.do_nothing


def coarse(raw: dict[str, Any]) -> None:
    """Three BTC short of the target, where a contract is traded seven at a time."""
    for row in raw["snapshot"]["instruments"]:
        row["lot"] = "7"
    (row,) = raw["mandate"]["targets"]
    row |= {"unit": "base", "band": "0"}
    raw["mandate"]["policy"]["risk_aversion"] = "0"
    held = sum(
        Decimal(place["quantity"])
        for account in raw["snapshot"]["accounts"]
        for place in account["positions"].values()
    )
    row["delta"] = str(held + 3)


def test_an_order_that_a_coarse_lot_makes_too_large_is_priced() -> None:
    plan = changed("nothing-worth-doing", coarse)
    assert plan.status == "nothing"
    assert plan.idle is not None
    assert plan.idle.doing.startswith("buy 7 ")
    assert plan.idle.extra is not None
    assert plan.idle.extra > 0
    assert plan.idle.changes["tracking"] > 0
