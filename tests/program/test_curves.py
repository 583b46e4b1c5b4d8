"""Margin of one pair as curves."""

from __future__ import annotations

import numpy as np
import pytest

from allocator.program.curves import line, lower_hull, step_value, stretched, upper_envelope

RATES, DEDUCTIONS = [0.004, 0.005, 0.0065, 0.01], [0.0, 300.0, 1500.0, 12000.0]
CAPS = [10.0, 20.0, 30.0]


@pytest.mark.parametrize("size", [0.0, 1.0, 3e5, 5e5, 1e6, 5e6])
def test_marginal_brackets_are_the_largest_of_their_lines(size: float) -> None:
    largest = max(0.0, *(r * size - d for r, d in zip(RATES, DEDUCTIONS, strict=True)))
    assert upper_envelope(RATES, DEDUCTIONS)(size) == pytest.approx(largest)


def test_a_bracket_that_never_leads_is_left_out() -> None:
    assert upper_envelope([0.1, 0.2, 0.3], [0.0, 50.0, 20.0]).slopes.tolist() == [0.1, 0.3]


@pytest.mark.parametrize("top", [5.0, 10.0, 25.0, 30.0])
def test_the_hull_of_whole_position_margin_stays_below_it(top: float) -> None:
    rates = [0.1, 0.2, 0.5]
    hull = lower_hull(CAPS, rates, top)
    for size in np.linspace(0.001, top, 200):
        assert hull(float(size)) <= step_value(CAPS, rates, float(size)) + 1e-12
    assert hull(top) == pytest.approx(step_value(CAPS, rates, top))
    assert np.all(np.diff(hull.slopes) >= 0)


@pytest.mark.parametrize("factor", [1.0, 1.25, 20.0])
@pytest.mark.parametrize("scale", [0.8, 1.0, 1.3])
def test_a_curve_covers_another_where_it_is_nowhere_below(factor: float, scale: float) -> None:
    initial, marginal = line(0.01), stretched(upper_envelope(RATES, DEDUCTIONS), scale)
    for top in (1e5, 1e6, 1e8):
        sizes = np.linspace(1.0, top, 500)
        below = all(initial(float(x)) >= factor * marginal(float(x)) for x in sizes)
        assert initial.covers(marginal, factor, top) is below


@pytest.mark.parametrize("rates", [RATES, [0.004]])
def test_many_sizes_cost_to_the_last_bit_what_each_costs(rates: list[float]) -> None:
    curve = upper_envelope(rates, DEDUCTIONS[: len(rates)])
    sizes = np.random.default_rng(1).uniform(1.0, 5e6, 300)
    assert curve.at(sizes).tolist() == [curve(float(size)) for size in sizes]
