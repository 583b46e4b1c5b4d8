"""The whole line on the loopback exchanges, as a process of its own, killed and taken up again."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.service.record import differences, play

KILLS = int(os.environ.get("ALLOCATOR_KILLS", "3"))
"""Points at which the demo is killed; the soak has twenty."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, str]:
    """An uninterrupted run: its folder, the number of its steps, its output."""
    state = tmp_path_factory.mktemp("demo")
    played = play(state)
    assert played.status == 0, played.output
    return state, len(played.progress), played.output


def test_demo_tells_accounts_plan_fates_exposure_and_margin(
    whole: tuple[Path, int, str],
) -> None:
    _, _, output = whole
    for words in (
        "bybit-a",
        "binance-usdm",
        "better than doing nothing",
        "What became of it: done",
        "reconciled: yes",
        "worst margin ratio before",
        "worst margin ratio after",
    ):
        assert words in output
    assert "client: Python" in output
    assert "signed: " in output


def test_exchanges_did_what_the_journal_says(whole: tuple[Path, int, str]) -> None:
    assert differences(whole[0]) == []


def test_second_run_finds_nothing_to_do(whole: tuple[Path, int, str]) -> None:
    played = play(whole[0])
    assert played.status == 0
    assert "Do nothing" in played.output
    assert played.progress == ()


def killed_at(step: int, folder: Path) -> Path:
    """Kill a demo at a step; whoever reads its steps may be so late that it has ended by then."""
    for number in range(5):
        state = folder / str(number)
        if play(state, kill_after=step).status == -signal.SIGKILL:
            return state
    raise AssertionError("it has ended each time")


@pytest.mark.parametrize("point", range(KILLS))
def test_demo_killed_half_way_is_taken_up(
    point: int, whole: tuple[Path, int, str], tmp_path: Path
) -> None:
    steps = whole[1]
    at = max(1, round((point + 1) * steps / (KILLS + 1)))
    state = killed_at(at, tmp_path)
    again = play(state)
    assert again.status == 0, again.output
    assert differences(state) == []
    last = play(state)
    assert last.status == 0
    assert "Do nothing" in last.output
