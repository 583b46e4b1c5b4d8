"""Many accounts are read at once, inside the venues' own limits, and a dead one stays alone."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from allocator.adapters.emulator.crowd import KINDS, crowd, secrets
from allocator.adapters.emulator.testing import Emulator, running_emulator
from allocator.models.config import Config
from bench.gather import configuration, measure

SIZE = 6


class Patient(asyncio.SelectorEventLoop):
    """A loop whose clock runs only while nothing happens.

    A busy machine that answers late stops it, so that no account is late but one that never
    answers: the deadline comes once everybody else is done.
    """

    def __init__(self) -> None:
        super().__init__()
        self.at = 0.0
        select = self._selector.select  # type: ignore[attr-defined]

        def wait(timeout: float | None = None) -> Any:
            events = select(timeout)
            if not events and timeout:
                self.at += timeout
            return events

        self._selector.select = wait  # type: ignore[attr-defined]

    def time(self) -> float:
        return self.at


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    for venue in KINDS:
        for index in range(SIZE):
            for word, value in secrets(venue, index).items():
                monkeypatch.setenv(f"CROWD_{venue}_{index}_{word}".upper(), value)
    with running_emulator(world=crowd(SIZE), limit_scale=1) as running:
        yield running


def test_two_dozen_accounts_are_read_whole_and_no_limit_is_exceeded(emulator: Emulator) -> None:
    config = Config.model_validate(configuration(SIZE, emulator.base_url, 60))
    first, second = measure(config, emulator, 2, loop=Patient)
    assert (first.accounts, first.missing, second.missing) == (SIZE * len(KINDS), {}, {})
    assert first.refused.total() == second.refused.total() == 0
    assert second.requests.total() < first.requests.total()


@pytest.mark.parametrize("venue", list(KINDS))
def test_a_dead_account_is_named_and_holds_up_nobody(emulator: Emulator, venue: str) -> None:
    """It is the first of its venue, through which markets and clock are read."""
    config = Config.model_validate(configuration(SIZE, emulator.base_url, 10))
    (row,) = measure(config, emulator, dead=(venue, 0), loop=Patient)
    assert list(row.missing) == [f"{venue}-000"]
    assert "deadline" in row.missing[f"{venue}-000"]
    assert row.refused.total() == 0
