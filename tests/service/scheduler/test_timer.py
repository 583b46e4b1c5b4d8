"""A timer whose database takes nothing for a while: no slot is lost, none is missed untold."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from allocator.models.service import Schedule
from allocator.service.scheduler.slot import Asked
from allocator.service.scheduler.slots import Slots
from allocator.service.scheduler.timer import Timer
from tests.execution.book import START, JumpingClock

DAILY = Schedule(id="daily", cron="0 9 * * *")
FULL = "BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END"


class Desk:
    """A timer over a database that can be made to refuse new slots."""

    def __init__(self, engine: Engine, *schedules: Schedule, at: datetime = START) -> None:
        self.engine, self.clock, self.schedules = engine, JumpingClock(at), schedules
        self.slots = Slots(engine, "desk")
        self.told = list[Asked]()
        self.beats = list[datetime]()
        self.timer = self.start()

    def start(self) -> Timer:
        return Timer(
            self.schedules,
            self.slots,
            self.clock,
            wake=asyncio.Event().set,
            beat=self.beats.append,
            missed=self.told.extend,
        )

    def refuse(self, when: str = "1") -> None:
        self._run(f"CREATE TRIGGER full BEFORE INSERT ON {self._table()} WHEN {when} {FULL}")

    def take(self) -> None:
        self._run("DROP TRIGGER full")

    def _table(self) -> str:
        from allocator.models.service_records import SlotRow

        return str(SlotRow.__tablename__)

    def _run(self, statement: str) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(statement))

    def tick(self, later: timedelta = timedelta()) -> int:
        self.clock.at += later
        return self.timer.tick()


def test_a_slot_that_could_not_be_written_down_is_written_at_the_next_tick(lite: Engine) -> None:
    desk = Desk(lite, DAILY)
    desk.refuse()
    with pytest.raises(DBAPIError):
        desk.tick(timedelta(hours=1))
    assert desk.beats == [], "a timer that cannot write leaves no sign of life"
    desk.take()
    assert desk.tick(timedelta(seconds=5)) == 1
    (row,) = desk.slots.with_status("due")
    assert row.source == "daily"


def test_a_slot_that_could_not_be_written_down_in_time_is_told_as_missed(lite: Engine) -> None:
    desk = Desk(lite, DAILY)
    desk.refuse()
    with pytest.raises(DBAPIError):
        desk.tick(timedelta(hours=1))
    desk.take()
    assert desk.tick(timedelta(hours=2)) == 1
    assert [row.status for row in desk.told] == ["missed"]


def test_missed_slots_that_were_written_down_are_told_though_the_next_was_not(
    lite: Engine,
) -> None:
    minutely = Schedule.model_validate({"id": "often", "every_s": "60"})
    desk = Desk(lite, minutely)
    desk.refuse("NEW.status = 'due'")
    with pytest.raises(DBAPIError):
        desk.tick(timedelta(minutes=5))
    assert len(desk.told) == 4
    desk.take()
    assert desk.tick() == 1
    assert len(desk.told) == 4, "and only once"
    assert [row.status for row in desk.slots.with_status("due")] == ["due"]


def test_slots_that_fell_due_in_a_pause_are_neither_missed_nor_run_after_a_restart(
    lite: Engine,
) -> None:
    desk = Desk(lite, DAILY)
    desk.tick(timedelta(hours=1))
    desk.slots.pause("daily", "ann", "a holiday", desk.clock.now())
    for _ in range(3):
        assert desk.tick(timedelta(days=1)) == 0
    desk.clock.at += timedelta(seconds=30)
    desk.slots.resume("daily", desk.clock.now())
    later = Desk(lite, DAILY)
    later.clock.at = desk.clock.at + timedelta(seconds=30)
    later.timer = later.start()
    assert later.tick() == 0
    assert later.told == []
    assert later.tick(timedelta(days=1)) == 1, "and the schedule goes on"


HOURLY = Schedule(id="daily", cron="0 * * * *")
"""What became of `DAILY` when somebody edited the configuration."""


def restarted(desk: Desk, later: timedelta, *schedules: Schedule) -> Desk:
    """Start another instance over the same database, after a time in which none ran."""
    return Desk(desk.engine, *schedules, at=desk.clock.at + later)


def test_a_schedule_that_was_changed_begins_anew_at_the_restart(engine: Engine) -> None:
    desk = Desk(engine, DAILY)
    desk.tick(timedelta(hours=1))
    changed = restarted(desk, timedelta(hours=6, seconds=10), HOURLY)
    assert changed.tick() == 0, "none is run for a time before the change, nor missed"
    assert changed.told == []
    assert changed.tick(timedelta(hours=1)) == 1, "and the schedule goes on"


def test_what_falls_due_after_a_change_is_missed_though_no_slot_was_written_since(
    engine: Engine,
) -> None:
    desk = Desk(engine, DAILY)
    desk.tick(timedelta(hours=1))
    changed = restarted(desk, timedelta(minutes=10), HOURLY)
    later = restarted(changed, timedelta(hours=3), HOURLY)
    later.tick()
    assert [row.status for row in later.told] == ["missed"] * 3


def test_a_schedule_that_says_the_same_in_other_words_goes_on(lite: Engine) -> None:
    desk = Desk(lite, Schedule.model_validate({"id": "x", "every_s": "3600"}))
    desk.tick(timedelta(hours=1))
    other = Schedule.model_validate({"id": "x", "every_s": "3.6E3"})
    same = restarted(desk, timedelta(hours=2), other)
    assert same.tick() == 2


def test_a_schedule_that_was_taken_out_and_put_back_begins_anew(lite: Engine) -> None:
    desk = Desk(lite, DAILY)
    desk.tick(timedelta(hours=1))
    without = restarted(desk, timedelta(hours=1))
    back = restarted(without, timedelta(days=9), DAILY)
    assert back.tick() == 0
    assert back.tick(timedelta(days=1)) == 1


def test_a_schedule_goes_on_over_the_upgrade_that_remembers_what_it_says(lite: Engine) -> None:
    desk = Desk(lite, DAILY)
    desk.tick(timedelta(hours=1))
    with lite.begin() as connection:
        connection.execute(text("DELETE FROM schedule_definition"))
    later = restarted(desk, timedelta(days=2), DAILY)
    assert later.tick() == 2


def test_a_change_at_a_clock_that_was_ahead_hides_nothing(lite: Engine) -> None:
    desk = Desk(lite, DAILY)
    desk.tick(timedelta(hours=1))
    ahead = restarted(desk, timedelta(days=365), HOURLY)
    right = restarted(ahead, timedelta(days=-365), HOURLY)
    assert right.tick(timedelta(hours=1)) == 1
