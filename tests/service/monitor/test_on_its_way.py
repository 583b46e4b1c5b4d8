"""Money between accounts of the book is told beside their equity: together they are all of it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from allocator.execution.history import History
from allocator.execution.journal import Journal
from allocator.execution.leader import next_epoch
from allocator.execution.manual import Verdict, resolve
from allocator.execution.office import Office
from allocator.execution.transitions import State
from allocator.models.intents import Ack, Found
from allocator.service.monitor.history import MarkStore
from allocator.service.monitor.marks import Marks, marks_of
from allocator.service.overlay import coming, with_record
from tests.execution.book import START, JumpingClock, intend, recorded, transfer, transfer_intent
from tests.service.monitor.watched import EVER, MANDATE, Watched, snapshot
from tests.service.sites import Place
from tests.service.visitor import log_in, words

SENT = "2" * 32


@pytest.fixture
def sending(lite: Engine, watched: Watched) -> Journal:
    """A journal whose transfer of 10,000 from a to b is on its way."""
    watched.look(0)
    journal = Journal(lite, next_epoch(lite, "other", "t", START), JumpingClock())
    made = recorded(journal, transfer(1, "10000"))
    intend(journal, made, transfer_intent(SENT, "10000"))
    journal.outcome(SENT, Ack(venue_id="w"))
    journal.found(SENT, found("in_transit", "0"))
    return journal


def found(state: str, filled: str) -> Found:
    return Found.model_validate({"venue_id": "w", "state": state, "filled": filled})


def look(
    watched: Watched, minute: float, told: dict[str, str] | None = None, **changes: Any
) -> tuple[list[str], Marks]:
    """Look at what was gathered and what the record knows, or the venues have told."""
    history = History(watched.engine)
    watched.monitor.before_reading()
    seen = snapshot(START + timedelta(minutes=minute), **changes)
    places = {row.client_id: "in_transit" for row in coming(history)}
    if told is None:
        seen = with_record(seen, history)
    fired = watched.monitor.take(seen, MANDATE, {}, places=places if told is None else told)
    assert watched.monitor.latest is not None
    return [row.rule.id for row in fired], watched.monitor.latest


def test_equity_and_what_is_on_its_way_are_all_of_the_book(
    watched: Watched, sending: Journal
) -> None:
    fired, marks = look(watched, 1, wallet="90000")
    assert fired == []
    assert marks.equity == 190000
    assert marks.on_its_way == 10000
    assert {row.account: row.on_its_way for row in marks.accounts} == {"a": 0, "b": 10000}
    assert marks.in_doubt == 0
    sending.found(SENT, found("settled", "10000"))
    _, marks = look(watched, 2, wallet="90000", other="110000")
    assert marks.equity == 200000
    assert marks.on_its_way == 0
    rows = MarkStore(watched.folder).equity("book", *EVER)
    assert [row["equity"] + row["on_its_way"] for row in rows] == [200000] * 3
    by = MarkStore(watched.folder).equity("venue", *EVER)
    assert [row["on_its_way"] for row in by if row["name"] == "beta"] == [0, 10000, 0]


def test_what_is_on_its_way_to_an_account_that_was_not_read_is_told(
    watched: Watched, sending: Journal
) -> None:
    seen = with_record(snapshot(START + timedelta(minutes=1)), History(watched.engine))
    marks = marks_of(seen, MANDATE, {"b": "gone"})
    assert marks.on_its_way == 10000
    assert [row.on_its_way for row in marks.absent] == [10000]
    assert marks.in_doubt is None, "nobody has asked the record"


def test_what_may_be_on_its_way_is_in_doubt(watched: Watched, lite: Engine) -> None:
    watched.look(0)
    journal = Journal(lite, next_epoch(lite, "other", "t", START), JumpingClock())
    made = recorded(journal, transfer(1, "10000"))
    intend(journal, made, transfer_intent(SENT, "10000"))
    fired, marks = look(watched, 1, wallet="90000")
    assert fired == []
    assert marks.on_its_way == 0
    assert marks.in_doubt == 10000


@pytest.mark.parametrize("ends", ["settled", "returned"])
@pytest.mark.parametrize("waits", [False, True])
def test_a_transfer_that_is_over_by_its_venue_hides_no_drawdown(
    watched: Watched, sending: Journal, ends: str, waits: bool
) -> None:
    """It is in a wallet, whatever the record says of it, and waits for nobody to be counted."""
    if waits:
        sending.hand_over(SENT, "nobody knows")
    wallets = {"settled": ("90000", "110000"), "returned": ("100000", "100000")}[ends]
    a, b = (Decimal(row) for row in wallets)
    fired, marks = look(watched, 1, {SENT: ends}, wallet=str(a), other=str(b))
    assert fired == []
    assert marks.on_its_way == 0
    assert marks.in_doubt == 0
    fired, _ = look(watched, 2, {SENT: ends}, wallet=str(a - 2500), other=str(b))
    assert sorted(fired) == ["fall", "loss"]
    fired, _ = look(watched, 3, {SENT: ends}, wallet=str(a), other=str(b))
    assert fired == []
    assert watched.monitor._base.today(watched.monitor._at_work) == 0


def test_a_transfer_that_a_person_has_resolved_hides_no_drawdown(
    watched: Watched, sending: Journal
) -> None:
    sending.hand_over(SENT, "nobody knows")
    fired, marks = look(watched, 1, wallet="90000")
    assert fired == []
    assert marks.on_its_way == 10000
    verdict = Verdict(State.SETTLED, Decimal(10000), "bob", "seen at the venue")
    resolve(Office(watched.engine, "desk", JumpingClock()), SENT, verdict)
    fired, marks = look(watched, 2, wallet="90000", other="110000")
    assert fired == []
    assert marks.on_its_way == 0
    assert marks.in_doubt == 0
    assert "fall" in look(watched, 3, wallet="87500", other="110000")[0]


def test_page_and_api_tell_what_is_on_its_way(lite: Engine, tmp_path: Path) -> None:
    place = Place(lite, tmp_path)
    data = snapshot(wallet="90000").model_dump(mode="json")
    data["accounts"][1]["in_flight"] = [{"asset": "USDT", "amount": "10000", "direction": "in"}]
    marks = marks_of(type(snapshot()).model_validate(data), MANDATE)
    place.service.live.marks = marks.model_copy(update={"in_doubt": Decimal(77)})
    told = place.get("/v1/book").json()
    assert (told["equity"], told["on_its_way"], told["in_doubt"]) == ("190000", "10000", "77")
    assert [row["on_its_way"] for row in told["accounts"]] == ["0", "10000"]
    log_in(place)
    page = words(place.client.get("/book").text)
    assert "On its way, USD 10,000" in page
    assert "77 more may be" in page
    text = place.client.get("/metrics", headers=place.headers("read")).text
    assert 'allocator_account_on_its_way{account="b",book="desk"} 10000.0' in text
