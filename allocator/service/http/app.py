"""The application: API, dashboard, refusals, headers that keep browsers in line."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request, Response

from allocator import __version__
from allocator.models.api import ProblemDetails
from allocator.service.dashboard.installation import install
from allocator.service.http import acting, events, problems, routes
from allocator.service.http.lanes import Lanes
from allocator.service.http.site import Site
from allocator.service.http.sizes import Sizes

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    ),
}


def create(site: Site) -> FastAPI:
    """Make the application of a site."""
    app = FastAPI(
        title="allocator",
        version=__version__,
        summary="Runs many crypto-derivatives accounts as one book.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/v1/openapi.json",
    )
    app.state.site = site
    problems.install(app)
    parts = acting.router, acting.planning_router, acting.long_router, events.router
    for router in (routes.open_routes, routes.router, *parts):
        app.include_router(router)
    sessions = install(app, site)
    site.service.enter = lambda name: f"/enter?code={sessions.code(name)}"
    _document_problems(app)

    @app.middleware("http")
    async def finish(request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await go_on(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if not request.url.path.startswith("/static/"):
            response.headers.setdefault("Cache-Control", "no-store")
        site.service.metrics.request(request.method, response.status_code)
        return response

    app.add_middleware(Lanes)
    app.add_middleware(Sizes)
    return app


def _document_problems(app: FastAPI) -> None:
    """Put the schema of refusals into the API's description, which refers to it."""
    made = app.openapi

    def described() -> dict[str, object]:
        document = made()
        known = document.setdefault("components", {}).setdefault("schemas", {})
        if "ProblemDetails" not in known:
            schema = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
            known |= schema.pop("$defs", {})
            known["ProblemDetails"] = schema
        return document

    app.openapi = described  # type: ignore[method-assign]
