"""Orders that a venue leaves standing, absences that are believed, and clocks that stop."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from pydantic import ValidationError
from sqlalchemy import Engine

from allocator.adapters.paper import Behaviour, Fault
from allocator.adapters.paper.records import OrderRecord
from allocator.execution.report import Progress
from allocator.execution.requests import Absence
from allocator.execution.transitions import State
from allocator.models.config import ExecutionConfig
from allocator.models.intents import (
    Capabilities,
    Finding,
    Found,
    Intent,
    Outcome,
    TransferIntent,
    Unknown,
    Unsure,
)
from tests.execution.book import BTC_A, ROUTES, START, JumpingClock, order, snapshot, transfer
from tests.execution.desk import CONFIG, Desk
from tests.execution.standing import Standing, standing


def test_order_that_stands_is_cancelled_in_time(lite: Engine) -> None:
    desk = Desk.open(lite)
    venue = standing(desk)
    report = desk.run(order(1, "a", "sell", "0.5"))
    assert venue.cancels >= 1
    assert report.actions[0].state == State.CANCELLED
    assert report.actions[0].stage == "failed"
    assert "nothing filled" in report.actions[0].reason


def test_order_whose_end_is_never_told_goes_to_an_operator(lite: Engine) -> None:
    desk = Desk.open(lite)
    venue = standing(desk, ends=False)
    report = desk.run(order(1, "a", "sell", "0.5"))
    assert venue.cancels > 5
    assert report.actions[0].stage == "manual"
    assert set(report.frozen) == {"a"}


@pytest.mark.parametrize("filled", ["0.6", "-0.1"])
def test_fills_that_cannot_be_go_to_an_operator(lite: Engine, filled: str) -> None:
    desk = Desk.open(lite)
    if Decimal(filled) < 0:
        with pytest.raises(ValueError, match="greater than or equal to 0"):
            Found.model_validate({"venue_id": "v", "state": "partial", "filled": filled})
        return
    standing(desk, filled=filled)
    report = desk.run(order(1, "a", "sell", "0.5"))
    assert report.actions[0].stage == "manual"
    assert "OVERFILLED" in report.actions[0].reason


class Stalling(JumpingClock):
    """Stops the process for a while whenever it is asked the time of an intent."""

    stall_s = 0.0

    def now(self) -> datetime:
        self.at += timedelta(seconds=self.stall_s)
        return self.at


def test_request_that_was_held_up_too_long_is_not_sent(lite: Engine) -> None:
    desk = Desk.open(lite)
    clock = Stalling()
    desk.clock = clock
    desk.exchange.clock = clock
    desk.watch = lambda row: setattr(clock, "stall_s", 3.0 if row.state == "sending" else 0.0)
    report = desk.run(order(1, "a", "sell", "0.5"))
    assert not desk.exchange.received
    assert report.actions[0].state == State.NOT_EXECUTED


def test_negatives_count_only_after_the_fence_and_spaced() -> None:
    absence = Absence(START, timedelta(seconds=1))
    for after_s, count in ((-1, 0), (0, 0), (0.1, 1), (0.5, 1), (1.1, 2), (1.2, 2), (2.1, 3)):
        absence.add(START + timedelta(seconds=after_s))
        assert absence.count == count
        assert absence.enough is (count >= 3)


class Ahead(JumpingClock):
    """A venue's clock, which ours may fall behind while a plan goes on."""

    def __init__(self, ours: JumpingClock) -> None:
        super().__init__()
        self._ours = ours
        self.by = timedelta()

    def now(self) -> datetime:
        return self._ours.now() + self.by


@pytest.mark.parametrize("behind_s", [60, -60])
def test_a_clock_that_was_set_makes_no_window_shorter(lite: Engine, behind_s: int) -> None:
    """A venue's window goes by its own clock, the fence that stands for it by ours."""
    desk = Desk.open(lite, faults=[Fault("transfer", "late", delay_s=Decimal(4))])
    clock = Ahead(desk.clock)
    desk.exchange.clock = clock

    def set_(row: Progress) -> None:
        if (row.seq, row.state) == (1, "done"):
            clock.by = timedelta(seconds=behind_s)
            desk.clock.at -= clock.by

    desk.watch = set_
    venue = desk.venues["a"]
    submit = venue.submit

    async def stamped(intent: Intent) -> Outcome:
        """Stamp it by the venue's clock, as adapters do that have measured it anew."""
        assert intent.stamped_at is not None
        return await submit(intent.model_copy(update={"stamped_at": intent.stamped_at + clock.by}))

    venue.submit = stamped  # type: ignore[method-assign]
    first = order(1, "a", "sell", "0.4", reduce_only=True)
    report = desk.run(first, transfer(2, "1000", after=[1]))
    history = desk.journal().history
    [sent] = [row for row in history.attempts(report.plan_hash) if row.kind == "transfer"]
    for _ in range(10):
        asyncio.run(desk.clock.sleep(0.5))
        desk.exchange.now()
    assert desk.exchange.effects[sent.client_id] == 1
    assert sent.state is not State.NOT_EXECUTED, sent.reason


