"""Requests that take long are few at a time: whoever sends many keeps no thread from others."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio.to_thread
from fastapi import APIRouter, FastAPI
from starlette.testclient import TestClient

from allocator.service.http import acting, problems
from allocator.service.http.access import OnceRoute
from tests.service.sites import Place

PATIENCE_S = 120
MOST_THREADS = 6


def route_class(path: str) -> type[OnceRoute]:
    """Tell the kind of the route by which the application takes a request to plan."""
    for router in (getattr(acting, name) for name in dir(acting)):
        for row in getattr(router, "routes", ()):
            if isinstance(router, APIRouter) and row.path == path and "POST" in row.methods:
                return type(row)
    raise AssertionError(path)


def test_many_who_plan_leave_threads_to_others(place: Place) -> None:
    go, lock, most, now = threading.Event(), threading.Lock(), [0], [0]
    router = APIRouter(route_class=route_class("/v1/plans"))

    @router.post("/long")
    def decides() -> str:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        go.wait(PATIENCE_S)
        with lock:
            now[0] -= 1
        return "done"

    @router.get("/other")
    def other() -> str:
        return "here"

    app = FastAPI()
    app.state.site = place.site
    problems.install(app)
    app.include_router(router)

    @app.get("/few-threads")
    async def few() -> None:
        anyio.to_thread.current_default_thread_limiter().total_tokens = MOST_THREADS

    with TestClient(app) as client, ThreadPoolExecutor(60) as pool:
        client.get("/few-threads")

        def ask(_number: int) -> Any:
            return client.post("/long", headers=place.headers("alice"))

        asking = [pool.submit(ask, number) for number in range(60)]
        while not most[0]:
            threading.Event().wait(0.01)
        try:
            told = pool.submit(client.get, "/other").result(PATIENCE_S)
        finally:
            go.set()
        assert told.json() == "here"
        answers = [row.result(PATIENCE_S) for row in asking]
    assert most[0] < MOST_THREADS
    assert {row.status_code for row in answers} == {200, 429}
    refused = [row for row in answers if row.status_code == 429]
    assert {row.json()["code"] for row in refused} == {"TOO_MANY"}
    assert all(int(row.headers["Retry-After"]) > 0 for row in refused)
    assert len(answers) - len(refused) >= MOST_THREADS


def test_what_a_person_says_waits_behind_no_plan() -> None:
    for path in ("/v1/plans/{plan_hash}/approve", "/v1/halt", "/v1/resume"):
        assert route_class(path) is OnceRoute
    for path in ("/v1/plans", "/v1/snapshots", "/v1/mandates"):
        assert route_class(path) is not OnceRoute
