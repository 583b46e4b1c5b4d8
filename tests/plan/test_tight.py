"""What a plan reports as binding really stands against it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from allocator.decide import decide
from allocator.plan.tight import tight_rules
from allocator.state import Book
from allocator.whatif.reader import load_scenario

SCENARIOS = Path(__file__).resolve().parents[2] / "scenarios"


def test_cap_that_stops_the_book_binds_at_a_price_of_its_own() -> None:
    scenario = load_scenario(SCENARIOS / "owner-cap-beats-splitting.yaml")
    plan = decide(scenario.snapshot, scenario.mandate)
    assert plan.certificate is not None
    (row,) = plan.certificate.binding
    assert row.limit == "btc-owner-cap"
    assert Decimal("0.001") < row.price < Decimal("0.02")


def test_rescued_account_binds_and_no_account_without_margin_does() -> None:
    scenario = load_scenario(SCENARIOS / "margin-rescue-by-transfer.yaml")
    plan = decide(scenario.snapshot, scenario.mandate)
    assert plan.certificate is not None
    assert [row.limit for row in plan.certificate.binding] == ["margin bybit-a"]


def test_nothing_is_tight_in_a_book_with_room() -> None:
    scenario = load_scenario(SCENARIOS / "nothing-worth-doing.yaml")
    assert tight_rules(Book.of(scenario.snapshot, scenario.mandate), ()) == frozenset()
