"""Whoever rewrites a row of the record is found out by its audit."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlmodel import Session, col, delete, select

from allocator.adapters.paper import Fault
from allocator.execution.audit import GENESIS, TAIL, digest
from allocator.execution.database import connect
from allocator.execution.history import History
from allocator.execution.journal import Journal
from allocator.execution.manual import Verdict, resolve
from allocator.execution.schema import upgrade
from allocator.execution.transitions import State
from allocator.models.records import EventRow, TailRow
from allocator.risk.breaker import Breaker
from allocator.service.binding import bind
from allocator.service.mandates import Mandates
from tests.execution.book import FUNDED, MANDATE, START, WHOLE, plan, snapshot, transfer
from tests.execution.desk import Desk

AGO = "'2020-01-01T00:00:00.000000+00:00'"


def lived(engine: Engine) -> Desk:
    """A record with something in every table that is held against the audit."""
    desk = Desk.open(engine, faults=[Fault("transfer", "stuck", nth=2)])
    bind(engine, "desk", START)
    mandates = Mandates(engine, "desk")
    mandates.from_config(MANDATE, START)
    mandates.draft(WHOLE, "ann", "wider", START)
    desk.run(transfer(1, "1000"), *FUNDED, transfer(4, "500", "b-a", after=[2]))
    journal = desk.journal()
    journal.trip("venue:alpha", Breaker.HALTED, "odd prices", "ann")
    journal.freeze("a", "a break")
    journal.freeze("c", "a break")
    journal.thaw("c", "ann", "counted by hand")
    proposed = plan(transfer(1, "7"))
    journal.propose(proposed, snapshot(), MANDATE, "engine")
    journal.judge(proposed.plan_hash, "ann", "approved")
    journal.delivered(journal.history.alerts()[0].id)
    return desk


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Such a record, made once."""
    path = tmp_path_factory.mktemp("kept") / "journal.db"
    engine = connect(f"sqlite:///{path}")
    upgrade(engine)
    lived(engine)
    assert History(engine).verify() == ()
    engine.dispose()
    return path


@pytest.fixture
def record(kept: Path, tmp_path: Path) -> Iterator[Engine]:
    """A copy of it."""
    shutil.copyfile(kept, tmp_path / "journal.db")
    engine = connect(f"sqlite:///{tmp_path / 'journal.db'}")
    yield engine
    engine.dispose()


def found_after(engine: Engine, change: str) -> list[str]:
    with engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        assert connection.exec_driver_sql(change.format(ago=AGO)).rowcount
    return [row.what for row in History(engine).verify()]


TAMPERED = [
    ("UPDATE attempt SET intent_at = {ago}", "intent_at is 2020"),
    ("UPDATE attempt SET epoch = 99", "epoch is 99"),
    ("UPDATE attempt SET kind = 'move' WHERE kind = 'order'", "kind is move"),
    ("UPDATE reservation SET amount = '0' WHERE direction = 'out'", "out: amount is 0"),
    ("UPDATE reservation SET asset = 'ZZZ'", "asset is ZZZ; the audit says USDT"),
    ("UPDATE reservation SET account = 'zzz'", "account is zzz"),
    ("UPDATE frozen_account SET client_id = NULL", "its freezes are not those"),
    ("UPDATE frozen_account SET reason = 'nothing'", "its freezes are not those"),
    ("UPDATE frozen_account SET frozen_at = {ago}", "its freezes are not those"),
    ("UPDATE frozen_account SET lifted_by = 'bob' WHERE account = 'c'", "not lifted as"),
    ("UPDATE frozen_account SET lifted_by = 'bob' WHERE account = 'a'", "not lifted as"),
    ("UPDATE frozen_account SET evidence = 'x' WHERE account = 'c'", "not lifted as"),
    ("UPDATE frozen_account SET lifted_at = {ago} WHERE account = 'a'", "0 freezes"),
    ("DELETE FROM outbox", "is in the audit only"),
    ("DELETE FROM outbox WHERE id = 1", "alert:1 is in the audit only"),
    ("UPDATE outbox SET delivered_at = {ago}", "delivered_at is 2020"),
    ("UPDATE outbox SET delivered_at = NULL", "alert:1: delivered_at is None"),
    ("UPDATE outbox SET body_json = '{{}}'", "text is"),
    ("INSERT INTO outbox SELECT 99, at, topic, body_json, NULL FROM outbox WHERE id = 1",
     "alert:99: topic is"),
    ("UPDATE plan SET approved_at = {ago}", ": at is 2020"),
    ("UPDATE cycle SET opened_at = {ago}", "opened_at is 2020"),
    ("UPDATE cycle SET ended_at = NULL", "ended_at is None"),
    ("UPDATE cycle SET epoch = 99", "epoch is 99"),
    ("UPDATE leader SET epoch = 99", "leader:desk: epoch is 99"),
    ("UPDATE leader SET holder = 'eve'", "leader:desk: holder is eve"),
    ("DELETE FROM leader", "leader:desk is in the audit only"),
    ("UPDATE proposal SET at = {ago}", "at is 2020"),
    ("UPDATE verdict SET at = {ago}", "at is 2020"),
    ("UPDATE breaker SET at = {ago}", "at is 2020"),
    ("UPDATE mandate_version SET mandate_json = replace(mandate_json, '20000', '99999999')",
     "mandate:desk:1: the mandate is not the one that was hashed"),
    ("UPDATE mandate_version SET mandate_json = '{{'", "mandates: a row cannot be read"),
    ("UPDATE mandate_version SET mandate_json = (SELECT mandate_json FROM mandate_version WHERE "
     "version = 2), mandate_hash = (SELECT mandate_hash FROM mandate_version WHERE version = 2)",
     "mandate:desk:1: mandate is"),
    ("UPDATE mandate_version SET status = 'published'", "mandate:desk:2: status is published"),
    ("UPDATE mandate_version SET published_by = 'ann'", "by is ann"),
    ("UPDATE mandate_version SET published_at = {ago}", "published_at is 2020"),
    ("UPDATE mandate_version SET author = 'ben'", "author is ben"),
    ("UPDATE mandate_version SET created_at = {ago}", "created_at is 2020"),
    ("DELETE FROM mandate_version WHERE version = 2", "mandate:desk:2 is in the audit only"),
    ("INSERT INTO mandate_version SELECT 9, portfolio, 9, status, mandate_hash, mandate_json, note,"
     "author, created_at, published_by, published_at FROM mandate_version WHERE version = 1",
     "mandate:desk:9: status is published; the audit says None"),
    ("UPDATE installation SET installation = 'eve'", "installation:desk is in the audit only"),
    ("UPDATE installation SET bound_at = {ago}", "installation:desk: bound_at is 2020"),
    ("DELETE FROM installation", "installation:desk is in the audit only"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "what"), TAMPERED)
