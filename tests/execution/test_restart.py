"""A start that finds many requests whose end nobody knows."""

from __future__ import annotations

import asyncio
import heapq
import os
import sys
import time
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine

from allocator.adapters.paper import open_paper
from allocator.execution.attempts import Attempt
from allocator.execution.client_ids import client_id
from allocator.execution.entries import Place
from allocator.execution.leader import FencedError, next_epoch
from allocator.execution.transitions import State
from allocator.models.intents import Found, OrderIntent
from allocator.models.snapshot import Snapshot
from tests.execution.book import (
    BTC_A,
    BTC_B,
    MANDATE,
    ROUTES,
    START,
    JumpingClock,
    account,
    order,
    plan,
    snapshot,
    transfer,
)
from tests.execution.crashes import Crash, Fuse, executor_of
from tests.execution.desk import Desk

OPEN = int(os.environ.get("ALLOCATOR_OPEN", "1000"))


class SharedClock(JumpingClock):
    """A clock on which everybody waits at the same time: it jumps once all of them wait."""

    def __init__(self) -> None:
        super().__init__()
        self._due: list[Any] = []

    async def sleep(self, seconds: float) -> None:
        until = self.at + timedelta(seconds=max(seconds, 0.001))
        heapq.heappush(self._due, until)
        while self.at < until:
            for _ in range(3):
                await asyncio.sleep(0)
            if self._due and self.at < until and self._due[0] == until:
                self.at = until
        self._due.remove(until)
        heapq.heapify(self._due)


def book(accounts: int) -> Snapshot:
    rows = [account("a", "alpha", "1"), account("b", "beta", "-1")]
    rows += [account(f"a{number}", "alpha", "1") for number in range(accounts - 2)]
    return snapshot(accounts=rows)


def left_open(engine: Engine, count: int) -> tuple[Desk, dict[str, Attempt]]:
    """Leave a journal with open requests: half of them reached the venue, half did not."""
    clock = SharedClock()
    start = book(50)
    exchange, _, venues = open_paper(start, clock)
    desk = Desk(engine, clock, exchange, venues, start)
    journal = desk.journal()
    names = [name for name in exchange.accounts if name != "b"]
    rows = [
        {**order(seq, "a", "sell", "0.001"), "account": names[seq % len(names)]}
        for seq in range(1, count + 1)
    ]
    made = plan(*rows, at=start, mandate=MANDATE)
    cycle = journal.open_cycle("desk", "slot")
    assert cycle is not None
    journal.record_plan(cycle, made, start, MANDATE)
    from allocator.execution.transitions import Stage
    from allocator.models.base import json_value

    journal.set_stage(made.plan_hash, [row.seq for row in made.actions], Stage.CHECKED)
    readings = {name: asyncio.run(venue.read()) for name, venue in venues.items()}
    journal.set_baseline(made.plan_hash, {name: json_value(row) for name, row in readings.items()})
    for action in made.actions:
        assert action.kind == "order"
        intent = OrderIntent(
            client_id=client_id("desk", made.plan_hash, action.seq, 1, 1),
            account=action.account,
            instrument=action.instrument,
            side=action.side,
            quantity=action.quantity,
            limit_price=action.limit_price,
            stamped_at=START,
        )
        journal.intend(Place(made.plan_hash, action.seq, 1, 1), intent, Decimal(5))
        if action.seq % 2:
            asyncio.run(venues[action.account].submit(intent))
    return desk, {row.client_id: row for row in journal.history.attempts(made.plan_hash)}