def in_a_minute(clock: JumpingClock) -> None:
    """Let nobody wait for longer than that, whatever the clock says."""
    slept, sleep = 0.0, clock.sleep

    async def counted(seconds: float) -> None:
        nonlocal slept
        slept += seconds
        assert slept < 60
        await sleep(seconds)

    clock.sleep = counted  # type: ignore[method-assign]


@pytest.mark.parametrize("state", ["sending", "acked"])
def test_a_clock_that_was_set_back_leaves_no_order_standing_for_longer(
    lite: Engine, state: str
) -> None:
    desk = Desk.open(lite)
    in_a_minute(desk.clock)
    venue = standing(desk)

    def set_back(row: Progress) -> None:
        if row.state == state:
            desk.watch = lambda _: None
            desk.clock.at -= timedelta(hours=1)

    desk.watch = set_back
    report = desk.run(order(1, "a", "sell", "0.5"))
    assert (report.actions[0].state, venue.cancels > 0) == (State.CANCELLED, True)


@pytest.mark.parametrize("state", ["sending", "unknown"])
def test_a_clock_that_was_set_back_leaves_no_outcome_open_for_longer(
    lite: Engine, state: str
) -> None:
    desk = Desk.open(lite, faults=[Fault("order", "lost_before")])
    in_a_minute(desk.clock)

    def set_back(row: Progress) -> None:
        if row.state == state:
            desk.watch = lambda _: None
            desk.clock.at -= timedelta(hours=1)
            desk.exchange.clock.by += timedelta(hours=1)  # type: ignore[attr-defined]

    desk.exchange.clock = Ahead(desk.clock)
    desk.watch = set_back
    report = desk.run(order(1, "a", "sell", "0.5"))
    assert report.actions[0].state == State.NOT_EXECUTED


def test_absence_of_what_the_venue_shows_late_is_not_believed(lite: Engine) -> None:
    able = Capabilities(read_lag_s=Decimal(3), moves=True)
    behaviour = Behaviour(visible_after_s=Decimal(3), capabilities=able)
    desk = Desk.open(lite, behaviour=behaviour)
    assert desk.run(order(1, "a", "sell", "0.5")).status == "done"


def test_absence_is_believed_while_a_transfer_that_came_back_is_still_on_record(
    lite: Engine,
) -> None:
    """The order is settled before anybody follows the transfer, whose money is there again."""
    faults = [Fault("transfer", "returned"), Fault("order", "lost_before", nth=2)]
    quick = [{**row, "latency_s": "2"} for row in ROUTES]
    desk = Desk.open(lite, faults=faults, start=snapshot(routes=quick))
    report = desk.run(transfer(1, "5000"), order(2, "a", "sell", "0.8", reduce_only=True))
    assert [str(row.state) for row in report.actions] == ["returned", "not_executed"]
    assert not report.frozen
    assert desk.held("a", BTC_A) == Decimal("0.6")


def test_money_that_came_back_between_two_slices_is_no_outside_change(lite: Engine) -> None:
    faults = [Fault("transfer", "returned"), Fault("order", "late", delay_s=Decimal(4))]
    quick = [{**row, "latency_s": "2"} for row in ROUTES]
    desk = Desk.open(lite, faults=faults, start=snapshot(routes=quick))
    report = desk.run(transfer(1, "5000"), order(2, "a", "sell", "0.8", reduce_only=True))
    assert [str(row.stage) for row in report.actions] == ["failed", "done"], report.why
    assert not report.frozen
    assert desk.held("a", BTC_A) == Decimal("0.2")


