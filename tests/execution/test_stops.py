"""Plans that stop half way, and what the next start makes of them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, text

from allocator.adapters.paper import Fault
from allocator.execution.leader import FencedError, next_epoch
from allocator.execution.office import Office
from allocator.execution.report import Progress
from allocator.models.errors import JournalError, RefusedError
from allocator.models.mandate import Mandate
from allocator.risk.breaker import Breaker
from tests.execution.book import (
    BTC_A,
    BTC_B,
    FUNDED,
    SWITCH,
    order,
    transfer,
)
from tests.execution.crashes import Crash
from tests.execution.desk import Desk
from tests.execution.limits import wide


def test_stop_parks_between_slices_and_a_new_start_goes_on(engine: Engine) -> None:
    desk = Desk.open(engine)
    executor = desk.executor()
    desk.watch = lambda row: executor.stop() if row.state == "filled" else None
    made = desk.plan(*SWITCH)
    report = asyncio.run(executor.run(made, desk.start, desk.mandate))
    assert report.status == "parked"
    assert (desk.held("a", BTC_A), desk.held("b", BTC_B)) == (Decimal("0.6"), Decimal("-0.6"))
    desk.watch = lambda row: None
    resumed = desk.resume()
    assert resumed is not None
    assert (resumed.status, resumed.resumed) == ("done", True)
    assert (desk.held("a", BTC_A), desk.held("b", BTC_B)) == (Decimal("0.2"), Decimal("-0.2"))
    assert desk.resume() is None


def test_cancelled_task_leaves_a_plan_that_can_go_on(lite: Engine) -> None:
    desk = Desk.open(lite)
    made = desk.plan(*SWITCH)

    async def cancelled() -> None:
        task = asyncio.create_task(desk.executor().run(made, desk.start, desk.mandate))
        desk.watch = lambda row: task.cancel() if row.state == "filled" else None
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    desk.watch = lambda row: None
    assert [row.status for row in desk.journal().history.unfinished()] == ["parked"]
    resumed = desk.resume()
    assert resumed is not None
    assert resumed.status == "done"
    assert set(desk.exchange.received.values()) == {1}


def test_plan_that_stood_still_too_long_is_given_up(lite: Engine) -> None:
    desk = Desk.open(lite)
    executor = desk.executor()
    desk.watch = lambda row: executor.stop() if row.state == "filled" else None
    asyncio.run(executor.run(desk.plan(*SWITCH), desk.start, desk.mandate))
    desk.clock.at += timedelta(hours=1)
    resumed = desk.resume()
    assert resumed is not None
    assert resumed.status == "superseded"
    assert "stood still" in resumed.why
    assert [row.stage for row in resumed.actions] == ["part_done", "part_done"]


def test_what_people_write_meanwhile_makes_no_plan_younger(engine: Engine) -> None:
    desk = Desk.open(engine)
    executor = desk.executor()
    desk.watch = lambda row: executor.stop() if row.state == "filled" else None
    asyncio.run(executor.run(desk.plan(*SWITCH), desk.start, desk.mandate))
    desk.clock.at += timedelta(hours=1)
    office = Office(engine, "desk", desk.clock)
    office.trip("account:b", Breaker.REDUCING, "odd prices", "ann")
    office.reset("account:b", "prices are sound", "ben")
    resumed = desk.resume()
    assert resumed is not None
    assert resumed.status == "superseded"
    assert "stood still" in resumed.why
    assert len(desk.exchange.received) == 2


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE plan SET snapshot_json = replace(snapshot_json, '50000', '50001')",
        "UPDATE plan SET mandate_json = replace(mandate_json, '20000', '90000')",
    ],
)
def test_what_a_plan_was_made_from_is_not_taken_from_a_rewritten_record(
    lite: Engine, statement: str
) -> None:
    desk = Desk.open(lite)
    executor = desk.executor()
    desk.watch = lambda row: executor.stop() if row.state == "filled" else None
    asyncio.run(executor.run(desk.plan(*SWITCH), desk.start, desk.mandate))
    with lite.begin() as connection:
        connection.execute(text(statement))
    with pytest.raises(JournalError, match="PLAN_CHANGED"):
        desk.resume()
    assert len(desk.exchange.received) == 2


def test_a_halt_gives_up_what_an_ended_process_left_and_sends_nothing(lite: Engine) -> None:
    desk = Desk.open(lite)
    executor = desk.executor()
    desk.watch = lambda row: executor.stop() if row.state == "filled" else None
    asyncio.run(executor.run(desk.plan(*SWITCH), desk.start, desk.mandate))
    desk.watch = lambda row: None
    report = asyncio.run(desk.executor().give_up("halted: odd prices"))
    assert report is not None
    assert (report.status, report.why) == ("superseded", "halted: odd prices")
    assert [row.stage for row in report.actions] == ["part_done", "part_done"]
    assert len(desk.exchange.received) == 2
    assert desk.resume() is None


def test_plan_whose_book_changed_meanwhile_is_given_up(lite: Engine) -> None:
    desk = Desk.open(lite)
    executor = desk.executor()
    desk.watch = lambda row: executor.stop() if row.state == "filled" else None
    asyncio.run(executor.run(desk.plan(*SWITCH), desk.start, desk.mandate))
    desk.exchange.trade_elsewhere("a", BTC_A, Decimal("-0.1"))
    resumed = desk.resume()
    assert resumed is not None
    assert resumed.status == "superseded"
    assert "outside change" in resumed.why


def test_nothing_is_sent_while_something_is_open(lite: Engine) -> None:
    desk = Desk.open(lite)
    executor = desk.executor()
    desk.watch = lambda row: executor.stop() if row.state == "filled" else None
    asyncio.run(executor.run(desk.plan(*SWITCH), desk.start, desk.mandate))
    with pytest.raises(RefusedError, match=r"UNRESOLVED.*`allocator execute` or cycle"):
        desk.run(order(1, "a", "buy", "0.1"))


def test_leader_that_was_followed_sends_nothing_more(engine: Engine) -> None:
    desk = Desk.open(engine)
    sent: list[int] = []

    def overtake(row: Progress) -> None:
        if row.state == "filled" and not sent:
            next_epoch(engine, "desk", "other", desk.clock.now())
            sent.append(len(desk.exchange.received))

    desk.watch = overtake
    with pytest.raises(FencedError):
        desk.run(*SWITCH)
    assert sent == [1]
    assert len(desk.exchange.received) == 1


def test_money_of_a_plan_given_up_is_followed_to_its_end(lite: Engine) -> None:
    desk = Desk.open(lite)

    def meddle(row: Progress) -> None:
        if (row.seq, row.state) == (1, "in_transit"):
            desk.exchange.trade_elsewhere("a", BTC_A, Decimal("0.1"))

    desk.watch = meddle
    report = desk.run(transfer(1, "1000"), order(2, "a", "sell", "0.5"))
    assert report.status == "superseded"
    assert desk.stages()[1] == "working"
    desk.clock.at += timedelta(minutes=2)
    assert desk.resume() is None
    assert desk.stages()[1] == "done"
    assert desk.journal().history.open_attempts() == ()


@pytest.mark.parametrize("last", ["acked", "in_transit", "settled"])
def test_plan_that_died_during_its_transfer_goes_on(lite: Engine, last: str) -> None:
    desk = Desk.open(lite)
    made = desk.plan(transfer(1, "1000"), *FUNDED)

    def die(row: Progress) -> None:
        if row.state == last:
            raise Crash

    desk.watch = die
    with pytest.raises(Crash):
        asyncio.run(desk.executor().run(made, desk.start, desk.mandate))
    desk.watch = lambda row: None
    desk.clock.at += timedelta(seconds=30)
    resumed = desk.resume()
    assert resumed is not None
    assert resumed.status == "done"
    assert [row.stage for row in resumed.actions] == ["done", "done", "done"]
    assert max(desk.exchange.effects.values()) == 1


def test_what_was_refused_before_the_process_died_is_not_asked_for_again(lite: Engine) -> None:
    desk = Desk.open(lite, faults=[Fault("order", "rejected", code="110007")])
    made = desk.plan(order(1, "a", "sell", "0.2"), order(2, "b", "buy", "0.2"))

    def die(row: Progress) -> None:
        if row.state == "rejected":
            raise Crash

    desk.watch = die
    with pytest.raises(Crash):
        asyncio.run(desk.executor().run(made, desk.start, desk.mandate))
    desk.watch = lambda row: None
    resumed = desk.resume()
    assert resumed is not None
    assert [row.stage for row in resumed.actions] == ["failed", "done"]
    assert "110007" in resumed.actions[0].reason
    assert len(desk.exchange.received) == 2


@pytest.mark.parametrize("dies", [True, False])
@pytest.mark.parametrize("refused", ["a", "b"])
def test_legs_end_alike_when_one_was_refused_whether_or_not_the_process_died(
    lite: Engine, refused: str, *, dies: bool
) -> None:
    """The first leg is filled in half of a slice, then refused: the other hedges that half."""
    slices = Mandate.model_validate({"policy": {"max_slice": "10000"}})
    faults = [
        Fault("order", "partial", account=refused, nth=2),
        Fault("order", "rejected", account=refused, nth=3, code="110007"),
    ]
    desk = Desk.open(lite, faults=faults, mandate=slices)

    def die(row: Progress) -> None:
        if dies and row.state == "rejected":
            raise Crash

    desk.watch = die
    made = desk.plan(*SWITCH)
    try:
        asyncio.run(desk.executor().run(made, desk.start, desk.mandate))
        assert not dies
    except Crash:
        desk.watch = lambda row: None
        desk.resume()
    filled = {"a": ("0.3", "0.3"), "b": ("0.4", "0.3")}[refused]
    held = (1 - desk.held("a", BTC_A), 1 + desk.held("b", BTC_B))
    assert held == tuple(map(Decimal, filled))
    assert max(desk.exchange.received.values()) == 1


@pytest.mark.parametrize(("skew_s", "goes"), [(1, True), (-1, True), (1.1, False), (-1.1, False)])
def test_a_plan_is_not_taken_up_at_a_venue_whose_clock_is_another(
    lite: Engine, skew_s: float, goes: bool
) -> None:
    desk = Desk.open(lite)
    executor = desk.executor()
    desk.watch = lambda row: executor.stop() if row.state == "filled" else None
    asyncio.run(executor.run(desk.plan(*SWITCH), desk.start, desk.mandate))
    desk.watch = lambda row: None

    async def other() -> Any:
        return desk.clock.now() + timedelta(seconds=skew_s)

    desk.venues["b"].server_time = other  # type: ignore[method-assign]
    report = desk.resume()
    assert report is not None
    assert ("CLOCK_SKEW_S: control=DAT-04 of=beta" in report.why) is not goes
    assert (len(desk.exchange.received) > 2) is goes


@pytest.mark.parametrize(("spread_s", "goes"), [(5, True), (6, False)])
def test_a_plan_is_not_taken_up_with_readings_of_different_times(
    lite: Engine, spread_s: int, goes: bool
) -> None:
    desk = Desk.open(lite)
    desk.controls = wide(epoch_spread_s=5)
    executor = desk.executor()
    desk.watch = lambda row: executor.stop() if row.state == "filled" else None
    asyncio.run(executor.run(desk.plan(*SWITCH), desk.start, desk.mandate))
    desk.watch = lambda row: None
    read = desk.venues["b"].read

    async def earlier() -> Any:
        row = await read()
        return row.model_copy(update={"at": row.at - timedelta(seconds=spread_s)})

    desk.venues["b"].read = earlier  # type: ignore[method-assign]
    report = desk.resume()
    assert report is not None
    assert ("EPOCH_SPREAD_S" in report.why) is not goes
    assert (len(desk.exchange.received) > 2) is goes


@pytest.mark.parametrize("end", [Crash, asyncio.CancelledError])
def test_a_plan_that_broke_off_before_its_book_was_checked_is_not_taken_up(
    lite: Engine, end: type[BaseException]
) -> None:
    """What was read before the end is no proof that it is what the plan was made for."""
    desk = Desk.open(lite)
    desk.exchange.trade_elsewhere("b", BTC_B, Decimal("0.3"))
    asked = desk.venues["a"].server_time

    async def ends() -> Any:
        raise end

    desk.venues["a"].server_time = ends  # type: ignore[method-assign]
    with pytest.raises(end):
        desk.run(*SWITCH)
    desk.venues["a"].server_time = asked  # type: ignore[method-assign]
    report = desk.resume()
    assert report is not None
    assert (report.status, desk.exchange.received) == ("superseded", {})


def test_a_break_at_the_end_freezes_though_the_process_died_over_it(lite: Engine) -> None:
    desk = Desk.open(lite)
    read = desk.venues["a"].read

    async def dies() -> Any:
        raise Crash

    def meddle(row: Progress) -> None:
        if (row.seq, row.state) == (1, "done"):
            desk.exchange.holdings["a"].wallet("USDT").add(Decimal(-500))
            desk.venues["a"].read = dies  # type: ignore[method-assign]

    desk.watch = meddle
    with pytest.raises(Crash):
        desk.run(order(1, "a", "sell", "0.5"))
    desk.venues["a"].read = read  # type: ignore[method-assign]
    report = desk.resume()
    assert report is not None
    assert (report.status, [row.what for row in report.breaks]) == ("done", ["USDT"])
    assert report.frozen.keys() == {"a"}
