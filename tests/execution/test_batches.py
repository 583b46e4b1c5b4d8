"""Orders of one account that go together in one request, and legs that end alike all the same."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine

from allocator.adapters.paper import Behaviour, Fault
from allocator.execution.attempts import Attempt
from allocator.execution.journal import Journal
from allocator.execution.report import ExecutionReport, Progress
from allocator.execution.transitions import State
from allocator.models.intents import Capabilities
from allocator.models.mandate import Mandate
from allocator.models.snapshot import Snapshot
from tests.execution import desk as desks
from tests.execution.book import BTC_A, BTC_B, JumpingClock, instrument, order, snapshot
from tests.execution.crashes import Crash
from tests.execution.desk import CONFIG, Desk
from tests.execution.limits import wide
from tests.execution.working import attempts, run

D = Decimal


def both(quantity: str) -> list[dict[str, Any]]:
    """A group of two legs in one account."""
    pair = {"group": "g"}
    return [
        order(1, "a", "sell", quantity, reduce_only=True, **pair),
        {**order(2, "a", "buy", quantity, **pair), "instrument": BTC_B},
    ]


BATCHING = Behaviour(capabilities=Capabilities(batch_orders=20))


def two_legged() -> Snapshot:
    """A book whose first account holds, and may hold, both legs."""
    accounts = [row.model_dump(by_alias=True) for row in snapshot().accounts]
    accounts[0]["positions"][BTC_B] = {"quantity": "0", "leverage": "10"}
    return snapshot(accounts=accounts)


def batched(
    lite: Engine, *faults: Fault, behaviour: Behaviour = BATCHING
) -> tuple[Desk, list[int], ExecutionReport]:
    desk = Desk.open(lite, behaviour=behaviour, start=two_legged(), faults=faults)
    sizes, venue = list[int](), desk.venues["a"]
    together: Any = venue.submit_together  # type: ignore[attr-defined]

    async def counted(intents: Any) -> Any:
        sizes.append(len(intents))
        return await together(intents)

    venue.submit_together = counted  # type: ignore[attr-defined]
    return desk, sizes, run(desk, *both("0.8"), config=CONFIG)


def test_legs_of_one_account_go_in_one_request_where_the_venue_takes_that(lite: Engine) -> None:
    desk, sizes, report = batched(lite)
    assert report.status == "done"
    assert sizes == [2, 2]
    assert (desk.held("a", BTC_A), desk.held("a", BTC_B)) == (D("0.2"), D("0.8"))


class Ticking(JumpingClock):
    """A clock that never tells one time twice, as the real one does not."""

    def now(self) -> datetime:
        self.at += timedelta(microseconds=10)
        return self.at


def test_legs_of_one_request_share_a_stamp(lite: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desks, "JumpingClock", Ticking)
    _, sizes, report = batched(lite)
    assert report.status == "done"
    assert sizes == [2, 2]


def test_legs_that_one_request_does_not_carry_go_one_by_one(lite: Engine) -> None:
    can = Capabilities(batch_orders=1)
    desk, sizes, report = batched(lite, behaviour=Behaviour(capabilities=can))
    assert report.status == "done"
    assert sizes == []
    assert (desk.held("a", BTC_A), desk.held("a", BTC_B)) == (D("0.2"), D("0.8"))


def test_orders_that_an_adapter_does_not_tell_of_are_looked_up(lite: Engine) -> None:
    desk = Desk.open(lite, behaviour=BATCHING, start=two_legged())
    venue = desk.venues["a"]
    together: Any = venue.submit_together  # type: ignore[attr-defined]

    async def short(intents: Any) -> Any:
        return (await together(intents))[:1]

    venue.submit_together = short  # type: ignore[attr-defined]
    report = run(desk, *both("0.8"), config=CONFIG)
    assert report.status == "done"
    assert (desk.held("a", BTC_A), desk.held("a", BTC_B)) == (D("0.2"), D("0.8"))
    assert {attempt.state for _, attempt in attempts(desk)} == {State.FILLED}


def test_a_leg_that_was_rejected_in_a_batch_ends_the_group_within_a_slice(lite: Engine) -> None:
    desk, sizes, report = batched(lite, Fault("order", "rejected", nth=2))
    assert report.status == "partial"
    assert sizes == [2]
    assert desk.held("a", BTC_A) == D("0.6")
    assert desk.held("a", BTC_B) == 0


@pytest.mark.parametrize("dies", [True, False])
@pytest.mark.parametrize("batch_orders", [1, 20])
def test_legs_end_alike_when_one_was_refused_whether_or_not_they_went_together(
    lite: Engine, batch_orders: int, *, dies: bool
) -> None:
    """The second leg waits two slices for its smallest order, and then is filled in part."""
    accounts = [row.model_dump(by_alias=True) for row in two_legged().accounts]
    rows = [instrument(BTC_A), {**instrument(BTC_B), "min_notional": "25000"}]
    desk = Desk.open(
        lite,
        behaviour=Behaviour(capabilities=Capabilities(batch_orders=batch_orders)),
        start=snapshot(accounts=accounts, instruments=rows),
        mandate=Mandate.model_validate({"policy": {"max_slice": "15000"}}),
        faults=[
            Fault("order", "rejected", nth=3, code="110007"),
            Fault("order", "partial", nth=4, share=D("0.1")),
        ],
    )

    def die(row: Progress) -> None:
        if dies and row.state == "rejected":
            raise Crash

    desk.watch = die
    try:
        report: ExecutionReport | None = run(desk, *both("0.9"), config=CONFIG)
        assert not dies
    except Crash:
        desk.watch = lambda row: None
        report = desk.resume()
    assert report is not None
    assert (desk.held("a", BTC_A), desk.held("a", BTC_B)) == (D("0.4"), D("0.6"))
    why = "110007: ordered by a fault"
    assert [(row.stage, row.reason) for row in report.actions] == [
        ("part_done", f"0.3 of 0.9 not filled: {why}; rejected: {why}"),
        ("part_done", f"0.3 of 0.9 not filled; rejected: {why}"),
    ]
    assert [row.state for leg, row in attempts(desk) if leg.instrument == BTC_A] == [
        State.FILLED, State.FILLED, State.REJECTED,
    ]  # fmt: skip
    assert max(desk.exchange.received.values()) == 1


def test_a_batch_with_a_leg_that_a_control_blocks_is_not_sent(lite: Engine) -> None:
    desk, sizes, report = batched(lite)
    del desk, sizes, report
    start = snapshot()
    accounts = [row.model_dump(by_alias=True) for row in start.accounts]
    accounts[0]["positions"][BTC_B] = {"quantity": "0", "leverage": "10"}
    blocked = Desk.open(lite, behaviour=BATCHING, start=snapshot(accounts=accounts))
    blocked.controls = wide(position_value="55000", gross_account="60000")
    made = blocked.plan(*both("0.7"))
    report = asyncio.run(blocked.executor().run(made, blocked.start, blocked.mandate))
    assert "GROSS_ACCOUNT" in report.why
    assert not blocked.exchange.received
    states = {row.state for row in blocked.journal().history.attempts(made.plan_hash)}
    assert states == {State.REJECTED}


def test_a_batch_that_was_held_up_too_long_is_not_sent(
    lite: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    intend: Any = Journal.intend

    def slow(self: Any, *args: Any, **over: Any) -> Attempt:
        out: Attempt = intend(self, *args, **over)
        self._clock.at += timedelta(seconds=2)
        return out

    monkeypatch.setattr(Journal, "intend", slow)
    desk, sizes, report = batched(lite)
    assert sizes == []
    assert not desk.exchange.received
    assert {row.state for row in report.actions} == {State.NOT_EXECUTED}
