"""What the reading of a venue's status may cost, and who is bound by it."""

from __future__ import annotations

import asyncio
import urllib.request
from typing import Any

import pytest

from allocator.adapters.ccxt.loopback import ORIGINAL_HOST
from allocator.adapters.emulator.testing import Emulator, running_emulator
from allocator.adapters.registry import Opened
from allocator.models.config import Config
from tests.adapters.ccxt.conftest import run_with
from tests.adapters.ccxt.test_statuses import NOTICE, PATHS, VENUES, Run
from tests.patient import Patient


@pytest.fixture
def config(request: pytest.FixtureRequest, venue: str) -> Config:
    found: Config = request.getfixturevalue(venue)
    return found


@pytest.mark.parametrize("venue", VENUES)
def test_a_pause_that_the_status_earns_holds_back_the_next_one_alone(
    run: Run, emulator: Emulator, config: Config, venue: str
) -> None:
    emulator.fault({"kind": "429", "path": PATHS[venue], "times": 9, "delay_s": 60})

    async def work(opened: Opened) -> None:
        for words in ("(HTTP 429)", "asked for a pause of"):
            book = await opened.market.gather()
            assert words in book.statuses[venue].note
            assert book.missing == ()

    run(config, work)
    requests: Any = emulator.admin("GET", "requests")
    assert len([row for row in requests if row["path"] == PATHS[venue]]) == 1


def test_okx_s_own_code_for_too_many_requests_does_the_same(
    run: Run, okx_data: dict[str, Any]
) -> None:
    with running_emulator(limit_scale=1) as emulator:
        config = Config.model_validate({**okx_data, "loopback_url": emulator.base_url})
        headers = {ORIGINAL_HOST: "www.okx.com"}
        asked = urllib.request.Request(f"{emulator.base_url}{PATHS['okx']}", headers=headers)
        with urllib.request.urlopen(asked):
            book = run(config, lambda opened: opened.market.gather())
    assert "50011" in book.statuses["okx"].note, "another process has asked a moment ago"
    assert book.missing == ()


def test_a_ban_of_the_address_holds_back_everything_whatever_earned_it(
    run: Run, emulator: Emulator, binance: Config
) -> None:
    emulator.fault({"kind": "418", "path": PATHS["binance"], "times": 9, "delay_s": 60})

    async def work(opened: Opened) -> None:
        await opened.market.gather()
        book = await opened.market.gather()
        assert {row.account for row in book.missing} == {row.id for row in binance.accounts}
        assert all("asked for a pause of" in row.what for row in book.missing)

    run(binance, work)


def test_a_status_that_hangs_keeps_nothing_else_waiting(
    emulator: Emulator, deribit_data: dict[str, Any]
) -> None:
    emulator.fault({"kind": "delay", "path": PATHS["deribit"], "delay_s": 30})
    config = Config.model_validate({**deribit_data, "gather": {"deadline_s": 30}})

    async def work(opened: Opened) -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        book = await opened.market.gather()
        told = book.statuses["deribit"].words
        assert told == "unknown: TimeoutError: not read within the deadline"
        assert book.missing == ()
        return loop.time() - began

    assert run_with(config, work, Patient) < 15


def test_a_status_that_hangs_ends_with_a_gather_that_is_broken_off(
    emulator: Emulator, deribit_data: dict[str, Any]
) -> None:
    emulator.fault({"kind": "delay", "host": "www.deribit.com", "delay_s": 30, "times": 999})
    config = Config.model_validate({**deribit_data, "gather": {"deadline_s": 30}})

    async def work(opened: Opened) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(opened.market.gather(), 0.5)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_with(config, work)


@pytest.mark.parametrize(
    ("heed", "state", "asked"),
    [("follow", "frozen", 1), ("tell", "open", 1), ("ignore", "open", 0)],
)
def test_an_operator_can_overrule_a_venue_s_word(
    emulator: Emulator, deribit_data: dict[str, Any], heed: str, state: str, asked: int
) -> None:
    emulator.admin("POST", "notice", venue="deribit", state="maintenance", **NOTICE)
    data = {**deribit_data, "gather": {"status": {"deribit": heed}}}
    book = run_with(Config.model_validate(data), lambda opened: opened.market.gather())
    assert {row.state for row in book.snapshot.accounts} == {state}
    told = {name: row.state for name, row in book.statuses.items()}
    assert told == ({"deribit": "maintenance"} if asked else {})
    requests: Any = emulator.admin("GET", "requests")
    assert len([row for row in requests if row["path"] == PATHS["deribit"]]) == asked
