from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Engine, text
from sqlmodel import Session

from allocator.execution.database import connect
from allocator.execution.history import History
from allocator.execution.journal import Journal
from allocator.execution.office import Office
from allocator.models.controls import ApprovalConfig
from allocator.models.errors import RefusedError, StaleError
from allocator.models.plan import Plan
from allocator.risk.approvals import Standing, standing
from allocator.risk.breaker import Breaker, covering
from allocator.state import Book
from tests.execution.book import MANDATE, START, JumpingClock, order, plan, snapshot, transfer
from tests.execution.desk import Desk

RULES = ApprovalConfig(auto_below=Decimal(1000), second_above=Decimal(50000))


@pytest.fixture
def office(engine: Engine) -> Office:
    return Office(engine, "desk", JumpingClock())


def proposed(office: Office, *actions: dict[str, object]) -> Plan:
    made = plan(*actions)
    office.propose(made, snapshot(), MANDATE, "engine")
    return made


def stands(office: Office, made: Plan, later_s: int = 0) -> Standing:
    book = Book.of(snapshot(), MANDATE)
    verdicts = office.history.verdicts(made.plan_hash)
    return standing(book, made, verdicts, RULES, START + timedelta(seconds=later_s))


@pytest.mark.parametrize(
    "same", ["ann", " ann ", "Ann", "ANN\t", "a\u200bnn", "ann\u202e", "\uff21nn"]
)
def test_a_name_typed_otherwise_is_no_second_person(lite: Engine, same: str) -> None:
    desk = Desk.open(lite)
    made = desk.plan(order(1, "a", "sell", "0.1"))
    office = Office(lite, "desk", desk.clock)
    office.propose(made, desk.start, desk.mandate, "Engine")
    office.judge(made.plan_hash, "ann", "approved")
    with pytest.raises(RefusedError, match="ALREADY_JUDGED"):
        office.judge(made.plan_hash, same, "approved")
    with pytest.raises(RefusedError, match="SAME_EYES"):
        office.judge(made.plan_hash, "engine ", "approved")
    with pytest.raises(RefusedError, match="SAME_EYES"):
        office.judge(made.plan_hash, "eng\u00adine", "approved")
    with pytest.raises(RefusedError, match="NO_NAME"):
        office.judge(made.plan_hash, " \u200b", "approved")


def test_letting_an_account_act_that_does_not_stand_still_is_refused(lite: Engine) -> None:
    office = Office(lite, "desk", Desk.open(lite).clock)
    with pytest.raises(RefusedError, match="NOT_FROZEN: account=a"):
        office.thaw("a", "ann", "looked")
    assert office.history.events() == ()


def test_a_small_plan_needs_nobody_a_larger_one_somebody_the_largest_two(office: Office) -> None:
    small, large = proposed(office, transfer(1, "1000")), proposed(office, transfer(1, "1001"))
    largest = proposed(office, order(1, "a", "sell", "1.001"))
    assert [stands(office, row).needed for row in (small, large, largest)] == [0, 1, 2]
    assert stands(office, small).status == "auto"
    assert stands(office, large).status == "waiting"


def test_a_second_person_is_needed_above_the_threshold(office: Office) -> None:
    made = proposed(office, order(1, "a", "sell", "1.001"))
    office.judge(made.plan_hash, "ann", "approved", "looks right")
    assert stands(office, made).status == "waiting"
    office.judge(made.plan_hash, "ben", "approved")
    assert stands(office, made).status == "approved"
    assert stands(office, made).approvers == ("ann", "ben")


def test_an_approval_ends_with_the_age_of_its_snapshot(office: Office) -> None:
    made = proposed(office, transfer(1, "5000"))
    office.judge(made.plan_hash, "ann", "approved")
    assert stands(office, made, 300).status == "approved"
    assert stands(office, made, 301).status == "expired"


def test_a_verdict_counts_for_its_own_hash_alone(office: Office) -> None:
    made, other = proposed(office, transfer(1, "5000")), proposed(office, transfer(1, "5001"))
    office.judge(made.plan_hash, "ann", "approved")
    assert stands(office, other).status == "waiting"


def test_one_rejection_outweighs_every_approval(office: Office) -> None:
    made = proposed(office, transfer(1, "5000"))
    office.judge(made.plan_hash, "ann", "approved")
    office.judge(made.plan_hash, "ben", "rejected", "the market moves")
    assert stands(office, made).status == "rejected"


