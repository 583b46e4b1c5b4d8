"""One deposit settles one transfer, by the record itself."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from alembic import command
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from allocator.execution import schema
from allocator.execution.attempts import Attempt
from allocator.execution.entries import Place, attempt_row
from allocator.execution.journal import Journal
from allocator.execution.manual import Verdict, resolve
from allocator.execution.reservations import reservations
from allocator.execution.schema import upgrade
from allocator.execution.transitions import State
from allocator.models.intents import Ack, Found
from allocator.state import Book
from tests.execution.book import MANDATE, recorded, snapshot, transfer, transfer_intent

FIRST, SECOND, THIRD = ("1" * 32, "2" * 32, "3" * 32)
New = Callable[[Engine], Journal]


def send(journal: Journal, *names: str) -> None:
    made = recorded(journal, *(transfer(seq, "1000") for seq, _ in enumerate(names, 1)))
    book = Book.of(snapshot(), MANDATE)
    for seq, name in enumerate(names, 1):
        intent = transfer_intent(name)
        rows, place = reservations(intent, book), Place(made.plan_hash, seq, 1, 1)
        journal.intend(place, intent, Decimal(5), rows, Decimal(100_000))
        journal.outcome(name, Ack(venue_id=f"w{seq}"))


def look(journal: Journal, name: str, *arrivals: str) -> Attempt:
    """Have a venue tell that one arrived, as any of these deposits."""
    return journal.found(name, told(*arrivals))


def told(*arrivals: str) -> Found:
    state = "settled" if arrivals else "in_transit"
    filled = "1000" if arrivals else "0"
    return Found.model_validate(
        {"venue_id": "w", "state": state, "filled": filled, "arrivals": arrivals}
    )


def test_a_deposit_that_settled_one_settles_no_other_under_the_next_leader(
    engine: Engine, new_journal: New
) -> None:
    first = new_journal(engine)
    send(first, FIRST, SECOND, THIRD)
    assert look(first, FIRST, "d1").settled_by == "d1"
    second = new_journal(engine)
    open_ = look(second, SECOND, "d1")
    assert (open_.state, open_.filled, open_.settled_by) == (State.IN_TRANSIT, 0, None)
    assert look(second, THIRD, "d2", "d1").settled_by == "d2"
    assert look(new_journal(engine), SECOND, "d1", "d2", "d3").settled_by == "d3"
    journal = new_journal(engine)
    assert {row.settled_by for row in journal.history.with_state(State.SETTLED)} == {
        "d1", "d2", "d3",
    }  # fmt: skip
    assert journal.history.verify() == ()


def test_what_is_not_settled_yet_keeps_no_deposit(engine: Engine, new_journal: New) -> None:
    """What the venue tells as arrived is on its way until the account shows it."""
    journal = new_journal(engine)
    send(journal, FIRST, SECOND)
    unseen = told("d1").model_copy(update={"state": "in_transit", "filled": Decimal(0)})
    assert journal.found(FIRST, unseen).settled_by is None
    assert look(journal, SECOND, "d1").state is State.SETTLED
    assert look(journal, FIRST, "d1").state is State.IN_TRANSIT


def test_a_venue_that_tells_no_deposits_settles_as_ever(engine: Engine, new_journal: New) -> None:
    journal = new_journal(engine)
    send(journal, FIRST, SECOND)
    for name in (FIRST, SECOND):
        row = journal.found(name, told("d").model_copy(update={"arrivals": ()}))
        assert (row.state, row.settled_by) == (State.SETTLED, None)
    assert journal.history.verify() == ()


def test_the_database_keeps_no_deposit_twice(engine: Engine, new_journal: New) -> None:
    journal = new_journal(engine)
    send(journal, FIRST, SECOND)
    look(journal, FIRST, "d1")
    with pytest.raises(IntegrityError), Session(engine) as session, session.begin():
        attempt_row(session, SECOND).settled_by = "d1"


def test_a_deposit_that_was_rewritten_is_told(engine: Engine, new_journal: New) -> None:
    journal = new_journal(engine)
    send(journal, FIRST)
    look(journal, FIRST, "d1")
    with Session(engine) as session, session.begin():
        attempt_row(session, FIRST).settled_by = "d2"
    (fault,) = journal.history.verify()
    assert "settled_by is d2; the audit says d1" in fault.what


def test_a_person_who_ends_one_takes_the_deposit_that_its_venue_names(
    engine: Engine, new_journal: New
) -> None:
    journal = new_journal(engine)
    send(journal, FIRST, SECOND)
    look(journal, FIRST)
    journal.hand_over(FIRST, "did not arrive in time")
    word = journal.history.arrived(FIRST, told("d1"))
    verdict = Verdict(State.SETTLED, Decimal(1000), "ann", "page", arrivals=word.arrivals)
    assert resolve(journal, FIRST, verdict).settled_by == "d1"
    assert journal.history.arrived(FIRST, told("d1")).state == "settled"
    assert journal.history.arrived(SECOND, told("d1")).state == "in_transit"
    assert look(journal, SECOND, "d1").state is State.IN_TRANSIT
    assert journal.history.verify() == ()


def test_transfers_settled_under_the_release_before_stay_readable(
    engine: Engine, new_journal: New
) -> None:
    """Of them nothing is told; what comes after is."""
    journal = new_journal(engine)
    send(journal, FIRST, SECOND)
    journal.found(FIRST, told("d1").model_copy(update={"arrivals": ()}))
    config = schema._config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0009")
        names = connection.execute(text("SELECT * FROM attempt")).keys()
        assert "settled_by" not in names
    upgrade(engine)
    journal = new_journal(engine)
    row = journal.history.attempt(FIRST)
    assert row is not None
    assert (row.state, row.settled_by) == (State.SETTLED, None)
    assert look(journal, SECOND, "d2").settled_by == "d2"
    assert journal.history.verify() == ()
