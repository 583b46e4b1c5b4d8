"""What is counted of requests and actions, and how long what is too much of them waits."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine

from allocator.adapters.paper import Behaviour
from allocator.execution.report import ExecutionReport
from allocator.models.errors import RefusedError
from allocator.models.intents import OrderIntent
from tests.execution.book import (
    BTC_A,
    BTC_B,
    SLICED,
    START,
    WHOLE,
    account,
    instrument,
    order,
    snapshot,
)
from tests.execution.crashes import Crash
from tests.execution.desk import CONFIG, Desk, gathered
from tests.execution.limits import wide
from tests.execution.working import attempts, run

MOVE = {"seq": 1, "kind": "move", "from": "a", "to": "b", "instrument": BTC_A, "quantity": "0.2"}


@pytest.mark.parametrize("reduce_only", [True, False])
def test_slices_of_one_order_wait_rather_than_halt_their_account(
    lite: Engine, reduce_only: bool
) -> None:
    desk = Desk.open(lite, mandate=SLICED)
    desk.controls = wide(repeats=2, repeat_window_s=60)
    begun = desk.clock.now()
    report = desk.run(order(1, "a", "sell", "1", reduce_only=reduce_only))
    assert (report.status, report.actions[0].attempts) == ("done", 5)
    assert desk.held("a", BTC_A) == 0
    assert desk.journal().history.breakers() == ()
    assert desk.clock.now() - begun >= timedelta(seconds=120)


@pytest.mark.parametrize(("depth", "sent"), [("0.05", 4), ("0", 3)])
def test_tries_at_one_slice_wait_rather_than_halt_their_account(
    lite: Engine, depth: str, sent: int
) -> None:
    """A market that fills little asks for many orders: no runaway, yet as many in a minute."""
    behaviour = Behaviour(depth={BTC_A: Decimal(depth)})
    desk = Desk.open(lite, mandate=WHOLE, behaviour=behaviour)
    desk.controls = wide(repeats=2, repeat_window_s=60)
    times = list[datetime]()
    desk.watch = lambda row: times.append(desk.clock.now()) if row.state == "sending" else None
    report = desk.run(order(1, "a", "sell", "0.2"))
    assert report.actions[0].stage == ("done" if Decimal(depth) else "failed")
    assert desk.journal().history.breakers() == ()
    assert len(times) == sent
    gaps = [later - first for first, later in zip(times, times[2:], strict=False)]
    assert min(gaps) > timedelta(seconds=60)


@pytest.mark.parametrize(("most", "goes"), [("4.999999", False), ("5", True)])
def test_a_plan_is_not_begun_whose_slices_a_cycle_may_not_send(
    lite: Engine, most: str, goes: bool
) -> None:
    desk = Desk.open(lite, mandate=SLICED)
    desk.controls = wide(actions_cycle=most)
    action = order(1, "a", "sell", "1")
    if goes:
        report = desk.run(action)
        assert (report.status, report.actions[0].attempts) == ("done", 5)
        return
    with pytest.raises(RefusedError, match="ACTIONS_CYCLE: control=EXP-15 value=5 most") as told:
        desk.run(action)
    assert "5 requests in slices of max_slice=10000; raise it or actions_cycle=4.999999" in str(
        told.value
    )
    assert not desk.exchange.received


def test_reductions_of_more_slices_than_a_cycle_may_send_go_as_far_as_it_may(
    lite: Engine,
) -> None:
    desk = Desk.open(lite, mandate=SLICED)
    desk.controls = wide(actions_cycle="3")
    report = desk.run(order(1, "a", "sell", "1", reduce_only=True))
    assert "ACTIONS_CYCLE: control=EXP-15 value=4 most=3" in report.why
    assert len(desk.exchange.received) == 3
    desk.start = asyncio.run(gathered(desk))
    assert desk.run(order(1, "a", "sell", "0.4", reduce_only=True)).status == "done"
    assert desk.held("a", BTC_A) == 0


def test_a_plan_of_a_reduction_and_an_order_beside_it_is_held_against_its_slices(
    lite: Engine,
) -> None:
    desk = Desk.open(lite, mandate=SLICED)
    desk.controls = wide(actions_cycle="3")
    sell = order(1, "a", "sell", "0.4", reduce_only=True)
    with pytest.raises(RefusedError, match="ACTIONS_CYCLE: control=EXP-15 value=4 most=3"):
        desk.run(sell, order(2, "a", "buy", "0.4"))


def two_equal(lite: Engine, window: str, wait_s: float) -> tuple[Desk, ExecutionReport]:
    desk = Desk.open(lite)
    desk.controls = wide(duplicate_window_s=window)
    made = desk.plan(order(1, "a", "buy", "0.1"), order(2, "a", "buy", "0.1"))

    def wait(row: Any) -> None:
        if row.seq == 1 and row.state == "done":
            desk.clock.at += timedelta(seconds=wait_s)

    desk.watch = wait
    return desk, asyncio.run(desk.executor().run(made, desk.start, desk.mandate))


@pytest.mark.parametrize(("wait_s", "goes"), [(29, False), (31, True)])
def test_an_equal_order_of_another_action_waits_its_time(
    lite: Engine, wait_s: float, goes: bool
) -> None:
    desk, report = two_equal(lite, "30", wait_s)
    assert ("DUPLICATE" in report.why) is not goes
    assert len(desk.exchange.received) == (2 if goes else 1)


def test_counts_survive_a_restart(lite: Engine) -> None:
    desk = Desk.open(lite)
    assert desk.run(order(1, "a", "buy", "0.1")).status == "done"
    desk.start = asyncio.run(gathered(desk))
    desk.controls = wide(actions_hour=1)
    assert "ACTIONS_HOUR" in desk.run(order(1, "a", "buy", "0.2")).why
    desk.clock.at += timedelta(hours=1)
    desk.start = asyncio.run(gathered(desk))
    assert desk.run(order(1, "a", "buy", "0.3")).status == "done"


@pytest.mark.parametrize(("most", "goes"), [("105000", True), ("104999", False)])
def test_what_was_traded_in_an_instrument_that_is_gone_counts_at_its_contracts_worth(
    lite: Engine, most: str, *, goes: bool
) -> None:
    large = [instrument(BTC_A) | {"contract_size": "10"}, instrument(BTC_B)]
    desk = Desk.open(lite, mandate=WHOLE, start=snapshot(instruments=large))
    assert desk.run(order(1, "a", "sell", "0.2", reduce_only=True)).status == "done"
    left = account("b", "beta", "-1")
    left["positions"].pop(BTC_A)
    start = snapshot(instruments=large[1:], accounts=[left], routes=[], moves=[])
    later = Desk.open(lite, mandate=WHOLE, start=start)
    later.clock.at = desk.clock.at
    later.start = asyncio.run(gathered(later))
    later.controls = wide(turnover_hour=most)
    report = later.run(order(1, "b", "buy", "0.1", reduce_only=True))
    assert (report.status == "done") is goes, report.why
    assert goes or "TURNOVER_HOUR: control=EXP-13 value=105000" in report.why


@pytest.mark.parametrize("dies", [True, False])
@pytest.mark.parametrize(("most", "goes"), [(3, False), (4, True)])
def test_cancels_count_after_a_restart(
    engine: Engine, most: int, *, dies: bool, goes: bool
) -> None:
    """An order that rests, its cancel and the order that takes: three requests that change."""
    desk = Desk.open(engine, mandate=WHOLE)
    config = CONFIG.model_copy(update={"style": "post_only", "post_only_tries": 1})

    def die(row: Any) -> None:
        if dies and row.state == "cancelled":
            raise Crash

    desk.watch = die
    try:
        assert run(desk, order(1, "a", "buy", "0.1"), config=config).status == "done"
        assert not dies
    except Crash:
        desk.watch = lambda row: None
        resumed = desk.resume()
        assert resumed is not None
        assert resumed.status == "done"
    assert [row.intent.style for _, row in attempts(desk)
            if isinstance(row.intent, OrderIntent)] == ["post_only", "ioc"]  # fmt: skip
    [(at, whose)] = desk.journal().history.cancels_since(START)
    assert whose == "a"
    assert desk.journal().history.cancels_since(at) == ((at, "a"),)
    assert desk.journal().history.cancels_since(at + timedelta(microseconds=1)) == ()
    desk.start = asyncio.run(gathered(desk))
    desk.controls = wide(messages_account=most, message_window_s=3600)
    why = desk.run(order(1, "a", "buy", "0.2")).why
    assert why == ("" if goes else "MESSAGES_ACCOUNT: control=ORD-08 value=4 most=3")


@pytest.mark.parametrize("first", [MOVE, order(1, "b", "sell", "0.1")])
@pytest.mark.parametrize(("limits", "goes"), [
    ({"messages_account": 1}, False), ({"messages_account": 2, "messages_owner": 2}, True),
])  # fmt: skip
def test_a_move_is_a_request_of_both_its_accounts(
    lite: Engine, first: dict[str, Any], limits: dict[str, int], *, goes: bool
) -> None:
    """It trades in both, so that a venue may count it for either."""
    desk = Desk.open(lite, mandate=WHOLE)
    assert desk.run(first).status == "done"
    desk.start = asyncio.run(gathered(desk))
    desk.controls = wide(message_window_s=3600, **limits)
    second = order(1, "b", "sell", "0.1") if first is MOVE else MOVE
    report = desk.run(second)
    assert ("MESSAGES_ACCOUNT" not in report.why) is goes
    assert (report.status == "done") is goes


@pytest.mark.parametrize("limits", [
    {"messages_account": 2, "message_window_s": 1},
    {"repeats": 2, "repeat_window_s": 60},
    {"actions_hour": 4},
], ids=lambda row: next(iter(row)))  # fmt: skip
def test_what_a_clock_ahead_stamped_counts_as_of_now_once_it_is_right(
    engine: Engine, limits: dict[str, int]
) -> None:
    """It ages from then on, and does not block for as long as the clock was ahead."""
    desk = Desk.open(engine, mandate=SLICED)
    right = desk.clock.now()
    desk.clock.at = right + timedelta(hours=1)
    desk.start = asyncio.run(gathered(desk))
    assert desk.run(order(1, "a", "sell", "0.1", reduce_only=True)).status == "done"
    desk.clock.at = right
    desk.start = asyncio.run(gathered(desk))
    desk.controls = wide(**limits)
    report = desk.run(order(1, "a", "sell", "0.6", reduce_only=True))
    assert (report.status, report.why) == ("done", "")
    assert desk.journal().history.breakers() == ()


@pytest.mark.parametrize("restarts", [False, True])
def test_what_a_clock_ahead_stamped_is_counted_for_an_hour_and_no_longer(
    engine: Engine, *, restarts: bool
) -> None:
    """From plan to plan and from start to start, as each counts anew what the journal knows."""
    desk = Desk.open(engine, mandate=WHOLE)
    right = desk.clock.now()
    desk.clock.at = right + timedelta(hours=10)
    desk.start = asyncio.run(gathered(desk))
    assert desk.run(order(1, "a", "buy", "0.1")).status == "done"
    desk.controls = wide(actions_hour=1)
    executor = desk.executor()
    for minutes, goes in ((0, False), (30, False), (59, False), (61, True)):
        desk.clock.at = right + timedelta(minutes=minutes)
        desk.start = asyncio.run(gathered(desk))
        made = desk.plan(order(1, "a", "buy", f"0.{minutes + 100}"))
        executor = desk.executor() if restarts else executor
        report = asyncio.run(executor.run(made, desk.start, desk.mandate))
        assert ("ACTIONS_HOUR" not in report.why) is goes, minutes
