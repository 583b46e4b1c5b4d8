from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine

from allocator.adapters.paper import Behaviour, Fault
from allocator.execution.manual import Verdict, resolve
from allocator.execution.report import Progress
from allocator.execution.transitions import Stage, State
from allocator.models.intents import Capabilities
from tests.execution.book import (
    BTC_A,
    BTC_B,
    FUNDED,
    START,
    SWITCH,
    WHOLE,
    account,
    order,
    snapshot,
    transfer,
)
from tests.execution.desk import Desk


def test_plan_is_carried_out_in_the_order_it_needs(engine: Engine) -> None:
    desk = Desk.open(engine)
    report = desk.run(transfer(1, "1000"), *FUNDED)
    assert report.status == "done"
    assert report.reconciled
    assert report.breaks == ()
    assert desk.held("a", BTC_A) == Decimal("0.2")
    assert desk.held("b", BTC_B) == Decimal("-0.2")
    assert max(desk.exchange.effects.values()) == 1
    told = [(row.seq, row.state) for row in desk.seen]
    assert told.index((1, "done")) < told.index((2, "sending"))
    assert report.fees == 1 + Decimal("0.8") * 100000 * Decimal("0.0005")
    assert report.actions[1].average_price == Decimal("49999.5")
    assert report.actions[1].slippage == Decimal("0.4")
    assert desk.journal().history.verify() == ()


def test_report_tells_exposure_before_and_after(lite: Engine) -> None:
    desk = Desk.open(lite)
    report = desk.run(order(1, "a", "buy", "0.5"))
    exposure = report.exposure["BTC"]
    assert (exposure.before, exposure.after, exposure.planned) == (0, 25000, 25000)


def test_funded_order_waits_until_the_receiver_shows_the_money(lite: Engine) -> None:
    desk = Desk.open(lite)
    desk.run(transfer(1, "1000"), *FUNDED)
    sent = {row.seq: row.at for row in reversed(desk.seen) if row.state == "sending"}
    assert sent[2] - sent[1] >= timedelta(seconds=60)


def test_group_is_worked_in_slices_that_stay_in_step(lite: Engine) -> None:
    desk = Desk.open(lite)
    worst = Decimal(0)

    def look(_progress: Progress) -> None:
        nonlocal worst
        worst = max(worst, abs(desk.held("a", BTC_A) + desk.held("b", BTC_B)) * 50000)

    desk.watch = look
    report = desk.run(*SWITCH)
    assert report.status == "done"
    assert report.actions[0].attempts == 2
    assert Decimal(0) < worst <= desk.mandate.policy.max_slice


@pytest.mark.parametrize("nth", [1, 2, 3, 4])
def test_group_stays_in_step_when_a_slice_fills_in_part(lite: Engine, nth: int) -> None:
    desk = Desk.open(lite, faults=[Fault("order", "partial", nth=nth, share=Decimal("0.4"))])
    worst = Decimal(0)

    def look(_progress: Progress) -> None:
        nonlocal worst
        worst = max(worst, abs(desk.held("a", BTC_A) + desk.held("b", BTC_B)) * 50000)

    desk.watch = look
    report = desk.run(*SWITCH)
    assert report.status == "done"
    assert worst <= desk.mandate.policy.max_slice
    assert sum(row.attempts for row in report.actions) == 5
    assert len(desk.exchange.received) == 5


def test_rest_of_a_partial_fill_goes_under_a_new_id(lite: Engine) -> None:
    depth = {BTC_A: Decimal("0.2")}
    desk = Desk.open(lite, behaviour=Behaviour(depth=depth), mandate=WHOLE)
    report = desk.run(order(1, "a", "sell", "0.5", reduce_only=True))
    assert report.status == "done"
    assert report.actions[0].attempts == 3
    assert set(desk.exchange.received.values()) == {1}


def test_lost_answer_is_looked_up_and_never_sent_again(lite: Engine) -> None:
    desk = Desk.open(lite, faults=[Fault("order", "lost_after"), Fault("transfer", "lost_after")])
    report = desk.run(transfer(1, "1000"), *FUNDED)
    assert report.status == "done"
    assert set(desk.exchange.received.values()) == {1}


def test_lost_request_is_not_executed_and_not_sent_again(lite: Engine) -> None:
    desk = Desk.open(lite, faults=[Fault("order", "lost_before")])
    report = desk.run(*SWITCH)
    assert report.status == "partial"
    assert report.replan
    assert report.actions[0].state == State.NOT_EXECUTED
    assert report.actions[0].stage == "failed"
    assert report.actions[1].stage == "superseded"
    assert not desk.exchange.received
    assert desk.clock.now() > START + timedelta(seconds=5)


def test_request_that_arrives_late_is_found(lite: Engine) -> None:
    desk = Desk.open(lite, faults=[Fault("order", "late", delay_s=Decimal(4))])
    assert desk.run(*SWITCH).status == "done"


