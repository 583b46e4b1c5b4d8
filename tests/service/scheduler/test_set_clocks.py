"""Clocks that are set: no schedule falls silent by them, and nothing is begun by one of them."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from allocator.service.clock import Leaps
from allocator.service.scheduler import timer
from allocator.service.scheduler.slot import Asked
from allocator.service.scheduler.timer import Timer
from tests.execution.book import START
from tests.service.scheduler.bench import OFTEN, Bench


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

    asyncio.run(asyncio.wait_for(go(), 120))


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
