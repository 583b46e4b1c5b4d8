from __future__ import annotations

import asyncio
import itertools
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from shutil import which
from typing import Any

import pytest
import uvicorn
from sqlalchemy import Engine, text

from allocator.models.errors import InputError
from allocator.models.status import VenueStatus
from allocator.service.dashboard.sessions import COOKIE
from allocator.service.http.cases import case_of
from allocator.service.http.server import listen
from tests.service.sites import CANARY, MANDATE, Place

PAGES = ("book", "exposure", "plan", "runs", "what-if", "health")
ORIGIN = {"Origin": "http://testserver"}


@pytest.fixture
def place(lite: Engine, tmp_path: Path) -> Iterator[Place]:
    made = Place(lite, tmp_path)
    made.gather()
    with made.client:
        yield made
    made.site.jobs.close()


def log_in(place: Place, who: str = "alice") -> str:
    """Log in; returns the form secret of the session."""
    body = {"token": place.tokens[who]}
    response = place.client.post("/login", data=body, headers=ORIGIN, follow_redirects=False)
    assert response.status_code == 303
    cookie = response.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    page = place.client.get("/book").text
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found is not None
    return found.group(1)


def send(place: Place, path: str, csrf: str, headers: Any = ORIGIN, **form: str) -> Any:
    body = {"csrf": csrf, **form}
    return place.client.post(path, data=body, headers=headers, follow_redirects=False)


def the_plan(place: Place) -> str:
    return place.site.views.plan_hashes(1)[0]


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
    assert COOKIE not in place.client.cookies


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


def answered(place: Place, path: str) -> str:
    gate = threading.Event()
    for _ in range(600):
        text: str = place.client.get(path).text
        if "Deciding" not in text and "Computing" not in text:
            return text
        gate.wait(0.05)
    raise AssertionError("the job did not end")


SCENARIO = """shock:
- {prices: {BTC: -10%}}
- {funding: {multiply: 3}}
override: {mandate.policy.order_cost: 2}
expect: {actions: {max: 0}}
"""


def test_what_if_takes_a_whole_scenario_beside_the_fields(place: Place) -> None:
    csrf = log_in(place)
    fields = {"name": "bad day", "volatility": "1.5", "scenario": SCENARIO}
    response = send(place, "/what-if", csrf, **fields)
    assert response.status_code == 303
    page = answered(place, response.headers["location"])
    for words in ("bad day", "mandate.policy.order_cost = 2; then volatility {multiply: 1.5}; then "
                  "prices {BTC: -10%}; then funding {multiply: 3}",
                  "not as expected: actions"):  # fmt: skip
        assert words in page
    assert "- {funding: {multiply: 3}}" in page, "the text stays in the form"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("shock: {prices: {BTC: -10%}", "scenario:1:"),
        ("shok: {prices: {BTC: -10%}}", "unknown key &#39;shok&#39; - did you mean &#39;shock"),
        ("snapshot: {file: /etc/hostname}", "a case is about the book as it is"),
        ("grid: {mandate.policy.order_cost: [1]}", "is for sweeps"),
        ("- 1", "a mapping is wanted"),
        ("shock: 5", "shock"),
    ],
)
def test_a_text_that_is_no_scenario_is_told_and_kept(place: Place, text: str, told: str) -> None:
    csrf = log_in(place)
    response = send(place, "/what-if", csrf, name="x", scenario=text)
    assert response.status_code == 422
    assert told in response.text
    assert text in response.text


def aliased(levels: int, across: int) -> str:
    """A short text whose aliases make across ** levels parts."""
    rows = ["override:", f"  a: &a [{','.join('x' * across)}]"]
    for before, name in itertools.pairwise("abcdefgh"[:levels]):
        rows.append(f"  {name}: &{name} [{','.join([f'*{before}'] * across)}]")
    return "\n".join(rows)


def test_a_short_text_that_becomes_a_large_one_is_refused(place: Place) -> None:
    csrf = log_in(place)
    text = aliased(8, 9)
    response = send(place, "/what-if", csrf, name="x", scenario=text)
    assert len(text) < 400
    assert response.status_code == 422
    assert "too large once its aliases are written out" in response.text
    with pytest.raises(InputError, match="too large"):
        case_of(aliased(5, 9))
    assert len(case_of(aliased(3, 9))["override"]) == 3


def test_unknown_plan_is_not_found(place: Place) -> None:
    log_in(place)
    assert place.client.get("/plan/" + "0" * 64).status_code == 404


@pytest.fixture
def served(place: Place) -> Iterator[str]:
    """The place on a loopback address of its own."""
    opened = listen("127.0.0.1", 0)
    config = uvicorn.Config(
        place.app, log_config=None, lifespan="off", access_log=False, timeout_graceful_shutdown=5
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([opened])))
    thread.start()
    yield f"http://127.0.0.1:{opened.getsockname()[1]}"
    server.should_exit = True
    thread.join(120)
    opened.close()
    assert not thread.is_alive()


@pytest.fixture
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = next(filter(None, map(which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("no Chromium was found on the path")
    with playwright.sync_playwright() as running:
        made = running.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield made
        made.close()


def test_every_page_in_a_browser_without_a_network(place: Place, served: str, browser: Any) -> None:
    outside, faults = list[str](), list[str]()
    page = browser.new_page()

    def only_here(route: Any) -> None:
        if route.request.url.startswith(served):
            route.continue_()
        else:
            outside.append(route.request.url)
            route.abort()

    page.route("**/*", only_here)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda row: faults.append(row.text) if row.type == "error" else None)
    page.goto(served + place.service.enter("alice"))
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for name in PAGES:
            page.goto(f"{served}/{name}")
            assert page.locator("h1").count() == 1
    page.goto(f"{served}/plan")
    page.wait_for_selector(".chart svg")
    page.fill("input[name=reason]", "fine")
    page.click("#approve")
    assert page.locator("#approval").inner_text() == "approved"
    page.wait_for_selector(".chart svg")
    page.keyboard.press("1")
    page.wait_for_url("**/book")
    page.wait_for_selector(".card")
    page.wait_for_load_state()
    page.keyboard.press("t")
    assert page.evaluate("document.documentElement.dataset.theme") in ("light", "dark")
    assert outside == []
    assert faults == []
    assert place.site.views.summary(the_plan(place)).verdicts[0].who == "alice"


def test_plan_is_approved_in_a_browser_without_scripts(
    place: Place, served: str, browser: Any
) -> None:
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(f"{served}/login")
    page.fill("input[name=token]", place.tokens["alice"])
    page.click("button")
    for name in PAGES:
        page.goto(f"{served}/{name}")
        assert page.locator("table, form").count() > 1, name
    page.goto(f"{served}/plan")
    page.fill("form:has(#approve) input[name=reason]", "fine")
    page.click("#approve")
    assert page.locator("#approval").inner_text() == "approved"


def test_the_frontier_along_the_margin_buffer_is_shown_with_the_plan(place: Place) -> None:
    csrf, plan = log_in(place), the_plan(place)
    there = send(place, f"/plan/{plan}/frontier", csrf, along="margin_buffer").headers["location"]
    page = answered(place, there.split("#", maxsplit=1)[0])
    assert '<option value="margin_buffer" selected>margin buffer</option>' in page
    assert '<th class="n">margin buffer</th><th class="n">total cost, USD</th>' in page


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
