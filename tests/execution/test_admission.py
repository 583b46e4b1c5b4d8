from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from allocator.adapters.paper import Behaviour
from allocator.execution.office import Office
from allocator.execution.report import ExecutionReport
from allocator.models.canonical import with_hash
from allocator.models.controls import ApprovalConfig
from allocator.models.errors import RefusedError, StaleError
from allocator.models.intents import Capabilities
from allocator.models.mandate import Mandate
from allocator.models.plan import Plan, Violation
from allocator.models.snapshot import Snapshot
from allocator.risk.approvals import standing
from allocator.state import Book
from tests.execution.book import BTC_A, order, transfer
from tests.execution.desk import Desk


def run(desk: Desk, made: Plan, **over: Any) -> Any:
    return asyncio.run(desk.executor().run(made, desk.start, desk.mandate, **over))


def test_plan_goes_once(lite: Engine) -> None:
    desk = Desk.open(lite)
    made = desk.plan(order(1, "a", "sell", "0.1"))
    assert run(desk, made).status == "done"
    with pytest.raises(RefusedError, match=r"PLAN_KNOWN: .*: it was carried out; a plan goes once"):
        run(desk, made)


def test_slot_has_one_cycle(lite: Engine) -> None:
    desk = Desk.open(lite)
    assert run(desk, desk.plan(), slot="08:00").status == "done"
    with pytest.raises(RefusedError, match="SLOT_TAKEN: slot=08:00"):
        run(desk, desk.plan(order(1, "a", "sell", "0.1")), slot="08:00")


@pytest.mark.parametrize("what", ["plan_hash", "snapshot_hash", "mandate_hash"])
def test_changed_plan_is_refused(lite: Engine, what: str) -> None:
    desk = Desk.open(lite)
    made = desk.plan(order(1, "a", "sell", "0.1")).model_copy(update={what: "0" * 64})
    if what != "plan_hash":
        made = with_hash(made)
    with pytest.raises(RefusedError, match=f"HASH_DIFFERS: what={what.split('_', maxsplit=1)[0]}"):
        run(desk, made)


def test_other_mandate_is_refused(lite: Engine) -> None:
    desk = Desk.open(lite)
    made = desk.plan(order(1, "a", "sell", "0.1"))
    desk.mandate = Mandate()
    with pytest.raises(RefusedError, match="what=mandate"):
        run(desk, made)


@pytest.mark.parametrize(
    ("age", "fresh"), [(59.9, True), (60, True), (60.1, False), (-1, True), (-1.1, False)]
)
def test_snapshot_must_be_fresh(lite: Engine, age: float, fresh: bool) -> None:
    desk = Desk.open(lite)
    desk.clock.at += timedelta(seconds=age)
    made = desk.plan(order(1, "a", "sell", "0.1"))
    if fresh:
        assert run(desk, made).status == "done"
    else:
        with pytest.raises(StaleError, match="SNAPSHOT_AGE"):
            run(desk, made)
        assert not desk.exchange.received


def test_plan_that_the_verifier_holds_back_is_refused(lite: Engine) -> None:
    desk = Desk.open(lite)
    executor = desk.executor()
    held_back = (Violation(code="MARGIN", message="a"),)
    executor._rules = replace(executor._rules, release=lambda *_: held_back)
    made = desk.plan(order(1, "a", "sell", "0.1"))
    with pytest.raises(RefusedError, match="NOT_RELEASED: MARGIN: a"):
        asyncio.run(executor.run(made, desk.start, desk.mandate))
    assert desk.journal().history.cycles() == ()


def test_refused_plan_is_refused(lite: Engine) -> None:
    desk = Desk.open(lite)
    with pytest.raises(RefusedError, match="PLAN_REFUSED"):
        run(desk, desk.plan(status="refused"))


def test_plan_that_leaves_something_broken_needs_an_approver(lite: Engine) -> None:
    desk = Desk.open(lite)
    made = desk.plan(order(1, "a", "sell", "0.1"), status="infeasible")
    with pytest.raises(RefusedError, match="NOT_APPROVED"):
        run(desk, made)
    assert run(desk, made, proposer="engine", approver="ann").status == "done"
    record = desk.journal().history.plan(made.plan_hash)
    assert record is not None
    assert (record.proposer, record.approver) == ("engine", "ann")


