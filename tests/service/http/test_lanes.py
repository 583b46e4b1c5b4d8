"""Whoever reads, however much, keeps no stop waiting."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest
import uvicorn
from sqlalchemy import Engine

from allocator.models.api import AuditCheck
from allocator.service.http.lanes import HISTORIES, LARGEST_STOP, READS, STOPS, Lanes
from allocator.service.http.problems import ProblemError
from allocator.service.http.server import listen
from allocator.service.http.verification import KEPT_S, MOST_WAITING, Verification
from tests.service.sites import Place

PATIENCE_S = 60


class Hall:
    """An application whose reads hang in threads until they are let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.reading = 0
        self.most = 0
        self.bodies = list[bytes]()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["method"] == "GET":
            self.reading += 1
            self.most = max(self.most, self.reading)
            await anyio.to_thread.run_sync(self.go.wait, PATIENCE_S)
            self.reading -= 1
        else:
            self.bodies.append((await receive())["body"])
            await anyio.to_thread.run_sync(lambda: None)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


async def asked(app: Any, method: str, path: str, *parts: bytes) -> int:
    """Ask an application; tell its status."""
    rest, told = list(parts or (b"",)), list[int]()

    async def receive() -> Any:
        return {"type": "http.request", "body": rest.pop(0), "more_body": bool(rest)}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            told.append(message["status"])

    await app({"type": "http", "method": method, "path": path, "headers": []}, receive, send)
    return told[0]


@pytest.mark.parametrize(
    "path", ["/v1/halt", "/halt", "/v1/plans/ab/reject", "/v1/schedules/x/pause"]
)
def test_a_stop_is_answered_while_as_many_read_as_may(path: str) -> None:
    hall = Hall()
    lanes = Lanes(hall)

    async def ask() -> list[int]:
        reads = [asyncio.create_task(asked(lanes, "GET", "/v1/book")) for _ in range(100)]
        while hall.reading < READS:
            await asyncio.sleep(0)
        stops = [asked(lanes, "POST", path, b"a", b"b") for _ in range(2 * STOPS)]
        out = await asyncio.wait_for(asyncio.gather(*stops), PATIENCE_S)
        hall.go.set()
        assert set(await asyncio.gather(*reads)) == {200}
        return out

    assert asyncio.run(ask()) == [200] * (2 * STOPS)
    assert hall.most == READS
    assert set(hall.bodies) == {b"ab"}


@pytest.mark.parametrize("path", ["/v1/profit", "/v1/equity", "/book"])
def test_readings_of_the_history_end_in_time_and_keep_no_other_waiting(path: str) -> None:
    hall = Hall()
    lanes = Lanes(hall, history_s=0.0)

    async def ask() -> None:
        slow = [asked(lanes, "GET", path) for _ in range(4 * READS)]
        assert set(await asyncio.gather(*slow)) == {503}
        assert hall.reading == HISTORIES, "a thread keeps its place until it ends"
        await asyncio.sleep(0)
        assert len(lanes._left) == HISTORIES, "who was refused waits no longer"
        hall.go.set()
        for other in ("/v1/book", "/metrics", "/login", "/enter"):
            assert await asked(lanes, "GET", other) == 200
        while lanes._left:
            await asyncio.sleep(0)

    asyncio.run(ask())
    assert asyncio.run(asked(Lanes(hall), "GET", path)) == 200


@pytest.mark.parametrize("path", ["/metrics", "/login", "/enter", "/v1/profit"])
def test_who_watches_and_who_comes_in_wait_behind_no_reads(path: str) -> None:
    hall = Hall()
    lanes = Lanes(hall)

    async def ask() -> None:
        reads = [asyncio.create_task(asked(lanes, "GET", "/v1/book")) for _ in range(100)]
        while hall.reading < READS:
            await asyncio.sleep(0)
        other = asyncio.create_task(asked(lanes, "GET", path))
        while hall.reading == READS:
            await asyncio.sleep(0)
        hall.go.set()
        assert await other == 200
        await asyncio.gather(*reads)

    asyncio.run(ask())


def test_a_failure_of_a_reading_of_the_history_is_that_of_its_answer() -> None:
    async def fails(_scope: Any, _receive: Any, _send: Any) -> None:
        raise ArithmeticError("odd")

    with pytest.raises(ArithmeticError, match="odd"):
        asyncio.run(asked(Lanes(fails), "GET", "/v1/profit"))


