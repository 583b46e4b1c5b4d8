from __future__ import annotations

import asyncio
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from allocator.execution.leader import FencedError
from allocator.service.scheduler.slot import Asked, Slot, counted
from allocator.service.scheduler.timer import Timer
from tests.execution.book import START, JumpingClock
from tests.service.scheduler.bench import OFTEN, Bench


def test_every_slot_is_carried_out_once(bench: Bench) -> None:
    for _ in range(30):
        bench.clock.at += timedelta(seconds=20)
        bench.timer.tick()
        bench.timer.tick()
        bench.steps()
    assert len(bench.done) == 10
    assert len({row.name for row in bench.done}) == 10
    assert {status for _, status in bench.statuses()} == {"done"}
    assert len(bench.beats) == 60


def test_nothing_was_missed_before_the_first_start(bench: Bench) -> None:
    assert bench.timer.tick() == 0
    assert bench.statuses() == []


def test_runs_that_overlap_leave_the_latest_slot(bench: Bench) -> None:
    bench.clock.at += timedelta(seconds=60)
    bench.timer.tick()
    bench.takes_s = 150
    assert bench.worker is not None
    asyncio.run(bench.worker.step())
    bench.takes_s = 0
    bench.timer.tick()
    assert bench.steps() == 1
    assert [status for _, status in bench.statuses()] == ["done", "missed", "done"]


def test_slots_of_a_stopped_service_are_told_as_missed(bench: Bench) -> None:
    bench.clock.at += timedelta(seconds=60)
    bench.timer.tick()
    bench.steps()
    bench.clock.at += timedelta(seconds=600)
    again = Bench(bench.engine, bench.clock, "b")
    again.timer.tick()
    again.steps()
    told = [status for _, status in again.statuses()]
    assert told == ["done", *["missed"] * 9, "done"]


def test_paused_schedule_has_no_slots_and_makes_none_up_later(bench: Bench) -> None:
    bench.slots.pause("often", "alice", "", START)
    bench.clock.at += timedelta(seconds=600)
    assert bench.timer.tick() == 0
    bench.slots.resume("often", bench.clock.at)
    assert bench.timer.tick() == 0
    bench.clock.at += timedelta(seconds=60)
    assert bench.timer.tick() == 1


def test_slot_that_waits_while_its_schedule_is_paused_is_not_run(bench: Bench) -> None:
    bench.clock.at += timedelta(seconds=60)
    assert bench.timer.tick() == 1
    bench.slots.pause("often", "alice", "stop", bench.clock.at)
    assert bench.steps() == 0
    (row,) = bench.slots.recent()
    assert (row.status, row.note) == ("skipped", "the schedule is paused")


def test_slot_that_waits_when_its_schedule_is_taken_out_is_dropped_and_told_why(
    bench: Bench,
) -> None:
    bench.slots.add(Asked("gone 1", "gone", "plan", "schedule gone", START, origin="schedule"))
    bench.slots.add(Asked("gone 2", "gone", "plan", "fired", START, origin="trigger"))
    assert bench.steps() == 1
    trigger, dropped = bench.slots.recent()
    assert (dropped.status, trigger.status) == ("skipped", "done")
    assert dropped.note == "dropped: its schedule was taken out of the configuration"


@pytest.mark.parametrize(
    ("cause", "note"), [("stale", "venue down"), ("bug", "INTERNAL: ZeroDivisionError")]
)
def test_slot_that_fails_is_told_and_the_next_one_runs(bench: Bench, cause: str, note: str) -> None:
    bench.slots.add(Asked("x", "alice", "plan", cause, START))
    bench.slots.add(Asked("y", "alice", "plan", "fine", START))
    assert bench.steps() == 2
    first, second = reversed(bench.slots.recent())
    assert (first.status, first.note) == ("failed", note)
    assert second.status == "done"


def test_two_instances_tick_and_one_leads_no_slot_twice(lite: Engine) -> None:
    clock = JumpingClock()
    first = Bench(lite, clock)
    second = Bench(lite, clock)
    second.worker = first.worker
    for _ in range(6):
        clock.at += timedelta(seconds=60)
        first.timer.tick()
        second.timer.tick()
    with pytest.raises(FencedError):
        first.steps()
    second.worker = second.lead("b")
    second.steps()
    assert [status for _, status in second.statuses()] == [*["missed"] * 5, "done"]
    assert len(second.done) == 1


def test_slot_that_a_dead_leader_had_begun_is_taken_over(lite: Engine) -> None:
    clock = JumpingClock()
    first = Bench(lite, clock)
    first.slots.add(Asked("x", "alice", "plan", "c", START))
    (row,) = first.slots.with_status("due")
    first.slots.claim(first.lease, row, START)
    second = Bench(lite, clock, "b")
    assert second.steps() == 1
    assert second.statuses() == [("x", "done")]


@contextmanager
def refusing(engine: Engine, when: str = "1") -> Generator[None]:
    """Let the database take no alerts, or none like one."""
    full = f"WHEN {when} BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END"
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE TRIGGER full BEFORE INSERT ON outbox {full}")
    yield
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER full")


def test_missed_slots_that_cannot_be_told_are_told_at_a_later_tick_and_cost_it_nothing(
    lite: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    clock, bench = JumpingClock(), Bench(lite, JumpingClock())
    told = list[tuple[int, str]]()

    def tell(rows: Sequence[Slot]) -> None:
        told.append((counted(row.note for row in rows), rows[-1].name))

    timer = Timer(
        (OFTEN,), bench.slots, clock, wake=bench.wake.set, beat=bench.beats.append, missed=tell
    )
    with refusing(lite):
        clock.at += timedelta(seconds=600)
        assert timer.tick() == 10
        assert bench.beats == [clock.at]
        assert bench.wake.is_set()
        assert caplog.messages == ["missed slots were not told"]
        clock.at += timedelta(seconds=300)
        assert timer.tick() == 5
    clock.at += timedelta(seconds=5)
    assert timer.tick() == 0
    latest = next(row for row in bench.slots.recent() if row.status == "missed")
    assert told == [(9 + 4, latest.name)], "all of them, once and together"
    clock.at += timedelta(seconds=5)
    timer.tick()
    assert len(told) == 1
    assert bench.beats[-1] == clock.at


def test_what_cannot_be_told_of_one_schedule_is_told_of_another(lite: Engine) -> None:
    clock, bench, told = JumpingClock(), Bench(lite, JumpingClock()), list[str]()
    other = OFTEN.model_copy(update={"id": "other"})
    timer = Timer(
        (OFTEN, other),
        bench.slots,
        clock,
        wake=bench.wake.set,
        beat=bench.beats.append,
        missed=lambda rows: told.append(rows[0].source),
    )
    clock.at += timedelta(seconds=600)
    with refusing(lite, "NEW.body_json LIKE '%schedule often%'"):
        timer.tick()
    assert told == ["other"]