def test_request_that_the_window_refuses_is_not_executed(lite: Engine) -> None:
    desk = Desk.open(lite, faults=[Fault("order", "late", delay_s=Decimal(6))])
    report = desk.run(*SWITCH)
    assert report.actions[0].state == State.NOT_EXECUTED
    assert not desk.exchange.effects


def test_what_nobody_can_say_goes_to_an_operator(lite: Engine) -> None:
    faults = [Fault("order", "lost_after"), Fault("find", "error", times=10_000)]
    desk = Desk.open(lite, faults=faults)
    report = desk.run(*SWITCH)
    assert report.status == "superseded"
    assert report.actions[0].stage == "manual"
    assert set(report.frozen) == {"a"}
    history = desk.journal().history
    assert "manual" in [row.topic for row in history.alerts()]
    (attempt,) = history.with_state(State.MANUAL)
    verdict = Verdict(State.FILLED, Decimal("0.4"), "ann", "venue page")
    resolve(desk.journal(), attempt.client_id, verdict)
    assert history.frozen() == {}


def test_account_that_disagrees_is_not_taken_for_untouched(lite: Engine) -> None:
    """The order happened, its record is invisible for ever: only the position tells."""
    desk = Desk.open(
        lite,
        faults=[Fault("order", "lost_after")],
        behaviour=Behaviour(visible_after_s=Decimal(10**6)),
    )
    report = desk.run(*SWITCH)
    assert report.actions[0].stage == "manual"
    assert State.NOT_EXECUTED not in {row.state for row in report.actions}


def test_transfer_that_disagrees_is_not_taken_for_untouched(lite: Engine) -> None:
    desk = Desk.open(
        lite,
        faults=[Fault("transfer", "lost_after")],
        behaviour=Behaviour(visible_after_s=Decimal(10**6)),
    )
    report = desk.run(transfer(1, "1000"))
    assert report.actions[0].stage == "manual"
    assert set(report.frozen) == {"a", "b"}


def test_errors_are_never_negatives(lite: Engine) -> None:
    faults = [Fault("order", "lost_before"), Fault("find", "error", times=20)]
    desk = Desk.open(lite, faults=faults)
    report = desk.run(*SWITCH)
    assert report.actions[0].state == State.NOT_EXECUTED
    (event,) = (
        row for row in desk.journal().history.events() if row.facts.get("to") == "not_executed"
    )
    assert event.at - START > timedelta(seconds=20)


def test_rejection_ends_the_action_and_spares_the_rest(lite: Engine) -> None:
    desk = Desk.open(lite, faults=[Fault("transfer", "rejected", code="131212")])
    report = desk.run(
        transfer(1, "1000"), order(2, "a", "sell", "0.1"), order(3, "b", "buy", "0.1", after=[1])
    )
    assert report.status == "partial"
    assert [row.stage for row in report.actions] == ["failed", "done", "superseded"]
    assert "131212" in report.actions[0].reason


def test_price_beyond_the_worst_is_not_paid(lite: Engine) -> None:
    desk = Desk.open(lite)
    desk.exchange.set_price(BTC_A, Decimal(49000), Decimal(49001), Decimal("49000.5"))
    report = desk.run(order(1, "a", "sell", "0.5"))
    assert report.actions[0].stage == "superseded"
    assert "beyond the worst price" in report.actions[0].reason
    assert not desk.exchange.received
    assert desk.clock.now() >= START + timedelta(seconds=2)


def test_unquoted_market_is_waited_for(lite: Engine) -> None:
    desk = Desk.open(lite, faults=[Fault("quote", "error", times=3)])
    assert desk.run(order(1, "a", "sell", "0.5")).status == "done"


def test_trade_elsewhere_ends_the_plan(lite: Engine) -> None:
    desk = Desk.open(lite)

    def meddle(progress: Progress) -> None:
        if (progress.seq, progress.part, progress.state) == (3, 1, "filled"):
            desk.exchange.trade_elsewhere("b", BTC_B, Decimal("0.01"))
            desk.watch = lambda _: None

    desk.watch = meddle
    report = desk.run(*SWITCH, transfer(4, "10", after=[2, 3]))
    assert report.status == "superseded"
    assert report.replan
    assert "outside change" in report.why
    assert [row.stage for row in report.actions] == ["part_done", "part_done", "superseded"]
    assert report.frozen == {}
    assert [(row.account, row.what) for row in report.breaks] == [("b", BTC_B)]


