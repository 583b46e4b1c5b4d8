from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DatabaseError
from sqlmodel import Session, select

from allocator.execution.entries import Place
from allocator.execution.journal import Journal
from allocator.execution.manual import Verdict, resolve
from allocator.execution.reservations import reservations, reserved
from allocator.execution.transitions import IllegalTransitionError, Stage, State
from allocator.models.errors import JournalError, RefusedError
from allocator.models.intents import Ack, Found, Rejected, TransferIntent, Unknown
from allocator.models.plan import Plan
from allocator.models.records import EventRow, ReservationRow
from allocator.state import Book
from tests.execution.book import (
    MANDATE,
    START,
    intend,
    order,
    order_intent,
    plan,
    recorded,
    snapshot,
    transfer,
    transfer_intent,
)

ORDER = order_intent()


def order_plan(journal: Journal) -> Plan:
    return recorded(journal, order(1, "a", "buy", "0.5"))


def send_transfer(journal: Journal, held: str | None, intent: TransferIntent) -> None:
    made = recorded(journal, transfer(1, str(intent.amount)))
    journal.intend(
        Place(made.plan_hash, 1, 1, 1),
        intent,
        Decimal(5),
        reservations(intent, Book.of(snapshot(), MANDATE)),
        None if held is None else Decimal(held),
    )


def phases(engine: Engine) -> dict[str, str]:
    with Session(engine) as session:
        return {row.direction: row.phase for row in session.exec(select(ReservationRow))}


def test_intent_is_on_record_before_anything_is_sent(journal: Journal) -> None:
    made = order_plan(journal)
    intend(journal, made, ORDER)
    (attempt,) = journal.history.open_attempts()
    assert attempt.state is State.SENDING
    assert attempt.intent == ORDER
    assert attempt.fence_at == START + timedelta(seconds=5)
    assert journal.history.actions(made.plan_hash)[0].stage is Stage.WORKING


def test_fence_counts_from_the_stamp_that_the_request_carries(journal: Journal) -> None:
    made = order_plan(journal)
    stamped = START - timedelta(seconds=2)
    intend(journal, made, order_intent(stamped_at=stamped))
    (attempt,) = journal.history.open_attempts()
    assert attempt.fence_at == START + timedelta(seconds=3)


def test_id_is_used_once(journal: Journal) -> None:
    made = order_plan(journal)
    intend(journal, made, ORDER)
    with pytest.raises(JournalError, match="ID_USED"):
        intend(journal, made, ORDER, number=2)


def test_plan_is_carried_out_once(journal: Journal) -> None:
    made = order_plan(journal)
    assert journal.open_cycle("desk", made.plan_hash) is None
    cycle = journal.open_cycle("desk", "another slot")
    assert cycle is not None
    first = journal.history.unfinished()[0]
    for status, note, told in (
        ("open", "", "it is under way; the next `allocator execute` or cycle takes it up"),
        ("parked", "", "it is under way; the next `allocator execute` or cycle takes it up"),
        ("ended", "", "it was carried out; a plan goes once: propose a new one"),
        ("superseded", "odd", "it was given up: odd; a plan goes once: propose a new one"),
    ):
        journal.close_cycle(first.id, status, note)
        with pytest.raises(RefusedError) as refused:
            journal.record_plan(cycle, made, snapshot(), MANDATE)
        assert str(refused.value) == f"PLAN_KNOWN: plan_hash={made.plan_hash}: {told}"


def test_plan_comes_back_with_what_it_was_made_from(journal: Journal) -> None:
    made = order_plan(journal)
    record = journal.history.plan(made.plan_hash)
    assert record is not None
    assert record.plan == made
    assert record.snapshot == snapshot()
    assert record.mandate == MANDATE


