"""What an instance shows of the book that it has not marked itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from allocator.decide import decide
from allocator.models.mandate import Mandate
from allocator.models.snapshot import Snapshot
from allocator.models.status import VenueStatus
from allocator.service.monitor.marks import marks_of
from allocator.service.monitor.memory import Heard
from allocator.service.repairs import repairing
from allocator.service.snapshots import GATHERED
from tests.execution.book import START
from tests.service.sites import MANDATE, Place, snapshot

HOLDS = Mandate.model_validate(MANDATE)


def without(name: str, row: Snapshot) -> Snapshot:
    """An account that could not be read, as a gathering writes it."""
    nothing: dict[str, Any] = {"state": "frozen", "unread": True, "balances": {}, "positions": {}}
    accounts = tuple(
        account.model_copy(update=nothing) if account.id == name else account
        for account in row.accounts
    )
    return row.model_copy(update={"accounts": accounts})


@pytest.fixture
def follower(place: Place) -> Place:
    """An instance that has marked nothing itself."""
    place.service.live.marks = None
    return place


def test_account_that_was_not_read_has_no_figures_on_a_follower(follower: Place) -> None:
    follower.service.snapshots.keep(without("b", snapshot("1")), GATHERED)
    book = follower.get("/v1/book").json()
    read, unread = book["accounts"]
    assert (read["account"], read["equity"]) == ("a", "100000")
    assert (unread["account"], unread["state"], unread["equity"]) == ("b", "unread", None)
    assert unread["missing"]
    assert (book["equity"], book["exposures"], book["marks"]) == (None, [], "gathered")


def test_a_leader_shows_its_own_marks_although_a_clock_ahead_had_gathered(place: Place) -> None:
    place.gather()
    service = place.service
    ahead = snapshot("1").model_copy(update={"as_of": START + timedelta(days=3)})
    service.snapshots.keep(ahead, GATHERED)
    service.live.leads = True
    assert place.site.views.book().marks == "own"
    assert place.site.views.book().at == START
    service.live.leads = False
    assert place.site.views.book().marks == "gathered"


def test_marks_of_a_snapshot_know_what_was_not_read() -> None:
    marks = marks_of(without("b", snapshot("1")), HOLDS)
    assert [row.account for row in marks.accounts] == ["a"]
    assert (marks.whole, marks.equity, marks.exposures) == (False, None, ())
    told = marks_of(without("b", snapshot("1")), HOLDS, {"b": "timeout"})
    assert dict(told.unread) == {"b": "timeout"}


def test_target_on_a_follower_is_the_mandates_after_a_repair(follower: Place) -> None:
    floor = {"id": "cap", "measure": "equity", "scope": {"portfolio": True}, "min": "300000"}
    asked = repairing(snapshot("1"), Mandate.model_validate({**MANDATE, "limits": [floor]}))
    assert asked is not None
    follower.clock.at += timedelta(seconds=1)
    follower.service.office.propose(decide(*asked), *asked, "allocator")
    (row,) = follower.get("/v1/book").json()["exposures"]
    assert (row["exposure"], row["target"]) == ("0", "50000")


def test_marks_of_one_who_led_once_give_way_to_what_was_gathered_since(place: Place) -> None:
    assert place.get("/v1/book").json()["marks"] == "own"
    later = snapshot("1").model_copy(update={"as_of": START + timedelta(minutes=5)})
    place.service.snapshots.keep(later, GATHERED)
    place.clock.at += timedelta(minutes=6)
    book = place.get("/v1/book").json()
    assert book["marks"] == "gathered"
    assert book["exposures"][0]["exposure"] == "50000"
    assert float(book["accounts"][0]["age_s"]) == pytest.approx(70)


def test_what_venues_said_last_is_known_to_a_follower(follower: Place) -> None:
    from sqlmodel import Session

    service = follower.service
    down = VenueStatus(state="maintenance", note="upgrade")
    with Session(service.engine) as session, session.begin():
        service.lines.memory.write(session, Heard({"bybit": down}), follower.clock.now())
    states = {row["venue"]: row["state"] for row in follower.get("/v1/book").json()["venues"]}
    assert states["bybit"] == "maintenance"


def test_a_book_that_nobody_marked_says_so(follower: Place) -> None:
    from sqlalchemy import text

    with follower.service.engine.begin() as connection:
        connection.execute(text("DELETE FROM snapshot"))
    book = follower.get("/v1/book").json()
    assert (book["marks"], book["at"], book["equity"]) == ("none", None, None)
    assert book["exposures"] == []


def test_pages_say_of_what_their_figures_are(follower: Place) -> None:
    login = {"token": follower.tokens["alice"]}
    origin = {"Origin": "http://testserver"}
    follower.client.post("/login", data=login, headers=origin, follow_redirects=False)
    for page in ("/book", "/exposure"):
        text = follower.client.get(page).text
        assert "No marks here" in text
        assert "2026-11-20 08:00:00" in text
    follower.service.live.marks = marks_of(snapshot(), HOLDS)
    assert "No marks here" not in follower.client.get("/book").text
