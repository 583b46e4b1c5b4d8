"""Refusals as problem+json (RFC 9457): a stable code, and which fields were wrong."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException

from allocator.execution.leader import NotLeaderError
from allocator.models.api import Fault, ProblemDetails
from allocator.models.errors import (
    AllocatorError,
    InputError,
    JournalError,
    RefusedError,
    SolverError,
    StaleError,
)
from allocator.service.allowances import FullError, TooLongError
from allocator.service.http.once import KeyReusedError
from allocator.service.outage import words_of
from allocator.service.snapshots import MissingError

MEDIA = "application/problem+json"
MOST_FAULTS = 50

log = logging.getLogger(__name__)


class ProblemError(HTTPException):
    """A refusal of the API itself."""

    def __init__(
        self, status: int, code: str, detail: str, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(status, detail, headers)
        self.code = code


def respond(problem: ProblemDetails, headers: dict[str, str] | None = None) -> Response:
    """Write a refusal."""
    return Response(problem.model_dump_json(), problem.status, headers, media_type=MEDIA)


def of_error(error: AllocatorError) -> ProblemDetails:
    """Tell an error of ours as a refusal.

    What is missing is 404, what is wrong 422, what conflicts with the state of things 409, what
    a name has too much of 429, what alone is too much 413, what cannot be had just now 503.
    """
    match error:
        case MissingError():
            status = HTTPStatus.NOT_FOUND
        case FullError():
            status = HTTPStatus.TOO_MANY_REQUESTS
        case TooLongError():
            status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        case InputError() | SolverError() | KeyReusedError():
            status = HTTPStatus.UNPROCESSABLE_ENTITY
        case NotLeaderError() | RefusedError() | JournalError():
            status = HTTPStatus.CONFLICT
        case StaleError():
            status = HTTPStatus.SERVICE_UNAVAILABLE
        case _:
            status = HTTPStatus.INTERNAL_SERVER_ERROR
    head = str(error).partition(":")[0]
    code = head if head.isupper() and " " not in head else error.code
    return ProblemDetails(title=status.phrase, status=status, detail=str(error)[:4000], code=code)


def install(app: FastAPI) -> None:
    """Answer every error of an application as problem+json."""
    app.exception_handler(AllocatorError)(_ours)
    for kind in (OperationalError, InterfaceError, PoolTimeoutError):
        app.add_exception_handler(kind, _unreachable)
    app.exception_handler(RequestValidationError)(_invalid)
    app.exception_handler(HTTPException)(_theirs)
    app.add_exception_handler(Exception, _unforeseen)


def _ours(_request: Request, error: AllocatorError) -> Response:
    problem = of_error(error)
    if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("request failed", exc_info=error)
    again = {"Retry-After": str(error.again_s)} if isinstance(error, FullError) else None
    return respond(problem, again)


def _unreachable(_request: Request, error: Exception) -> Response:
    # In one line: whoever asks meets it, and a trace of each would drown everything else.
    log.error("request failed: the database cannot be used: %s", words_of(error))
    detail = "the database cannot be used now; nothing is known of what was asked"
    return respond(
        ProblemDetails(
            title="Service Unavailable", status=503, detail=detail, code="DATABASE_UNAVAILABLE"
        )
    )


def _invalid(_request: Request, error: RequestValidationError) -> Response:
    faults = tuple(
        Fault(path=".".join(map(str, row["loc"])), what=str(row["msg"]))
        for row in error.errors()[:MOST_FAULTS]
    )
    return respond(
        ProblemDetails(
            title="Unprocessable Entity",
            status=422,
            detail="the request is not as it has to be",
            code="INVALID_REQUEST",
            faults=faults,
        )
    )


def _theirs(_request: Request, error: HTTPException) -> Response:
    code = error.code if isinstance(error, ProblemError) else ""
    phrase = HTTPStatus(error.status_code).phrase
    problem = ProblemDetails(
        title=phrase,
        status=error.status_code,
        detail=str(error.detail),
        code=code or phrase.upper().replace(" ", "_"),
    )
    return respond(problem, dict(error.headers or {}))


def _unforeseen(_request: Request, error: Exception) -> Response:
    log.error("request failed", exc_info=error)
    problem = ProblemDetails(title="Internal Server Error", status=500, code="INTERNAL")
    return respond(problem)


def written_as(media: str, *statuses: int) -> dict[int | str, dict[str, Any]]:
    """Document an answer that is no JSON, with its refusals."""
    good: dict[int | str, dict[str, Any]] = {200: {"content": {media: {}}}}
    return good | responses(*statuses)


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Document refusals for OpenAPI."""
    content = {MEDIA: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": content}
        for status in statuses
    }