def test_order_is_followed_through_its_fills(journal: Journal) -> None:
    made = order_plan(journal)
    intend(journal, made, ORDER)
    journal.outcome(ORDER.client_id, Ack(venue_id="v1"))
    part = Found.model_validate(
        {"venue_id": "v1", "state": "partial", "filled": "0.2", "fees": {"USDT": "5"}}
    )
    events = len(journal.history.events())
    assert journal.found(ORDER.client_id, part).state is State.PARTIAL
    assert journal.found(ORDER.client_id, part).filled == Decimal("0.2")
    assert len(journal.history.events()) == events + 1
    done = Found.model_validate(
        {
            "venue_id": "v1",
            "state": "cancelled",
            "filled": "0.3",
            "average_price": "50000.1",
            "fees": {"USDT": "7.5"},
        }
    )
    attempt = journal.found(ORDER.client_id, done)
    assert attempt.final
    assert (attempt.filled, attempt.average_price) == (Decimal("0.3"), Decimal("50000.1"))
    assert attempt.fees == {"USDT": Decimal("7.5")}
    with pytest.raises(IllegalTransitionError):
        journal.outcome(ORDER.client_id, Ack(venue_id="v1"))
    assert journal.history.verify() == ()


def test_nothing_but_unknown_and_not_executed_is_concluded_by_us(journal: Journal) -> None:
    made = order_plan(journal)
    intend(journal, made, ORDER)
    with pytest.raises(JournalError, match="NOT_OURS_TO_SAY"):
        journal.mark(ORDER.client_id, State.ACKED, "")
    with pytest.raises(IllegalTransitionError):
        journal.mark(ORDER.client_id, State.NOT_EXECUTED, "")
    journal.mark(ORDER.client_id, State.UNKNOWN, "restart")
    assert journal.mark(ORDER.client_id, State.NOT_EXECUTED, "absent").final


def test_what_leaves_is_reserved_then_posted(journal: Journal, engine: Engine) -> None:
    intent = transfer_intent()
    send_transfer(journal, "1001", intent)
    assert phases(engine) == {"out": "reserved", "in": "reserved"}
    with Session(engine) as session:
        assert reserved(session, "a", "USDT") == Decimal(1001)
    journal.outcome(intent.client_id, Ack(venue_id="t"))
    moving = Found(venue_id="t", state="in_transit")
    journal.found(intent.client_id, moving)
    assert phases(engine) == {"out": "posted", "in": "reserved"}
    journal.found(intent.client_id, moving.model_copy(update={"state": "settled"}))
    assert phases(engine) == {"out": "posted", "in": "posted"}


def test_what_was_refused_is_voided(journal: Journal, engine: Engine) -> None:
    intent = transfer_intent()
    send_transfer(journal, "1001", intent)
    journal.outcome(intent.client_id, Rejected(code="131212", message="no"))
    assert phases(engine) == {"out": "voided", "in": "voided"}


@pytest.mark.parametrize("held", ["1000.99", None])
def test_more_than_is_held_is_refused(journal: Journal, held: str | None) -> None:
    with pytest.raises(RefusedError, match="NOT_HELD: account=a asset=USDT needed=1001"):
        send_transfer(journal, held, transfer_intent())
    assert journal.history.open_attempts() == ()


def test_unknown_transfer_keeps_its_money_reserved(journal: Journal, engine: Engine) -> None:
    intent = transfer_intent()
    send_transfer(journal, "1500", intent)
    journal.outcome(intent.client_id, Unknown(why="timeout"))
    assert phases(engine)["out"] == "reserved"
    other = transfer_intent("3" * 32, "500")
    with pytest.raises(RefusedError, match="needed=1502 held=1500"):
        send_transfer(journal, "1500", other)


def test_unresolved_goes_to_an_operator_and_its_accounts_freeze(journal: Journal) -> None:
    intent = transfer_intent()
    send_transfer(journal, "5000", intent)
    journal.outcome(intent.client_id, Unknown(why="timeout"))
    journal.hand_over(intent.client_id, "nobody knows")
    assert set(journal.history.frozen()) == {"a", "b"}
    assert [alert.topic for alert in journal.history.alerts()] == ["manual"]
    made = recorded(journal, order(1, "a", "buy", "0.1"))
    with pytest.raises(RefusedError, match=r"FROZEN: account=a .*`allocator resolve 2{32}`"):
        intend(journal, made, order_intent("9" * 32))
    with pytest.raises(RefusedError, match=r"MANUAL_OPEN: .*`allocator resolve 2{32}`"):
        journal.thaw("a", "ann", "looks fine")
    with pytest.raises(RefusedError, match="NO_EVIDENCE"):
        resolve(journal, intent.client_id, Verdict(State.SETTLED, Decimal(1000), "ann", " "))
    seen = Verdict(State.SETTLED, Decimal(1000), "ann", "venue page")
    ended = resolve(journal, intent.client_id, seen)
    assert ended.final
    assert journal.history.frozen() == {}
    (alert,) = journal.history.alerts()
    journal.delivered(alert.id)
    assert journal.history.alerts() == ()
    assert journal.history.verify() == ()


