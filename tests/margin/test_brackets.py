"""Margin by brackets, against the venue sheet's vectors."""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocator.margin import bracket_cap, breaks, requirement
from allocator.models.errors import SnapshotError
from allocator.program.arrays import UNIT
from allocator.program.crossing import arrays_of
from allocator.state import Book
from tests.law.desk import NORTH, Data, book_of, changed, pair, position

BTCUSDT = [
    ("300000", "0.004", "150", "0"),
    ("800000", "0.005", "100", "300"),
    ("3000000", "0.0065", "75", "1500"),
    ("12000000", "0.01", "50", "12000"),
    ("70000000", "0.02", "25", "132000"),
    ("100000000", "0.025", "20", "482000"),
    ("230000000", "0.05", "10", "2982000"),
    ("480000000", "0.1", "5", "14482000"),
    ("600000000", "0.125", "4", "26482000"),
    ("800000000", "0.15", "3", "41482000"),
    ("1200000000", "0.25", "2", "121482000"),
    ("1800000000", "0.5", "1", "421482000"),
]


def bracketed(rows: list[Data], model: str = "tiered", leverage: str | None = "5") -> Book:
    """A book whose `lead` holds contracts of one dollar under these brackets."""
    data = changed("snapshot/instruments/0/tiers", rows)
    data["snapshot"]["instruments"][0] |= {"contract_size": "0.000025", "lot": "1"}
    data["snapshot"]["accounts"][0]["margin"] = {"model": model}
    data["snapshot"]["accounts"][0]["positions"][NORTH] = pair(leverage=leverage)
    return book_of(data)


def binance() -> list[Data]:
    keys = ("cap", "maintenance", "max_leverage", "deduction")
    return [dict(zip(keys, row, strict=True)) for row in BTCUSDT]


def maintenance(book: Book, notional: str | Decimal) -> Decimal:
    return requirement(book, "lead", NORTH, Decimal(notional)).maintenance


@pytest.mark.parametrize(
    ("notional", "needed"),
    [
        ("0", "0"),
        ("264000", "1056"),
        ("5000000", "38000"),
        ("12000000", "108000"),
        ("24000000", "348000"),
        ("50000000", "868000"),
        ("500000000", "36018000"),
    ],
)
def test_marginal_brackets_of_binance(notional: str, needed: str) -> None:
    book = bracketed(binance())
    assert maintenance(book, notional) == maintenance(book, f"-{notional}") == Decimal(needed)


def test_deductions_follow_from_caps_and_rates() -> None:
    rows = binance()
    for low, high in itertools.pairwise(rows):
        edge = Decimal(low["cap"])
        step = edge * (Decimal(high["maintenance"]) - Decimal(low["maintenance"]))
        assert Decimal(high["deduction"]) == Decimal(low["deduction"]) + step


@pytest.mark.parametrize(
    ("notional", "needed"),
    [("100000000", "1250000"), ("150000000", "1875000"), ("200000000", "3125000")],
)
def test_marginal_brackets_of_hyperliquid(notional: str, needed: str) -> None:
    rows: list[Data] = [
        {"cap": "150000000", "maintenance": "0.0125", "max_leverage": "40"},
        {"cap": "1e12", "maintenance": "0.025", "max_leverage": "20", "deduction": "1875000"},
    ]
    assert maintenance(bracketed(rows), notional) == Decimal(needed)


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_splitting_a_position_saves_margin_and_joining_never_does(one: int, other: int) -> None:
    book = bracketed(binance())
    together = maintenance(book, Decimal(one + other))
    assert together >= maintenance(book, Decimal(one)) + maintenance(book, Decimal(other))


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.sampled_from(["tiered", "whole_position"]))
def test_less_contracts_need_less_margin(one: int, other: int, model: str) -> None:
    book = bracketed(binance(), model)
    low, high = sorted((Decimal(one), Decimal(other)))
    assert maintenance(book, low) <= maintenance(book, -high)
    small, large = (requirement(book, "lead", NORTH, q).initial for q in (low, -high))
    assert small <= large


@pytest.mark.parametrize(
    ("leverage", "cap"),
    [
        ("150", "300000"),
        ("125", "300000"),
        ("100", "800000"),
        ("75", "3000000"),
        ("50", "12000000"),
        ("25", "70000000"),
        ("20", "100000000"),
        ("10", "230000000"),
        ("5", "480000000"),
        ("151", "0"),
    ],
)
def test_leverage_caps_the_notional(leverage: str, cap: str) -> None:
    assert bracket_cap(bracketed(binance(), leverage=leverage), "lead", NORTH) == Decimal(cap)