def test_proposer_cannot_approve_his_own_plan(lite: Engine) -> None:
    desk = Desk.open(lite)
    with pytest.raises(RefusedError, match="SAME_EYES"):
        run(desk, desk.plan(order(1, "a", "sell", "0.1")), proposer="ann", approver="ann")
    assert not desk.exchange.received
    assert desk.journal().history.cycles() == ()


def test_frozen_account_is_refused(lite: Engine) -> None:
    desk = Desk.open(lite)
    desk.journal().freeze("b", "break")
    with pytest.raises(RefusedError, match=r"FROZEN: account=b .*`allocator resolve`"):
        run(desk, desk.plan(transfer(1, "10")))


def test_account_without_a_venue_is_refused(lite: Engine) -> None:
    desk = Desk.open(lite)
    desk.venues = {"a": desk.venues["a"]}
    with pytest.raises(RefusedError, match=r"account=b; .*: put it back"):
        run(desk, desk.plan(order(1, "b", "buy", "0.1")))


MOVE = {"seq": 1, "kind": "move", "from": "a", "to": "b", "instrument": BTC_A, "quantity": "1"}


@pytest.mark.parametrize(
    ("able", "action"),
    [
        (Capabilities(orders=False), order(1, "a", "sell", "0.1")),
        (Capabilities(transfers=False), transfer(1, "10")),
        (Capabilities(moves=False), MOVE),
    ],
)
def test_what_a_venue_cannot_do_is_refused(
    lite: Engine, able: Capabilities, action: dict[str, Any]
) -> None:
    desk = Desk.open(lite, behaviour=Behaviour(capabilities=able))
    with pytest.raises(RefusedError, match="NOT_SUPPORTED: seq=1"):
        run(desk, desk.plan(action))


def test_withdrawal_needs_the_right_to_withdraw(lite: Engine) -> None:
    desk = Desk.open(lite)
    data = desk.start.model_dump(by_alias=True)
    data["routes"] = [{**row, "kind": "onchain"} for row in data["routes"]]
    start = desk.start.model_validate(data)
    for able, allowed in ((False, False), (True, True)):
        behaviour = Behaviour(capabilities=Capabilities(withdrawals=able, transfers=False))
        desk = Desk.open(lite, behaviour=behaviour, start=start)
        made = desk.plan(transfer(1, "10"))
        if allowed:
            assert run(desk, made).status == "done"
        else:
            with pytest.raises(RefusedError, match="NOT_SUPPORTED"):
                run(desk, made)


def test_plan_of_nothing_is_a_cycle_of_nothing(lite: Engine) -> None:
    desk = Desk.open(lite)
    report = run(desk, desk.plan(status="nothing"))
    assert (report.status, report.actions) == ("done", ())
    assert desk.journal().history.cycles()[0].status == "ended"


TWO = ApprovalConfig.model_validate({"auto_below": 0, "second_above": 10000, "max_age_s": 300})


@pytest.mark.parametrize("auto_below", [None, 0])
def test_plan_of_nothing_waits_for_nobody(lite: Engine, auto_below: int | None) -> None:
    desk, config = Desk.open(lite), TWO.model_copy(update={"auto_below": auto_below})
    book, now = Book.of(desk.start, desk.mandate), desk.start.as_of
    stands = standing(book, desk.plan(status="nothing"), (), config, now)
    assert (stands.status, stands.needed) == ("auto", 0)
    broken = standing(book, desk.plan(status="infeasible"), (), config, now)
    assert (broken.status, broken.needed) == ("waiting", 1), "somebody has to look at it"


def proposed(desk: Desk, quantity: str) -> Plan:
    made = desk.plan(order(1, "a", "sell", quantity))
    desk.journal().propose(made, desk.start, desk.mandate, "engine")
    return made


def carried(desk: Desk, hash_: str) -> ExecutionReport:
    executor = desk.executor()
    executor._rules = replace(executor._rules, approval=TWO)
    return asyncio.run(executor.execute(hash_))