class Hasty(Standing):
    """Loses its answer, and tells of a transfer as settled long before the money is there."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk.venues["b"])
        self._clock = desk.clock

    async def submit(self, intent: Intent) -> Outcome:
        await self._venue.submit(intent)
        return Unknown(why="the reply was lost")

    async def find(self, intent: Intent, since: datetime, venue_id: str | None = None) -> Finding:
        if self._clock.at < START + timedelta(seconds=5):
            return Unsure(why="the reply was lost")
        return Found(venue_id="t", state="settled", filled=Decimal(1000))


def test_money_that_came_back_is_not_taken_for_another_transfer_s(lite: Engine) -> None:
    faults = [Fault("transfer", "returned", account="a"), Fault("transfer", "stuck", account="b")]
    quick = [{**row, "latency_s": "2"} for row in ROUTES]
    desk = Desk.open(lite, faults=faults, start=snapshot(routes=quick))
    desk.venues = {**desk.venues, "b": Hasty(desk)}
    report = desk.run(transfer(1, "5000"), transfer(2, "1000", "b-a"))
    assert [str(row.stage) for row in report.actions] == ["failed", "manual"]


def test_restart_cancels_the_order_that_stands(lite: Engine) -> None:
    desk = Desk.open(lite)
    venue = standing(desk, filled="0.2")

    async def killed() -> None:
        task = asyncio.create_task(
            desk.executor().run(desk.plan(order(1, "a", "sell", "0.5")), desk.start, desk.mandate)
        )
        desk.watch = lambda row: task.cancel() if row.state == "acked" else None
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(killed())
    desk.watch = lambda row: None
    assert venue.cancels == 0
    report = desk.resume()
    assert report is not None
    assert venue.cancels >= 1
    states: Mapping[str, State] = {
        row.client_id: row.state for row in desk.journal().history.attempts(report.plan_hash)
    }
    assert set(states.values()) == {State.CANCELLED}


@pytest.mark.parametrize("blind", [False, True])
def test_nothing_goes_to_an_operator_that_was_not_cancelled(lite: Engine, blind: bool) -> None:
    """Whether the order was seen standing all the time, or nobody could look."""
    faults = [Fault("order", "lost_after"), Fault("find", "error", times=10**6)]
    desk = Desk.open(lite, faults=faults if blind else [])
    rests = {"style": "post_only", "post_only_timeout_s": Decimal(60)}
    executor = desk.executor()
    object.__setattr__(executor._shell, "config", CONFIG.model_copy(update=rests))
    plan = desk.plan(order(1, "a", "sell", "0.4", reduce_only=True))
    report = asyncio.run(executor.run(plan, desk.start, desk.mandate))
    first = next(iter(desk.exchange.records.values()))
    assert isinstance(first, OrderRecord)
    assert first.ended
    assert (report.actions[0].stage == "manual") is blind


class TakesBack(Standing):
    """Tells of a fill once, and of none from then on."""

    told = False

    async def find(self, intent: Intent, since: datetime, venue_id: str | None = None) -> Finding:
        found = await super().find(intent, since, venue_id)
        assert isinstance(found, Found)
        if not self.told:
            self.told = True
            return found.model_copy(update={"state": "partial", "filled": Decimal("0.2")})
        return found


def test_an_order_whose_fills_are_taken_back_is_cancelled_before_anybody_looks(
    lite: Engine,
) -> None:
    desk = Desk.open(lite)
    venue = TakesBack(desk.venues["a"])
    desk.venues = {**desk.venues, "a": venue}
    report = desk.run(order(1, "a", "sell", "0.5"))
    assert report.actions[0].stage == "manual"
    assert "FILLS_TAKEN_BACK" in report.actions[0].reason
    assert venue.cancels == 1


@pytest.mark.parametrize("row", ["post_only_timeout_s", "order_timeout_s"])
@pytest.mark.parametrize("seconds", ["30", "60"])
def test_an_order_does_not_rest_until_its_end_is_unknown(row: str, seconds: str) -> None:
    given = {row: seconds, "unknown_deadline_s": "30"}
    with pytest.raises(ValidationError, match=f"{row}: below unknown_deadline_s"):
        ExecutionConfig.model_validate(given)
    assert ExecutionConfig.model_validate({**given, row: "29.9"})


def test_a_transfer_says_what_the_plan_has_for_its_charges(lite: Engine) -> None:
    dear = [{**ROUTES[0], "rate": "0.001"}, ROUTES[1]]
    desk = Desk.open(lite, start=snapshot(routes=dear))
    report = desk.run(transfer(1, "1000"))
    assert report.status == "done"
    [sent] = desk.journal().history.attempts(report.plan_hash)
    assert isinstance(sent.intent, TransferIntent)
    assert sent.intent.most_fee == 2
