"""Readiness of an instance whose database hangs or fails."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import httpx2
import pytest
from sqlalchemy import Engine, event, text
from structlog.contextvars import bound_contextvars, get_contextvars

from allocator.models.api import Health
from allocator.service.clock import Leaps
from allocator.service.condition import UNBELIEVED
from allocator.service.http import readiness
from allocator.service.http.readiness import Readiness
from allocator.service.http.server import serving
from allocator.service.notify import NOBODY
from tests.service.sites import Place

WELL = Health(ok=True, version="1")
SHORT_S, PATIENCE_S = 0.05, 60


def test_a_check_that_hangs_is_told_in_time_and_begun_once() -> None:
    answers, begun = Event(), list[int]()

    def check() -> Health:
        begun.append(1)
        answers.wait()
        return WELL

    async def ask() -> None:
        readiness = Readiness(check, SHORT_S)
        first = await asyncio.gather(*(readiness.ask() for _ in range(3)))
        assert {row.faults for row in first} == {("the database does not answer",)}
        assert (await readiness.ask()).ok is False
        assert begun == [1]
        answers.set()
        patient = Readiness(check, PATIENCE_S)
        assert await patient.ask() == WELL

    asyncio.run(ask())


def test_that_nobody_is_told_of_alerts_is_said_and_no_fault(place: Place) -> None:
    told = place.get("/readyz", None).json()
    assert (told["ok"], told["notes"]) == (True, [NOBODY])
    alerts = place.service.config.service.alerts.model_copy(update={"to": ("env:MAIL",)})
    service = place.service.config.service.model_copy(update={"alerts": alerts})
    place.service.config = place.service.config.model_copy(update={"service": service})
    assert place.get("/readyz", None).json()["notes"] == []


def test_a_clock_that_was_set_is_told_while_no_slot_begins(place: Place) -> None:
    place.service._leaps = Leaps(lambda: 0.0, place.clock.now())
    assert place.get("/readyz", None).json()["faults"] == []
    place.clock.at += timedelta(seconds=40)
    told = place.get("/readyz", None).json()
    assert (told["ok"], told["faults"]) == (True, [UNBELIEVED])


def test_a_database_that_fails_is_told_without_its_words(
    place: Place, lite: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    with lite.begin() as connection:
        connection.execute(text("DROP TABLE heartbeat"))
    response = place.get("/readyz", None)
    assert response.status_code == 503
    assert response.json()["faults"] == ["the database does not answer"]
    assert "heartbeat" in caplog.text
    assert place.get("/healthz", None).status_code == 200


def test_a_request_that_the_database_fails_is_refused_and_not_a_bug(
    place: Place, lite: Engine
) -> None:
    with lite.begin() as connection:
        connection.execute(text("DROP TABLE slot"))
    response = place.get("/v1/slots")
    assert (response.status_code, response.json()["code"]) == (503, "DATABASE_UNAVAILABLE")
    assert "slot" not in response.json()["detail"]


def test_what_the_server_logs_says_of_which_book_it_is(
    lite: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(lite, tmp_path)
    http = place.service.config.service.http.model_copy(update={"port": 0})
    service = place.service.config.service.model_copy(update={"http": http})
    place.service.config = place.service.config.model_copy(update={"service": service})
    with lite.begin() as connection:
        connection.execute(text("DROP TABLE heartbeat"))
    seen = list[dict[str, Any]]()
    monkeypatch.setattr(readiness.log, "warning", lambda *_: seen.append(get_contextvars()))

    async def ask() -> None:
        with bound_contextvars(book="carry"):
            async with asynccontextmanager(serving)(place.service):
                async with httpx2.AsyncClient(timeout=PATIENCE_S) as client:
                    answer = await client.get(f"{place.service.address}/readyz")
                assert answer.status_code == 503

    asyncio.run(ask())
    assert seen == [{"book": "carry"}]


def test_a_leader_that_does_not_mark_the_book_is_not_ready(place: Place) -> None:
    place.gather()
    live, now = place.service.live, place.clock.now()
    live.led_at = now - timedelta(hours=1)
    assert place.get("/readyz", None).status_code == 200
    marks = live.marks
    assert marks is not None
    live.marks = marks.model_copy(update={"at": now - timedelta(seconds=161)})
    answer = place.get("/readyz", None)
    assert answer.status_code == 503
    assert answer.json()["faults"] == [
        "the leader has not marked the book since 2026-11-20T07:57:30Z"
    ]
    live.marks, live.led_at = None, now
    assert place.get("/readyz", None).status_code == 200


def test_marks_of_a_clock_that_was_ahead_hide_no_silence_of_the_leader(place: Place) -> None:
    place.gather()
    live, now = place.service.live, place.clock.now()
    marks = live.marks
    assert marks is not None
    ahead = now + timedelta(days=1)
    live.led_at, live.marks = ahead, marks.model_copy(update={"at": ahead})
    silent = [0.0]
    place.service.vigil._steady = lambda: silent[0]
    place.service.vigil.looked()
    assert place.get("/readyz", None).status_code == 200
    silent[0] = 161.0
    answer = place.get("/readyz", None)
    assert answer.status_code == 503
    assert answer.json()["faults"] == ["the leader has not marked the book for 161 s"]
    place.service.vigil.looked()
    assert place.get("/readyz", None).status_code == 200


def test_that_nobody_can_lead_is_told_before_the_last_sign_is_old(place: Place) -> None:
    place.service.beats.leave("leader")
    place.service.beats.beat("dead", leads=True, at=place.clock.now())
    place.service.trying.failed(OSError("no key"))
    for seconds, faults in ((30, []), (31, []), (61, ["no instance can lead"])):
        place.clock.at += timedelta(seconds=seconds)
        place.service.trying.failed(OSError("no key"))
        told = place.get("/readyz", None).json()
        assert (told["ok"], told["faults"]) == (True, faults)
    place.service.trying.worked()
    assert place.get("/readyz", None).json()["faults"] == []


def test_leads_that_break_off_are_told_beside_what_is_ready(place: Place) -> None:
    for faults in ([], [], ["leads break off"]):
        place.service.trying.leads()
        place.service.trying.worked()
        place.service.trying.failed(OSError("no key"))
        told = place.get("/readyz", None).json()
        assert (told["ok"], told["faults"]) == (True, faults)


def test_what_holds_is_read_once_a_second_however_often_somebody_asks(
    place: Place, lite: Engine
) -> None:
    read = list[str]()

    def asks(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("SELECT") and "mandate_json" in statement:
            read.append(statement)

    event.listen(lite, "before_cursor_execute", asks)
    for _ in range(5):
        assert place.get("/readyz", None).json()["faults"] == []
    assert len(read) == 1
    with lite.begin() as connection:
        connection.execute(text("UPDATE mandate_version SET mandate_json = '{'"))
    place.clock.at += timedelta(seconds=1)
    (fault,) = place.get("/readyz", None).json()["faults"]
    assert "cannot be read" in fault
    assert len(read) == 2
    place.clock.at -= timedelta(days=1)
    place.get("/readyz", None)
    assert len(read) == 3, "a clock that was set back keeps no answer"


def test_a_mandate_that_does_not_fit_is_told_without_a_name_and_the_leader_is_ready(
    place: Place,
) -> None:
    place.gather()
    marks = place.service.live.marks
    assert marks is not None
    place.service.live.marks = marks.model_copy(update={"unfit": "exposures: no price of DOGE"})
    answer = place.get("/readyz", None)
    assert answer.status_code == 200
    (fault,) = answer.json()["faults"]
    assert fault.startswith("the mandate does not fit the book")
    assert "DOGE" not in fault
