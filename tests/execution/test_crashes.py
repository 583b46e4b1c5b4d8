from __future__ import annotations

import os

import pytest

from allocator.execution.database import connect
from allocator.execution.executor import Executor
from allocator.models.plan import Plan
from tests.execution.crashes import Story, faults_found, fresh, live, template
from tests.execution.desk import Desk

SEEDS = int(os.environ.get("ALLOCATOR_CRASH_SEEDS", "1000"))
FIRST = int(os.environ.get("ALLOCATOR_FIRST_SEED", "100"))


class Bench:
    """A database in memory that is emptied for each story."""

    def __init__(self) -> None:
        self._empty = template()
        self._engine = connect("sqlite://")

    def open(self, story: Story) -> tuple[Desk, Plan]:
        desk = story.desk(fresh(self._empty, self._engine))
        return desk, story.plan(desk)


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench()


def sweep(bench: Bench, story: Story, *, nested: bool = False) -> int:
    """Crash at every point of a story; tell how many processes were run."""
    desk, plan = bench.open(story)
    points, _ = live(desk, plan)
    assert faults_found(desk, plan) == []
    for at in range(1, points + 1):
        desk, plan = bench.open(story)
        deaths = (at, 1 + at % 7, 1 + at % 11) if nested else (at,)
        live(desk, plan, *deaths)
        found = faults_found(desk, plan)
        assert found == [], f"seed {story.seed}, died at {deaths}: {found}"
    return points


def test_crash_at_any_point_of_a_quiet_plan_loses_and_doubles_nothing(
    bench: Bench,
) -> None:
    assert sweep(bench, Story(1, quiet=True)) > 40


@pytest.mark.parametrize("seed", range(2))
def test_crash_at_any_point_beside_other_faults_loses_and_doubles_nothing(
    bench: Bench, seed: int
) -> None:
    sweep(bench, Story(seed))


def test_crashes_of_the_recovery_lose_and_double_nothing(bench: Bench) -> None:
    sweep(bench, Story(3), nested=True)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(FIRST, FIRST + SEEDS))
def test_crash_sweep(bench: Bench, seed: int) -> None:
    sweep(bench, Story(seed), nested=seed % 2 == 0)


def test_sweep_would_find_an_executor_that_forgets(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recovery that gives attempts up without looking leaves them stuck, and is seen."""

    async def forget(_executor: Executor) -> None:
        return None

    monkeypatch.setattr(Executor, "resume", forget)
    story, found = Story(1, quiet=True), list[str]()
    for at in (20, 21, 22, 23):
        desk, plan = bench.open(story)
        live(desk, plan, at)
        found += faults_found(desk, plan)
    assert any("stuck" in row or "lost" in row for row in found)
