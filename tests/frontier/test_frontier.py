"""Frontiers of small books: honest curves, priced under the mandate itself."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from itertools import pairwise

import pytest

import allocator
from allocator.decide import Engine, decide
from allocator.frontier import ActionPoint, Frontier, TrackingPoint, at_most, frontier, scaled
from allocator.frontier.actions import numbers
from allocator.frontier.tracking import factors
from allocator.models.canonical import mandate_hash
from allocator.models.errors import InputError, RefusedError, SnapshotError
from allocator.models.mandate import Mandate
from allocator.models.plan import Plan
from allocator.models.scenario import Scenario
from allocator.models.snapshot import Snapshot
from allocator.plan.judge import EXACT
from allocator.presets import allocate, parsed
from allocator.state import Book
from allocator.verify import plan_blocks, verify
from tests.books import random_book
from tests.presets.group import group

CENT = Decimal("0.01")
BOOKS = [("plain", 1), ("plain", 2), ("limits", 3), ("moves", 3), ("inverse", 4), ("flows", 5)]
BROKEN = [("broken", 0), ("broken", 2), ("stress", 1)]


@cache
def scenario_of(flavour: str, seed: int) -> Scenario:
    return Scenario.model_validate(random_book(seed, flavour))


@cache
def curve(flavour: str, seed: int) -> Frontier:
    row = scenario_of(flavour, seed)
    return frontier(row.snapshot, row.mandate, along="actions", points=5)


def along_actions(flavour: str, seed: int) -> list[ActionPoint]:
    return [row for row in curve(flavour, seed).points if isinstance(row, ActionPoint)]


# along actions


@pytest.mark.parametrize(("flavour", "seed"), [*BOOKS, *BROKEN])
def test_more_actions_never_leave_more_missing_nor_cost_more(flavour: str, seed: int) -> None:
    points = along_actions(flavour, seed)
    assert all(row.count == len(row.plan.actions) <= row.most for row in points)
    for before, after in pairwise(points):
        assert before.most < after.most
        assert after.shortfall <= before.shortfall + 1
        if after.shortfall >= before.shortfall - EXACT:
            assert after.cost.total <= before.cost.total


@pytest.mark.parametrize(("flavour", "seed"), [*BOOKS, *BROKEN])
def test_the_curve_begins_with_nothing_done_and_ends_with_what_decide_does(
    flavour: str, seed: int
) -> None:
    row, points = scenario_of(flavour, seed), along_actions(flavour, seed)
    best = decide(row.snapshot, row.mandate)
    first, last = points[0], points[-1]
    assert (first.most, first.plan.actions) == (0, ())
    assert first.cost.total == first.lower_bound == best.cost.do_nothing
    assert first.proven
    assert last.most == len(best.actions)
    assert abs(last.cost.total - best.cost.total) <= CENT
    assert best.certificate is not None
    assert abs(last.shortfall - best.certificate.shortfall) <= 1


@pytest.mark.parametrize(("flavour", "seed"), [*BOOKS, *BROKEN])
def test_points_are_released_plans_priced_under_the_mandate_itself(flavour: str, seed: int) -> None:
    row = scenario_of(flavour, seed)
    mandates = [row.mandate] + [
        at_most(row.mandate, n, carriage=carriage) for n in range(12) for carriage in (True, False)
    ]
    known = {mandate_hash(mandate): mandate for mandate in mandates}
    book = Book.of(row.snapshot, row.mandate)
    for point in along_actions(flavour, seed):
        assert verify(row.snapshot, known[point.plan.mandate_hash], point.plan) == ()
        assert point.cost == plan_blocks(book, point.plan.actions).cost


@pytest.mark.parametrize(("flavour", "seed"), [*BOOKS, *BROKEN])
def test_bounds_lie_below_and_fall_and_no_preset_is_below_them(flavour: str, seed: int) -> None:
    row, points = scenario_of(flavour, seed), along_actions(flavour, seed)
    for point in points:
        assert point.lower_bound is None or point.lower_bound <= point.cost.total
        assert not point.proven or point.lower_bound is not None
    for text in ("equal", "net_liq", "available_equity", "pct_change=-50"):
        plan = allocate(row.snapshot, row.mandate, parsed(text))
        if plan.status not in ("act", "nothing"):
            continue
        for point in points:
            if len(plan.actions) <= point.most and point.lower_bound is not None:
                assert plan.cost.total >= point.lower_bound - CENT


@pytest.mark.parametrize(("flavour", "seed"), BOOKS)
def test_the_hull_is_convex_and_no_point_lies_below_it(flavour: str, seed: int) -> None:
    points = along_actions(flavour, seed)
    hull = [row for row in points if row.on_hull]
    assert {points[0].most, points[-1].most} <= {row.most for row in hull}
    slopes = [(b.cost.total - a.cost.total) / (b.most - a.most) for a, b in pairwise(hull)]
    assert slopes == sorted(slopes)
    for (left, right), slope in zip(pairwise(hull), slopes, strict=True):
        for row in points:
            if left.most < row.most < right.most:
                chord = left.cost.total + slope * (row.most - left.most)
                assert row.cost.total > chord - Decimal("1e-9")


@pytest.mark.parametrize(("flavour", "seed"), BOOKS)
def test_what_one_more_action_saves_adds_up_to_all_that_is_saved(flavour: str, seed: int) -> None:
    points = along_actions(flavour, seed)
    saved = Decimal(0)
    for before, after in pairwise(points):
        assert before.one_more is not None
        assert before.one_more >= 0
        saved += before.one_more * (after.most - before.most)
    assert points[-1].one_more is None
    assert abs(saved - (points[0].cost.total - points[-1].cost.total)) < Decimal("1e-9")


def test_fewer_orders_really_are_fewer_and_each_is_worth_less_than_the_one_before() -> None:
    # three clients with room for 1,000, 2,000 and 3,000 shares
    data = group([1_010, 2_020, 3_030], "6000", order_cost="1")
    row = Scenario.model_validate({"version": 1, "name": "x", **data})
    found = frontier(row.snapshot, row.mandate, along="actions")
    points = [point for point in found.points if isinstance(point, ActionPoint)]
    assert [point.count for point in points] == [0, 1, 2, 3]
    assert [sorted({a.account for a in p.plan.actions if a.kind == "order"}) for p in points] == [
        [],
        ["C"],
        ["B", "C"],
        ["A", "B", "C"],
    ]
    prices = [point.one_more for point in points[:-1]]
    assert all(a is not None and b is not None and a > b for a, b in pairwise(prices))
    assert all(point.on_hull for point in points)
    # a share costs 5 while it is missing; the bound does not know that shares are whole
    for point in points:
        assert point.lower_bound is not None
        assert point.cost.total - point.lower_bound < 1
    assert points[0].proven


@pytest.mark.parametrize(("flavour", "seed"), BOOKS[:2])
def test_equal_inputs_give_equal_curves(flavour: str, seed: int) -> None:
    row = scenario_of(flavour, seed)
    again = frontier(row.snapshot, row.mandate, along="actions", points=5)
    assert again.to_json() == curve(flavour, seed).to_json()


def test_numbers_are_chosen_evenly_with_both_ends() -> None:
    assert numbers(0, 5) == [0]
    assert numbers(3, 11) == [0, 1, 2, 3]
    assert numbers(10, 5) == [0, 2, 5, 8, 10]
    for last in range(1, 40):
        for points in range(2, 12):
            found = numbers(last, points)
            assert (found[0], found[-1]) == (0, last)
            assert len(set(found)) == len(found) == min(points, last + 1)


# along tracking


@cache
def tracked(flavour: str, seed: int) -> Frontier:
    row = scenario_of(flavour, seed)
    return frontier(row.snapshot, row.mandate, along="tracking", points=7)


@pytest.mark.parametrize(("flavour", "seed"), BOOKS)
def test_each_point_tracks_better_than_the_one_before_and_costs_more(
    flavour: str, seed: int
) -> None:
    points = [row for row in tracked(flavour, seed).points if isinstance(row, TrackingPoint)]
    ends = [(row.cost.tracking, row.cost.total - row.cost.tracking) for row in points]
    assert ends
    for before, after in pairwise(sorted(ends, reverse=True)):
        assert after[0] < before[0]
        assert after[1] > before[1]


@pytest.mark.parametrize(("flavour", "seed"), BOOKS)
def test_points_are_priced_at_the_mandates_own_weights(flavour: str, seed: int) -> None:
    row = scenario_of(flavour, seed)
    book, policy = Book.of(row.snapshot, row.mandate), row.mandate.policy
    best = decide(row.snapshot, row.mandate).cost.total
    for point in tracked(flavour, seed).points:
        assert isinstance(point, TrackingPoint)
        assert point.cost == plan_blocks(book, point.plan.actions).cost
        risk = policy.risk_aversion / 2 * point.tracking_error**2
        outside = policy.band_penalty * point.band_excess
        assert abs(point.cost.tracking - risk - outside) < CENT
        parts = ("fees", "spread", "impact", "transfers", "actions")
        assert point.spent == sum(getattr(point.cost, name) for name in parts)
        assert point.cost.total >= best - CENT
        mandate = scaled(row.mandate, point.factor)
        assert verify(row.snapshot, mandate, point.plan) == ()


def test_tracking_error_is_the_deviation_over_the_horizon() -> None:
    # 1,000 shares short of the target at 10 with 3 % a day over 6 h: 10,000 x 0.03 x sqrt(1/4)
    data = group([1_000_000], "1000", order_cost="1000000", horizon_h="6")
    row = Scenario.model_validate({"version": 1, "name": "x", **data})
    found = frontier(row.snapshot, row.mandate, along="tracking", points=2)
    (point,) = found.points
    assert isinstance(point, TrackingPoint)
    assert (point.tracking_error, point.band_excess, point.spent) == (150, 10_000, 0)


def test_factors_are_a_geometric_grid_around_one() -> None:
    assert factors(1) == factors(2) == [Decimal(1)]
    assert factors(4) == factors(3) == [Decimal("0.001"), Decimal(1), Decimal(1000)]
    grid = factors(11)
    assert len(grid) == 11
    assert grid[5] == 1
    ratios = [b / a for a, b in pairwise(grid)]
    assert max(ratios) / min(ratios) < Decimal("1.00001")


def test_without_a_weight_of_tracking_there_is_one_point_and_a_note() -> None:
    data = group([1_000_000], "1000", band_penalty="0")
    row = Scenario.model_validate({"version": 1, "name": "x", **data})
    found = frontier(row.snapshot, row.mandate, along="tracking", points=5)
    assert len(found.points) == 1
    assert "no weight" in found.notes[0]


# engines, progress, errors


class Counting:
    """Counts what it decides."""

    made = 0

    def __init__(self, mandate: Mandate) -> None:
        self.inner = Engine(mandate)

    def decide(self, snapshot: Snapshot) -> Plan:
        Counting.made += 1
        return self.inner.decide(snapshot)


def test_every_decision_is_the_engines_and_is_told() -> None:
    row = scenario_of("plain", 1)
    told = list[tuple[int, int]]()
    Counting.made = 0
    found = frontier(
        row.snapshot,
        row.mandate,
        points=5,
        engine=Counting,
        watch=lambda done, expected: told.append((done, expected)),
    )
    assert found == curve("plain", 1)
    assert [done for done, _ in told] == list(range(1, Counting.made + 1))
    assert all(done <= expected for done, expected in told)


class Refusing:
    """Refuses whatever limits orders to one, or everything."""

    everything = False

    def __init__(self, mandate: Mandate) -> None:
        self.mandate = mandate

    def decide(self, snapshot: Snapshot) -> Plan:
        made = decide(snapshot, self.mandate)
        one = any(limit.measure == "orders" and limit.max == 1 for limit in self.mandate.limits)
        if not (one or self.everything):
            return made
        return made.model_copy(
            update={"status": "refused", "actions": (), "certificate": None, "note": "no luck"}
        )


def test_a_refused_point_is_left_out_and_told_and_a_refused_book_has_no_frontier() -> None:
    data = group([1_010, 2_020, 3_030], "6000", order_cost="1")
    row = Scenario.model_validate({"version": 1, "name": "x", **data})
    found = frontier(row.snapshot, row.mandate, engine=Refusing)
    points = [point for point in found.points if isinstance(point, ActionPoint)]
    assert [(point.most, point.count) for point in points] == [(0, 0), (1, 0), (2, 2), (3, 3)]
    assert not points[1].proven
    assert found.notes == ("at most 1 orders is left out: no luck",)

    class Never(Refusing):
        everything = True

    with pytest.raises(RefusedError, match="no luck"):
        frontier(row.snapshot, row.mandate, engine=Never)


def test_senseless_books_and_numbers_of_points_are_refused() -> None:
    row = scenario_of("plain", 1)
    with pytest.raises(InputError, match="2 to 1000 points"):
        frontier(row.snapshot, row.mandate, points=1)
    data = group([1], "1")
    data["mandate"]["targets"][0]["underlying"] = "ABC"
    odd = Scenario.model_validate({"version": 1, "name": "x", **data})
    with pytest.raises(SnapshotError):
        frontier(odd.snapshot, odd.mandate)


def test_the_public_name_is_the_function_whatever_was_imported_before() -> None:
    assert allocator.frontier is frontier
    assert allocator.Frontier is Frontier
