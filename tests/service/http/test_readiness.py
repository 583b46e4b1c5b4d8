"""Readiness of an instance whose database hangs or fails."""

from __future__ import annotations

import asyncio
from threading import Event

import pytest
from sqlalchemy import Engine, text

from allocator.models.api import Health
from allocator.service.http.readiness import Readiness
from tests.service.sites import Place

WELL = Health(ok=True, version="1")
SHORT_S = 0.05


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
        patient = Readiness(check, 10)
        assert await patient.ask() == WELL

    asyncio.run(ask())


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
