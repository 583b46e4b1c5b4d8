"""Requests of accounts that are not opened here: they stay open, and hold nothing else up."""

from __future__ import annotations

import asyncio
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine

from allocator.execution.manual import Verdict, resolve
from allocator.execution.office import Office
from allocator.execution.report import ExecutionReport
from allocator.execution.transitions import State
from allocator.models.base import json_value
from allocator.models.errors import JournalError, RefusedError
from allocator.models.intents import Ack, Finding, Found, Intent
from tests.execution.behind import Behind
from tests.execution.book import BTC_B, intend, order, order_intent, recorded, transfer
from tests.execution.book import transfer_intent as moved
from tests.execution.desk import Desk
from tests.execution.standing import Standing

A, B, MONEY = "1" * 32, "3" * 32, "2" * 32
ORDERS = (order(1, "a", "buy", "0.5"), order(2, "b", "buy", "0.5"))
LEFT = [State.ACKED, State.SENDING]


class Dead(Behind):
    """Answers nothing; an order that stands there stands."""

    async def find(self, intent: Intent, since: datetime, venue_id: str | None = None) -> Finding:
        raise OSError("no route to host")

    async def read(self) -> Any:
        raise OSError("no route to host")

    async def cancel(self, intent: Intent) -> Any:
        raise OSError("no route to host")


class Left:
    """What a process left: an order of each account, of which one is not opened any more."""

    def __init__(self, engine: Engine, *more: dict[str, Any], a: State = State.ACKED) -> None:
        self.desk = Desk.open(engine)
        self.every = {name: Standing(venue) for name, venue in self.desk.venues.items()}
        journal = self.desk.journal()
        self.plan = recorded(journal, *ORDERS, *more)
        readings = {name: asyncio.run(row.read()) for name, row in self.every.items()}
        journal.set_baseline(
            self.plan.plan_hash, {name: json_value(row) for name, row in readings.items()}
        )
        intend(journal, self.plan, order_intent(A), 1)
        intend(journal, self.plan, order_intent(B, account="b", instrument=BTC_B), 2)
        journal.outcome(B, Ack(venue_id="s1"))
        if a is State.ACKED:
            journal.outcome(A, Ack(venue_id="s1"))
        if more:
            intend(journal, self.plan, moved(MONEY), 3)
            journal.outcome(MONEY, Ack(venue_id="m1"))
            journal.found(MONEY, Found(venue_id="m1", state="in_transit"))
        self.desk.venues = {"b": self.every["b"]}

    def give_up(self) -> ExecutionReport | None:
        return asyncio.run(self.desk.executor().give_up("halted: odd"))

    def state(self, id_: str) -> State:
        found = self.desk.journal().history.attempt(id_)
        assert found is not None
        return found.state

    def topics(self) -> list[str]:
        return [row.topic for row in self.desk.journal().history.alerts()]

    @property
    def frozen(self) -> dict[str, str]:
        return self.desk.journal().history.frozen()


@pytest.mark.parametrize("a", LEFT)
def test_an_account_that_is_gone_keeps_no_order_of_another_standing(
    engine: Engine, a: State
) -> None:
    left = Left(engine, a=a)
    report = left.give_up()
    assert report is not None
    assert report.status == "superseded"
    assert (left.state(B), left.every["b"].cancels) == (State.CANCELLED, 1)
    assert left.state(A) is a
    assert left.frozen.keys() == {"a"}
    for told in (left.frozen["a"], left.desk.executor().unsettled()[0]):
        for words in ("NO_VENUE", "a", A, "put it back", f"`allocator resolve {A}`"):
            assert words in told
    assert not left.desk.journal().history.unfinished()
    assert not left.desk.journal().history.verify()


def test_money_on_its_way_from_an_account_that_is_gone_is_not_given_to_a_person_by_time(
    lite: Engine,
) -> None:
    left = Left(lite, transfer(3, "1000"))
    left.desk.clock.at = left.desk.clock.at.replace(day=28)
    left.give_up()
    assert left.state(MONEY) is State.IN_TRANSIT
    assert left.state(B) is State.CANCELLED
    assert MONEY in left.frozen["a"]


def test_it_is_told_once_and_nothing_new_goes_until_it_is_settled(lite: Engine) -> None:
    left = Left(lite)
    left.give_up()
    told = left.topics()
    assert told.count("frozen") == 1
    assert left.give_up() is None
    executor = left.desk.executor()
    assert asyncio.run(executor.resume()) is None
    assert A in executor.unsettled()[0]
    assert left.topics() == told
    made = left.desk.plan(order(1, "b", "buy", "0.3"))
    with pytest.raises(RefusedError, match=rf"UNRESOLVED.*{A}.*put it back"):
        asyncio.run(executor.run(made, left.desk.start, left.desk.mandate))


def test_a_plan_is_not_gone_on_with_while_an_account_of_it_is_gone(lite: Engine) -> None:
    left = Left(lite)
    report = left.desk.resume()
    assert report is not None
    assert (report.status, left.state(B)) == ("superseded", State.CANCELLED)
    assert "NO_VENUE: account=a" in report.why


def test_an_account_that_is_put_back_is_settled_and_acts_again(engine: Engine) -> None:
    left = Left(engine)
    left.give_up()
    left.desk.venues = left.every
    assert left.give_up() is None
    assert (left.state(A), left.every["a"].cancels) == (State.CANCELLED, 1)
    assert left.frozen == {}
    assert left.topics().count("thawed") == 1
    assert left.desk.executor().unsettled() == ()
    assert not left.desk.journal().history.verify()


@pytest.mark.parametrize("a", LEFT)
def test_a_person_ends_what_nobody_here_can_ask_about(engine: Engine, a: State) -> None:
    left = Left(engine, a=a)
    office = Office(engine, "desk", left.desk.clock)
    verdict = Verdict(State.CANCELLED, Decimal(0), "ann", "order page")
    with pytest.raises(JournalError, match="NOT_MANUAL"):
        resolve(office, A, verdict)
    left.give_up()
    assert [row.client_id for row in office.history.waiting()] == [A]
    assert resolve(office, A, verdict).state is State.CANCELLED
    assert office.history.waiting() == ()
    assert left.frozen == {}
    assert left.give_up() is None
    assert not left.desk.journal().history.verify()


def test_a_venue_that_answers_nothing_keeps_no_order_of_another_standing(lite: Engine) -> None:
    left = Left(lite)
    left.desk.venues = {"a": Dead(left.every["a"]), "b": left.every["b"]}
    began = left.desk.clock.at
    report = left.give_up()
    assert report is not None
    assert (left.state(B), left.every["b"].cancels) == (State.CANCELLED, 1)
    assert left.state(A) is State.MANUAL
    assert (left.desk.clock.at - began).total_seconds() < 120


def test_what_is_settled_after_a_restart_counts_the_plans_own_slices(lite: Engine) -> None:
    left = Left(lite)
    left.give_up()
    settled = [row for row in left.desk.seen if row.seq == 2 and row.state == State.CANCELLED]
    # 0.5 contracts are worth 25,000, in slices of 20,000 at most.
    assert [(row.part, row.parts) for row in settled] == [(1, 2)]