@pytest.mark.parametrize(
    ("who", "verdict", "reason", "code"),
    [
        ("engine", "approved", "", "SAME_EYES"),
        (" ", "approved", "", "NO_NAME"),
        ("", "rejected", "late", "NO_NAME"),
        ("ann", "rejected", " ", "NO_REASON"),
    ],
)
def test_a_verdict_is_refused(
    office: Office, who: str, verdict: str, reason: str, code: str
) -> None:
    made = proposed(office, transfer(1, "5000"))
    with pytest.raises(RefusedError, match=code):
        office.judge(made.plan_hash, who, verdict, reason)  # type: ignore[arg-type]


def test_nobody_speaks_twice_nor_of_a_plan_that_nobody_proposed(office: Office) -> None:
    made = proposed(office, transfer(1, "5000"))
    office.judge(made.plan_hash, "ann", "approved")
    with pytest.raises(RefusedError, match="ALREADY_JUDGED"):
        office.judge(made.plan_hash, "ann", "rejected", "on second thought")
    with pytest.raises(RefusedError, match="NOT_PROPOSED"):
        office.judge("0" * 64, "ann", "approved")


def test_an_approval_is_taken_back_and_given_again(office: Office) -> None:
    made = proposed(office, transfer(1, "5000"))
    office.judge(made.plan_hash, "ann", "approved", "looks right")
    office.retract(made.plan_hash, " Ann", "the market moves")
    assert (stands(office, made).status, stands(office, made).approvers) == ("waiting", ())
    assert office.history.verify() == ()
    (said,) = office.history.verdicts(made.plan_hash)
    assert (said.who, said.verdict, said.reason) == ("ann", "retracted", "the market moves")
    events = office.history.events(f"verdict:{made.plan_hash}:ann")
    assert [row.what for row in events] == ["approved", "retracted"]
    office.judge(made.plan_hash, "ANN", "approved", "it stands still")
    assert stands(office, made).approvers == ("ann",)
    office.retract(made.plan_hash, "ann")
    office.judge(made.plan_hash, "ann", "rejected", "on second thought")
    assert stands(office, made).status == "rejected"
    assert office.history.verify() == ()


def test_only_ones_own_approval_is_taken_back(office: Office) -> None:
    made = proposed(office, transfer(1, "5000"))
    office.judge(made.plan_hash, "ann", "approved")
    office.judge(made.plan_hash, "ben", "rejected", "the market moves")
    for who in ("ben", "carl", " "):
        with pytest.raises(RefusedError, match="NOT_APPROVED_BY"):
            office.retract(made.plan_hash, who)
    with pytest.raises(RefusedError, match="NOT_PROPOSED"):
        office.retract("0" * 64, "ann")
    assert stands(office, made).approvers == ("ann",)


def test_a_breaker_outlives_the_process_and_never_becomes_laxer_by_itself(engine: Engine) -> None:
    office = Office(engine, "desk", JumpingClock())
    assert office.trip("global", Breaker.HALTED, "news", "ann") is Breaker.HALTED
    assert office.trip("global", Breaker.REDUCING, "calmer", "ben") is Breaker.HALTED
    again = Office(engine, "desk", JumpingClock()).history.breakers()
    assert [(row.scope, row.state, row.who) for row in again] == [("global", "halted", "ann")]
    office.reset("global", "all clear", "ann")
    assert office.history.breakers()[0].state is Breaker.ACTIVE


def test_the_strictest_breaker_that_covers_an_account_holds(office: Office) -> None:
    office.trip("venue:okx", Breaker.REDUCING, "slow", "ann")
    office.trip("account:main", Breaker.HALTED, "odd", "ann")
    rows = office.history.breakers()
    found = [covering(rows, name, venue) for name, venue in (("main", "okx"), ("b", "okx"))]
    assert [row and row.state for row in found] == [Breaker.HALTED, Breaker.REDUCING]
    assert covering(rows, "b", "bybit") is None


