"""Each control refuses through the executor: nothing is sent, and the refusal is on record."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine

from allocator.adapters.paper import Fault
from allocator.execution.history import History
from allocator.models.account import SeenOrder
from allocator.models.errors import RefusedError
from allocator.models.intents import OrderIntent
from tests.execution.book import (
    BTC_A,
    BTC_B,
    SLICED,
    WHOLE,
    account,
    instrument,
    order,
    snapshot,
    transfer,
)
from tests.execution.desk import CONFIG, Desk
from tests.execution.limits import wide
from tests.execution.working import attempts, run

SELL = order(1, "a", "sell", "0.2", reduce_only=True)
BUY = order(1, "a", "buy", "0.2")
SEND = transfer(1, "1000")
MOVE = {"seq": 1, "kind": "move", "from": "a", "to": "b", "instrument": BTC_A, "quantity": "0.2"}

# Figures of these actions on the book of `tests.execution.book`: 0.2 contracts at 50,000 are
# 10,000; buying makes 1.2 contracts in account a, 60,000 of 100,000 equity, beside 1 short in b.
LIMITS: list[tuple[str, str, dict[str, Any], str]] = [
    ("ORDER_UNITS", "order_units", BUY, "0.2"),
    ("ORDER_VALUE", "order_value", BUY, "10000"),
    ("PRICE_COLLAR", "collar_bps", BUY, "50"),
    ("WINDOW_COLLAR", "window_collar_bps", BUY, "50"),
    ("REPEATED", "repeats", BUY, "1"),
    ("POSITION_VALUE", "position_value", BUY, "60000"),
    ("GROSS_ACCOUNT", "gross_account", BUY, "60000"),
    ("GROSS_OWNER", "gross_owner", BUY, "110000"),
    ("GROSS_VENUE", "gross_venue", BUY, "60000"),
    ("GROSS_PORTFOLIO", "gross_portfolio", BUY, "110000"),
    ("NET_ACCOUNT", "net_account", BUY, "60000"),
    ("NET_OWNER", "net_owner", BUY, "10000"),
    ("NET_VENUE", "net_venue", BUY, "60000"),
    ("NET_PORTFOLIO", "net_portfolio", BUY, "10000"),
    ("TURNOVER_CYCLE", "turnover_cycle", BUY, "10000"),
    ("TURNOVER_HOUR", "turnover_hour", BUY, "10000"),
    ("TURNOVER_DAY", "turnover_day", BUY, "10000"),
    ("ACTIONS_CYCLE", "actions_cycle", BUY, "1"),
    ("ACTIONS_HOUR", "actions_hour", BUY, "1"),
    ("ACTIONS_DAY", "actions_day", BUY, "1"),
    ("MESSAGES_ACCOUNT", "messages_account", BUY, "1"),
    ("MESSAGES_LOGIN", "messages_login", BUY, "1"),
    ("MESSAGES_OWNER", "messages_owner", BUY, "1"),
    ("TRANSFER_VALUE", "transfer_value", SEND, "1000"),
    ("TRANSFER_DAY", "transfer_day", SEND, "1000"),
    ("MOVE_VALUE", "move_value", MOVE, "10000"),
]
E = Decimal("0.000001")


def tried(lite: Engine, action: dict[str, Any], **limits: Any) -> tuple[Desk, str]:
    """Try an action; tell why it was given up, empty if it was carried out."""
    desk = Desk.open(lite, mandate=WHOLE)
    desk.controls = wide(**limits)
    try:
        report = desk.run(action)
    except RefusedError as error:
        return desk, str(error)
    return desk, report.why


def refusals(desk: Desk) -> list[list[str]]:
    return [row.facts["codes"] for row in desk.journal().history.events() if row.what == "refused"]


def of(key: str, limit: Decimal | None) -> Any:
    return ({} if limit is None else {"BTC": limit}) if key == "order_units" else limit


@pytest.mark.parametrize(("code", "key", "action", "at"), LIMITS, ids=lambda x: str(x)[:20])
def test_limit_holds_exactly_where_it_stands(
    lite: Engine, code: str, key: str, action: dict[str, Any], at: str
) -> None:
    limit = Decimal(at)
    desk, why = tried(lite, action, **{key: of(key, limit - E)})
    assert code in why
    assert not desk.exchange.received
    assert any(code in codes for codes in refusals(desk))
    assert desk.journal().history.verify() == ()


@pytest.mark.parametrize(("code", "key", "action", "at"), LIMITS, ids=lambda x: str(x)[:20])
def test_what_meets_its_limit_goes(
    lite: Engine, code: str, key: str, action: dict[str, Any], at: str
) -> None:
    desk, why = tried(lite, action, **{key: of(key, Decimal(at))})
    assert why == ""
    assert sum(desk.exchange.effects.values()) == 1
    assert refusals(desk) == []


@pytest.mark.parametrize(("code", "key", "action", "at"), LIMITS, ids=lambda x: str(x)[:20])
def test_what_has_no_limit_is_never_sent(
    lite: Engine, code: str, key: str, action: dict[str, Any], at: str
) -> None:
    desk, why = tried(lite, action, **{key: of(key, None)})
    assert code in why
    assert not desk.exchange.received


@pytest.mark.parametrize(
    ("code", "key", "least"),
    [("LEVERAGE", "leverage", False), ("LIQUIDATION_DISTANCE", "liquidation_distance", True)],
)
def test_margin_of_an_account_bounds_an_increase_and_lets_a_reduction_through(
    lite: Engine, code: str, key: str, least: bool
) -> None:
    tight = "1" if least else "0.01"
    desk, why = tried(lite, order(1, "a", "buy", "2"), **{key: tight})
    assert code in why
    assert not desk.exchange.received
    desk, why = tried(lite, SELL, **{key: tight})
    assert why == ""


@pytest.mark.parametrize(("key", "limit"), [("reserve", "98999.1"), ("margin_ratio", "400")])
def test_transfer_leaves_what_its_sender_has_to_keep(lite: Engine, key: str, limit: str) -> None:
    desk, why = tried(lite, SEND, **{key: limit})
    assert key.upper() in why
    assert not desk.exchange.received
    assert tried(lite, transfer(1, "999"), reserve="99000")[1] == ""


def test_a_route_kind_that_is_not_enabled_is_not_used(lite: Engine) -> None:
    routes = [{"id": "a-b", "from": "a", "to": "b", "asset": "USDT", "kind": "onchain"}]
    desk = Desk.open(lite, start=snapshot(routes=routes))
    desk.controls = wide(route_kinds=["internal"])
    report = desk.run(SEND)
    assert "ROUTE_KIND" in report.why
    assert not desk.exchange.received


@pytest.mark.parametrize(
    ("code", "over"),
    [
        ("TICK", {"limit_price": "50100.05"}),
        ("MIN_NOTIONAL", {"quantity": "0.0001"}),
        ("REDUCE_ONLY", {"side": "sell", "quantity": "1.5", "limit_price": "49750",
                         "reduce_only": True}),
    ],
)  # fmt: skip
def test_an_order_keeps_the_rules_of_its_instrument(
    lite: Engine, code: str, over: dict[str, Any]
) -> None:
    desk = Desk.open(lite, mandate=WHOLE)
    made = desk.plan({**BUY, **over})
    report = asyncio.run(desk.executor().run(made, desk.start, desk.mandate))
    assert not desk.exchange.received
    assert report.status != "done"
    assert code in report.why or "below the smallest order" in report.actions[0].reason


@pytest.mark.parametrize(("key", "value"), [("status", "halted"), ("status", "reduce_only")])
def test_an_instrument_that_takes_no_such_order_gets_none(
    lite: Engine, key: str, value: str
) -> None:
    rows = [{**instrument(BTC_A), key: value}, instrument(BTC_B)]
    desk = Desk.open(lite, start=snapshot(instruments=rows))
    assert "INSTRUMENT_STATUS" in desk.run(BUY).why
    assert not desk.exchange.received


def test_an_order_that_would_meet_our_own_is_not_sent(lite: Engine) -> None:
    rows = [account("a", "alpha", "1"), account("b", "beta", "-1")]
    resting = {"instrument": BTC_A, "side": "sell", "quantity": "0.1", "price": "50100"}
    rows[1]["open_orders"] = [resting]
    desk = Desk.open(lite, start=snapshot(accounts=rows))
    report = desk.run(order(1, "a", "buy", "0.2", limit_price="50100"))
    assert "SELF_MATCH" in report.why
    assert not desk.exchange.received


@pytest.mark.parametrize("style", ["ioc", "post_only"])
def test_a_stop_of_the_same_group_leaves_the_ways_that_do_not_rest(
    lite: Engine, style: str
) -> None:
    rows = [account("a", "alpha", "1"), account("b", "beta", "-1")]
    stop = {"instrument": BTC_A, "side": "sell", "quantity": "0.1", "waits": True}
    rows[1]["open_orders"] = [stop]
    desk = Desk.open(lite, start=snapshot(accounts=rows))
    buy = order(1, "a", "buy", "0.2", limit_price="50100")
    report = run(desk, buy, config=CONFIG.model_copy(update={"style": style}))
    assert report.status == "done", report.why
    assert [intent.style for intent, _ in attempts(desk)] == ["ioc"]


@pytest.mark.parametrize("only", [True, False])
def test_orders_that_guard_a_position_do_not_keep_it_from_being_reduced(
    lite: Engine, *, only: bool
) -> None:
    """A stop and a take-profit of one contract each beside a long of one."""
    rows = [account("a", "alpha", "1"), account("b", "beta", "-1")]
    guard = {"instrument": BTC_A, "side": "sell", "quantity": "1", "reduce_only": only}
    rows[0]["open_orders"] = [{**guard, "waits": True}, {**guard, "price": "60000"}]
    desk = Desk.open(lite, start=snapshot(accounts=rows), mandate=WHOLE)
    desk.controls = wide(position_value=Decimal(55_000))
    sale = order(1, "a", "sell", "0.2", reduce_only=True)
    if only:
        assert desk.run(sale).status == "done"
    else:
        assert "POSITION_VALUE" in desk.run(sale).why


@pytest.mark.parametrize("came", [True, False])
def test_orders_of_others_count_as_they_stand_when_the_plan_begins(
    lite: Engine, *, came: bool
) -> None:
    """An approved plan may be half an hour old: what was placed or taken back since is known."""
    rows = [account("a", "alpha", "1"), account("b", "beta", "-1")]
    other = {"instrument": BTC_A, "side": "buy", "quantity": "5", "price": "40000"}
    if not came:
        rows[0]["open_orders"] = [other]
    desk = Desk.open(lite, start=snapshot(accounts=rows), mandate=WHOLE)
    desk.controls = wide(position_value=Decimal(70_000))
    read = desk.venues["a"].read

    async def later() -> Any:
        stand = (SeenOrder.model_validate(other),) if came else ()
        return (await read()).model_copy(update={"open_orders": stand})

    desk.venues["a"].read = later  # type: ignore[method-assign]
    report = desk.run(BUY)
    assert ("POSITION_VALUE" in report.why) is came
    assert bool(desk.exchange.received) is not came


@pytest.mark.parametrize(("whose", "counts"), [("other", True), ("ours", False), ("same", True)])
def test_orders_that_come_while_a_plan_goes_on_count_unless_they_are_its_own(
    lite: Engine, whose: str, *, counts: bool
) -> None:
    """A reading without names shows what has ended for as long as it lags.

    What stands where ours did after that is another's, the same as ours though it is.
    """
    desk = Desk.open(lite, mandate=SLICED)
    desk.controls = wide(position_value=Decimal(70_000))
    read, lag = desk.venues["a"].read, timedelta(seconds=3)
    other = SeenOrder.model_validate(
        {"instrument": BTC_A, "side": "buy", "quantity": "5", "price": "40000"}
    )

    def stand() -> tuple[SeenOrder, ...]:
        history = History(lite)
        plans = [row.plan_hash for row in history.cycles() if row.plan_hash is not None]
        rows = [row for name in plans for row in history.attempts(name) if row.final]
        last = rows[-1:] if whose == "ours" else rows[:1]
        if whose == "other":
            return (other,) if last else ()
        out = list[SeenOrder]()
        for row in last:
            assert isinstance(row.intent, OrderIntent)
            assert row.stepped_at is not None
            if (desk.clock.now() - row.stepped_at <= lag) is (whose == "ours"):
                mine = {key: getattr(row.intent, key) for key in ("instrument", "side", "quantity")}
                out.append(SeenOrder(**mine, price=row.intent.limit_price))
        return tuple(out)

    async def later() -> Any:
        if whose == "same":
            desk.clock.at += 2 * lag
        return (await read()).model_copy(update={"open_orders": stand()})

    desk.venues["a"].read = later  # type: ignore[method-assign]
    config = CONFIG.model_copy(update={"style": "post_only", "post_only_tries": 2})
    report = run(desk, order(1, "a", "buy", "0.4"), config=config)
    assert ("POSITION_VALUE" in report.why) is counts
    assert (report.status == "done") is not counts, report.why


@pytest.mark.parametrize("left", ["0.2", "0.15"])
def test_an_order_that_stood_before_the_plan_is_no_order_of_the_plan(
    lite: Engine, left: str
) -> None:
    """A resting order of ours goes to the best price, where another's of its size may stand."""
    rows = [account("a", "alpha", "1"), account("b", "beta", "-1")]
    other = {"instrument": BTC_A, "side": "buy", "quantity": "0.2", "price": "49999.5"}
    rows[0]["open_orders"] = [other]
    desk = Desk.open(lite, start=snapshot(accounts=rows), mandate=SLICED)
    desk.controls = wide(position_value=Decimal(75_000))
    read = desk.venues["a"].read

    async def later() -> Any:
        quantity = left if desk.exchange.received else "0.2"
        stand = (SeenOrder.model_validate({**other, "quantity": quantity}),)
        return (await read()).model_copy(update={"open_orders": stand})

    desk.venues["a"].read = later  # type: ignore[method-assign]
    config = CONFIG.model_copy(update={"style": "post_only", "post_only_tries": 1})
    report = run(desk, order(1, "a", "buy", "0.4"), config=config)
    assert "POSITION_VALUE" in report.why


