"""Breakers stop what their state does not allow, whoever has tripped them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import Engine

from allocator.execution.office import Office
from allocator.risk.breaker import Breaker
from tests.execution.book import BTC_A, order, transfer
from tests.execution.desk import Desk, gathered
from tests.execution.limits import wide

SELL = order(1, "a", "sell", "0.2", reduce_only=True)
BUY = order(1, "a", "buy", "0.2")
SEND = transfer(1, "1000")
MOVE = {"seq": 1, "kind": "move", "from": "a", "to": "b", "instrument": BTC_A, "quantity": "0.2"}


def test_repeats_latch_the_account_until_somebody_resumes(lite: Engine) -> None:
    desk = Desk.open(lite)
    desk.controls = wide(repeats=1)
    report = desk.run(order(1, "a", "buy", "0.1"), order(2, "a", "buy", "0.2"))
    assert "REPEATED: control=ORD-07 of=a value=2 most=1" in report.why
    [breaker] = desk.journal().history.breakers()
    assert (breaker.scope, breaker.state, breaker.who) == ("account:a", Breaker.HALTED, "ORD-07")
    desk.controls = wide()
    desk.start = asyncio.run(gathered(desk))
    again = desk.run(order(1, "a", "sell", "0.1", reduce_only=True))
    assert "BREAKER: scope=account:a state=halted" in again.why
    assert "`allocator resume account:a`" in again.why
    desk.journal().reset("account:a", "looked into", "ann")
    desk.start = asyncio.run(gathered(desk))
    assert desk.run(order(1, "a", "sell", "0.2", reduce_only=True)).status == "done"


@pytest.mark.parametrize("scope", ["global", "venue:alpha", "account:a"])
@pytest.mark.parametrize(
    ("state", "action", "goes"),
    [
        (Breaker.HALTED, SELL, False),
        (Breaker.HALTED, SEND, False),
        (Breaker.REDUCING, BUY, False),
        (Breaker.REDUCING, SELL, True),
        (Breaker.REDUCING, SEND, True),
        (Breaker.REDUCING, MOVE, False),
    ],
)
def test_a_breaker_stops_what_its_state_does_not_allow(
    lite: Engine, scope: str, state: Breaker, action: dict[str, Any], goes: bool
) -> None:
    desk = Desk.open(lite)
    desk.journal().trip(scope, state, "news", "ann")
    report = desk.run(action)
    assert (f"BREAKER: scope={scope}" in report.why) is not goes
    assert bool(desk.exchange.received) is goes


def test_a_breaker_of_another_account_stops_nothing(lite: Engine) -> None:
    desk = Desk.open(lite)
    for scope in ("account:b", "venue:beta"):
        desk.journal().trip(scope, Breaker.HALTED, "news", "ann")
    assert desk.run(BUY).status == "done"


@pytest.mark.parametrize(("scope", "state"), [
    ("account:b", Breaker.HALTED), ("venue:beta", Breaker.HALTED), ("account:b", Breaker.REDUCING),
    ("global", Breaker.REDUCING),
])  # fmt: skip
def test_no_leg_is_sent_whose_hedge_a_breaker_stops(
    lite: Engine, scope: str, state: Breaker
) -> None:
    """Else every cycle would send one more slice of it, and nothing against it."""
    desk = Desk.open(lite)
    desk.journal().trip(scope, state, "news", "ann")
    sell = order(1, "a", "sell", "0.4", reduce_only=True, group="g")
    report = desk.run(sell, order(2, "b", "buy", "0.4", group="g"))
    assert f"BREAKER: scope={scope} state={state}" in report.why
    assert f"`allocator resume {scope}`" in report.why
    assert report.status == "superseded"
    assert not desk.exchange.received


def test_a_hedge_that_a_breaker_stops_between_two_slices_stops_both(lite: Engine) -> None:
    desk = Desk.open(lite)
    office = Office(lite, "desk", desk.clock)

    def halt(row: Any) -> None:
        if row.state == "filled" and row.seq == 2:
            office.trip("account:b", Breaker.HALTED, "news", "ann")

    desk.watch = halt
    group = {"reduce_only": True, "group": "g"}
    report = desk.run(order(1, "a", "sell", "0.8", **group), order(2, "b", "buy", "0.8", **group))
    assert "BREAKER: scope=account:b" in report.why
    assert len(desk.exchange.received) == 2


def test_a_halt_between_two_slices_stops_the_second(lite: Engine) -> None:
    desk = Desk.open(lite)
    group = {"reduce_only": True, "group": "g"}
    office = Office(lite, "desk", desk.clock)

    def halt(row: Any) -> None:
        if row.state == "filled" and row.seq == 2:
            office.trip("global", Breaker.HALTED, "news", "ann")

    desk.watch = halt
    report = desk.run(order(1, "a", "sell", "0.8", **group), order(2, "b", "buy", "0.8", **group))
    assert report.status == "superseded"
    assert "BREAKER" in report.why
    assert len(desk.exchange.received) == 2
