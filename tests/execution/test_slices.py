from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocator.execution.slices import (
    Leg,
    due,
    in_step,
    least_requests,
    parts_of,
    round_down,
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
        (("1", "0.001"), "10000", 1),
        (("1", "1"), "0", 50),
        (("0.01", "0.01"), "0", 10),
    ],
)
def test_parts_follow_the_slice_size_and_the_smallest_order(
    quantities: tuple[str, ...], max_slice: str, parts: int
) -> None:
    assert parts_of([leg(q) for q in quantities], Decimal(max_slice)) == parts


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


def test_later_leg_goes_no_further_than_the_one_before() -> None:
    assert in_step(leg("0.7"), Decimal("0.35"), Decimal(1)) == Decimal("0.35")
    assert in_step(leg("0.7"), Decimal("0.35"), Decimal("0.25")) == Decimal("0.175")
    assert in_step(leg("0.7"), Decimal("0.1"), Decimal("0.25")) == Decimal("0.1")


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
    assert least_requests(one, parts, Decimal(held)) == requests
