"""A book made anew with a rule relaxed."""

from __future__ import annotations

from decimal import Decimal

from allocator.models.scenario import Scenario
from allocator.plan.relax import Rule, relaxed
from allocator.state import Book
from tests.books import random_book


def test_invented_route_carries_an_amount_that_no_price_divides_evenly() -> None:
    raw = random_book(500, "plain")
    raw["snapshot"]["assets"]["USDT"]["price"] = "0.9997"
    account = raw["snapshot"]["accounts"][0]["id"]
    scenario = Scenario.model_validate(raw)
    book = Book.of(scenario.snapshot, scenario.mandate)
    other = relaxed(book, {Rule("no route to", (account,)): Decimal(100)})
    assert other is not None
    (route,) = [row for name, row in other.routes.items() if name.startswith("new:")]
    assert route.max is not None
    assert round(route.max * book.price(route.asset), 20) == 100