def settled(engine: Engine, count: int) -> tuple[float, float]:
    """Start on open requests; tell seconds of work and seconds of the venue's time."""
    desk, before = left_open(engine, count)
    assert len(before) == count
    begun, at = time.process_time(), desk.clock.at
    desk.resume()
    took = time.process_time() - begun
    history = desk.journal().history
    after = {name: history.attempt(name) for name in before}
    states = [row.state for row in after.values() if row is not None]
    assert states.count(State.FILLED) == (count + 1) // 2
    assert states.count(State.NOT_EXECUTED) == count // 2
    assert history.open_attempts() == ()
    assert history.frozen() == {}
    held = sum(desk.held(name, BTC_A) for name in desk.exchange.accounts if name != "b")
    assert held == 49 - Decimal((count + 1) // 2) / 1000
    assert desk.held("b", BTC_B) == -1
    return took, (desk.clock.at - at).total_seconds()


def test_a_start_settles_everything_that_is_open_at_the_same_time(lite: Engine) -> None:
    _, waited = settled(lite, 40)
    assert waited < 15


def test_a_look_up_that_fails_ends_the_others_and_its_error_is_told_as_it_is(
    lite: Engine,
) -> None:
    """Nothing goes on asking venues, and writing, on its own once a start has failed."""
    desk, before = left_open(lite, 2)
    first, second = (row.intent.account for row in before.values()
                     if isinstance(row.intent, OrderIntent))  # fmt: skip
    begun, ended = asyncio.Event(), list[str]()

    async def followed(*_asked: Any) -> Any:
        await begun.wait()
        next_epoch(lite, "desk", "other", desk.clock.now())
        return Found(venue_id="x", state="cancelled")

    async def stands(*_asked: Any) -> Any:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(second)

    for name, find in ((first, followed), (second, stands)):
        venue: Any = desk.venues[name]
        venue.find = find

    async def start() -> None:
        with pytest.raises(FencedError):
            await desk.executor().resume()
        assert ended == [second]

    asyncio.run(start())


@pytest.mark.soak
def test_a_thousand_open_actions_are_reconciled_within_half_a_minute(
    lite: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    took, waited = settled(lite, OPEN)
    with capsys.disabled():
        sys.stdout.write(f"\n{OPEN} open: {took:.1f} s of work, {waited:.1f} s of waiting\n")
    assert took < 30


@pytest.mark.parametrize("at", range(1, 13))
def test_no_crash_leaves_an_action_of_a_plan_that_was_given_up_working(
    lite: Engine, at: int
) -> None:
    """Its money arrives after it was given up, and the start that sees that dies as well."""
    desk = Desk.open(lite, start=snapshot(routes=[{**row, "latency_s": "60"} for row in ROUTES]))

    def come_by(row: Any) -> None:
        if row.state == "in_transit" and desk.held("a", BTC_A) == 1:
            desk.exchange.trade_elsewhere("a", BTC_A, Decimal("0.1"))

    desk.watch = come_by
    report = desk.run(transfer(1, "1000"), order(2, "a", "sell", "0.1", reduce_only=True))
    assert (report.status, desk.stages()[1]) == ("superseded", "working")
    desk.clock.at += timedelta(seconds=100)
    with suppress(Crash):
        asyncio.run(executor_of(desk, Fuse(at)).resume())
    desk.resume()
    assert desk.stages() == {1: "done", 2: "superseded"}
    assert desk.journal().history.verify() == ()


def test_a_transfer_that_a_clock_ahead_stamped_is_late_by_the_right_one(engine: Engine) -> None:
    """Each start looks once, and none begins to count anew."""
    slow = [{**row, "latency_s": "1000000"} for row in ROUTES]
    desk = Desk.open(engine, start=snapshot(routes=slow))
    right = desk.clock.now()
    desk.clock.at = right + timedelta(hours=10)
    desk.start = snapshot(routes=slow, as_of=desk.clock.at)

    def die(row: Any) -> None:
        if row.state == "in_transit":
            raise Crash

    desk.watch = die
    with pytest.raises(Crash):
        desk.run(transfer(1, "1000"))
    desk.watch = lambda row: None
    for minutes, state in (
        (1, "in_transit"),
        (6, "in_transit"),
        (10, "in_transit"),
        (12, "manual"),
    ):
        desk.clock.at = right + timedelta(minutes=minutes)
        desk.resume()
        history = desk.journal().history
        assert [row.state for row in history.attempts_since(right)] == [state], minutes