def test_frozen_account_is_thawed_by_evidence(journal: Journal) -> None:
    journal.freeze("a", "break")
    with pytest.raises(RefusedError, match="NO_EVIDENCE"):
        journal.thaw("a", "", "x")
    journal.thaw("a", "ann", "counted by hand")
    assert journal.history.frozen() == {}


def test_proposer_cannot_approve(journal: Journal) -> None:
    made = order_plan(journal)
    with pytest.raises(RefusedError, match="SAME_EYES"):
        journal.approve(made.plan_hash, "engine")
    journal.approve(made.plan_hash, "ann")
    assert journal.history.actions(made.plan_hash)[0].stage is Stage.APPROVED


def test_cycle_is_kept_with_its_end(journal: Journal) -> None:
    made = order_plan(journal)
    (cycle,) = journal.history.unfinished()
    assert cycle.plan_hash == made.plan_hash
    journal.close_cycle(cycle.id, "superseded", "outside change")
    assert journal.history.unfinished() == ()
    assert journal.history.cycle(cycle.id).note == "outside change"


def test_audit_refuses_to_be_rewritten(journal: Journal, engine: Engine) -> None:
    order_plan(journal)
    for statement in ("UPDATE event SET what = 'x'", "DELETE FROM event"):
        with pytest.raises(DatabaseError, match="append-only"), engine.begin() as connection:
            connection.execute(text(statement))


def unprotect(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP TRIGGER event_keeps_rows"))
        connection.execute(text("DROP TRIGGER event_keeps_facts"))


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE event SET facts_json = '{}' WHERE seq = 2", "was changed"),
        ("UPDATE event SET at = '2020-01-01T00:00:00.000000+00:00' WHERE seq = 2", "was changed"),
        ("DELETE FROM event WHERE seq = 2", "event 2 is missing"),
        ("DELETE FROM event WHERE seq = (SELECT max(seq) FROM event)", "the audit says None"),
        ("UPDATE attempt SET state = 'filled'", "is filled; the audit says sending"),
        ("DELETE FROM attempt", "is in the audit only"),
        ("UPDATE attempt SET filled = '99'", "filled is 99; the audit says 0"),
        ("UPDATE attempt SET average_price = '7'", "average_price is 7; the audit says None"),
        ('UPDATE attempt SET fees_json = \'{"USDT":"9"}\'', "the audit says {}"),
        ("UPDATE attempt SET intent_hash = 'x'", "request is not the one that was hashed"),
        ("UPDATE plan SET plan_json = replace(plan_json,'0.5','5')", "the plan is not the one"),
        ("UPDATE plan SET plan_json = plan_json || ' '", "text is"),
        ("UPDATE plan SET plan_json = 'x'", "cannot be read"),
        ("UPDATE plan SET snapshot_hash = 'x'", "snapshot is x; the audit says"),
        ("UPDATE plan SET approver = 'x'", "approver is x; the audit says None"),
        ("UPDATE plan SET baseline_json = '{}'", "the baseline is not the one in the audit"),
        ("UPDATE attempt SET account = 'b'", "account is b; the audit says a"),
        ("UPDATE plan SET proposer = 'eve'", "proposer is eve; the audit says"),
        ("UPDATE attempt SET filled = 'abc'", "attempts: a row cannot be read: not a number"),
        ("UPDATE attempt SET fence_at = 'x'", "attempts: a row cannot be read"),
        ("UPDATE event SET at = 'x' WHERE seq = 2", "a line of the audit cannot be read"),
        ("UPDATE event SET facts_json = '{' WHERE seq = 2", "was changed"),
        ("DELETE FROM action", "action 1 is None; the plan says order"),
        ("UPDATE action SET stage = 'done'", "stage is done; the audit says working"),
        ("UPDATE cycle SET status = 'x'", "status is x; the audit says open"),
        (
            "INSERT INTO cycle SELECT 9, portfolio, 'z', status, epoch, opened_at, ended_at, note "
            "FROM cycle",
            "slot is z; the audit says None",
        ),
    ],
)
def test_tampering_is_found(lite: Engine, new_journal: object, statement: str, what: str) -> None:
    assert callable(new_journal)
    journal: Journal = new_journal(lite)
    intend(journal, order_plan(journal), ORDER)
    assert journal.history.verify() == ()
    unprotect(lite)
    with lite.begin() as connection:
        connection.execute(text(statement))
    assert any(what in fault.what for fault in journal.history.verify())


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("DELETE FROM reservation WHERE direction = 'out'", "is not what the transfer asks for"),
        ("UPDATE reservation SET amount = 7", "is not what the transfer asks for"),
        ("UPDATE reservation SET phase = 'voided'", "is voided; the attempt says reserved"),
    ],
)
def test_money_set_aside_that_was_rewritten_is_found(
    journal: Journal, engine: Engine, statement: str, what: str
) -> None:
    send_transfer(journal, "5000", transfer_intent())
    assert journal.history.verify() == ()
    with engine.begin() as connection:
        connection.execute(text(statement))
    assert any(what in fault.what for fault in journal.history.verify())


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE attempt SET filled = 'abc'",
        "UPDATE attempt SET state = 'x'",
        "UPDATE attempt SET fees_json = '{'",
        "UPDATE plan SET plan_json = '{'",
        "UPDATE plan SET snapshot_json = '{}'",
    ],
)
def test_a_record_that_was_spoilt_is_told_and_not_worked_with(
    lite: Engine, new_journal: object, statement: str
) -> None:
    assert callable(new_journal)
    journal: Journal = new_journal(lite)
    made = order_plan(journal)
    intend(journal, made, ORDER)
    with lite.begin() as connection:
        connection.execute(text(statement))
    read = journal.history.plan if "plan" in statement else journal.history.attempts
    with pytest.raises(JournalError, match="UNREADABLE"):
        read(made.plan_hash)


