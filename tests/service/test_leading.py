"""An instance goes on trying to lead, whatever stands in the way."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from allocator.execution.leader import FencedError
from allocator.service.run import Service
from allocator.service.trying import LASTS_S, STUCK_S, Trying
from tests.execution.book import START, JumpingClock
from tests.service.sites import config


def test_an_instance_whose_connections_are_all_in_use_tries_again(
    lite: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    narrow = create_engine(lite.url, pool_size=1, max_overflow=0, pool_timeout=0.01)
    service = Service(config(tmp_path, service={"retry_s": "0.01"}), narrow)

    def refused() -> bool:
        return any(
            row.exc_info is not None and isinstance(row.exc_info[1], PoolTimeoutError)
            for row in caplog.records
        )

    async def go() -> None:
        leading = asyncio.create_task(service._lead_when_possible())
        with narrow.connect():
            while not (leading.done() or refused()):
                await asyncio.sleep(0.01)
        while not (leading.done() or service.live.led_at):
            await asyncio.sleep(0.01)
        assert not leading.done()
        service.stop()
        await leading

    asyncio.run(asyncio.wait_for(go(), 60))
    narrow.dispose()


def test_leads_that_break_off_at_once_are_told_as_no_lead(
    lite: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock, got = JumpingClock(), list[str]()

    def send(title: str, _text: str) -> bool:
        got.append(title)
        return True

    asked = {"retry_s": "0.01", "poll_s": "0", "alerts": {"to": ["env:X"], "dead_man_s": 100}}
    service = Service(config(tmp_path, service=asked), lite, clock=clock, send=send)
    with lite.begin() as connection:
        connection.execute(text("ALTER TABLE slot RENAME TO slot_away"))

    def broken_off() -> int:
        return sum(row.getMessage().startswith("cannot lead now") for row in caplog.records)

    async def leads_twice_more() -> None:
        wanted = broken_off() + 2
        while broken_off() < wanted:
            await asyncio.sleep(0.01)

    async def go() -> None:
        leading = asyncio.create_task(service._lead_when_possible())
        for second in range(0, 130, 10):
            clock.at = START + timedelta(seconds=second)
            await leads_twice_more()
            assert service.beats.leader_at(clock.now()) is None
            await service._alert(START)
        assert got == ["desk: no instance can lead", "desk: the scheduler has not ticked"]
        with lite.begin() as connection:
            connection.execute(text("ALTER TABLE slot_away RENAME TO slot"))
        while service.beats.leader_at(clock.now()) is None:
            await asyncio.sleep(0.01)
        await service._alert(START)
        service.stop()
        await leading

    asyncio.run(asyncio.wait_for(go(), 60))
    assert sorted(got[2:]) == [
        "desk: no instance can lead: that is over",
        "desk: the scheduler ticks again",
    ]


def test_a_leader_that_loses_its_lead_for_a_moment_is_not_dead(
    lite: Engine, tmp_path: Path
) -> None:
    clock, got = JumpingClock(), list[str]()

    def send(title: str, _text: str) -> bool:
        got.append(title)
        return True

    asked = {"alerts": {"to": ["env:X"], "dead_man_s": 100}}
    service = Service(config(tmp_path, service=asked), lite, clock=clock, send=send)
    service.live.leads = True
    clock.at += timedelta(hours=1)
    service._beat(clock.now())
    asyncio.run(service._alert(START))
    service.live.leads = False
    for _ in range(11):
        clock.at += timedelta(seconds=10)
        assert got == []
        service._beat(clock.now())
        asyncio.run(service._alert(START))
    assert got == ["desk: the scheduler has not ticked"]


class Tries:
    """An instance that tries to lead, and its clock."""

    def __init__(self) -> None:
        self.at_s = 0.0
        self.trying = Trying(lambda: self.at_s)

    def tries(self, takes_s: float, *, leads: bool) -> list[str]:
        """Fail once; tells what is said each second meanwhile."""
        self.trying.begins()
        if leads:
            self.trying.leads()
        said = list[str]()
        for _ in range(int(takes_s)):
            self.at_s += 1
            lead_at = START if leads and not self.trying.unproven else None
            said.append(self.trying.stuck(lead_at, START))
        self.trying.failed(OSError("no key"))
        return said


def test_tries_that_fail_slowly_are_told_without_a_break() -> None:
    desk = Tries()
    said = [row for _ in range(9) for row in desk.tries(STUCK_S + 11, leads=False)]
    first = next(number for number, row in enumerate(said) if row)
    assert all(said[first:])


def test_a_first_slot_that_is_long_makes_a_lead_all_the_same() -> None:
    desk = Tries()
    desk.tries(1, leads=False)
    assert not any(desk.tries(10 * STUCK_S, leads=True))
    desk.trying.leads()
    assert desk.trying.unproven
    desk.at_s += LASTS_S
    assert not desk.trying.unproven


def test_a_lead_that_is_fenced_before_it_did_anything_is_none() -> None:
    desk = Tries()
    for _ in range(40):
        desk.trying.begins()
        desk.trying.leads()
        desk.at_s += 2
        desk.trying.failed(FencedError("FENCED: epoch=1 latest=2"))
    assert desk.trying.stuck(None, START).startswith("FencedError: FENCED")
    desk.trying.begins()
    desk.trying.leads()
    desk.trying.worked()
    assert not desk.trying.stuck(None, START)
