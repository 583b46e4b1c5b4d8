"""How orders are worked: prices, resting first, together in one request, stopped half way."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from allocator.adapters.paper import Behaviour, Fault
from allocator.execution.pricing import resting_price, taking_price
from allocator.execution.transitions import State
from allocator.models.intents import Capabilities, Finding, Found, OrderIntent, Quote
from allocator.models.plan import Order
from allocator.ports import Venue
from allocator.risk.breaker import Breaker
from tests.execution.book import BTC_A, BTC_B, START, order, transfer
from tests.execution.desk import CONFIG, Desk
from tests.execution.limits import wide
from tests.execution.working import RESTING, SINGLE, attempts, run

D = Decimal


prices = st.integers(1, 10**6).map(lambda n: D(n) / 10)


@given(prices, prices, prices, st.integers(0, 500), st.sampled_from(["buy", "sell"]))
def test_no_price_is_ever_beyond_the_worst(
    a: Decimal, b: Decimal, worst: Decimal, bps: int, side: str
) -> None:
    bid, ask = min(a, b), max(a, b)
    row = Order.model_validate(order(1, "a", side, "1", limit_price=worst))
    quote = Quote(instrument=BTC_A, bid=bid, ask=ask, mark=ask, at=START)
    for price in (taking_price(row, quote, D("0.1"), D(bps)), resting_price(row, quote)):
        assert price <= worst if side == "buy" else price >= worst
        assert price % D("0.1") == 0


@given(prices, st.integers(0, 500), st.sampled_from(["buy", "sell"]))
def test_a_taking_price_reaches_the_market_and_its_collar_alone(
    touch: Decimal, bps: int, side: str
) -> None:
    worst = touch * 2 if side == "buy" else D("0.1")
    row = Order.model_validate(order(1, "a", side, "1", limit_price=worst))
    quote = Quote(instrument=BTC_A, bid=touch, ask=touch, mark=touch, at=START)
    price = taking_price(row, quote, D("0.1"), D(bps))
    off = price - touch if side == "buy" else touch - price
    assert 0 <= off <= touch * bps / 10000


def test_every_slice_is_priced_anew_from_the_market_of_the_moment(lite: Engine) -> None:
    desk = Desk.open(lite, behaviour=Behaviour(depth={BTC_A: D("0.2")}))
    collared = CONFIG.model_copy(update={"collar_bps": D(1)})

    def move(row: Any) -> None:
        if row.state == "cancelled":
            desk.exchange.set_price(BTC_A, D(49900), D(49901), D("49900.5"))

    desk.watch = move
    assert run(desk, SINGLE, config=collared).status == "done"
    assert [intent.limit_price for intent, _ in attempts(desk)] == [D("49994.6"), D("49895.1")]


def test_an_order_rests_at_its_own_side_and_pays_no_spread(lite: Engine) -> None:
    desk = Desk.open(lite)

    def come(row: Any) -> None:
        if row.state == "acked":
            [found] = list(desk.exchange.records)
            desk.exchange.fill(found, D("0.4"))

    desk.watch = come
    report = run(desk, SINGLE)
    assert report.status == "done"
    [(intent, attempt)] = attempts(desk)
    assert (intent.style, intent.limit_price) == ("post_only", D("50000.5"))
    assert attempt.average_price == D("50000.5")


def test_what_nobody_comes_for_is_taken_after_the_last_try(lite: Engine) -> None:
    desk = Desk.open(lite)
    assert run(desk, SINGLE).status == "done"
    found = [(intent.style, attempt.state) for intent, attempt in attempts(desk)]
    assert found == [
        ("post_only", State.CANCELLED),
        ("post_only", State.CANCELLED),
        ("ioc", State.FILLED),
    ]


def test_prices_that_fail_once_do_not_end_resting(lite: Engine) -> None:
    desk = Desk.open(lite, faults=[Fault("quote", "error")])
    assert run(desk, SINGLE).status == "done"
    assert [intent.style for intent, _ in attempts(desk)] == ["post_only", "post_only", "ioc"]


def test_a_resting_order_that_would_take_is_no_end(lite: Engine) -> None:
    desk = Desk.open(lite, faults=[Fault("order", "rejected")])
    assert run(desk, SINGLE).status == "done"
    assert attempts(desk)[0][1].state is State.REJECTED


def test_only_the_leading_leg_of_a_group_rests(lite: Engine) -> None:
    desk = Desk.open(lite)
    pair = {"reduce_only": True, "group": "g"}
    report = run(desk, order(1, "a", "sell", "0.2", **pair), order(2, "b", "buy", "0.2", **pair))
    assert report.status == "done"
    styles = {(intent.instrument, intent.style) for intent, _ in attempts(desk)}
    assert styles == {(BTC_A, "post_only"), (BTC_A, "ioc"), (BTC_B, "ioc")}


def test_a_part_that_was_filled_while_resting_is_hedged_and_not_sent_again(lite: Engine) -> None:
    desk = Desk.open(lite)

    def come(row: Any) -> None:
        if row.state == "acked" and len(desk.exchange.records) == 1:
            desk.exchange.fill(next(iter(desk.exchange.records)), D("0.1"))

    desk.watch = come
    pair = {"reduce_only": True, "group": "g"}
    report = run(desk, order(1, "a", "sell", "0.2", **pair), order(2, "b", "buy", "0.2", **pair))
    assert report.status == "done"
    assert [row.filled for row in report.actions] == [D("0.2"), D("0.2")]
    assert desk.held("a", BTC_A) == D("0.8")


@pytest.mark.parametrize("state", [Breaker.HALTED, Breaker.REDUCING])
def test_a_halt_cancels_what_rests_in_the_market(lite: Engine, state: Breaker) -> None:
    from allocator.execution.office import Office

    desk = Desk.open(lite)
    office = Office(lite, "desk", desk.clock)

    def halt(row: Any) -> None:
        if row.state == "acked":
            office.trip("account:a", state, "news", "ann")

    desk.watch = halt
    report = run(desk, order(1, "a", "buy", "0.4"))
    assert "BREAKER" in report.why
    [(_, attempt)] = attempts(desk)
    assert attempt.state is State.CANCELLED
    assert (desk.clock.now() - START).total_seconds() < float(RESTING.post_only_timeout_s)
    assert all(record.ended for record in desk.exchange.records.values())  # type: ignore[union-attr]


def test_a_stop_cancels_what_rests_and_parks_the_plan(lite: Engine) -> None:
    desk = Desk.open(lite)
    executor = desk.executor()
    object.__setattr__(executor._shell, "config", RESTING)
    desk.watch = lambda row: executor.stop() if row.state == "acked" else None
    report = asyncio.run(executor.run(desk.plan(SINGLE), desk.start, desk.mandate))
    assert (report.status, report.why) == ("parked", "stopped on request")
    assert attempts(desk)[0][1].state is State.CANCELLED
    again = desk.resume()
    assert again is not None
    assert again.status == "done"


SWITCH = Capabilities(dead_man_s=D(10))


def test_the_venue_is_told_to_cancel_everything_should_we_fall_silent(lite: Engine) -> None:
    desk = Desk.open(lite, behaviour=Behaviour(capabilities=SWITCH))
    desk.controls = wide(dead_man_s=5)
    told = list[int]()
    arm = desk.exchange.arm

    def seen(account: str, seconds: int) -> None:
        told.append(seconds)
        arm(account, seconds)

    desk.exchange.arm = seen  # type: ignore[method-assign]
    assert run(desk, SINGLE).status == "done"
    assert set(told[:-1]) == {10}
    assert len(told) > 3
    assert told[-1] == 0
    assert not desk.exchange._silent_at


def test_the_switch_stays_armed_while_an_order_may_stand_in_the_market(lite: Engine) -> None:
    """Nobody can say what became of it: should it stand there, the silence ends it."""
    faults = [Fault("order", "lost_after"), Fault("find", "error", times=10_000)]
    desk = Desk.open(lite, behaviour=Behaviour(capabilities=SWITCH), faults=faults)
    desk.controls = wide(dead_man_s=5)
    run(desk, SINGLE)
    assert [row.state for row in desk.journal().history.open_attempts()] == []
    assert desk.journal().history.frozen().keys() == {"a"}
    assert desk.exchange._silent_at.keys() == {"a"}


@pytest.mark.parametrize("then", [[transfer(1, "1000")], [order(3, "b", "buy", "0.8")]])
def test_no_switch_runs_out_while_a_plan_goes_on_elsewhere(
    lite: Engine, then: list[dict[str, Any]]
) -> None:
    """It would cancel what somebody has placed by hand in an account that we are done with."""
    behaviour = Behaviour(depth={BTC_B: D("0.02")}, capabilities=SWITCH)
    desk = Desk.open(lite, behaviour=behaviour)
    desk.controls = wide(dead_man_s=5)
    told, arm = list[tuple[str, int, float]](), desk.exchange.arm

    def seen(account: str, seconds: int) -> None:
        told.append((account, seconds, desk.clock.now().timestamp()))
        arm(account, seconds)

    desk.exchange.arm = seen  # type: ignore[method-assign]
    report = run(desk, order(2, "a", "sell", "0.2", reduce_only=True), *then)
    assert report.status == "done", report.why
    for name in desk.venues:
        mine = [row for row in told if row[0] == name]
        assert all(late[2] - soon[2] < 10 for soon, late in pairwise(mine) if soon[1])
        assert mine[-1:] == [] or mine[-1][1] == 0


def test_silence_ends_what_rests(lite: Engine) -> None:
    desk = Desk.open(lite, behaviour=Behaviour(capabilities=SWITCH))
    venue: Any = desk.venues["a"]
    asyncio.run(venue.cancel_after(10))
    resting = OrderIntent(client_id="1" * 32, account="a", instrument=BTC_A, side="sell",
                          quantity=D("0.1"), limit_price=D(60000), style="post_only")  # fmt: skip
    asyncio.run(venue.submit(resting))
    asyncio.run(desk.clock.sleep(11))
    desk.exchange.now()
    assert desk.exchange.records["1" * 32].ended  # type: ignore[union-attr]


def test_where_the_switch_cannot_be_set_nothing_rests(lite: Engine) -> None:
    faults = [Fault("dead_man", "error")]
    desk = Desk.open(lite, behaviour=Behaviour(capabilities=SWITCH), faults=faults)
    desk.controls = wide(dead_man_s=10)
    assert run(desk, SINGLE).status == "done"
    assert [intent.style for intent, _ in attempts(desk)] == ["ioc"]
    refused = [row.facts["codes"] for row in desk.journal().history.events()
               if row.what == "refused"]  # fmt: skip
    assert refused == [["DEAD_MAN"]]


class FillsLate:
    """A venue that tells its first order cancelled unfilled, one look before its fills."""

    told = False

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def __getattr__(self, name: str) -> Any:
        return getattr(self._venue, name)

    async def find(self, *asked: Any) -> Finding:
        found = await self._venue.find(*asked)
        if self.told or not isinstance(found, Found):
            return found
        self.told = True
        none = {"state": "cancelled", "filled": D(0), "fees": {}, "average_price": None}
        return found.model_copy(update=none)


@pytest.mark.parametrize("style", ["ioc", "post_only"])
def test_a_slice_whose_fills_are_told_late_is_not_sent_again(lite: Engine, style: str) -> None:
    desk = Desk.open(lite)
    desk.venues = {**desk.venues, "a": FillsLate(desk.venues["a"])}  # type: ignore[dict-item]

    def come(row: Any) -> None:
        if row.state == "acked" and style == "post_only":
            desk.exchange.fill(next(iter(desk.exchange.records)), D("0.4"))

    desk.watch = come
    pair = {"reduce_only": True, "group": "g"}
    hedge = (order(2, "a", "sell", "0.8", **pair), order(3, "b", "buy", "0.8", **pair))
    report = run(desk, *hedge, config=RESTING.model_copy(update={"style": style}))
    assert (report.status, report.why[:14]) == ("superseded", "outside change")
    assert [intent.quantity for intent, _ in attempts(desk)] == [D("0.4")]
