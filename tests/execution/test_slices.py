from __future__ import annotations

import random
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocator.execution.slices import (
    Leg,
    Pace,
    due,
    goal,
    least_requests,
    pace_of,
    parts_of,
    round_down,
    rounds,
    sendable,
)
from allocator.models.market import Instrument
from allocator.models.plan import Order
from tests.execution.book import BTC_A, instrument, order


def leg(quantity: str = "1", smallest: str = "0.001", **over: object) -> Leg:
    reduce_only = bool(over.pop("reduce_only", False))
    row = Instrument.model_validate(instrument(BTC_A) | over)
    made = Order.model_validate(order(1, "a", "buy", quantity, reduce_only=reduce_only))
    return Leg(made, row, Decimal(50000), Decimal(smallest))


@pytest.mark.parametrize(
    ("quantities", "max_slice", "parts"),
    [
        (("1",), "0", 1),
        (("1",), "50000", 1),
        (("1",), "49999", 2),
        (("1",), "1000", 50),
        (("0.0004",), "10", 1),
        (("1", "1"), "50000", 1),
        (("1", "1"), "49999", 2),
        (("1", "0.5"), "10000", 5),
        (("1", "0.001"), "10000", 5),
        (("1", "1", "1"), "50000", 2),
        (("1", "1"), "0", 50),
        (("0.01", "0.01"), "0", 10),
    ],
)
def test_parts_follow_the_slice_size_and_the_smallest_order(
    quantities: tuple[str, ...], max_slice: str, parts: int
) -> None:
    assert parts_of(sided(*map(leg, quantities)), Decimal(max_slice)) == parts


@given(st.integers(1, 5000), st.integers(1, 60))
def test_slices_rise_to_the_whole_in_lots(lots: int, parts: int) -> None:
    one = leg(str(Decimal(lots) / 1000))
    asked = [due(one, part, parts) for part in range(parts + 1)]
    assert asked == sorted(asked)
    assert asked[-1] == one.order.quantity
    exact = [one.order.quantity * part / parts for part in range(parts + 1)]
    for got, wanted in zip(asked, exact, strict=True):
        assert wanted - Decimal("0.001") < got <= wanted
        assert got % Decimal("0.001") == 0


def group(*legs: Leg, max_slice: str = "20000") -> Pace:
    return pace_of(sided(*legs), Decimal(max_slice))


def sided(*legs: Leg) -> list[Leg]:
    """Number legs, each against the one before."""
    return [
        replace(
            row, order=row.order.model_copy(update={"seq": at, "side": ("sell", "buy")[at % 2]})
        )
        for at, row in enumerate(legs, 1)
    ]


def goals(pace: Pace, part: int, *filled: str, **how: Any) -> list[Decimal]:
    """Tell how far each leg may go while the others stand where they are."""
    done = {at: Decimal(row) for at, row in enumerate(filled, 1)}
    return [goal(pace, row, part, done, Decimal(0), **how) for row in pace.legs]


def test_no_leg_goes_further_than_one_that_had_to_stop() -> None:
    pace = group(leg("0.7"), leg("0.7"))
    assert goals(pace, 1, "0", "0") == [Decimal("0.35")] * 2
    assert goals(pace, 1, "0", "0", ahead=Fraction(1, 4)) == [Decimal("0.175")] * 2
    assert goals(pace, 1, "0", "0", ahead=Fraction(3, 4)) == [Decimal("0.35")] * 2


def test_a_leg_is_ahead_of_what_the_others_have_filled_by_a_slice_at_most() -> None:
    pace = group(leg("1.2"), leg("1.2", "0.3", lot="0.3"))
    assert goals(pace, 1, "0", "0") == [Decimal("0.4"), Decimal("0.3")]
    assert goals(pace, 2, "0.4", "0.3") == [Decimal("0.7"), Decimal("0.6")]
    assert goals(pace, 3, "0.7", "0.6") == [Decimal(1), Decimal("0.9")]
    assert goals(pace, 9, "0.7", "0.6") == [Decimal(1), Decimal("0.9")]


def test_thirds_are_not_rounded_down_by_a_lot() -> None:
    pace = group(leg("1.2", "0.4", lot="0.4"), leg("1.2", "0.4", lot="0.4"))
    assert goals(pace, 2, "0.4", "0.4") == [Decimal("0.8")] * 2


def test_a_small_leg_does_not_have_the_others_sent_whole() -> None:
    pace = group(leg("1"), leg("1"), leg("0.02", "0.02"))
    assert pace.parts == 3
    assert goals(pace, 2, "0.333", "0.333", "0")[:2] == [Decimal("0.666")] * 2


def test_what_cannot_be_cut_finer_is_a_slice_of_its_own() -> None:
    pace = group(leg("0.8"), leg("0.8", "0.8"), max_slice="5000")
    assert goals(pace, pace.parts, "0", "0") == [Decimal("0.8")] * 2


