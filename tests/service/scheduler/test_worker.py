from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from sqlalchemy import Engine

from allocator.execution.leader import FencedError, next_epoch
from allocator.execution.report import Progress
from allocator.models.errors import StaleError
from allocator.models.service import Schedule
from allocator.service.clock import Leaps
from allocator.service.scheduler import timer
from allocator.service.scheduler.slots import Asked, Slot, Slots
from allocator.service.scheduler.timer import Timer
from allocator.service.scheduler.worker import Result, Worker
from tests.execution.book import BTC_A, BTC_B, START, SWITCH, JumpingClock
from tests.execution.desk import Desk

OFTEN = Schedule(id="often", every_s=Decimal(60), grace_s=Decimal(90))


class Bench:
    """A timer and a worker over one database; the work is written down."""

    def __init__(self, engine: Engine, clock: JumpingClock, holder: str = "a") -> None:
        self.engine, self.clock = engine, clock
        self.slots = Slots(engine, "desk")
        self.done = list[Slot]()
        self.takes_s = 0.0
        self.beats = list[object]()
        self.settled = list[datetime]()
        self.unsettled = 0
        self.believed, self.agreed = True, False
        self.asked = 0
        self.wake = asyncio.Event()
        self.timer = Timer((OFTEN,), self.slots, clock, wake=self.wake.set, beat=self.beats.append)
        self.worker = self.lead(holder)

    def lead(self, holder: str) -> Worker:
        self.lease = next_epoch(self.engine, "desk", holder, self.clock.now())
        return Worker(
            self.slots,
            self.lease,
            self.clock,
            graces={"often": OFTEN.grace_s},
            work=self.work,
            wake=self.wake,
            settle=self.settle,
            believed=lambda: self.believed,
            agreed=self.agree,
        )

    async def agree(self) -> bool:
        self.asked += 1
        return self.agreed

    async def settle(self) -> None:
        self.settled.append(self.clock.now())
        if self.unsettled:
            self.unsettled -= 1
            raise StaleError("venue down")

    async def work(self, slot: Slot) -> Result:
        self.done.append(slot)
        self.clock.at += timedelta(seconds=self.takes_s)
        if slot.cause == "stale":
            raise StaleError("venue down")
        if slot.cause == "bug":
            raise ZeroDivisionError
        return Result("done")

    def steps(self) -> int:
        async def go() -> int:
            count = 0
            while await self.worker.step():
                count += 1
            return count

        return asyncio.run(go())

    def statuses(self) -> list[tuple[str, str]]:
        return [(row.name, row.status) for row in reversed(self.slots.recent())]


@pytest.fixture
def bench(lite: Engine) -> Bench:
    return Bench(lite, JumpingClock())


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


