"""Progress as server-sent events: the audit's lines, steps of executions, and jobs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import StreamingResponse

from allocator.models.base import json_value
from allocator.service.http.access import Served, need
from allocator.service.http.problems import written_as
from allocator.service.http.routes import LARGEST
from allocator.service.http.site import Site
from allocator.service.http.tokens import Principal

LOOK_S = 0.5
QUIET_S = 15.0
BATCH = 200
DIGITS = 100
"""Digits of a number that are read; what is longer is larger than any line's."""

router = APIRouter(prefix="/v1", tags=["read"])


def frame(kind: str, data: Any, number: int | None = None) -> str:
    """Write one event."""
    head = f"id: {number}\n" if number is not None else ""
    return f"{head}event: {kind}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n"


async def stream(
    site: Site,
    after: int,
    until_s: float | None,
    request: Request,
    holds: Callable[[], bool] = lambda: True,
) -> AsyncGenerator[str]:
    """Yield what happens from a line of the audit on, until the reader or the service goes.

    Parameters
    ----------
    holds
        Whether the reader may still read: asked before anything is told and at each sign of life.
        Once they may not, the stream ends.
    """
    loop = asyncio.get_running_loop()
    began = quiet = loop.time()
    steps, leads = _latest(site), site.service.live.leads
    yield ": connected\n\n" + _instance(leads=leads)
    while not site.service.stopping.is_set() and not await request.is_disconnected():
        rows = await asyncio.to_thread(site.views.events, after, BATCH)
        fresh = [row for row in site.service.live.steps() if row[0] > steps]
        now = loop.time()
        turned, leads = leads != site.service.live.leads, site.service.live.leads
        speaks = bool(rows or fresh or turned) or now - quiet > QUIET_S
        if speaks and not await asyncio.to_thread(holds):
            return
        if turned:
            yield _instance(leads=leads)
        for row in rows:
            after = row.seq
            yield frame("audit", json_value(row), row.seq)
        for number, step in fresh:
            steps = number
            yield frame("progress", json_value(step))
        if speaks and not rows and not fresh and not turned:
            yield ": still here\n\n"
        quiet = now if speaks else quiet
        if until_s is not None and now - began >= until_s:
            return
        await asyncio.sleep(0 if len(rows) == BATCH else LOOK_S)


def _instance(*, leads: bool) -> str:
    """Tell whether steps of executions are to be had here: only who leads knows them."""
    return frame("instance", {"leads": leads})


def _latest(site: Site) -> int:
    rows = site.service.live.steps()
    return rows[-1][0] if rows else 0


@router.get(
    "/events",
    response_class=StreamingResponse,
    responses=written_as("text/event-stream", 401, 403, 422),
)
async def events(  # noqa: PLR0913 - the parts of a request
    site: Served,
    request: Request,
    asking: Annotated[Principal, Depends(need("read"))],
    *,
    after: Annotated[int | None, Query(ge=0, le=LARGEST)] = None,
    for_s: Annotated[float | None, Query(ge=0, le=86_400)] = None,
    last_event_id: Annotated[str | None, Header()] = None,
) -> StreamingResponse:
    """Follow the audit and executions from a line on, by default from now.

    The header ``Last-Event-ID`` goes on where a broken connection had stopped. The stream ends
    when the token expires or is revoked. Every instance tells the audit (``audit``); steps of
    executions (``progress``) are told by the leader alone, and ``instance`` says, at the beginning
    and at each change, whether this one leads.
    """

    def holds() -> bool:
        found = site.tokens.named(asking.name, site.service.clock.now())
        return found is not None and found.may("read")

    if after is not None:
        begin = after
    elif last_event_id is not None and last_event_id.isdecimal():
        begin = LARGEST if len(last_event_id) > DIGITS else min(int(last_event_id), LARGEST)
    else:
        begin = await asyncio.to_thread(site.views.last_event)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(
        stream(site, begin, for_s, request, holds), media_type="text/event-stream", headers=headers
    )
