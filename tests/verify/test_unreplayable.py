"""What cannot be replayed is refused, never released and never an exception."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from allocator.models.plan import Order
from allocator.models.scenario import Scenario
from allocator.state import Book
from allocator.verify import verify
from tests.books import random_book
from tests.random_plans import honest


def uncorrelated(raw: dict[str, Any]) -> None:
    coins = [name for name, row in raw["snapshot"]["assets"].items() if "underlying" in row]
    pairs = [[a, b, "-0.99"] for i, a in enumerate(coins) for b in coins[i + 1 :]]
    raw["mandate"]["policy"]["risk"] = {"correlation": pairs}


def falling(raw: dict[str, Any]) -> None:
    for row in raw["snapshot"]["instruments"]:
        row["tiers"] = [
            {"cap": "50000", "maintenance": "0.05", "max_leverage": "10"},
            {"cap": "5000000", "maintenance": "0.01", "max_leverage": "10"},
        ]


def doubled(raw: dict[str, Any]) -> None:
    raw["snapshot"]["accounts"].append(raw["snapshot"]["accounts"][0])


@pytest.mark.parametrize("spoil", [uncorrelated, falling, doubled])
def test_a_plan_for_a_senseless_book_is_refused(spoil: Callable[[dict[str, Any]], None]) -> None:
    seeds = (
        seed for seed in range(99) if len(random_book(seed, "plain")["snapshot"]["assets"]) > 4
    )
    raw = random_book(next(seeds), "plain")
    spoil(raw)
    scenario = Scenario.model_validate(raw)
    plan = honest(Book.of(scenario.snapshot, scenario.mandate), [])
    codes = {row.code for row in verify(scenario.snapshot, scenario.mandate, plan)}
    assert "unreplayable" in codes


def test_a_quantity_beyond_all_digits_is_refused() -> None:
    raw = random_book(0, "plain")
    for row in raw["snapshot"]["instruments"]:
        row |= {"lot": "0.000000000001"}
    scenario = Scenario.model_validate(raw)
    book = Book.of(scenario.snapshot, scenario.mandate)
    account, name = book.pairs[0]
    price = book.instruments[name].mark
    order = Order(
        seq=1,
        account=account,
        instrument=name,
        side="buy",
        quantity=Decimal("1e39"),
        limit_price=price,
    )
    plan = honest(book, []).model_copy(update={"actions": (order,)})
    assert verify(scenario.snapshot, scenario.mandate, plan)
