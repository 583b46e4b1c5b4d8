from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from allocator.models.status import VenueStatus
from allocator.service.monitor.profit import Earned, Profit
from tests.service.sites import CANARY, MANDATE, Place
from tests.service.visitor import ORIGIN, PAGES, log_in, send, the_plan


@pytest.mark.parametrize("page", PAGES)
def test_page_shows_itself_and_sends_strangers_to_log_in(place: Place, page: str) -> None:
    stranger = place.client.get(f"/{page}", follow_redirects=False)
    assert (stranger.status_code, stranger.headers["location"]) == (303, "/login")
    log_in(place)
    response = place.client.get(f"/{page}")
    assert response.status_code == 200
    assert 'aria-current="page"' in response.text
    assert CANARY not in response.text
    assert not re.search(r'(?:src|href)="(?:https?:)?//', response.text)


def test_pages_work_before_anything_was_gathered(lite: Engine, tmp_path: Path) -> None:
    place = Place(lite, tmp_path)
    log_in(place)
    for page in PAGES:
        assert place.client.get(f"/{page}").status_code == 200, page


def test_wrong_token_begins_nothing(place: Place) -> None:
    response = place.client.post("/login", data={"token": "alc_x"}, headers=ORIGIN)
    assert response.status_code == 401
    assert not place.client.cookies


def test_entrance_opens_once(place: Place) -> None:
    path = place.service.enter("alice")
    assert place.client.get(path, follow_redirects=False).headers["location"] == "/book"
    place.client.cookies.clear()
    assert place.client.get(path, follow_redirects=False).headers["location"] == "/login"


def test_plan_is_approved_and_handed_on_by_forms(place: Place) -> None:
    csrf, plan = log_in(place), the_plan(place)
    assert 'id="execute"' not in place.client.get(f"/plan/{plan}").text
    response = send(place, f"/plan/{plan}/approve", csrf, reason="fine")
    assert response.headers["location"] == f"/plan/{plan}"
    page = place.client.get(f"/plan/{plan}").text
    assert 'id="approval">approved' in page
    assert "fine" in page
    assert 'id="execute"' in page
    assert "needs 1 person, has 1" in page
    send(place, f"/plan/{plan}/execute", csrf)
    assert [row.plan_hash for row in place.service.slots.with_status("due")] == [plan]


def test_form_without_a_reason_approves_and_rejects_nothing(place: Place) -> None:
    csrf, plan = log_in(place), the_plan(place)
    for deed in ("approve", "reject"):
        response = send(place, f"/plan/{plan}/{deed}", csrf, reason="  ")
        assert "NO_REASON" in response.headers["location"]
    assert place.site.views.summary(plan).verdicts == ()


def test_an_approval_is_taken_back_by_a_form(place: Place) -> None:
    csrf, plan = log_in(place), the_plan(place)
    assert 'id="retract"' not in place.client.get(f"/plan/{plan}").text
    send(place, f"/plan/{plan}/approve", csrf, reason="fine")
    assert 'id="retract"' in place.client.get(f"/plan/{plan}").text
    response = send(place, f"/plan/{plan}/retract", csrf, reason="too soon")
    page = place.client.get(response.headers["location"]).text
    assert 'id="approval">waiting' in page
    assert "retracted" in page


def test_refusal_is_told_on_the_page(place: Place) -> None:
    csrf, plan = log_in(place), the_plan(place)
    response = send(place, f"/plan/{plan}/execute", csrf)
    page = place.client.get(response.headers["location"]).text
    assert "NOT_APPROVED" in page


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://evil.example"}, {}, {"Origin": "null"},
                {"Referer": "http://evil.example/testserver"}]
)  # fmt: skip
def test_form_of_another_site_is_refused(place: Place, headers: dict[str, str]) -> None:
    csrf, plan = log_in(place), the_plan(place)
    response = send(place, f"/plan/{plan}/approve", csrf, headers)
    assert (response.status_code, response.json()["code"]) == (403, "ORIGIN")
    assert place.site.views.summary(plan).verdicts == ()


