"""Many accounts are read at once, inside the venues' own limits, and a dead one stays alone."""

from collections.abc import Iterator

import pytest

from allocator.adapters.ccxt import clients
from allocator.adapters.emulator.crowd import KINDS, crowd, secrets
from allocator.adapters.emulator.testing import Emulator, running_emulator
from allocator.models.config import Config
from bench.gather import configuration, measure
from tests.patient import Patient

SIZE = 6


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    for venue in KINDS:
        for index in range(SIZE):
            for word, value in secrets(venue, index).items():
                monkeypatch.setenv(f"CROWD_{venue}_{index}_{word}".upper(), value)
    # What a loaded machine sends late is not what is looked at here: it is in time for a minute.
    monkeypatch.setattr(clients, "RECEIVE_WINDOW_MS", 60_000)
    with running_emulator(world=crowd(SIZE), limit_scale=1) as running:
        yield running


def test_two_dozen_accounts_are_read_whole_and_no_limit_is_exceeded(emulator: Emulator) -> None:
    config = Config.model_validate(configuration(SIZE, emulator.base_url, 60))
    said = list[str]()
    first, second = measure(config, emulator, 2, loop=Patient, say=said.append)
    assert (first.accounts, first.missing, second.missing) == (SIZE * len(KINDS), {}, {})
    assert first.refused.total() == second.refused.total() == 0
    assert second.requests.total() < first.requests.total()
    whole = "; ".join(f"{name}: 6 accounts, clock, markets, prices" for name in sorted(KINDS))
    assert [row.partition(": ")[2] for row in said].count(whole) >= 2


@pytest.mark.parametrize("venue", list(KINDS))
def test_a_dead_account_is_named_and_holds_up_nobody(emulator: Emulator, venue: str) -> None:
    """It is the first of its venue, through which markets and clock are read."""
    config = Config.model_validate(configuration(SIZE, emulator.base_url, 10))
    (row,) = measure(config, emulator, dead=(venue, 0), loop=Patient)
    assert list(row.missing) == [f"{venue}-000"]
    assert "deadline" in row.missing[f"{venue}-000"]
    assert row.refused.total() == 0
