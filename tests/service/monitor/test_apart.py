"""Pairs that are not traded, in hedge mode or with a margin of their own, are watched as well."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from allocator.models.snapshot import Snapshot
from allocator.service.monitor.marks import AccountMark, marks_of
from tests.execution.book import instrument
from tests.service.monitor.watched import BTC, snapshot


def mark(**place: Any) -> AccountMark:
    """Mark an account of 100,000 USDT whose one pair is like this."""
    data = snapshot().model_dump(mode="json")
    (row,) = (row for row in data["accounts"] if row["id"] == "a")
    row["positions"][BTC] = {"leverage": "10", **place}
    return marks_of(Snapshot.model_validate(data), None).accounts[0]


def test_both_legs_of_a_hedged_pair_are_gross() -> None:
    found = mark(legs={"long": "3", "short": "2"}, unrealised="0")
    assert found.gross == 250000
    assert found.leverage == Decimal("2.5")


def test_a_position_with_a_margin_of_its_own_has_a_distance_and_a_ratio() -> None:
    """500 of a long of 50,000: 250 are its margin, and m with 500 + 50,000 m = 250 (1 + m)."""
    place = {"quantity": "1", "entry_price": "50000", "isolated": {"wallet": "500"}}
    found = mark(**place)
    assert found.ratio == 2
    assert found.distance is not None
    assert abs(found.distance - Decimal(250) / Decimal(49750)) < Decimal("1e-9")
    assert found.equity == 100000


def test_what_is_set_aside_counts_with_its_profit() -> None:
    found = mark(quantity="1", entry_price="50100", isolated={"wallet": "500"})
    assert found.ratio == Decimal(400) / 250
    over = mark(quantity="1", entry_price="50300", isolated={"wallet": "500"})
    assert (over.distance, over.ratio) == (0, Decimal(200) / 250)


def test_the_nearer_of_a_pool_and_a_position_apart_is_told() -> None:
    far = mark(quantity="0.01", entry_price="50000", isolated={"wallet": "500"})
    assert far.distance is None, "500 of a long of 500"
    empty = mark(quantity="0", isolated={"wallet": "0"})
    assert (empty.distance, empty.ratio) == (None, None)


def test_the_distance_of_an_inverse_position_apart_counts_its_coin_at_the_moved_price() -> None:
    """0.02 coins for 30,000 USD: 1,000 (1 + m) + 30,000 m = 150."""
    coin = {"id": "alpha:BTC/USD:BTC", "payoff": "inverse", "settle": "BTC", "contract_size": "100"}
    data = snapshot().model_dump(mode="json")
    data["instruments"].append({**instrument(BTC), **coin, "lot": "1"})
    (row,) = (row for row in data["accounts"] if row["id"] == "a")
    row["balances"]["BTC"] = {"wallet": "3"}
    row["positions"] = {
        coin["id"]: {"quantity": "300", "entry_price": "50000", "isolated": {"wallet": "0.02"}}
    }
    found = marks_of(Snapshot.model_validate(data), None).accounts[0]
    assert found.distance is not None
    assert abs(found.distance - Decimal(850) / 31000) < Decimal("1e-9")
    assert found.ratio is not None
    assert abs(found.ratio - Decimal(1000) / 150) < Decimal("1e-9")
    assert found.equity == 250000


def test_a_position_apart_whose_brackets_are_not_told_keeps_no_figure_from_others() -> None:
    data = snapshot().model_dump(mode="json")
    data["instruments"][0]["tiers"] = []
    for row in data["accounts"]:
        row["positions"] = {k: v for k, v in row["positions"].items() if k != BTC}
        if row["id"] == "a":
            row["positions"][BTC] = {
                "quantity": "1", "entry_price": "50000", "isolated": {"wallet": "500"}
            }  # fmt: skip
    first, second = marks_of(Snapshot.model_validate(data), None).accounts
    assert (first.ratio, first.distance, first.equity) == (None, None, 100000)
    assert second.ratio == 400
