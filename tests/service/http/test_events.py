"""A stream of events ends with the token that opened it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from starlette.requests import Request

from allocator.service.http import events
from allocator.service.http.tokens import Principal
from tests.service.sites import Place


def opened(place: Place, name: str, after: int) -> Any:
    """Open a stream as the route does, for a reader that stays."""

    async def receive() -> Any:
        await asyncio.Event().wait()

    scope = {"type": "http", "method": "GET", "path": "/v1/events", "headers": []}
    found = place.site.tokens.named(name, place.clock.now())
    assert isinstance(found, Principal)
    request = Request(scope, receive)
    return events.events(place.site, request, found, after=after, for_s=None, last_event_id=None)


async def frames(place: Place, name: str, end: Any) -> list[str]:
    """Read a stream whose token is ended once its first events have come."""
    answer = opened(place, name, place.site.views.last_event())
    body = (await answer).body_iterator
    got = [await anext(body)]
    place.service.office.note("desk", "before")
    got.append(await anext(body))
    end()
    place.service.office.note("desk", "after")
    got.extend([part async for part in body])
    return got


@pytest.mark.parametrize("how", ["revoked", "expired"])
def test_a_stream_ends_when_its_token_does_and_tells_nothing_more(
    place: Place, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(events, "LOOK_S", 0.0)
    tokens, until = place.site.tokens, place.clock.now() + timedelta(hours=1)
    tokens.make("reader", ("read",), place.clock.now(), until)

    def end() -> None:
        if how == "revoked":
            tokens.revoke("reader", place.clock.now())
        else:
            place.clock.at = until

    got = asyncio.run(frames(place, "reader", end))
    assert len(got) == 2
    assert "before" in got[1]


def test_a_quiet_stream_ends_with_its_token_too(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "LOOK_S", 0.0)
    monkeypatch.setattr(events, "QUIET_S", -1.0)
    tokens = place.site.tokens
    tokens.make("reader", ("read",), place.clock.now())

    async def quiet() -> list[str]:
        answer = opened(place, "reader", place.site.views.last_event())
        body = (await answer).body_iterator
        got = [await anext(body), await anext(body)]
        tokens.revoke("reader", place.clock.now())
        return got + [part async for part in body]

    first, *rest = asyncio.run(quiet())
    assert first.startswith(": connected\n\n")
    assert rest == [": still here\n\n"]


def test_a_stream_says_whether_its_instance_tells_of_steps(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "LOOK_S", 0.0)
    live = place.service.live

    async def follow() -> list[str]:
        body = (await opened(place, "read", place.site.views.last_event())).body_iterator
        got = [await anext(body)]
        live.leads = True
        got.append(await anext(body))
        place.service.stopping.set()
        return got + [part async for part in body]

    first, *rest = asyncio.run(follow())
    assert first == ': connected\n\nevent: instance\ndata: {"leads":false}\n\n'
    assert rest == ['event: instance\ndata: {"leads":true}\n\n']
