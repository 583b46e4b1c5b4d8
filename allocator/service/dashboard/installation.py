"""Puts the dashboard beside the API."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse
from fastapi.staticfiles import StaticFiles

from allocator.service.dashboard import entrance, forms, pages
from allocator.service.dashboard.render import Renderer
from allocator.service.dashboard.sessions import Sessions, cookie_of
from allocator.service.dashboard.visits import LoginWantedError
from allocator.service.http.site import Site

HERE = Path(__file__).parent


def install(app: FastAPI, site: Site) -> Sessions:
    """Put the dashboard beside the API."""
    app.state.sessions = sessions = Sessions(site.tokens, cookie_of(site.service.config))
    app.state.render = Renderer(HERE / "templates")
    app.mount(
        "/static",
        StaticFiles(directory=HERE / "static", packages=[("allocator.whatif", "static")]),
        name="static",
    )
    for part in (entrance, pages, forms):
        app.include_router(part.router)

    @app.exception_handler(LoginWantedError)
    def log_in(request: Request, _error: LoginWantedError) -> Response:
        if "HX-Request" in request.headers:
            # A page that renews a part of itself would put nothing in its place.
            return Response(status_code=204, headers={"HX-Redirect": "/login"})
        return RedirectResponse("/login", 303)

    return sessions
