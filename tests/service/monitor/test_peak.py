"""A peak in the money that a book has now, whenever money came or left and whenever it was told."""

from __future__ import annotations

import random
from collections.abc import Sequence
from decimal import Decimal

import pytest

from allocator.service.monitor.peak import MOST_STRETCHES, Peak

AMOUNTS = (Decimal(-5000), Decimal(4000))
READINGS = 200


def course(equity: Sequence[Decimal], told: dict[int, Decimal]) -> Peak:
    """Read an equity over time, and hear after some readings what people tell."""
    peak, before = Peak(), equity[0]
    for number, worth in enumerate(equity):
        peak, before = peak.read(worth, worth - before), worth
        if number in told:
            peak = peak.told(told[number])
    return peak


@pytest.mark.parametrize("seed", range(40))
def test_the_peak_is_of_all_readings_with_what_came_and_without_what_left(seed: int) -> None:
    dice = random.Random(seed)
    steps = [Decimal(dice.randint(-300, 300)) for _ in range(READINGS)]
    at = [dice.randrange(1, READINGS) for _ in AMOUNTS]
    told = dict(zip(dice.sample(range(READINGS), len(at)), AMOUNTS, strict=True))
    for when, amount in zip(at, AMOUNTS, strict=True):
        steps[when] += amount
    equity = [Decimal(100_000) + sum(steps[: n + 1]) for n in range(READINGS)]
    later = [
        sum(a for when, a in zip(at, AMOUNTS, strict=True) if when > n) for n in range(READINGS)
    ]
    peak = course(equity, told)
    if at[0] != at[1]:
        assert peak.highest == max(map(sum, zip(equity, later, strict=True)))
        assert peak.pending == ()
    assert len(peak.stretches) <= MOST_STRETCHES


def test_of_two_jumps_alike_the_latest_is_what_was_told() -> None:
    equity = [Decimal(row) for row in (100, 90, 100, 90)]
    assert course(equity, {3: Decimal(-10)}).highest == 90


def test_what_is_told_to_have_left_and_was_not_seen_is_left_out_until_its_day_is_over() -> None:
    equity = [Decimal(row) for row in (100, 96, 92)]
    peak = course(equity, {2: Decimal(-8)})
    assert (peak.highest, peak.known, peak.over().highest) == (100, 92, 92)


def test_what_is_taken_back_changes_nothing() -> None:
    peak = course([Decimal(100)], {}).told(Decimal(50)).told(Decimal(-50))
    assert (peak.known, peak.over().highest) == (100, 100)


def test_a_book_that_was_never_read_has_no_peak() -> None:
    assert (Peak().known, Peak().over().highest) == (None, None)