def test_a_reference_that_is_too_old_is_none(lite: Engine) -> None:
    desk = Desk.open(lite)
    desk.controls = wide(reference_age_s=0)
    stale = desk.venues["a"].quote

    async def old(name: str) -> Any:
        quote = await stale(name)
        return quote.model_copy(update={"at": quote.at - timedelta(seconds=1)})

    desk.venues["a"].quote = old  # type: ignore[method-assign]
    assert "REFERENCE_AGE" in desk.run(BUY).why
    assert not desk.exchange.received


@pytest.mark.parametrize(("ahead_s", "goes"), [("1", True), ("1.000001", False)])
def test_a_reference_from_the_future_is_none(lite: Engine, ahead_s: str, goes: bool) -> None:
    desk = Desk.open(lite)
    told = desk.venues["a"].quote

    async def ahead(name: str) -> Any:
        quote = await told(name)
        return quote.model_copy(update={"at": quote.at + timedelta(seconds=float(ahead_s))})

    desk.venues["a"].quote = ahead  # type: ignore[method-assign]
    assert ("REFERENCE_AGE" not in desk.run(BUY).why) is goes
    assert bool(desk.exchange.received) is goes


def test_a_snapshot_that_lacks_an_account_is_not_acted_on(lite: Engine) -> None:
    empty = {"state": "frozen", "balances": {}, "positions": {}, "unread": True}
    rows = [account("a", "alpha", "1"), {**account("b", "beta", "-1"), **empty}]
    desk = Desk.open(lite, start=snapshot(accounts=rows))
    with pytest.raises(RefusedError, match="MISSING_ACCOUNTS: control=DAT-02 of=b value=1 most=0"):
        desk.run(BUY)
    desk.journal().freeze("b", "known to stand still")
    with pytest.raises(RefusedError, match="MISSING_ACCOUNTS"):
        desk.run(BUY)
    assert not desk.exchange.received