@pytest.mark.parametrize("csrf", ["", "x", "\u00e9"])
def test_form_without_the_sessions_secret_is_refused(place: Place, csrf: str) -> None:
    log_in(place)
    plan = the_plan(place)
    response = send(place, f"/plan/{plan}/approve", csrf)
    assert (response.status_code, response.json()["code"]) == (403, "CSRF")
    assert place.site.views.summary(plan).verdicts == ()


def test_forms_ask_for_the_same_scopes_as_the_api(place: Place) -> None:
    csrf, plan = log_in(place, "read"), the_plan(place)
    for path in (f"/plan/{plan}/approve", f"/plan/{plan}/reject", f"/plan/{plan}/execute",
                 f"/plan/{plan}/retract",
                 f"/plan/{plan}/frontier", "/what-if", "/schedules/hourly/run", "/halt",
                 "/resume", "/mandates/1/publish"):  # fmt: skip
        assert send(place, path, csrf, reason="x").status_code == 403, path


def test_another_is_published_in_the_place_of_a_mandate_that_cannot_be_read(
    place: Place,
) -> None:
    csrf = log_in(place, "bob")
    assert place.post("/v1/mandates", {"mandate": MANDATE, "note": ""}).status_code == 201
    with place.service.engine.begin() as connection:
        connection.execute(text("UPDATE mandate_version SET mandate_json = '{' WHERE version = 1"))
    place.service.live.leads, place.service.live.marks = False, None
    second, first = place.get("/v1/mandates").json()
    assert (second["unreadable"], second["version"]) == ("", 2)
    assert "UNREADABLE" in first["unreadable"]
    assert first["mandate"] is None
    assert place.get("/v1/book").json()["marks"] == "gathered"
    assert "UNREADABLE" in place.client.get("/health").text
    assert "UNREADABLE" in place.client.get("/mandates/1").text
    page = place.client.get("/mandates/2").text
    assert "version 1, which holds, cannot be read" in page
    send(place, "/mandates/2/publish", csrf, hash=second["mandate_hash"], instead_of="1")
    assert place.get("/v1/mandates").json()[0]["status"] == "published"


def test_a_draft_is_published_from_a_page_that_tells_what_changes(place: Place) -> None:
    csrf = log_in(place, "bob")
    target = {"underlying": "BTC", "delta": "400", "unit": "base", "band": "0.001"}
    place.post("/v1/mandates", {"mandate": {**MANDATE, "targets": [target]}, "note": "tidy up"})
    health = place.client.get("/health").text
    assert 'href="/mandates/2"' in health
    assert "/publish" not in health
    page = place.client.get("/mandates/2").text
    assert "<td>targets[BTC].delta</td><td>1</td><td>400</td>" in page
    assert page.count("<tr>") == 2
    drafted = place.service.mandates.all()[0].hash
    assert f'name="hash" value="{drafted}"' in page
    for told, code in (
        ({}, "DRAFT_DIFFERS"),
        ({"hash": "0" * 64, "instead_of": "1"}, "DRAFT_DIFFERS"),
        ({"hash": drafted, "instead_of": "3"}, "ANOTHER_HOLDS"),
        ({"hash": drafted}, "ANOTHER_HOLDS"),
    ):
        answer = send(place, "/mandates/2/publish", csrf, **told)
        assert code in place.client.get(answer.headers["location"]).text
    assert place.service.mandates.all()[0].status == "draft"
    send(place, "/mandates/2/publish", csrf, hash=drafted, instead_of="1")
    assert place.service.mandates.all()[0].published_by == "bob"
    (alert,) = place.service.office.history.alerts()
    facts = {"version": 2, "author": "alice", "by": "bob", "note": "tidy up"}
    assert (alert.topic, alert.body) == ("mandate_published", facts)
    assert place.client.get("/mandates/9").status_code == 404