def test_change_from_outside_in_one_account_explains_none_in_another(lite: Engine) -> None:
    desk = Desk.open(lite)

    def meddle(progress: Progress) -> None:
        if (progress.seq, progress.part, progress.state) == (3, 1, "filled"):
            desk.exchange.trade_elsewhere("b", BTC_B, Decimal("0.01"))
        if (progress.seq, progress.state) == (4, "superseded"):
            desk.exchange.holdings["a"].wallet("USDT").add(Decimal(-500))
            desk.watch = lambda _: None

    desk.watch = meddle
    report = desk.run(*SWITCH, transfer(4, "10", after=[2, 3]))
    assert report.replan
    assert {row.account for row in report.breaks} == {"a", "b"}
    assert set(report.frozen) == {"a"}


def test_book_that_is_not_the_snapshots_starts_nothing(lite: Engine) -> None:
    desk = Desk.open(lite)
    desk.exchange.trade_elsewhere("b", BTC_B, Decimal("0.001"))
    report = desk.run(*SWITCH)
    assert report.status == "superseded"
    assert "not the snapshot's" in report.why
    assert not desk.exchange.received


def test_missing_reading_is_not_flat(lite: Engine) -> None:
    desk = Desk.open(lite, faults=[Fault("read", "error", account="b", times=10_000)])
    report = desk.run(*SWITCH)
    assert report.status == "superseded"
    assert "not read completely: b" in report.why
    assert not report.reconciled
    assert not desk.exchange.received


def test_reading_that_fails_for_a_while_is_waited_for(lite: Engine) -> None:
    desk = Desk.open(lite, faults=[Fault("read", "error", account="b", times=5)])
    assert desk.run(*SWITCH).status == "done"


def test_break_at_the_end_freezes_the_account(lite: Engine) -> None:
    desk = Desk.open(lite)

    def meddle(progress: Progress) -> None:
        if (progress.seq, progress.state) == (1, "done"):
            desk.exchange.holdings["a"].wallet("USDT").add(Decimal(-500))

    desk.watch = meddle
    report = desk.run(order(1, "a", "sell", "0.5"))
    assert report.status == "done"
    assert [(row.account, row.what) for row in report.breaks] == [("a", "USDT")]
    assert report.breaks[0].seen < report.breaks[0].expected - report.breaks[0].tolerance
    assert set(report.frozen) == {"a"}


def test_stuck_transfer_goes_to_an_operator_in_time(lite: Engine) -> None:
    desk = Desk.open(lite, faults=[Fault("transfer", "stuck")])
    report = desk.run(transfer(1, "1000"), *FUNDED)
    assert [row.stage for row in report.actions] == ["manual", "superseded", "superseded"]
    assert desk.clock.now() >= START + timedelta(seconds=600)
    assert set(report.frozen) == {"a", "b"}


@pytest.mark.parametrize(("kind", "least"), [("internal", 0), ("onchain", 2)])
def test_money_on_a_chain_is_not_looked_up_in_the_moment_that_it_left(
    lite: Engine, monkeypatch: pytest.MonkeyPatch, kind: str, least: int
) -> None:
    desk = Desk.open(lite)
    routes = [{**row.model_dump(by_alias=True), "kind": kind} for row in desk.start.routes]
    start = desk.start.model_validate({**desk.start.model_dump(by_alias=True), "routes": routes})
    desk = Desk.open(lite, faults=[Fault("transfer", "stuck")], start=start)
    venue, looks = desk.venues["a"], list[datetime]()
    find = venue.find

    async def seen(*asked: Any) -> Any:
        looks.append(desk.clock.now())
        return await find(*asked)

    monkeypatch.setattr(venue, "find", seen)
    desk.run(transfer(1, "1000"))
    apart = [(b - a).total_seconds() for a, b in itertools.pairwise(looks)]
    assert sorted(apart)[1] >= least  # the first follows its acknowledgement at once
    assert max(apart) >= 10


def test_returned_transfer_funds_nothing(lite: Engine) -> None:
    desk = Desk.open(lite, faults=[Fault("transfer", "returned")])
    report = desk.run(transfer(1, "1000"), *FUNDED)
    assert [row.stage for row in report.actions] == ["failed", "superseded", "superseded"]
    assert report.breaks == ()


def test_transfers_without_a_key_go_one_at_a_time(lite: Engine) -> None:
    able = Capabilities(transfer_key=False, moves=True)
    desk = Desk.open(lite, behaviour=Behaviour(capabilities=able))
    routes = [row.model_dump(by_alias=True) for row in desk.start.routes]
    again = {**routes[0], "id": "a-b-2"}
    desk = Desk.open(
        lite,
        behaviour=Behaviour(capabilities=able),
        start=desk.start.model_validate(
            {**desk.start.model_dump(by_alias=True), "routes": [*routes, again]}
        ),
    )
    report = desk.run(transfer(1, "1000"), {**transfer(2, "500"), "route": "a-b-2"})
    assert report.status == "done"
    sent = {row.seq: row.at for row in desk.seen if row.state == "sending"}
    assert sent[2] - sent[1] >= timedelta(seconds=60)