def test_missed_slots_that_cannot_be_told_cost_a_tick_nothing(
    lite: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    clock, bench = JumpingClock(), Bench(lite, JumpingClock())

    def fails(_rows: object) -> None:
        raise OSError("no outbox today")

    timer = Timer(
        (OFTEN,), bench.slots, clock, wake=bench.wake.set, beat=bench.beats.append, missed=fails
    )
    clock.at += timedelta(seconds=600)
    assert timer.tick() == 10
    assert bench.beats == [clock.at]
    assert bench.wake.is_set()
    assert caplog.messages == ["missed slots were not told"]


class Machine:
    """A machine whose clock can be set, beside one that cannot."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.steady_s, self.leaps = bench, 0.0, list[float]()
        self.timer = Timer(
            (OFTEN,), bench.slots, bench.clock, wake=bench.wake.set, beat=bench.beats.append,
            leaps=Leaps(lambda: self.steady_s, bench.clock.now()), leapt=self.leaps.append,
        )  # fmt: skip

    def tick(self, seconds: float, set_by: timedelta = timedelta()) -> int:
        self.steady_s += seconds
        self.bench.clock.at += timedelta(seconds=seconds) + set_by
        return self.timer.tick()


def test_a_clock_that_is_a_day_ahead_for_a_moment_silences_no_schedule(bench: Bench) -> None:
    machine, day = Machine(bench), timedelta(days=1)
    assert machine.tick(60) == 1
    beats = len(bench.beats)
    assert [machine.tick(5, day), machine.tick(5)] == [0, 0]
    assert len(bench.beats) == beats, "a sign of life of tomorrow would hide a death of today"
    assert machine.tick(50, -day) == 1
    assert [machine.tick(60) for _ in range(5)] == [1] * 5
    assert machine.leaps == [86400]


def test_a_clock_that_stays_where_it_was_set_is_believed_after_a_while(bench: Bench) -> None:
    machine = Machine(bench)
    machine.tick(60)
    written = [machine.tick(5, timedelta(hours=1) * (i == 0)) for i in range(40)]
    assert written[:24] == [0] * 24
    assert sum(written[24:]) > 1
    assert [machine.tick(60, -timedelta(hours=1) * (i == 0)) for i in range(3)] == [0, 0, 0]
    assert machine.leaps == [3600, -3600]
    assert bench.beats[-1] == bench.clock.now()


@pytest.mark.parametrize("ahead", [timedelta(hours=5), timedelta(days=400)])
def test_a_clock_that_was_believed_ahead_and_is_put_back_silences_no_schedule(
    bench: Bench, ahead: timedelta
) -> None:
    machine = Machine(bench)
    assert machine.tick(60) == 1
    machine.tick(5, ahead)
    assert sum(machine.tick(60) for _ in range(10)), "that time is believed"
    machine.tick(5, -ahead)
    assert [machine.tick(60) for _ in range(3)][-1] == 1
    assert [machine.tick(60) for _ in range(60)] == [1] * 60
    assert len({row.name for row in bench.slots.recent(1000)}) == len(bench.slots.recent(1000))


def test_a_machine_that_starts_with_its_clock_ahead_runs_its_schedules_once_it_is_right(
    bench: Bench,
) -> None:
    day = timedelta(days=3)
    bench.clock.at += day
    machine = Machine(bench)
    machine.tick(60)
    machine.tick(5, -day)
    assert [machine.tick(60) for _ in range(8)][3:] == [1] * 5


def test_slots_of_a_future_hide_none_that_were_missed_before_a_start(bench: Bench) -> None:
    machine = Machine(bench)
    machine.tick(60)
    bench.slots.add(
        Asked("f", "often", "plan", "c", START + timedelta(days=9), "missed", origin="schedule")
    )
    bench.clock.at += timedelta(seconds=300)
    assert Machine(bench).timer.tick() == 5


def test_small_corrections_of_a_clock_add_up_untold(bench: Bench) -> None:
    machine = Machine(bench)
    assert [machine.tick(30, timedelta(seconds=30)) for _ in range(5)] == [1] * 5
    assert machine.leaps == []


def test_a_timer_beats_although_the_clock_was_set_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timer, "BEAT_S", 0.001)

    async def go() -> None:
        with bench.timer.running():
            bench.clock.at -= timedelta(days=1)
            while bench.beats[-1] != bench.clock.now():
                await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(go(), 30))


def test_nothing_is_begun_or_set_aside_by_a_clock_that_is_not_believed(bench: Bench) -> None:
    bench.clock.at += timedelta(seconds=60)
    bench.timer.tick()
    bench.clock.at += timedelta(days=1)
    bench.believed = False
    assert bench.steps() == 0
    assert [status for _, status in bench.statuses()] == ["due"]
    bench.clock.at -= timedelta(days=1)
    bench.believed = True
    assert bench.steps() == 1


@pytest.mark.parametrize("agreed", [True, False])
def test_only_a_repair_begins_by_a_clock_that_was_set_and_only_where_the_venues_agree_with_it(
    bench: Bench, *, agreed: bool
) -> None:
    bench.clock.at += timedelta(seconds=60)
    bench.timer.tick()
    bench.clock.at += timedelta(days=1)
    bench.believed, bench.agreed = False, agreed
    assert bench.steps() == 0
    assert bench.asked == 0, "nothing urgent waits"
    now = bench.clock.now()
    bench.slots.add(Asked("p", "ann", "plan", "c", now))
    bench.slots.add(Asked("r", "margin", "repair", "c", now, origin="trigger"))
    assert bench.steps() == int(agreed)
    assert [row.name for row in bench.done] == ["r"] * agreed
    others = [status for name, status in bench.statuses() if name != "r"]
    assert set(others) == {"due"}, "nothing is set aside"


def test_what_is_left_open_is_settled_although_the_clock_was_put_back(bench: Bench) -> None:
    ask(bench, "bug")
    bench.unsettled = 2
    bench.clock.at += timedelta(days=1)
    bench.steps()
    bench.clock.at -= timedelta(days=1)
    bench.steps()
    bench.steps()
    assert len(bench.settled) == 2


def ask(bench: Bench, cause: str) -> None:
    now = bench.clock.now()
    bench.slots.add(Asked(f"{cause} {now}", "somebody", "plan", cause, now))


def test_what_a_slot_left_open_is_settled_at_once_and_tried_again_ever_later(bench: Bench) -> None:
    bench.unsettled = 8
    ask(bench, "bug")
    for _ in range(400):
        bench.steps()
        bench.clock.at += timedelta(seconds=1)
    waits = [(b - a).total_seconds() for a, b in pairwise(bench.settled)]
    assert bench.settled[0] == START
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


@pytest.mark.parametrize("believed", [True, False])
def test_what_a_dead_leader_left_open_is_settled_although_its_slot_is_too_late(
    bench: Bench, *, believed: bool
) -> None:
    bench.clock.at += timedelta(seconds=60)
    bench.timer.tick()
    bench.slots.claim(bench.lease, bench.slots.with_status("due")[0], bench.clock.now())
    bench.clock.at += timedelta(minutes=10)
    bench.worker, bench.believed = bench.lead("b"), believed
    bench.steps()
    bench.steps()
    assert bench.settled == [bench.clock.now()]
    assert bench.done == []


def test_what_a_dead_leader_left_open_is_tried_again_until_it_is_settled(bench: Bench) -> None:
    bench.unsettled = 1
    bench.steps()
    bench.clock.at += timedelta(seconds=1)
    bench.steps()
    bench.clock.at += timedelta(seconds=9)
    bench.steps()
    assert bench.settled == [START, START + timedelta(seconds=1)]


def test_nothing_is_settled_after_a_slot_that_ended_well(bench: Bench) -> None:
    ask(bench, "fine")
    bench.steps()
    bench.steps()
    assert bench.settled == []


def test_a_slot_that_ended_well_has_settled_what_was_open(bench: Bench) -> None:
    bench.unsettled = 1
    ask(bench, "stale")
    bench.steps()
    ask(bench, "fine")
    bench.steps()
    bench.clock.at += timedelta(seconds=100)
    bench.steps()
    assert bench.settled == [START]


def test_legs_that_a_bug_left_apart_are_brought_together_before_the_next_slot(
    lite: Engine,
) -> None:
    desk, broken = Desk.open(lite), list[str]()
    journal = desk.journal()
    executor = desk.executor(journal)

    def bug(row: Progress) -> None:
        if (row.seq, row.part, row.state) == (2, 2, "acked") and not broken:
            broken.append(row.state)
            raise ZeroDivisionError

    desk.watch = bug

    async def work(slot: Slot) -> Result:
        await executor.resume()
        report = await executor.run(desk.plan(*SWITCH), desk.start, desk.mandate, slot=slot.name)
        return Result("done", report.status)

    async def settle() -> None:
        await executor.resume()

    slots = Slots(lite, "desk")
    slots.add(Asked("s", "somebody", "plan", "asked", desk.clock.now()))
    worker = Worker(
        slots, journal.lease, desk.clock, graces={}, work=work, settle=settle, wake=asyncio.Event()
    )
    assert asyncio.run(worker.step())
    assert journal.history.unfinished()
    assert not asyncio.run(worker.step())
    assert not journal.history.unfinished()
    assert not journal.history.open_attempts()
    assert desk.held("a", BTC_A) + desk.held("b", BTC_B) == 0