def test_page_of_a_draft_that_does_not_fit_says_so(lite: Engine, tmp_path: Path) -> None:
    place = Place(lite, tmp_path)
    log_in(place)
    target = {"underlying": "DOGE", "delta": "1", "unit": "base"}
    place.post("/v1/mandates", {"mandate": {"targets": [target]}})
    assert "nothing was gathered yet" in place.client.get("/mandates/2").text
    place.gather()
    assert "unknown underlying &#39;DOGE&#39;" in place.client.get("/mandates/2").text


def test_form_halts_nothing_that_is_not_there(place: Place) -> None:
    response = send(place, "/halt", log_in(place), reason="drill", scope="venue:bybitt")
    assert "NOT_KNOWN" in response.headers["location"]
    assert place.site.views.breakers() == ()


def test_session_ends_with_its_token(place: Place) -> None:
    log_in(place)
    place.site.tokens.revoke("alice", place.clock.now())
    assert place.client.get("/book", follow_redirects=False).status_code == 303


def test_what_is_written_by_people_is_escaped(place: Place) -> None:
    csrf = log_in(place)
    send(place, "/halt", csrf, reason="<script>alert(1)</script>")
    page = place.client.get("/health").text
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_health_shows_what_venues_say_of_themselves(place: Place) -> None:
    log_in(place)
    said = VenueStatus(state="cancel_only", note="<b>upgrade</b>")
    place.gather(statuses={"bybit": said})
    page = place.client.get("/health").text
    assert "cancel only: &lt;b&gt;upgrade&lt;/b&gt;" in page
    assert "nothing of itself" in page, "the other has told nothing"


def test_unknown_plan_is_not_found(place: Place) -> None:
    log_in(place)
    assert place.client.get("/plan/" + "0" * 64).status_code == 404


def test_book_says_what_today_lacks_where_another_instance_has_marked(place: Place) -> None:
    marks = place.service.live.marks
    assert marks is not None
    half = Earned(since=marks.at - timedelta(minutes=1), profit=Profit(realised=Decimal(5)))
    place.service.store.write(marks, {row.account: half for row in marks.accounts})
    log_in(place)
    page = place.client.get("/book").text
    assert f"not whole: lacks {len(marks.accounts)} accounts" in page
    names = [row.account for row in marks.accounts]
    assert f"have not all that {', '.join(sorted(names))} earned" in page
    assert place.get("/v1/profit?by=book").json()[0]["lacks"] == sorted(names)


@pytest.mark.parametrize(("leads", "late_s"), [(True, 1), (True, 7200), (False, 1), (False, 7200)])
def test_book_says_up_to_when_today_was_earned_unless_it_leads_and_looks(
    place: Place, *, leads: bool, late_s: int
) -> None:
    """A former leader has a history of its own, which ends with its last mark."""
    marks = place.service.live.marks
    assert marks is not None
    whole = Earned(since=marks.at.replace(hour=0, minute=0), profit=Profit(realised=Decimal(5)))
    place.service.store.write(marks, {row.account: whole for row in marks.accounts})
    place.service.live.leads = leads
    place.clock.at = marks.at + timedelta(seconds=late_s)
    log_in(place)
    page = place.client.get("/book").text
    told = leads and late_s == 1
    assert (f"<b>up to {marks.at:%H:%M:%S} UTC</b>" in page) != told
    assert ("this instance does not lead, and its own marks end then" in page) != leads
    assert ("this instance has not marked the book since" in page) == (leads and not told)


def test_book_shows_what_can_be_read_of_the_history_and_says_what_cannot(place: Place) -> None:
    marks = place.service.live.marks
    assert marks is not None
    store = place.service.store
    store.write(marks, {})
    (written,) = (store.folder / "accounts").glob("*/*.parquet")
    written.with_name("torn.parquet").write_bytes(b"")
    log_in(place)
    page = place.client.get("/book")
    assert page.status_code == 200
    assert "/torn.parquet" in page.text
    refused = place.get("/v1/profit")
    assert (refused.status_code, "HISTORY_UNREADABLE" in refused.json()["detail"]) == (503, True)
