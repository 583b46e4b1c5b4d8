"""A peak in the money that a book has now, whenever money came or left and whenever it was told."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocator.service.monitor.peak import DAY, MOST_STRETCHES, Peak

AMOUNTS = (Decimal(-5000), Decimal(4000))
READINGS = 200
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
GAP = timedelta(minutes=7)
"""Between two readings: 200 of them are a day, with midnight among them."""


def at(number: float) -> datetime:
    return NOON + GAP * number


def course(equity: Sequence[Decimal], told: Mapping[float, Decimal], until: float = 0) -> Peak:
    """Read an equity over time, and hear what people tell at the reading after they told it."""
    peak, before, waiting = Peak(), equity[0], dict(told)
    for number, worth in enumerate(equity):
        peak, before = peak.read(worth, worth - before, at(number)), worth
        for when in sorted(row for row in waiting if row <= number):
            peak = peak.told(waiting.pop(when), at(when))
    return peak.aged(at(until)) if until else peak


@pytest.mark.parametrize("seed", range(40))
def test_the_peak_is_of_all_readings_with_what_came_and_without_what_left(seed: int) -> None:
    dice = random.Random(seed)
    steps = [Decimal(dice.randint(-300, 300)) for _ in range(READINGS)]
    when = [dice.randrange(1, READINGS) for _ in AMOUNTS]
    places = dice.sample(range(READINGS), len(when))
    told = {float(row): amount for row, amount in zip(places, AMOUNTS, strict=True)}
    for number, amount in zip(when, AMOUNTS, strict=True):
        steps[number] += amount
    equity = [Decimal(100_000) + sum(steps[: n + 1]) for n in range(READINGS)]
    later = [
        sum(a for number, a in zip(when, AMOUNTS, strict=True) if number > n)
        for n in range(READINGS)
    ]
    peak = course(equity, told)
    if when[0] != when[1]:
        assert peak.highest == max(map(sum, zip(equity, later, strict=True)))
        assert peak.pending == ()
    assert len(peak.stretches) <= MOST_STRETCHES


@given(
    steps=st.lists(st.integers(-300, 300), min_size=150, max_size=150),
    came=st.integers(1, 149),
    told=st.floats(0.0, 149.0),
    amount=st.sampled_from((-5000, -2000, 2000, 7000)),
)
def test_a_flow_changes_the_peak_by_its_amount_and_the_drawdown_by_nothing(
    steps: list[int], came: int, told: float, amount: int
) -> None:
    """At any time around the mark that shows it, and around midnight."""
    bare = [Decimal(100_000 + sum(steps[: n + 1])) for n in range(len(steps))]
    flow = Decimal(amount)
    held = [worth + (flow if number >= came else 0) for number, worth in enumerate(bare)]
    without, peak = course(bare, {}), course(held, {told: flow})
    assert without.highest is not None
    assert peak.highest == without.highest + flow
    assert peak.highest - held[-1] == without.highest - bare[-1]
    assert peak.known == peak.highest


def test_of_two_jumps_alike_the_latest_is_what_was_told() -> None:
    equity = [Decimal(row) for row in (100, 90, 100, 90)]
    assert course(equity, {3: Decimal(-10)}).highest == 90


def test_what_is_told_to_have_left_and_was_not_seen_is_left_out() -> None:
    equity = [Decimal(row) for row in (100, 96, 92)]
    peak = course(equity, {2: Decimal(-8)})
    assert peak.highest == 100
    assert peak.known == 92
    later = peak.aged(at(2) + DAY)
    assert later.highest == 92
    assert later.known == 92
    assert later.pending == ()


def test_what_came_in_parts_is_in_what_was_highest_before_once_it_was_told_for_a_day() -> None:
    equity = [Decimal(row) for row in (100, 99, 104, 109)]
    peak = course(equity, {1: Decimal(10)})
    assert peak.highest == 109
    assert peak.aged(at(1) + DAY - GAP).highest == 109
    assert peak.aged(at(1) + DAY).highest == 110


def test_what_was_read_a_day_ago_is_kept_as_one() -> None:
    equity = [Decimal(100 + row) for row in range(9)]
    peak = course(equity, {}).aged(at(5) + DAY)
    assert [row.highest for row in peak.stretches] == [105, 106, 107, 108]


def test_a_clock_that_was_ahead_ends_nothing_for_good() -> None:
    peak = Peak().read(Decimal(100), Decimal(0), at(0) + 400 * DAY)
    peak = peak.read(Decimal(90), Decimal(-10), at(1)).told(Decimal(7), at(1) + 400 * DAY)
    peak = peak.aged(at(1)).aged(at(2) + DAY)
    assert len(peak.stretches) == 1
    assert peak.pending == ()


def test_what_is_taken_back_changes_nothing() -> None:
    peak = course([Decimal(100)], {}).told(Decimal(50), at(0)).told(Decimal(-50), at(0))
    assert peak.known == 100
    assert peak.aged(at(1) + DAY).highest == 100


def test_a_book_that_was_never_read_has_no_peak() -> None:
    assert Peak().known is None
    assert Peak().aged(at(0)).highest is None


def test_what_an_earlier_release_kept_is_read() -> None:
    text = '{"stretches": [{"highest": "100"}, {"jump": "-9", "highest": "91"}], "pending": ["5"]}'
    peak = Peak.model_validate_json(text)
    assert peak.highest == 100
    assert peak.aged(NOON).pending == ()
