"""Who looks at a page, and which forms are let through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import Depends, Form, Request
from fastapi.responses import HTMLResponse
from pydantic import AfterValidator

from allocator.models import api
from allocator.models.api import Scope
from allocator.models.base import legible
from allocator.service.dashboard.render import Renderer
from allocator.service.dashboard.sessions import Session, Sessions, same
from allocator.service.http.problems import ProblemError
from allocator.service.http.site import Site
from allocator.service.http.tokens import Principal


@dataclass(frozen=True, slots=True)
class Visit:
    """A request of somebody who is logged in.

    Attributes
    ----------
    refused
        What was refused just before; empty: nothing.
    """

    site: Site
    session: Session
    who: Principal
    render: Renderer
    refused: str = ""

    def page(self, name: str, **facts: Any) -> HTMLResponse:
        """Write a page."""
        return HTMLResponse(
            self.render(
                f"{name}.html", page=name, now=self.site.service.clock.now(),
                session=self.session, who=self.who,
                site=self.site.plain(), breakers=self._tripped(), refused=self.refused, **facts,
            )
        )  # fmt: skip

    def _tripped(self) -> list[api.BreakerView]:
        return [row for row in self.site.views.breakers() if row.state != "active"]

    def need(self, *any_of: Scope) -> None:
        """Refuse whoever has none of the scopes.

        Raises
        ------
        ProblemError
            403.
        """
        if not self.who.may(*any_of):
            wanted = " or ".join(any_of)
            raise ProblemError(403, "FORBIDDEN", f"{self.who.name} has not the scope {wanted}")


class LoginWantedError(Exception):
    """Nobody is logged in."""


def visit(request: Request) -> Visit:
    """Find who looks."""
    state = request.app.state
    sessions: Sessions = state.sessions
    key = request.cookies.get(sessions.cookie)
    found = sessions.find(key, state.site.service.clock.now())
    if found is None:
        raise LoginWantedError
    refused = request.query_params.get("refused", "")[:300]
    session, who = found
    out = Visit(state.site, session, who, state.render, refused)
    out.need("read")
    return out


def acting(
    request: Request, here: Annotated[Visit, Depends(visit)], csrf: Annotated[str, Form()] = ""
) -> Visit:
    """Let a form through that this site's own page has sent.

    Raises
    ------
    ProblemError
        403 when it comes from elsewhere.
    """
    check_origin(request)
    if not same(csrf, here.session.csrf):
        raise ProblemError(403, "CSRF", "the form is not one of this session: load the page anew")
    return here


def check_origin(request: Request) -> None:
    """Refuse a form that another site's page has sent."""
    http = request.app.state.site.service.config.service.http
    told = request.headers.get("origin") or request.headers.get("referer", "")
    if http.origin is not None:
        own = http.origin
    else:
        own = f"{request.url.scheme}://{request.headers.get('host', '')}"
    parts = urlsplit(told)
    if f"{parts.scheme}://{parts.netloc}" != own.rstrip("/"):
        raise ProblemError(403, "ORIGIN", "the form was sent from another site")


Looking = Annotated[Visit, Depends(visit)]
Acting = Annotated[Visit, Depends(acting)]
Text = Annotated[str, Form(max_length=2000), AfterValidator(legible)]
"""Words of a person; what no database keeps of them must not keep a halt from being written."""

PlanNamed = Annotated[str, AfterValidator(legible)]
"""What an address calls a plan."""
