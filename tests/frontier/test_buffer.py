"""The curve of cost against the margin that is kept on top of maintenance."""

from __future__ import annotations

import itertools
from decimal import Decimal
from pathlib import Path

import pytest

from allocator import decide, frontier, load_scenario
from allocator.frontier import BufferPoint, buffered
from allocator.frontier.buffer import buffers
from allocator.verify import verify

FILE = Path(__file__).parents[2] / "scenarios" / "margin-rescue-by-transfer.yaml"


@pytest.fixture(scope="module")
def points() -> tuple[BufferPoint, ...]:
    scenario = load_scenario(FILE)
    curve = frontier(scenario.snapshot, scenario.mandate, along="margin_buffer", points=5)
    return tuple(row for row in curve.points if isinstance(row, BufferPoint))


def test_every_point_is_what_decide_says_under_its_buffer(
    points: tuple[BufferPoint, ...],
) -> None:
    scenario = load_scenario(FILE)
    assert len(points) == 5
    for row in points:
        mandate = buffered(scenario.mandate, row.margin_buffer)
        assert row.plan == decide(scenario.snapshot, mandate)
        assert verify(scenario.snapshot, mandate, row.plan) == ()


def test_more_buffer_never_costs_less_beyond_what_is_unproven(
    points: tuple[BufferPoint, ...],
) -> None:
    for low, high in itertools.pairwise(points):
        assert low.gap is not None
        assert high.cost.total >= low.cost.total - low.gap - Decimal("0.01")


def test_the_worst_ratio_keeps_the_buffer_where_nothing_is_missing(
    points: tuple[BufferPoint, ...],
) -> None:
    for row in points:
        assert row.worst_margin_ratio is not None
        if row.shortfall <= Decimal("0.01"):
            assert row.worst_margin_ratio >= 1 + row.margin_buffer


@pytest.mark.parametrize("own", ["0", "0.1", "0.25", "0.3333", "2"])
@pytest.mark.parametrize("points", [2, 3, 7, 11])
def test_buffers_ascend_from_none_and_hold_the_mandates_own(own: str, points: int) -> None:
    rows = buffers(Decimal(own), points)
    assert rows == sorted(set(rows))
    assert rows[0] == 0
    assert points == 2 or Decimal(own) in rows
    assert rows[-1] >= 2 * Decimal(own)
    assert len(rows) <= points