@pytest.mark.parametrize(("spread_s", "goes"), [(5, True), (6, False)])
def test_readings_of_different_times_are_not_acted_on(
    lite: Engine, spread_s: int, goes: bool
) -> None:
    desk = Desk.open(lite)
    desk.controls = wide(epoch_spread_s=5)
    read = desk.venues["b"].read

    async def earlier() -> Any:
        row = await read()
        return row.model_copy(update={"at": row.at - timedelta(seconds=spread_s)})

    desk.venues["b"].read = earlier  # type: ignore[method-assign]
    report = desk.run(SEND)
    assert ("EPOCH_SPREAD_S" in report.why) is not goes
    assert bool(desk.exchange.received) is goes


@pytest.mark.parametrize(("skew_s", "goes"), [(1, True), (-1, True), (1.1, False), (-1.1, False)])
def test_a_venue_whose_clock_is_another_gets_nothing(
    lite: Engine, skew_s: float, goes: bool
) -> None:
    desk = Desk.open(lite)

    async def other() -> Any:
        return desk.clock.now() + timedelta(seconds=skew_s)

    desk.venues["a"].server_time = other  # type: ignore[method-assign]
    report = desk.run(SELL)
    assert ("CLOCK_SKEW_S: control=DAT-04 of=alpha" in report.why) is not goes
    assert bool(desk.exchange.received) is goes


