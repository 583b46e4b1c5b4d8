"""The least amount of a relaxation is met from both sides."""

from __future__ import annotations

import pytest

from allocator.minimise.amounts import CLOSE, least_amount


@pytest.mark.parametrize("first", [1e-3, 0.7, 5.0, 40.0, 1e6])
def test_a_convex_fall_is_met_by_secants(first: float) -> None:
    found = least_amount(lambda at: max(0.0, 3 - at, 2 - 0.5 * at), first, 3.0)
    assert found == pytest.approx(4.0, rel=2 * CLOSE)


@pytest.mark.parametrize("first", [1.0, 9.0, 300.0])
@pytest.mark.parametrize("noise", [0.0, 1e-7])
def test_a_fall_that_begins_late_is_found(first: float, noise: float) -> None:
    def missing(at: float) -> float:
        return max(0.0, 1 + noise * (at % 7) - max(0.0, at - 250) / 50)

    found = least_amount(missing, first, 1.0)
    assert found == pytest.approx(300.0, rel=2 * CLOSE)


def test_steps_are_met_by_halving() -> None:
    found = least_amount(
        lambda at: 2.0 if at < 7 else 1.0 if at < 9.5 else 0.0, 3.0, 2.0, start=2.5, convex=False
    )
    assert found == pytest.approx(9.5, rel=2 * CLOSE)


def test_what_nothing_mends_has_no_amount() -> None:
    assert least_amount(lambda _: 1.0, 1.0, 1.0) is None
    assert least_amount(lambda _: None, 1.0, 1.0) is None
