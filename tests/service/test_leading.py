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
from allocator.service.trying import HOLDS_S, LASTS_S, STUCK_S, WITHIN_S, Trying
from tests.execution.book import START, JumpingClock
from tests.service.boxes import Taken
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

    asyncio.run(asyncio.wait_for(go(), 240))
    narrow.dispose()


def test_leads_that_break_off_at_once_are_told_as_no_lead(
    lite: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock, taken = JumpingClock(), Taken()
    asked = {"retry_s": "0.01", "poll_s": "0", "alerts": {"to": ["env:X"], "dead_man_s": 100}}
    service = Service(config(tmp_path, service=asked), lite, clock=clock, send=taken.send)
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
            await service.telling.alert(START)
        assert taken.titles == ["desk: no instance can lead", "desk: the scheduler has not ticked"]
        with lite.begin() as connection:
            connection.execute(text("ALTER TABLE slot_away RENAME TO slot"))
        while service.beats.leader_at(clock.now()) is None:
            await asyncio.sleep(0.01)
        await service.telling.alert(START)
        service.stop()
        await leading

    asyncio.run(asyncio.wait_for(go(), 240))
    assert sorted(taken.titles[2:]) == [
        "desk: no instance can lead: that is over",
        "desk: the scheduler ticks again",
    ]


def test_a_leader_that_loses_its_lead_for_a_moment_is_not_dead(
    lite: Engine, tmp_path: Path
) -> None:
    clock, taken = JumpingClock(), Taken()
    asked = {"alerts": {"to": ["env:X"], "dead_man_s": 100}}
    service = Service(config(tmp_path, service=asked), lite, clock=clock, send=taken.send)
    service.live.leads = True
    clock.at += timedelta(hours=1)
    service._beat(clock.now())
    asyncio.run(service.telling.alert(START))
    service.live.leads = False
    for _ in range(11):
        clock.at += timedelta(seconds=10)
        assert taken.titles == []
        service._beat(clock.now())
        asyncio.run(service.telling.alert(START))
    assert taken.titles == ["desk: the scheduler has not ticked"]


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


class Turns(Tries):
    """An instance whose leads break off after their first step."""

    def breaks_off(self, after_s: float) -> str:
        """Lead for a while and lead no more; tells what is said then."""
        self.trying.begins()
        self.trying.leads()
        self.trying.worked()
        self.at_s += after_s
        self.trying.failed(OSError("disk full"))
        return self.trying.breaking()

    def follows(self, for_s: float) -> str:
        """Let another lead for a while."""
        self.at_s += for_s
        self.trying.begins()
        self.trying.follows()
        return self.trying.breaking()


def test_leads_that_do_a_step_and_break_off_by_turns_are_told() -> None:
    desk = Turns()
    assert [desk.breaks_off(1), desk.follows(60), desk.breaks_off(LASTS_S)] == ["", "", ""]
    told = desk.breaks_off(1)
    assert told.startswith("3 leads broke off within 15 minutes, the last by OSError: disk full; ")
    assert "the log" in told
    assert not desk.trying.stuck(None, START), "a step was done within a minute"
    assert desk.tries(2 * WITHIN_S, leads=False)
    assert desk.trying.breaking() == told, "no lead has held since"


def test_leads_that_broke_off_are_over_once_one_holds() -> None:
    desk = Turns()
    assert any([desk.breaks_off(1) for _ in range(3)])
    desk.trying.begins()
    desk.trying.leads()
    desk.trying.worked()
    desk.at_s += HOLDS_S - 1
    assert desk.trying.breaking()
    desk.at_s += 1
    assert not desk.trying.breaking()
    desk.trying.failed(OSError("disk full"))
    assert [bool(desk.breaks_off(1)) for _ in range(2)] == [False, True], "it counts anew"


def test_leads_that_broke_off_are_over_once_others_have_led_for_long() -> None:
    desk = Turns()
    assert any([desk.breaks_off(1) for _ in range(3)])
    assert desk.follows(WITHIN_S - 1)
    assert not desk.follows(1)


def test_leads_that_seldom_break_off_are_not_told() -> None:
    desk = Turns()
    assert not any(desk.breaks_off(WITHIN_S) for _ in range(9))
    desk = Turns()
    assert not any(desk.breaks_off(1) + desk.follows(WITHIN_S - 1) for _ in range(9))


@pytest.mark.parametrize(
    ("led_s", "follows_s", "nth", "said"),
    [
        (301, 0, 3, "3 leads broke off within 15 minutes"),
        (200, 300, 6, "6 leads broke off within 60 minutes"),
        (1, 700, 6, "6 leads broke off within 60 minutes"),
        (600, 60, 6, "6 leads broke off within 60 minutes"),
    ],
)
def test_leads_that_break_off_more_slowly_are_told_as_well(
    led_s: float, follows_s: float, nth: int, said: str
) -> None:
    desk, told = Turns(), list[str]()
    for _ in range(nth):
        told.append(desk.breaks_off(led_s))
        desk.follows(follows_s)
    assert not any(told[:-1])
    assert told[-1].startswith(said)
    assert desk.trying.breaking() == told[-1], "until one holds"


def test_an_instance_whose_leads_break_off_tells_it_once_and_that_it_is_over(
    lite: Engine, tmp_path: Path
) -> None:
    clock, taken = JumpingClock(), Taken()
    service = Service(config(tmp_path), lite, clock=clock, send=taken.send)
    for _ in range(5):
        service.trying.begins()
        service.trying.leads()
        service.trying.worked()
        clock.at += timedelta(seconds=2)
        service.trying.failed(FencedError("FENCED: epoch=1 latest=2"))
        asyncio.run(service.telling.alert(START))
    ((title, words),) = taken.got
    assert title == "desk: leads break off"
    assert words.startswith(f"{service.live.holder}: 3 leads broke off within 15 minutes, ")
    assert "the last by FencedError: FENCED: epoch=1 latest=2; " in words
    service.trying.leads()
    service.trying.worked()
    clock.at += timedelta(seconds=HOLDS_S)
    service.beats.beat(service.live.holder, leads=True, at=clock.now())
    asyncio.run(service.telling.alert(START))
    assert [row[0] for row in taken.got[1:]] == ["desk: leads break off: that is over"]