def test_no_rest_is_left_that_is_too_small_to_be_sent() -> None:
    pace = group(leg("0.8", "0.2"), leg("0.8", "0.2"))
    assert goals(pace, 2, "0.4", "0.25")[0] == Decimal("0.6")
    assert goals(pace, 2, "0.45", "0.25")[0] == Decimal("0.45")
    assert goals(pace, 2, "0.45", "0.25", patient=False)[0] == Decimal("0.65")


sizes = st.tuples(st.integers(1, 400), st.integers(1, 60), st.integers(1, 12))
seeds = st.integers(0, 2**32)


def drawn(rows: list[tuple[int, int, int]], max_slice: int) -> Pace:
    """Make a group of legs of so many lots, with smallest orders of so many lots."""
    legs = list[Leg]()
    for lots, smallest, lot in rows:
        size = Decimal(lot) / 1000
        legs.append(leg(str(lots * size), str(min(lots, smallest) * size), lot=str(size)))
    return group(*legs, max_slice=str(max_slice))


@given(st.lists(sizes, min_size=2, max_size=4), st.integers(0, 40000), seeds)
def test_legs_never_stand_still_or_leave_their_step(
    rows: list[tuple[int, int, int]], max_slice: int, seed: int
) -> None:
    """Whatever is filled of each request, up to the last rest that can be sent."""
    pace, rng = drawn(rows, max_slice), random.Random(seed)
    filled = {row.order.seq: Decimal(0) for row in pace.legs}
    shares = dict.fromkeys(filled, Fraction(0))
    for part, patient in rounds(pace, lambda: dict(filled)):
        assert part < 3000
        for row in pace.legs:
            seq, lot = row.order.seq, row.instrument.lot
            target = goal(pace, row, part, filled, Decimal(0), patient=patient)
            size = sendable(row, target - filled[seq], Decimal(0))
            filled[seq] += (
                size if rng.random() < 0.7 or not size else lot * rng.randint(1, int(size / lot))
            )
            shares[seq] = Fraction(filled[seq]) / Fraction(row.order.quantity)
            for other, share in shares.items():
                lead = max(pace.step, pace.pieces[seq], pace.pieces[other])
                assert not size or shares[seq] <= share + lead
    for row in pace.legs:
        assert row.order.quantity - filled[row.order.seq] < row.smallest


@given(st.lists(sizes, min_size=1, max_size=4), st.integers(1, 40000))
def test_legs_are_filled_whole_where_a_slice_holds_two_of_their_smallest_orders(
    rows: list[tuple[int, int, int]], max_slice: int
) -> None:
    pace = drawn(rows, max_slice)
    least = max(Fraction(row.smallest) / Fraction(row.order.quantity) for row in pace.legs)
    pace = replace(pace, step=max(pace.step, 2 * least))
    filled = {row.order.seq: Decimal(0) for row in pace.legs}
    for part, patient in rounds(pace, lambda: dict(filled)):
        assert patient
        for row in pace.legs:
            target = goal(pace, row, part, filled, Decimal(0), patient=patient)
            seq = row.order.seq
            filled[seq] += sendable(row, target - filled[seq], Decimal(0))
    assert filled == {row.order.seq: row.order.quantity for row in pace.legs}


def test_too_little_is_not_sent_unless_it_closes() -> None:
    assert sendable(leg(smallest="0.1"), Decimal("0.0999"), Decimal(0)) == 0
    assert sendable(leg(smallest="0.1"), Decimal("0.1"), Decimal(0)) == Decimal("0.1")
    closing = leg(smallest="0.1", reduce_only=True)
    assert sendable(closing, Decimal("0.05"), Decimal("-0.05")) == Decimal("0.05")
    assert sendable(closing, Decimal("0.05"), Decimal("-0.06")) == 0
    assert sendable(closing, Decimal(0), Decimal(0)) == 0


def test_one_request_is_at_most_the_venues_maximum() -> None:
    capped = leg(max_quantity="0.3005")
    assert sendable(capped, Decimal(1), Decimal(0)) == Decimal("0.3")


def test_rounding_is_toward_zero() -> None:
    assert round_down(Decimal("0.0019"), Decimal("0.001")) == Decimal("0.001")


@pytest.mark.parametrize(
    ("one", "parts", "held", "requests"),
    [
        (leg(), 1, "0", 1),
        (leg(), 5, "0", 5),
        (leg(max_quantity="0.3"), 1, "0", 4),
        (leg(max_quantity="0.3"), 2, "0", 4),
        (leg("0.25", smallest="0.1"), 5, "0", 2),
        (leg("0.25", smallest="0.1", reduce_only=True), 5, "-0.25", 3),
        (leg("0.05", smallest="0.1"), 1, "0", 0),
    ],
)
def test_a_leg_needs_a_request_for_every_slice_that_can_be_sent(
    one: Leg, parts: int, held: str, requests: int
) -> None:
    pace = replace(group(one), parts=parts)
    assert least_requests(pace, {1: Decimal(held)}) == requests
