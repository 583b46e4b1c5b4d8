"""Pairs that are not traded, in hedge mode or with a margin of their own, are watched as well."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from allocator.models.snapshot import Snapshot
from allocator.service.monitor.marks import AccountMark, marks_of
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
