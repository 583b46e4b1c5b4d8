from __future__ import annotations

import os

import pytest

from allocator.execution.executor import Executor
from tests.execution.crashes import Story
from tests.execution.worlds import Scratch, Tree

SEEDS = int(os.environ.get("ALLOCATOR_CRASH_SEEDS", "1000"))
FIRST = int(os.environ.get("ALLOCATOR_FIRST_SEED", "100"))


@pytest.fixture(scope="module")
def scratch() -> Scratch:
    return Scratch()


def sweep(scratch: Scratch, story: Story, *, nested: bool = False) -> int:
    """Die at every point of a story; tell how many points it has.

    Nested, the two processes that take up what was left die too, early and elsewhere each time.
    """
    tree = Tree(scratch, story)
    first = tree.live(tree.root, keep=True)
    assert first.wrong == ()
    left = dict.fromkeys(first.deaths)
    for number, world in enumerate(left):
        deaths = (number % 7 + 1, number % 11 + 1) if nested else ()
        last = world
        for death in deaths:
            last = tree.die(last, death)
        at = first.deaths.index(world) + 1
        found = tree.live(last).wrong
        assert found == (), f"seed {story.seed}, died at {(at, *deaths)}: {found}"
    return len(first.deaths)


def test_crash_at_any_point_of_a_quiet_plan_loses_and_doubles_nothing(
    scratch: Scratch,
) -> None:
    assert sweep(scratch, Story(1, quiet=True)) > 40


@pytest.mark.parametrize("seed", range(50))
def test_crash_at_any_point_loses_and_doubles_nothing(scratch: Scratch, seed: int) -> None:
    """Beside other faults; in every eighth story those who take up what was left die as well."""
    sweep(scratch, Story(seed), nested=seed % 8 == 0)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(FIRST, FIRST + SEEDS))
def test_crash_sweep(scratch: Scratch, seed: int) -> None:
    sweep(scratch, Story(seed), nested=seed % 2 == 0)


def test_sweep_would_find_an_executor_that_forgets(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recovery that gives attempts up without looking leaves them stuck, and is seen."""

    async def forget(_executor: Executor) -> None:
        return None

    monkeypatch.setattr(Executor, "resume", forget)
    tree = Tree(scratch, Story(1, quiet=True))
    found = [row for at in range(20, 24) for row in tree.live(tree.die(tree.root, at)).wrong]
    assert any("stuck" in row or "lost" in row for row in found)


def test_world_kept_at_a_point_is_the_one_that_a_death_there_leaves(scratch: Scratch) -> None:
    """Nothing that a dying process unwinds changes the world; so it need not be made to die."""
    tree = Tree(scratch, Story(5))
    worlds = tree.live(tree.root, keep=True).deaths
    other = Tree(scratch, Story(5))
    assert other.root == tree.root
    for at, world in list(enumerate(worlds, 1))[::5]:
        assert other.die(other.root, at) == world