@pytest.mark.parametrize(
    ("second", "keyed", "kind", "waits"),
    [
        ({"amount": "1000"}, False, "internal", True),
        ({"amount": "1000.5"}, False, "internal", False),
        ({"amount": "1000"}, True, "internal", False),
        ({"amount": "1000", "asset": "BTC"}, False, "internal", False),
        ({"amount": "1000"}, True, "onchain", False),
        ({"amount": "1000", "target": "b"}, True, "onchain", True),
        ({"amount": "1000.5", "target": "b"}, True, "onchain", False),
        ({"amount": "1000", "source": "b"}, False, "internal", False),
        ({"amount": "1000", "source": "d", "target": "a"}, False, "internal", True),
    ],
)
def test_transfers_that_a_venue_cannot_tell_apart_go_one_at_a_time(
    lite: Engine, second: dict[str, str], keyed: bool, kind: str, waits: bool
) -> None:
    """Its record tells the asset and the amount, and of a withdrawal where it went."""
    other = {"source": "d", "target": "c", "asset": "USDT", **second}
    names = {"a": "alpha", "b": "beta", "c": "beta", "d": "alpha"}
    accounts = [account(name, venue, "0") for name, venue in names.items()]
    for row in accounts:
        row["balances"]["BTC"] = {"wallet": "2000", "withdrawable": "2000"}
    routes = [
        {"id": "a-b", "from": "a", "to": "b", "asset": "USDT", "kind": kind, "latency_s": "60"},
        {"id": "other", "from": other["source"], "to": other["target"], "asset": other["asset"],
         "kind": kind, "latency_s": "60"},
    ]  # fmt: skip
    able = Capabilities(transfer_key=keyed, withdrawals=True, sees_deposits=True)
    start = snapshot(accounts=accounts, routes=routes)
    desk = Desk.open(lite, behaviour=Behaviour(capabilities=able), start=start)
    last = {"seq": 2, "kind": "transfer", "route": "other", "from": other["source"],
            "to": other["target"], "asset": other["asset"], "amount": other["amount"]}  # fmt: skip
    report = desk.run(transfer(1, "1000"), last)
    assert report.status == "done"
    sent = {row.seq: row.at for row in desk.seen if row.state == "sending"}
    assert (sent[2] - sent[1] >= timedelta(seconds=60)) is waits


def test_position_is_moved(lite: Engine) -> None:
    desk = Desk.open(lite)
    move = {"seq": 1, "kind": "move", "from": "a", "to": "b", "instrument": BTC_A, "quantity": "1"}
    report = desk.run(move)
    assert report.status == "done"
    assert (desk.held("a", BTC_A), desk.held("b", BTC_A)) == (0, 1)


def test_a_move_that_is_taken_and_then_rejected_fails_and_freezes_nothing(lite: Engine) -> None:
    desk = Desk.open(lite, faults=[Fault("move", "returned")])
    move = {"seq": 1, "kind": "move", "from": "a", "to": "b", "instrument": BTC_A, "quantity": "1"}
    after = {**order(2, "b", "buy", "0.1"), "after": [1]}
    report = desk.run(move, after)
    assert [row.stage for row in report.actions] == ["failed", "superseded"]
    assert report.actions[0].reason == "by the receiver"
    assert (desk.held("a", BTC_A), desk.held("b", BTC_A)) == (1, 0)
    assert (report.frozen, report.breaks) == ({}, ())
    (attempt,) = desk.journal().history.attempts(report.plan_hash)
    assert (attempt.state, attempt.filled, attempt.reason) == ("rejected", 0, "by the receiver")
    assert desk.journal().history.verify() == ()


def test_rest_too_small_to_send_is_told(lite: Engine) -> None:
    start = snapshot()
    rows = [row.model_dump(by_alias=True) for row in start.instruments]
    rows[0]["min_notional"] = Decimal(100)
    start = start.model_validate({**start.model_dump(by_alias=True), "instruments": rows})
    behaviour = Behaviour(depth={BTC_A: Decimal("0.499")})
    desk = Desk.open(lite, behaviour=behaviour, start=start, mandate=WHOLE)
    report = desk.run(order(1, "a", "sell", "0.5"))
    assert report.status == "partial"
    assert report.actions[0].stage == Stage.PART_DONE
    assert "0.001 is below the smallest order" in report.actions[0].reason


def test_transfer_of_more_than_is_held_is_not_sent(lite: Engine) -> None:
    rich = account("a", "alpha", "1")
    rich["balances"]["BTC"] = {"wallet": "5"}
    desk = Desk.open(lite, start=snapshot(accounts=[rich, account("b", "beta", "-1")]))
    report = desk.run(transfer(1, "100000"))
    assert report.status == "superseded"
    assert "NOT_HELD" in report.why
    assert not desk.exchange.received