def test_a_proposed_plan_goes_once_the_people_it_needs_have_approved(lite: Engine) -> None:
    desk = Desk.open(lite)
    made = proposed(desk, "0.3")
    for who in ("ann", "ben"):
        with pytest.raises(RefusedError, match="NOT_APPROVED: status=waiting needed=2"):
            carried(desk, made.plan_hash)
        desk.journal().judge(made.plan_hash, who, "approved")
    assert not desk.exchange.received
    assert carried(desk, made.plan_hash).status == "done"
    record = desk.journal().history.plan(made.plan_hash)
    assert record is not None
    assert record.approver == "ann, ben"


def test_an_approval_of_another_hash_counts_for_nothing(lite: Engine) -> None:
    desk = Desk.open(lite)
    made, other = proposed(desk, "0.1"), proposed(desk, "0.2")
    desk.journal().judge(made.plan_hash, "ann", "approved")
    with pytest.raises(RefusedError, match="NOT_APPROVED"):
        carried(desk, other.plan_hash)
    with pytest.raises(RefusedError, match="NOT_PROPOSED"):
        carried(desk, "0" * 64)
    assert not desk.exchange.received


@pytest.mark.parametrize(("age", "fresh"), [(299.9, True), (300, True), (300.1, False)])
def test_an_approval_is_bound_to_the_age_of_the_snapshot(
    lite: Engine, age: float, fresh: bool
) -> None:
    desk = Desk.open(lite)
    made = proposed(desk, "0.1")
    desk.journal().judge(made.plan_hash, "ann", "approved")
    desk.clock.at += timedelta(seconds=age)
    if fresh:
        assert carried(desk, made.plan_hash).status == "done"
        return
    with pytest.raises(StaleError, match="SNAPSHOT_AGE"):
        carried(desk, made.plan_hash)
    assert not desk.exchange.received


def test_a_rejected_plan_never_goes(lite: Engine) -> None:
    desk = Desk.open(lite)
    made = proposed(desk, "0.1")
    desk.journal().judge(made.plan_hash, "ann", "approved")
    desk.journal().judge(made.plan_hash, "ben", "rejected", "not today")
    with pytest.raises(RefusedError, match="status=rejected"):
        carried(desk, made.plan_hash)
    assert not desk.exchange.received


def test_nobody_judges_a_plan_that_has_begun(lite: Engine) -> None:
    desk = Desk.open(lite)
    made = proposed(desk, "0.1")
    desk.journal().judge(made.plan_hash, "ann", "approved")
    carried(desk, made.plan_hash)
    with pytest.raises(RefusedError, match="PLAN_BEGUN"):
        desk.journal().judge(made.plan_hash, "ben", "rejected", "too late")
    with pytest.raises(RefusedError, match="PLAN_BEGUN"):
        desk.journal().retract(made.plan_hash, "ann")


def test_an_approval_that_was_taken_back_lets_nothing_go(lite: Engine) -> None:
    desk = Desk.open(lite)
    made = proposed(desk, "0.1")
    desk.journal().judge(made.plan_hash, "ann", "approved")
    desk.journal().retract(made.plan_hash, "ann", "the market moves")
    with pytest.raises(RefusedError, match="NOT_APPROVED: status=waiting"):
        carried(desk, made.plan_hash)
    desk.journal().judge(made.plan_hash, "ann", "approved")
    assert carried(desk, made.plan_hash).status == "done"


def take_back(office: Office, hash_: str) -> None:
    office.retract(hash_, "ann")


def reject(office: Office, hash_: str) -> None:
    office.judge(hash_, "ben", "rejected", "not today")


@pytest.mark.parametrize("late", [take_back, reject])
def test_what_people_say_before_the_plan_is_on_record_counts(
    engine: Engine, late: Callable[[Office, str], None]
) -> None:
    """They speak while the leader still checks: whoever is not refused is heeded."""
    desk = Desk.open(engine)
    made = proposed(desk, "0.1")
    office = Office(engine, "desk", desk.clock)
    office.judge(made.plan_hash, "ann", "approved")

    def release(_snapshot: Snapshot, _mandate: Mandate, _plan: Plan) -> tuple[Violation, ...]:
        late(office, made.plan_hash)
        return ()

    executor = desk.executor()
    executor._rules = replace(executor._rules, approval=TWO, release=release)
    report = asyncio.run(executor.execute(made.plan_hash))
    assert (report.status, report.why[:13]) == ("superseded", "NOT_APPROVED:")
    assert not desk.exchange.received
    assert not desk.journal().history.unfinished()
    assert desk.journal().history.verify() == ()
