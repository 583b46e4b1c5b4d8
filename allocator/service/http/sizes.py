"""How much a request may carry: what is longer is refused before it fills memory or disk.

Forms are read before it is known who sends them, and files in them are put on the disk; so the
bound is held where bytes come in.
"""

from __future__ import annotations

from http import HTTPStatus

from allocator.models.api import ProblemDetails
from allocator.service.http.lanes import App, Message, Receive, Send
from allocator.service.http.problems import respond

LARGEST_BODY = 8_000_000
"""Bytes of a request to the API: a posted snapshot of a large desk."""

LARGEST_FORM = 500_000
"""Bytes of a form: the longest text of a scenario, encoded, many times over."""

END = {"type": "http.disconnect"}


class Sizes:
    """Middleware that refuses what is too long, by what it says or as soon as it is."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass a request on; one that becomes too long ends there, and is answered here."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = LARGEST_BODY if scope["path"].startswith("/v1/") else LARGEST_FORM
        size = _told(scope)
        if size <= most:
            size, begun = 0, False

            async def received() -> Message:
                nonlocal size
                # For the application its sender has gone, whatever still comes.
                message = END if size > most else await receive()
                size += len(message.get("body", b""))
                return END if size > most else message

            async def answered(message: Message) -> None:
                nonlocal begun
                if begun or size <= most:
                    begun = True
                    await send(message)

            await self._app(scope, received, answered)
            if begun:
                return
        status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        detail = f"a body has {most} bytes at most here"
        refusal = ProblemDetails(
            title=status.phrase, status=status, detail=detail, code="TOO_LARGE"
        )
        await respond(refusal)(scope, receive, send)


def _told(scope: Message) -> int:
    """Tell what a request says of its length; 0: nothing that is a number."""
    rows = [value for name, value in scope["headers"] if name == b"content-length"]
    return int(rows[0]) if rows and rows[0].isdigit() else 0
