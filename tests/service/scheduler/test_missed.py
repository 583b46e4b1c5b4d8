"""Slots that nothing ran are told once, whatever stood in the way and whoever starts again."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from allocator.execution.history import History
from allocator.service.run import Service
from allocator.service.scheduler.slot import Asked
from allocator.service.scheduler.slots import Slots
from allocator.service.scheduler.timer import Timer
from tests.execution.book import START, JumpingClock
from tests.service.scheduler.bench import Bench
from tests.service.sites import config

HOUR = timedelta(hours=1)
HOURLY = {"id": "hourly", "cron": "0 * * * *"}
MINUTELY = {"id": "minutely", "every_s": "60", "grace_s": "90"}
NIGHTLY = {"id": "hourly", "cron": "0 3 * * *"}


class Desk:
    """A database, and processes over it that come and go; a process has two timers or one."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine, self.folder, self.clock = engine, folder, JumpingClock(START)

    def start(self, *schedules: dict[str, Any], at: datetime | None = None) -> Timer:
        """Start a process anew: nothing is left of the one before but what is stored."""
        self.clock = JumpingClock(at or self.clock.at)
        service = {"schedules": list(schedules), "history": {"folder": str(self.folder / "h")}}
        made = Service(config(self.folder, service=service), self.engine, clock=self.clock)
        made.wake = lambda: None  # type: ignore[method-assign]
        return made.timer()

    @contextmanager
    def without(self, table: str) -> Generator[None]:
        """Let the database take nothing of a kind."""
        self._run(f"ALTER TABLE {table} RENAME TO away")
        yield
        self._run(f"ALTER TABLE away RENAME TO {table}")

    def _run(self, statement: str) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(statement))

    def told(self) -> list[tuple[str, int]]:
        """List what alerts and history tell as missed: the schedule, and how many slots."""
        alerts = History(self.engine).alerts()
        rows = [row.body for row in alerts if row.topic == "slots_missed"]
        return [(str(row["cause"]).removeprefix("schedule "), int(row["slots"])) for row in rows]

    def missed(self) -> int:
        with self.engine.connect() as connection:
            rows = connection.execute(
                text("SELECT count(*), count(DISTINCT name) FROM slot WHERE status = 'missed'")
            )
            ((count, names),) = rows.all()
        assert count == names
        return int(count)


@pytest.fixture
def desk(engine: Engine, tmp_path: Path) -> Desk:
    return Desk(engine, tmp_path)


def test_missed_slots_whose_alert_was_not_taken_are_told_by_the_next_process(desk: Desk) -> None:
    timer = desk.start(HOURLY)
    with desk.without("outbox"):
        desk.clock.at += 5 * HOUR
        assert timer.tick() == 5
    later = [desk.start(HOURLY, at=desk.clock.at + timedelta(seconds=5)) for _ in range(2)]
    for _ in range(2):
        for one in later:
            one.tick()
    assert desk.told() == [("hourly", 4)], "and the last of them is run"
    assert desk.missed() == 4
    assert History(desk.engine).verify() == ()


def test_what_missed_slots_stand_for_is_counted_by_the_next_process_too(desk: Desk) -> None:
    timer = desk.start(MINUTELY)
    with desk.without("outbox"):
        desk.clock.at += timedelta(seconds=12_000)
        assert timer.tick() == 100
    desk.start(MINUTELY).tick()
    assert desk.told() == [("minutely", 199)]


def test_slots_that_passed_while_the_database_took_none_are_told_after_a_restart(
    desk: Desk,
) -> None:
    timer = desk.start(HOURLY)
    desk.clock.at += HOUR
    assert timer.tick() == 1
    with desk.without("slot"):
        for _ in range(3):
            desk.clock.at += HOUR
            with pytest.raises(DBAPIError):
                timer.tick()
    at = desk.clock.at + HOUR / 2
    later = [desk.start(HOURLY, at=at) for _ in range(2)]
    assert sum(one.tick() for one in later) == 3
    assert desk.told() == [("hourly", 3)]


@pytest.mark.parametrize("after", [(NIGHTLY,), (), (MINUTELY,)])
def test_slots_that_passed_before_a_schedule_was_changed_or_taken_out_are_told(
    desk: Desk, after: tuple[dict[str, Any], ...]
) -> None:
    desk.start(HOURLY).tick()
    for _ in range(2):
        timer = desk.start(*after, at=START + timedelta(hours=3, minutes=30))
        timer.tick()
    assert desk.told() == [("hourly", 3)]
    assert desk.missed() == 3


def test_slots_that_passed_in_a_pause_are_not_told_by_a_change(desk: Desk) -> None:
    desk.start(HOURLY).tick()
    Slots(desk.engine, "desk").pause("hourly", "ann", "a holiday", desk.clock.now())
    desk.start(NIGHTLY, at=START + 3 * HOUR).tick()
    assert desk.told() == []


def test_slots_that_a_leader_sets_aside_are_told_though_it_dies_at_once(desk: Desk) -> None:
    timer = desk.start({**MINUTELY, "id": "often"})
    desk.clock.at += timedelta(seconds=60)
    assert timer.tick() == 1
    late = JumpingClock(desk.clock.at + HOUR)
    dies = Bench(desk.engine, late, "a")
    with desk.without("outbox"), pytest.raises(DBAPIError):
        asyncio.run(dies.worker.step())
    for holder in ("b", "c"):
        Bench(desk.engine, late, holder).steps()
    assert desk.told() == [("often", 1)]
    assert desk.missed() == 1


def test_a_slot_that_failed_is_told_though_its_leader_dies_at_once(desk: Desk) -> None:
    dies = Bench(desk.engine, desk.clock, "a")
    dies.slots.add(Asked("x", "alice", "plan", "bug", START))
    with desk.without("outbox"), pytest.raises(DBAPIError):
        asyncio.run(dies.worker.step())
    Bench(desk.engine, desk.clock, "b").steps()
    alerts = [row for row in History(desk.engine).alerts() if row.topic == "slot_failed"]
    assert [(row.body["of"], row.body["why"]) for row in alerts] == [
        ("x", "INTERNAL: ZeroDivisionError")
    ]
