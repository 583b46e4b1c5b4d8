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
from allocator.execution.waits import pause
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
