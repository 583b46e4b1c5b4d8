"""Who asks and whether they may; each acting request once, under its idempotency key."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from contextlib import nullcontext, suppress
from typing import Annotated, Any, ClassVar, NamedTuple

from fastapi import Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from allocator.models.api import Scope
from allocator.models.errors import AllocatorError
from allocator.service.http import writes
from allocator.service.http.once import Reply, request_hash
from allocator.service.http.problems import ProblemError
from allocator.service.http.site import Site
from allocator.service.http.tokens import Principal

KEY = "Idempotency-Key"
LONGEST_KEY = 200
WRITTEN_KEY = "^[!-~]+$"
"""How a key is written, as OpenAPI tells it: what a header carries unchanged on every way."""

UNAVAILABLE = (DBAPIError, PoolTimeoutError)
"""How a database fails a request."""

Handler = Callable[[Request], Coroutine[Any, Any, Response]]

_bearer = HTTPBearer(auto_error=False, description="A token of `allocator token make`.")


def site_of(request: Request) -> Site:
    """Find what the application serves."""
    found: Site = request.app.state.site
    return found


def principal_of(
    request: Request,
    given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Principal:
    """Find who asks by the bearer token.

    Raises
    ------
    ProblemError
        401 without a token that is good now.
    """
    site = site_of(request)
    now = site.service.clock.now()
    found = None if given is None else site.tokens.find(given.credentials, now)
    if found is None:
        challenge = {"WWW-Authenticate": "Bearer"}
        raise ProblemError(401, "UNAUTHENTICATED", "a bearer token is wanted", challenge)
    return found


Asking = Annotated[Principal, Depends(principal_of)]
Served = Annotated[Site, Depends(site_of)]


def need(*any_of: Scope) -> Callable[[Principal], Principal]:
    """Make a dependency that lets through whoever holds one of the scopes."""

    def check(asking: Asking) -> Principal:
        if not asking.may(*any_of):
            wanted = " or ".join(any_of)
            raise ProblemError(403, "FORBIDDEN", f"{asking.name} has not the scope {wanted}")
        return asking

    return check


class OnceRoute(APIRoute):
    """A route whose POSTs need an idempotency key and act once under it.

    Attributes
    ----------
    long
        Whether they take long: then few are worked on at once.
    bounded
        Whether they are refused where a name has asked for more than is kept of it.
    """

    long: ClassVar[bool] = False
    bounded: ClassVar[bool] = False

    def get_route_handler(self) -> Handler:
        """Wrap the handler."""
        handler = super().get_route_handler()

        async def once(request: Request) -> Response:
            if request.method != "POST":
                return await handler(request)
            return await _once(request, handler, type(self))

        return once


class PlanningRoute(OnceRoute):
    """A route whose POSTs plan, and stop or judge nothing."""

    bounded = True


class LongRoute(PlanningRoute):
    """A route whose POSTs take long."""

    long = True


class Asked(NamedTuple):
    """A request that acts: whose it is, under which key, its hash, and whether it is bounded."""

    name: str
    key: str
    hash: str
    bounded: bool


async def _once(request: Request, handler: Handler, route: type[OnceRoute]) -> Response:
    given = await _bearer(request)
    # What asks the database does so in threads: the loop answers others meanwhile.
    asking = await run_in_threadpool(principal_of, request, given)
    key = request.headers.get(KEY, "")
    if len(key) > LONGEST_KEY or not re.fullmatch(WRITTEN_KEY, key):
        detail = f"a POST needs the header {KEY}: 1 to {LONGEST_KEY} of the characters ! to ~"
        raise ProblemError(400, "IDEMPOTENCY_KEY_WANTED", detail)
    try:
        body = await request.body()
    except ClientDisconnect as error:
        raise ProblemError(400, "CUT_OFF", "the request broke off within its body") from error
    target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    asked = Asked(asking.name, key, request_hash(request.method, target, body), route.bounded)
    async with site_of(request).few.place() if route.long else nullcontext():
        return await _answer(request, handler, asked)


async def _answer(request: Request, handler: Handler, asked: Asked) -> Response:
    site = site_of(request)
    name, key, now = asked.name, asked.key, site.service.clock.now()
    known = await run_in_threadpool(
        site.replies.begin, name, key, asked.hash, now, bounded=asked.bounded
    )
    if known is not None:
        headers = {"Idempotent-Replay": "true"}
        return Response(known.body, known.status, headers, media_type="application/json")
    written = writes.begin()
    try:
        response = await handler(request)
    except (AllocatorError, RequestValidationError, HTTPException):
        # It was refused: nothing was done, so the key may be used again. Whatever else went
        # wrong leaves the key taken: somebody has to look what became of the request.
        await run_in_threadpool(site.replies.forget, name, key)
        raise
    except UNAVAILABLE:
        # The database failed it before anything was committed: that was rolled back.
        if not written:
            with suppress(*UNAVAILABLE):
                await run_in_threadpool(site.replies.forget, name, key)
        raise
    text = bytes(response.body).decode()
    reply = Reply(response.status_code, text)
    await run_in_threadpool(site.replies.keep, name, key, reply)
    return response