def test_a_stop_of_too_many_bytes_is_refused() -> None:
    part = b"x" * (LARGEST_STOP // 2)
    assert asyncio.run(asked(Lanes(Hall()), "POST", "/v1/halt", part, part, b"x")) == 413


def test_a_failure_of_a_stop_is_that_of_its_answer() -> None:
    async def fails(_scope: Any, _receive: Any, _send: Any) -> None:
        raise ArithmeticError("odd")

    with pytest.raises(ArithmeticError, match="odd"):
        asyncio.run(asked(Lanes(fails), "POST", "/v1/halt"))


def test_one_check_of_the_audit_serves_all_who_ask_for_a_while() -> None:
    begun, go, time_s = list[int](), threading.Event(), [0.0]

    def check() -> AuditCheck:
        begun.append(1)
        go.wait(PATIENCE_S)
        return AuditCheck(whole=True, events=len(begun))

    checks = Verification(check, lambda: time_s[0])

    async def ask() -> None:
        waiting = [asyncio.create_task(checks.ask()) for _ in range(MOST_WAITING)]
        while checks._waiting < MOST_WAITING:
            await asyncio.sleep(0)
        with pytest.raises(ProblemError) as caught:
            await checks.ask()
        assert (caught.value.status_code, caught.value.code) == (429, "TOO_MANY_CHECKS")
        assert int((caught.value.headers or {})["Retry-After"]) > 0
        go.set()
        assert {row.events for row in await asyncio.gather(*waiting)} == {1}
        time_s[0] = KEPT_S - 1
        assert (await checks.ask()).events == 1
        time_s[0] = KEPT_S
        assert (await checks.ask()).events == 2

    asyncio.run(ask())


def test_a_check_that_could_not_be_made_is_made_anew() -> None:
    faults = [OSError("away")]

    def check() -> AuditCheck:
        if faults:
            raise faults.pop()
        return AuditCheck(whole=True, events=1)

    checks = Verification(check)

    async def ask() -> None:
        with pytest.raises(OSError, match="away"):
            await checks.ask()
        assert (await checks.ask()).whole

    asyncio.run(ask())


@pytest.fixture
def hanging(lite: Engine, tmp_path: Path) -> Iterator[tuple[Place, int, Path]]:
    """A site on loopback whose audit's heads lie in a pipe that nobody writes."""
    heads = tmp_path / "heads"
    history = {"folder": str(tmp_path / "history"), "anchors": str(heads)}
    place = Place(lite, tmp_path, service={"schedules": [], "history": history})
    place.gather()
    os.mkfifo(heads)
    opened = listen("127.0.0.1", 0)
    config = uvicorn.Config(place.app, log_config=None, lifespan="off", access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([opened])))
    thread.start()
    yield place, opened.getsockname()[1], heads
    server.should_exit = True
    thread.join(PATIENCE_S)
    opened.close()
    place.site.jobs.close()


def test_a_halt_is_in_force_while_a_reader_asks_for_checks_that_hang(
    hanging: tuple[Place, int, Path],
) -> None:
    place, port, heads = hanging

    def ask(method: str, path: str, body: str | None = None, who: str = "read") -> Any:
        connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        headers = {"Authorization": f"Bearer {place.tokens[who]}", "Idempotency-Key": path}
        connection.request(method, path, body, headers | {"Content-Type": "application/json"})
        response = connection.getresponse()
        response.read()
        connection.close()
        return response

    with ThreadPoolExecutor(60) as pool:
        asking = [pool.submit(ask, "GET", "/v1/audit/verify") for _ in range(60)]
        assert ask("POST", "/v1/halt", json.dumps({"reason": "stop"}), "alice").status == 200
        assert ask("GET", "/v1/book").status == 200
        assert place.service.office.history.breakers()[0].reason == "stop"
        with heads.open("w"):
            pass
        told = [row.result(PATIENCE_S) for row in asking]
    assert {row.status for row in told} == {200, 429}
    assert sum(row.status == 200 for row in told) <= MOST_WAITING + 1
    assert all(row.headers["Retry-After"] for row in told if row.status == 429)