def test_a_clock_that_cannot_be_read_blocks(lite: Engine) -> None:
    desk = Desk.open(lite, faults=[Fault("time", "error", times=10)])
    assert "CLOCK_SKEW_S: control=DAT-04 of=alpha value=unknown" in desk.run(SELL).why
    assert not desk.exchange.received


def test_nothing_goes_where_no_limit_is_set(lite: Engine) -> None:
    desk = Desk.open(lite)
    desk.controls = type(desk.controls)()
    with pytest.raises(RefusedError, match="unset"):
        desk.run(BUY)
    assert not desk.exchange.received


@pytest.mark.parametrize(("limits", "code"), [
    ({"order_value": "11000"}, "ORDER_VALUE"), ({"order_units": {"BTC": "0.3"}}, "ORDER_UNITS"),
])  # fmt: skip
def test_no_leg_is_sent_whose_hedge_a_control_refuses(
    lite: Engine, limits: dict[str, Any], code: str
) -> None:
    """Else every cycle would send one more slice of it, and nothing against it."""
    desk = Desk.open(lite)
    desk.controls = wide(**limits)
    report = desk.run(
        order(1, "a", "sell", "0.1", group="g"), order(2, "b", "buy", "0.4", group="g")
    )
    assert report.status == "superseded"
    assert code in report.why
    assert not desk.exchange.received