@pytest.mark.parametrize("leverage", [None, "5", "151"])
def test_every_bracket_is_open_under_scenario_margin(leverage: str | None) -> None:
    data = changed("snapshot/instruments/0/tiers", binance())
    scenarios = [{"pnl": {row["id"]: "-1" for row in data["snapshot"]["instruments"]}}]
    data["snapshot"]["accounts"][0]["margin"] = {"model": "scenario", "scenarios": scenarios}
    data["snapshot"]["accounts"][0]["positions"][NORTH] = pair(leverage=leverage)
    book = book_of(data)
    assert bracket_cap(book, "lead", NORTH) == Decimal(binance()[-1]["cap"])
    (at,) = np.flatnonzero([key == ("lead", NORTH) for key in arrays_of(book).pairs.keys])
    assert arrays_of(book).pairs.cap[at] * float(UNIT) == pytest.approx(float(binance()[-1]["cap"]))


def test_initial_margin_is_notional_over_leverage() -> None:
    book = bracketed(binance(), leverage="25")
    assert requirement(book, "lead", NORTH, Decimal(-1000)).initial == 40


def test_held_pair_without_leverage_takes_its_brackets_largest() -> None:
    book = bracketed(binance(), leverage=None)
    assert requirement(book, "lead", NORTH, Decimal(500_000)).initial == 5000


def test_whole_position_rate_is_that_of_the_bracket_that_holds_it() -> None:
    book = bracketed(binance(), "whole_position")
    assert maintenance(book, "300000") == 1200
    assert maintenance(book, "300001") == Decimal("1500.005")
    assert breaks(book, "lead", NORTH)[11:14] == (-300000, 0, 300000)


def deribit() -> list[Data]:
    """Chords of the quadratic 2 % + 0.005 % x q (initial) and 1 % + 0.005 % x q, q in BTC."""
    rows: list[Data] = []
    ends = [0, 25, 50, 100, 200, 350, 500]

    def value(base: str, q: int) -> Decimal:
        return (Decimal(base) + Decimal("0.00005") * q) * q * 40000

    for low, high in itertools.pairwise(ends):
        row: dict[str, Any] = {"cap": high * 40000}
        for name, deduction, base in (
            ("initial", "initial_deduction", "0.02"),
            ("maintenance", "deduction", "0.01"),
        ):
            rate = (value(base, high) - value(base, low)) / ((high - low) * 40000)
            row[name] = rate
            row[deduction] = rate * low * 40000 - value(base, low)
        rows.append(row)
    return rows


@pytest.mark.parametrize(("coins", "initial"), [(25, "0.53125"), (350, "13.125")])
def test_quadratic_margin_of_deribit_is_met_at_the_ends_of_its_brackets(
    coins: int, initial: str
) -> None:
    book = bracketed(deribit(), leverage=None)
    found = requirement(book, "lead", NORTH, Decimal(coins * 40000))
    assert found.initial == Decimal(initial) * 40000


@given(st.integers(1, 500))
def test_quadratic_margin_of_deribit_is_bounded_from_above(coins: int) -> None:
    book = bracketed(deribit(), leverage=None)
    found = requirement(book, "lead", NORTH, Decimal(coins * 40000))
    square = Decimal("0.00005") * coins * coins * 40000
    assert found.initial >= Decimal("0.02") * coins * 40000 + square
    assert found.maintenance >= Decimal("0.01") * coins * 40000 + square


def test_both_legs_of_a_hedged_pair_need_margin() -> None:
    legs = {"legs": {"long": "30", "short": "10"}, "unrealised": "0", "leverage": "10"}
    book = book_of(changed(position("lead"), legs))
    found = requirement(book, "lead", NORTH, Decimal(20))
    assert (found.initial, found.maintenance) == (1600, 160)


def test_own_brackets_of_an_account_replace_the_instruments() -> None:
    own = [{"cap": "1000", "maintenance": "0.5", "max_leverage": "2"}]
    book = book_of(changed(position("lead"), pair(tiers=own)))
    assert requirement(book, "lead", NORTH, Decimal(1)).maintenance == 200


def test_pair_without_brackets_is_refused() -> None:
    data = changed("snapshot/instruments/0/tiers", [])
    with pytest.raises(SnapshotError, match="brackets"):
        requirement(book_of(data), "lead", NORTH, Decimal(1))
