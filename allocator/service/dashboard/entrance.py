"""Coming and going: sessions begin with a token or a one-time code."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from allocator.service.dashboard.sessions import LASTS, Sessions
from allocator.service.dashboard.visits import Acting, check_origin
from allocator.service.http.site import Site

router = APIRouter(include_in_schema=False)


@router.get("/")
def root() -> Response:
    """Go to the book."""
    return RedirectResponse("/book", 303)


@router.get("/login")
def login_page(request: Request) -> HTMLResponse:
    """Ask for a token."""
    site: Site = request.app.state.site
    return HTMLResponse(request.app.state.render("login.html", site=site.plain(), wrong=False))


@router.post("/login")
def login(request: Request, token: Annotated[str, Form(max_length=500)] = "") -> Response:
    """Begin a session with a token."""
    check_origin(request)
    site: Site = request.app.state.site
    key = request.app.state.sessions.login(token.strip(), site.service.clock.now())
    if key is None:
        page = request.app.state.render("login.html", site=site.plain(), wrong=True)
        return HTMLResponse(page, 401)
    return _begun(request, key)


@router.get("/enter")
def enter(request: Request, code: Annotated[str, Query(max_length=200)] = "") -> Response:
    """Begin a session with a one-time code."""
    site: Site = request.app.state.site
    key = request.app.state.sessions.enter(code, site.service.clock.now())
    return RedirectResponse("/login", 303) if key is None else _begun(request, key)


def _begun(request: Request, key: str) -> Response:
    origin = request.app.state.site.service.config.service.http.origin or str(request.url)
    out = RedirectResponse("/book", 303)
    out.set_cookie(
        _sessions(request).cookie, key, int(LASTS.total_seconds()), httponly=True,
        samesite="strict", secure=origin.startswith("https"),
    )  # fmt: skip
    return out


@router.post("/logout")
def logout(request: Request, _here: Acting) -> Response:
    """End the session."""
    sessions = _sessions(request)
    sessions.end(request.cookies.get(sessions.cookie))
    out = RedirectResponse("/login", 303)
    out.delete_cookie(sessions.cookie)
    return out


def _sessions(request: Request) -> Sessions:
    found: Sessions = request.app.state.sessions
    return found
