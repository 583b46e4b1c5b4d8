"""What a slot or a dead leader left open is settled before anything else begins."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from itertools import pairwise

import pytest
from sqlalchemy import Engine

from allocator.execution.report import Progress
from allocator.service.scheduler.slot import Asked, Slot
from allocator.service.scheduler.slots import Slots
from allocator.service.scheduler.worker import Result, Worker
from tests.execution.book import BTC_A, BTC_B, START, SWITCH
from tests.execution.desk import Desk
from tests.service.scheduler.bench import Bench


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
