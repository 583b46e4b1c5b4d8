"""Stops wait behind no reads: they have threads of their own, and reads are few at a time.

Whatever asks the database does so in a thread; those of the server's loop, and the connections of
the database's pool, are few. A reader who asks for much must not keep a halt waiting for either.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import Future
from contextvars import copy_context
from threading import Thread
from typing import Any

from allocator.models.api import ProblemDetails
from allocator.service.http.problems import respond

READS = 6
"""Reads under way at once. The database's pool has 15 connections; the rest are for deeds."""

HISTORIES = 3
"""Readings of the history under way at once: they read files, and may take very long."""

HISTORY_S = 20.0
"""Seconds after which a reading of the history has no answer."""

STOPS = 8
"""Stops under way at once; each has a thread that ends with it."""

LARGEST_STOP = 100_000
"""Bytes of a stop's body: a reason and a name."""

STOP = re.compile(
    r"(/v1)?/(halt|plans?/[^/]+/(reject|retract)|executions/[^/]+/cancel|schedules/[^/]+/pause)"
)
FREE = re.compile(r"/(healthz|readyz|static/.*|v1/events|v1/audit/verify)")
"""Reads that are bounded by themselves, or keep no thread while they last."""

HISTORY = re.compile(r"/v1/(profit|equity)|/book")
APART = ((re.compile(r"/metrics"), 1), (re.compile(r"/login|/enter"), 2))
"""Reads that have a lane of their own, each of so many: who watches, and who wants to come in."""

BUSY = ProblemDetails(
    title="Service Unavailable",
    status=503,
    detail=f"the history has not answered within {HISTORY_S:.0f} s; everything else is answered",
    code="HISTORY_BUSY",
)

log = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


class Lanes:
    """Middleware that parts stops and reads from what else is asked."""

    def __init__(self, app: App, history_s: float = HISTORY_S) -> None:
        self._app = app
        self._reads = asyncio.Semaphore(READS)
        self._apart = [(path, asyncio.Semaphore(most)) for path, most in APART]
        self._histories = asyncio.Semaphore(HISTORIES)
        self._history_s = history_s
        self._left = set[asyncio.Task[None]]()
        self._stops = asyncio.Semaphore(STOPS)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request in its lane."""
        method, path = scope.get("method"), scope.get("path", "")
        if method == "POST" and STOP.fullmatch(path):
            await self._stop(scope, receive, send)
        elif method in ("GET", "HEAD") and HISTORY.fullmatch(path):
            await self._history(scope, receive, send)
        elif method in ("GET", "HEAD") and not FREE.fullmatch(path):
            lanes = (lane for which, lane in self._apart if which.fullmatch(path))
            await self._read(_Held(next(lanes, self._reads)), scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _history(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a reading of the history in time, or tell that it cannot be had now.

        A thread cannot be broken off: it keeps its place until it ends.
        """
        begun, late = asyncio.Event(), False

        async def told(message: Message) -> None:
            if not late:
                begun.set()
                await send(message)

        lane = _Held(self._histories)
        reading = asyncio.create_task(self._read(lane, scope, receive, told))
        beginning = asyncio.create_task(begun.wait())
        self._left.add(reading)
        reading.add_done_callback(self._over)
        try:
            await asyncio.wait(
                {reading, beginning},
                timeout=self._history_s,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if begun.is_set() or reading.done():
                await reading
                return
            late = True
            if not lane.holds:
                reading.cancel()
        finally:
            beginning.cancel()
        await respond(BUSY, {"Retry-After": f"{HISTORY_S:.0f}"})(scope, receive, send)

    def _over(self, reading: asyncio.Task[None]) -> None:
        self._left.discard(reading)
        if not reading.cancelled() and reading.exception() is not None:
            log.debug("a reading of the history failed: %s", reading.exception())

    async def _read(self, lane: _Held, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a read; a reader who takes its answer slowly keeps nobody waiting."""

        async def told(message: Message) -> None:
            lane.release()
            await send(message)

        await lane.acquire()
        try:
            await self._app(scope, receive, told)
        finally:
            lane.release()

    async def _stop(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a stop in a thread and a loop of its own, so that it shares no thread."""
        given = await _whole(receive)
        if given is None:
            detail = f"a body has {LARGEST_STOP} bytes at most here"
            refusal = ProblemDetails(
                title="Content Too Large", status=413, detail=detail, code="TOO_LARGE"
            )
            await respond(refusal)(scope, receive, send)
            return
        async with self._stops:
            answer = Future[list[Message]]()
            answer.set_running_or_notify_cancel()
            run = copy_context().run
            # A daemon: the end of the process does not wait for the database.
            Thread(target=run, args=(self._run, scope, given, answer), daemon=True).start()
            messages = await asyncio.wrap_future(answer)
        for message in messages:
            await send(message)

    def _run(self, scope: Message, given: Message, answer: Future[list[Message]]) -> None:
        messages = list[Message]()

        async def send(message: Message) -> None:
            messages.append(message)

        async def apart() -> None:
            await self._app(scope, _once(given), send)

        try:
            asyncio.run(apart())
        except Exception as error:  # noqa: BLE001 - told where it is waited for
            answer.set_exception(error)
        else:
            answer.set_result(messages)


class _Held:
    """A place in a lane that is given back once."""

    def __init__(self, lane: asyncio.Semaphore) -> None:
        self._lane = lane
        self.holds = False

    async def acquire(self) -> None:
        await self._lane.acquire()
        self.holds = True

    def release(self) -> None:
        if self.holds:
            self.holds = False
            self._lane.release()


async def _whole(receive: Receive) -> Message | None:
    """Read a body to its end; None where it is too long, or its sender has gone."""
    parts, size = list[bytes](), 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > LARGEST_STOP:
            return None
        if not message.get("more_body", False):
            return {"type": "http.request", "body": b"".join(parts), "more_body": False}


def _once(given: Message) -> Receive:
    """Give a message, and nothing after it."""
    rest = iter((given,))

    async def receive() -> Message:
        message = next(rest, None)
        if message is None:
            await asyncio.Event().wait()
        assert message is not None
        return message

    return receive