def test_a_halt_that_is_not_in_force_is_told(lite: Engine) -> None:
    office = Office(connect(f"{lite.url}?timeout=0.01"), "desk", JumpingClock())
    with closing(sqlite3.connect(str(lite.url.database), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StaleError, match=r"NOT_HALTED: global is not halted: .*; try again"):
            office.trip("global", Breaker.HALTED, "odd prices", "ann")
        assert office.history.breakers() == ()
        other.execute("ROLLBACK")
    assert office.trip("global", Breaker.HALTED, "odd prices", "ann") is Breaker.HALTED


def test_a_halt_without_a_server_is_told_in_one_line() -> None:
    pytest.importorskip("psycopg")
    nobody = "postgresql://desk:canary@/book?host=127.0.0.1:1&host=127.0.0.1:2"
    with pytest.raises(StaleError, match="NOT_HALTED: global may not be halted: ") as told:
        Office(connect(nobody), "desk", JumpingClock()).trip("global", Breaker.HALTED, "odd", "ann")
    assert "\n" not in str(told.value)
    assert str(told.value).endswith("; try again")
    assert "canary" not in str(told.value)


@pytest.mark.parametrize("blocks", ["BEGIN IMMEDIATE", "BEGIN; SELECT * FROM event"])
def test_a_halt_is_tried_again_until_the_database_is_free(
    lite: Engine, caplog: pytest.LogCaptureFixture, blocks: str
) -> None:
    office = Office(connect(f"{lite.url}?timeout=0.01"), "desk", JumpingClock())
    office.note("a", "b")
    with closing(sqlite3.connect(str(lite.url.database), isolation_level=None)) as other:
        for statement in blocks.split("; "):
            other.execute(statement).fetchone()

        def let_go(record: logging.LogRecord) -> bool:
            if "trying again" in record.getMessage():
                other.execute("ROLLBACK")
            return True

        caplog.handler.addFilter(let_go)
        assert office.trip("global", Breaker.HALTED, "odd prices", "ann") is Breaker.HALTED
        caplog.handler.removeFilter(let_go)
    assert "NOT_HALTED" in caplog.text


@pytest.mark.parametrize("scope", ["", "okx", "venue:", "planet:okx"])
def test_a_scope_that_names_nothing_is_refused(office: Office, scope: str) -> None:
    with pytest.raises(RefusedError, match="BREAKER_SCOPE"):
        office.trip(scope, Breaker.HALTED, "news", "ann")


@pytest.mark.parametrize(("reason", "who"), [("", "ann"), ("news", " ")])
def test_halting_and_resuming_need_a_reason_and_a_name(
    office: Office, reason: str, who: str
) -> None:
    with pytest.raises(RefusedError, match="NO_REASON"):
        office.trip("global", Breaker.HALTED, reason, who)
    office.trip("global", Breaker.HALTED, "news", "ann")
    with pytest.raises(RefusedError, match="NO_REASON"):
        office.reset("global", reason, who)
    with pytest.raises(RefusedError, match="NOT_TRIPPED"):
        office.reset("venue:okx", "all clear", "ann")


def test_people_write_while_somebody_leads_and_the_audit_stays_whole(
    engine: Engine, new_journal: Callable[[Engine], Journal]
) -> None:
    leader, office = new_journal(engine), Office(engine, "desk", JumpingClock())
    leader.note("x", "one")
    office.trip("global", Breaker.HALTED, "news", "ann")
    leader.note("x", "two")
    proposed(office, transfer(1, "5000"))
    assert History(engine).verify() == ()
    assert {row.epoch for row in History(engine).events()} == {leader.lease.epoch}


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE breaker SET state = 'active'", "breaker:global: state is active"),
        ("DELETE FROM verdict", "is in the audit only"),
        ("UPDATE verdict SET verdict = 'rejected'", "verdict is rejected"),
        ("UPDATE proposal SET proposer = 'x'", "by is x"),
        ("UPDATE proposal SET plan_json = '{}'", "text is"),
    ],
)
def test_rewriting_what_people_said_is_found(office: Office, statement: str, told: str) -> None:
    made = proposed(office, transfer(1, "5000"))
    office.judge(made.plan_hash, "ann", "approved")
    office.trip("global", Breaker.HALTED, "news", "ann")
    with Session(office._engine) as session, session.begin():
        session.execute(text(statement))
    assert any(told in fault.what for fault in office.history.verify())


def test_cutting_notes_off_the_tail_of_the_audit_is_found(lite: Engine) -> None:
    office = Office(lite, "desk", JumpingClock())
    office.note("x", "one")
    office.note("x", "two")
    with Session(lite) as session, session.begin():
        session.execute(text("DROP TRIGGER event_keeps_rows"))
        session.execute(text("DELETE FROM event WHERE seq = 2"))
    assert [fault.what for fault in office.history.verify()] == [
        "the audit ends here and was written up to 2"
    ]