def test_a_row_that_was_rewritten_is_found(record: Engine, change: str, what: str) -> None:
    found = found_after(record, change)
    assert any(what in told for told in found), found


def test_a_record_of_either_database_holds(engine: Engine) -> None:
    lived(engine)
    assert History(engine).verify() == ()


def test_an_alert_whose_number_was_given_away_is_found(
    record: Engine, new_journal: Callable[[Engine], Journal]
) -> None:
    journal = new_journal(record)
    found_after(record, "DELETE FROM outbox WHERE id = (SELECT max(id) FROM outbox)")
    journal.freeze("e", "takes its number")
    found = [row.what for row in History(record).verify()]
    assert any("times is 1; the audit says 2" in told for told in found), found


def told_less(engine: Engine) -> None:
    """Chain the audit anew as an earlier release would have written it."""
    with Session(engine) as session, session.begin():
        if engine.dialect.name == "sqlite":
            session.connection().execute(text("DROP TRIGGER event_keeps_rows"))
            session.connection().execute(text("DROP TRIGGER event_keeps_facts"))
        else:
            session.connection().execute(text("ALTER TABLE event DISABLE TRIGGER ALL"))
        lines = [
            row.model_copy()
            for row in session.exec(select(EventRow).order_by(col(EventRow.seq)))
            if row.subject.partition(":")[0] not in ("alert", "leader", "mandate")
        ]
        session.connection().execute(delete(EventRow))
        session.expunge_all()
        previous = GENESIS
        for seq, row in enumerate(lines, 1):
            facts = json.loads(row.facts_json)
            for name in ("reserves", *(("client_id", "frozen_at") if row.what == "thawed" else ())):
                facts.pop(name, None)
            made = EventRow(
                seq=seq,
                at=row.at,
                epoch=row.epoch,
                subject=row.subject,
                what=row.what,
                facts_json=json.dumps(
                    facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False
                ),
                previous=previous,
                hash="",
            )
            made.hash = previous = digest(made, seq, previous)
            session.add(made)
        tail = session.get(TailRow, TAIL)
        assert tail is not None
        tail.seq, tail.hash = len(lines), previous


def test_a_record_of_an_earlier_release_holds_and_goes_on(
    engine: Engine, new_journal: Callable[[Engine], Journal]
) -> None:
    lived(engine)
    told_less(engine)
    assert History(engine).verify() == ()
    journal = new_journal(engine)
    (held,) = journal.history.with_state(State.MANUAL)
    resolve(journal, held.client_id, Verdict(State.SETTLED, Decimal(500), "ann", "its page"))
    journal.thaw("a", "ann", "counted by hand")
    for alert in journal.history.alerts():
        journal.delivered(alert.id)
    journal.freeze("d", "an alert that is told")
    mandates = Mandates(engine, "desk")
    mandates.publish(2, "ben", START)
    mandates.draft(MANDATE, "ann", "back again", START)
    assert [row.status for row in reversed(mandates.all())] == ["retired", "published", "draft"]
    assert History(engine).verify() == ()


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("UPDATE attempt SET intent_at = {ago}", "intent_at is 2020"),
        ("UPDATE attempt SET epoch = 99", "epoch is 99"),
        ("UPDATE frozen_account SET reason = 'nothing'", "its freezes are not those"),
        ("UPDATE cycle SET ended_at = NULL", "ended_at is None"),
        ("UPDATE mandate_version SET mandate_json = replace(mandate_json, '20000', '99999999')",
         "the mandate is not the one that was hashed"),
    ],
)  # fmt: skip
def test_what_an_earlier_release_told_is_held_against_its_rows(
    record: Engine, change: str, what: str
) -> None:
    told_less(record)
    found = found_after(record, change)
    assert any(what in told for told in found), found
