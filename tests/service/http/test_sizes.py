"""Nobody fills memory or disk by what a request carries."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from allocator.service.http.lanes import LARGEST_STOP
from tests.service.sites import Place

PART = 100_000
SENT = 40_000_000
LARGEST = 8_000_000

FORM = b"multipart/form-data; boundary=X"
FILE = b'--X\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'


def sent(place: Place, path: str, *headers: tuple[bytes, bytes], first: bytes = b"") -> Any:
    """Send much to a path in parts; tell the status, and how many bytes were taken."""
    taken, told = 0, list[int]()

    async def receive() -> Any:
        nonlocal taken
        body = first if not taken and first else b"a" * PART
        taken += len(body)
        return {"type": "http.request", "body": body, "more_body": taken < SENT}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            told.append(message["status"])

    asked = {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "scheme": "http",
        "server": ("testserver", 80),
        "headers": [(b"host", b"testserver"), (b"origin", b"http://testserver"), *headers],
    }
    asyncio.run(place.app(asked, receive, send))
    return told, taken


@pytest.mark.parametrize(
    "path", ["/login", "/logout", "/resume", "/plan/ab/approve", "/what-if", "/mandates/1/publish"]
)
def test_a_file_in_a_form_of_nobody_is_not_taken(place: Place, path: str) -> None:
    told, taken = sent(place, path, (b"content-type", FORM), first=FILE)
    assert told == [413]
    assert taken < LARGEST


def test_a_long_body_of_whoever_may_only_read_is_not_taken(place: Place) -> None:
    token = f"Bearer {place.tokens['read']}".encode()
    headers = (b"authorization", token), (b"idempotency-key", b"k")
    told, taken = sent(place, "/v1/plans", *headers)
    assert told == [413]
    assert taken <= LARGEST + PART


def test_what_says_that_it_is_too_long_is_refused_unread(place: Place) -> None:
    told, taken = sent(place, "/login", (b"content-length", b"40000000"), (b"content-type", FORM))
    assert (told, taken) == ([413], 0)


def test_a_long_body_of_a_stop_is_refused_by_the_bound_of_stops(place: Place) -> None:
    told, taken = sent(place, "/halt", (b"content-type", FORM), first=FILE)
    assert told == [413]
    assert taken <= LARGEST_STOP + PART + len(FILE)


def test_what_is_not_too_long_is_read_to_its_end(place: Place) -> None:
    body = {"reason": "odd prices", "scope": "global"}
    assert place.post("/v1/halt", body).status_code == 200
    form = {"token": place.tokens["alice"]}
    told = place.client.post(
        "/login", data=form, headers={"Origin": "http://testserver"}, follow_redirects=False
    )
    assert told.status_code == 303
