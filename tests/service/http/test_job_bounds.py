"""Whoever asks for much long work keeps nobody else from theirs, nor fills memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from allocator.models.base import Value
from allocator.models.bodies import ReasonBody
from allocator.service.http import site
from allocator.service.http.problems import ProblemError
from allocator.service.http.site import MOST_JOBS, Jobs, Watch
from allocator.service.snapshots import MissingError
from tests.service.sites import Place
from tests.service.visitor import log_in, send, the_plan

MOST = 200


@pytest.fixture
def held(place: Place) -> Iterator[threading.Event]:
    """Long work that lasts until it is let go, and more of it in wait until no more is taken."""
    go, begun = threading.Event(), threading.Semaphore(0)

    def work(_watch: Watch) -> Value:
        begun.release()
        go.wait(60)
        return ReasonBody(reason="done")

    place.site.jobs.start("sweep", work)
    assert begun.acquire(timeout=60)
    for _ in range(MOST):
        try:
            place.site.jobs.start("sweep", work)
        except ProblemError:
            break
    yield go
    go.set()


def test_more_long_work_than_may_wait_is_refused(place: Place, held: threading.Event) -> None:
    body = {"cases": [{"name": "x"}]}
    told = place.post("/v1/what-if", body, key="again")
    assert (told.status_code, told.json()["code"]) == (429, "TOO_MANY_JOBS")
    assert int(told.headers["Retry-After"]) > 0
    held.set()
    place.site.jobs.close()
    place.site.jobs = Jobs()
    assert place.post("/v1/what-if", body, key="again").status_code == 202


@pytest.mark.parametrize("path", ["what-if", "frontier"])
def test_page_tells_that_too_much_waits(place: Place, held: threading.Event, path: str) -> None:
    assert not held.is_set()
    csrf = log_in(place)
    where = {"what-if": "/what-if", "frontier": f"/plan/{the_plan(place)}/frontier"}[path]
    told = send(place, where, csrf)
    if told.status_code == 303:
        told = place.client.get(told.headers["location"])
    assert "TOO_MANY_JOBS" in told.text
    assert "<html" in told.text


def test_long_work_is_not_forgotten_while_it_lasts() -> None:
    jobs, go, begun = Jobs(), threading.Event(), threading.Event()

    def last(_watch: Watch) -> Value:
        begun.set()
        go.wait(60)
        return ReasonBody(reason="last")

    def quick(_watch: Watch) -> Value:
        return ReasonBody(reason="quick")

    lasting = jobs.start("sweep", last)
    assert begun.wait(60)
    for _ in range(2 * MOST_JOBS):
        name = jobs.start("what-if", quick).id
        while jobs.get(name).status == "running":
            pass
    assert jobs.get(lasting.id).status == "running"
    assert len(jobs.all()) <= MOST_JOBS
    go.set()
    jobs.close()
    assert jobs.get(lasting.id).status == "done"


class Long(Value):
    """What long work comes to, however long."""

    text: str


def test_what_long_work_came_to_is_kept_as_far_as_it_fills_no_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(site, "MOST_RESULTS", 1_000_000)
    jobs = Jobs()

    def made(characters: int) -> str:
        name = jobs.start("what-if", lambda _watch: Long(text="x" * characters)).id
        while jobs.get(name).status == "running":
            pass
        return name

    old, small, late = made(600_000), made(10), made(600_000)
    with pytest.raises(MissingError, match="NO_JOB"):
        jobs.get(old)
    assert jobs.get(late).result == {"text": "x" * 600_000}
    assert jobs.get(small).status == "done"
    longest = made(2_000_000)
    assert [row.id for row in jobs.all()] == [longest], "whoever asked gets it all the same"
    jobs.close()