def test_tail_cut_off_a_finished_cycle_is_found(lite: Engine, new_journal: object) -> None:
    assert callable(new_journal)
    journal: Journal = new_journal(lite)
    intend(journal, order_plan(journal), ORDER)
    journal.close_cycle(1, "ended", "all done")
    assert journal.history.verify() == ()
    unprotect(lite)
    with lite.begin() as connection:
        connection.execute(text("DELETE FROM event WHERE seq = (SELECT max(seq) FROM event)"))
    assert "status is ended; the audit says open" in journal.history.verify()[1].what


def test_rehashed_line_breaks_the_next_one(lite: Engine, new_journal: object) -> None:
    from allocator.execution.audit import digest

    assert callable(new_journal)
    journal: Journal = new_journal(lite)
    intend(journal, order_plan(journal), ORDER)
    unprotect(lite)
    with Session(lite) as session:
        row = session.get(EventRow, 2)
        assert row is not None
        row.subject = "plan:forged"
        row.hash = digest(row, row.seq, row.previous)
        session.add(row)
        session.commit()
    assert [(f.seq, f.what) for f in journal.history.verify() if f.seq is not None] == [
        (3, "does not follow the event before")
    ]


def test_request_that_was_changed_on_disk_is_refused(lite: Engine, new_journal: object) -> None:
    assert callable(new_journal)
    journal: Journal = new_journal(lite)
    intend(journal, order_plan(journal), ORDER)
    with lite.begin() as connection:
        connection.execute(text("UPDATE attempt SET intent_json = replace(intent_json,'0.5','5')"))
    with pytest.raises(JournalError, match="INTENT_CHANGED"):
        journal.history.open_attempts()


def test_plan_that_was_changed_on_disk_is_refused(lite: Engine, new_journal: object) -> None:
    assert callable(new_journal)
    journal: Journal = new_journal(lite)
    made = plan(order(1, "a", "buy", "0.5"))
    recorded(journal, order(1, "a", "buy", "0.5"))
    with lite.begin() as connection:
        connection.execute(text("UPDATE plan SET plan_json = replace(plan_json,'0.5','5')"))
    with pytest.raises(JournalError, match="PLAN_CHANGED"):
        journal.history.plan(made.plan_hash)
