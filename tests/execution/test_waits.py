"""Waits of a plan, in which no switch of a venue may run out."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import Engine

from allocator.adapters.paper import Fault
from allocator.execution.executor import Executor
from allocator.execution.leader import FencedError, next_epoch
from allocator.execution.waits import meanwhile, pause
from allocator.models.errors import VenueError
from allocator.models.intents import Ack, Capabilities, Outcome
from allocator.models.plan import Plan
from tests.execution.book import SLICED, order
from tests.execution.limits import wide
from tests.execution.switched import Exchange, armed_at
from tests.execution.working import RESTING


def kept_waiting(engine: Engine, least: int = 10) -> tuple[Exchange, Executor, Plan]:
    """Be about to work slices of which each waits a minute for those before it."""
    at = Exchange(engine, able=Capabilities(dead_man_s=Decimal(least)))
    at.desk.mandate = SLICED
    at.desk.controls = wide(dead_man_s=5, repeats=3, repeat_window_s=60)
    config = RESTING.model_copy(update={"post_only_tries": 1})
    made = at.desk.plan(order(1, "a", "sell", "0.6", reduce_only=True))
    return at, at.executor(config), made


@pytest.mark.parametrize("least", [10, 30])
def test_no_switch_runs_out_while_slices_wait_for_those_before_them(
    lite: Engine, least: int
) -> None:
    """It would cancel what somebody has placed by hand, though nobody has fallen silent."""
    at, executor, made = kept_waiting(lite, least)
    times = armed_at(at)
    begun = at.desk.clock.now()
    report = asyncio.run(executor.run(made, at.desk.start, at.desk.mandate))
    assert report.status == "done", report.why
    assert at.desk.clock.now() - begun > timedelta(seconds=100)
    gaps = [late - soon for soon, late in pairwise(times)]
    assert max(gaps) <= least / 3 + 2, gaps
    assert len(gaps) <= 130 / (least / 3), "renewed without need"
    assert at.set_for == set()


def test_a_leader_that_was_followed_while_it_waits_sets_no_switch_anew(lite: Engine) -> None:
    at, executor, made = kept_waiting(lite)
    times, sleep = armed_at(at), at.desk.clock.sleep

    async def follow(seconds: float) -> None:
        await sleep(seconds)
        if len(times) == 4:
            next_epoch(lite, "desk", "other", at.desk.clock.now())
            times.append(0)

    at.desk.clock.sleep = follow  # type: ignore[method-assign]
    with pytest.raises(FencedError):
        asyncio.run(executor.run(made, at.desk.start, at.desk.mandate))
    assert times[4:] == [0]
    assert at.told[-1] == 10


def test_the_switch_of_an_order_that_is_to_go_is_not_set_anew(lite: Engine) -> None:
    """Should no cancel be heard, the switch ends it; kept, it would go to an operator."""
    at = Exchange(lite, Fault("cancel", "error", times=10**6))
    times = armed_at(at)
    report = at.run()
    assert report.status == "done", report.why
    before = max(at_s for at_s in times if at_s < 5)
    assert min(at_s for at_s in times if at_s > 5) > before + 10


def test_a_switch_is_renewed_once_however_many_wait(lite: Engine) -> None:
    at = Exchange(lite)
    shell = at.executor()._shell
    shell.armed["a"] = at.desk.clock.now() - timedelta(seconds=5)
    asked, both = list[int](), asyncio.Event()
    venue: Any = at.desk.venues["a"]

    async def slow(seconds: int) -> Outcome:
        asked.append(seconds)
        await both.wait()
        return Ack(venue_id="x")

    venue.cancel_after = slow

    async def wait() -> None:
        waits = [asyncio.create_task(pause(shell)) for _ in range(5)]
        for _ in range(10):
            await asyncio.sleep(0)
        both.set()
        await asyncio.gather(*waits)

    asyncio.run(wait())
    assert asked == [10]


QUICK = RESTING.model_copy(
    update={"poll_s": Decimal("0.01"), "post_only_tries": 1, "order_timeout_s": Decimal(240)}
)


@pytest.mark.parametrize("call", ["read", "quote", "submit", "find"])
def test_no_switch_runs_out_while_another_venue_takes_its_time(lite: Engine, call: str) -> None:
    """It may wait for room in its own budget, or answer slowly."""
    at = Exchange(lite)
    hedge: Any = at.desk.venues["b"]
    at.desk.mandate = SLICED
    asked, renewed = getattr(hedge, call), list[bool]()

    async def waits(*what: Any) -> Any:
        if at.set_for and not renewed:
            renewed.append(False)
            known = len(at.told)
            at.desk.clock.at += timedelta(seconds=4)
            async with asyncio.timeout(240):
                while len(at.told) == known:
                    await asyncio.sleep(0)
            renewed[0] = True
        return await asked(*what)

    setattr(hedge, call, waits)
    rows = [order(1, "a", "sell", "0.4", group="g"), order(2, "b", "buy", "0.4", group="g")]
    made = at.desk.plan(*rows)
    report = asyncio.run(at.executor(QUICK).run(made, at.desk.start, at.desk.mandate))
    assert renewed == [True]
    assert report.status == "done", report.why


def test_a_switch_that_may_not_be_set_ends_the_wait_for_an_answer(lite: Engine) -> None:
    """Whoever was followed asks nothing any more, and leaves nothing under way."""
    at = Exchange(lite)
    shell = at.executor(QUICK)._shell
    shell.armed["a"] = at.desk.clock.now()
    ended = list[str]()

    async def never() -> None:
        next_epoch(lite, "desk", "other", at.desk.clock.now())
        at.desk.clock.at += timedelta(seconds=4)
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("answer")

    async def wait() -> None:
        with pytest.raises(FencedError):
            await meanwhile(shell, never())
        assert ended == ["answer"]
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(wait())
    assert at.told == []


def test_an_answer_that_fails_beside_the_switches_fails_as_it_is(lite: Engine) -> None:
    at = Exchange(lite)
    shell = at.executor(QUICK)._shell
    shell.armed["a"] = at.desk.clock.now()

    async def fails() -> None:
        raise VenueError("no prices")

    with pytest.raises(VenueError, match="no prices"):
        asyncio.run(meanwhile(shell, fails()))
