"""The largest remainder: exact sums, nobody a lot away from its share, no matter in which order."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from allocator.presets.remainder import Part, largest_remainder

TOTALS = st.decimals(0, 10**9, places=4)
WEIGHTS = st.decimals("0.001", 10**7, places=3)
UNITS = st.decimals("0.01", 5000, places=2)


def parts(weights: list[Decimal], unit: Decimal) -> list[Part[int]]:
    return [Part(k, weight, unit) for k, weight in enumerate(weights)]


def exact_share(total: Decimal, part: Part[int], rows: list[Part[int]]) -> Fraction:
    weights = sum(Fraction(row.weight) for row in rows)
    return Fraction(total) * Fraction(part.weight) / weights


@given(TOTALS, st.lists(WEIGHTS, min_size=1, max_size=9), UNITS)
def test_equal_units_add_up_to_all_whole_lots_and_nobody_is_a_lot_away(
    total: Decimal, weights: list[Decimal], unit: Decimal
) -> None:
    rows = parts(weights, unit)
    lots = largest_remainder(total, rows)
    assert sum(lots.values()) == total // unit
    for row in rows:
        assert abs(lots[row.key] * Fraction(unit) - exact_share(total, row, rows)) < unit


@given(TOTALS, st.lists(st.tuples(WEIGHTS, UNITS), min_size=1, max_size=9))
def test_nothing_is_left_that_a_part_could_take_and_nobody_is_the_coarsest_lot_away(
    total: Decimal, pairs: list[tuple[Decimal, Decimal]]
) -> None:
    rows = [Part(k, weight, unit) for k, (weight, unit) in enumerate(pairs)]
    rows = [row for row in rows if row.unit <= total]
    lots = largest_remainder(total, rows)
    left = Fraction(total) - sum(lots[row.key] * Fraction(row.unit) for row in rows)
    assert left >= 0
    coarsest = max((row.unit for row in rows), default=Decimal(1))
    for row in rows:
        assert left < row.unit
        assert abs(lots[row.key] * Fraction(row.unit) - exact_share(total, row, rows)) < coarsest


@given(
    TOTALS,
    st.lists(st.tuples(WEIGHTS, UNITS, st.none() | st.integers(0, 5000)), min_size=1, max_size=7),
    st.randoms(use_true_random=False),
)
def test_the_order_of_parts_changes_nothing(
    total: Decimal, rows: list[tuple[Decimal, Decimal, int | None]], chance: object
) -> None:
    some = [Part(k, *row) for k, row in enumerate(rows)]
    other = list(some)
    chance.shuffle(other)  # type: ignore[attr-defined]
    assert largest_remainder(total, some) == largest_remainder(total, other)


@given(
    TOTALS,
    st.lists(st.tuples(WEIGHTS, st.integers(0, 5000)), min_size=1, max_size=7),
    UNITS,
)
def test_what_a_part_may_not_take_the_others_do(
    total: Decimal, rows: list[tuple[Decimal, int]], unit: Decimal
) -> None:
    some = [Part(k, weight, unit, most) for k, (weight, most) in enumerate(rows)]
    lots = largest_remainder(total, some)
    assert all(lots[row.key] <= (row.most or 0) for row in some)
    assert sum(lots.values()) == min(total // unit, sum(most for _, most in rows))


def test_of_equal_remainders_the_heavier_then_the_first_by_name_gets_the_lot() -> None:
    one, three = Decimal(1), Decimal(3)
    even = [Part("b", one, one), Part("a", one, one)]
    assert largest_remainder(Decimal(3), even) == {"a": 2, "b": 1}
    heavier = [Part("a", one, one), Part("b", three, one)]
    assert largest_remainder(Decimal(2), heavier) == {"a": 0, "b": 2}


def test_nobody_there_gets_nothing() -> None:
    assert largest_remainder(Decimal(5), []) == {}
