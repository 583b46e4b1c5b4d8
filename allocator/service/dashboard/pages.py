"""What the pages show and what their forms do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, FastAPI, Form, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles

from allocator.models import api
from allocator.models.api import Scope
from allocator.models.errors import AllocatorError
from allocator.service import deeds
from allocator.service.dashboard import charts
from allocator.service.dashboard.render import Renderer
from allocator.service.dashboard.sessions import COOKIE, LASTS, Session, Sessions, same
from allocator.service.http.deciding import frontier_of, what_if
from allocator.service.http.problems import ProblemError
from allocator.service.http.site import Site
from allocator.service.http.tokens import Principal
from allocator.service.snapshots import MissingError

HERE = Path(__file__).parent
DAY = timedelta(days=1)


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
                f"{name}.html", page=name, session=self.session, who=self.who,
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


class _LoginWantedError(Exception):
    """Nobody is logged in."""


def visit(request: Request) -> Visit:
    """Find who looks."""
    state = request.app.state
    found = state.sessions.find(request.cookies.get(COOKIE), state.site.service.clock.now())
    if found is None:
        raise _LoginWantedError
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
Text = Annotated[str, Form(max_length=2000)]

router = APIRouter(include_in_schema=False)


def install(app: FastAPI, site: Site) -> Sessions:
    """Put the dashboard beside the API."""
    app.state.sessions = sessions = Sessions(site.tokens)
    app.state.render = Renderer(HERE / "templates")
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    app.include_router(router)

    @app.exception_handler(_LoginWantedError)
    def log_in(_request: Request, _error: _LoginWantedError) -> Response:
        return RedirectResponse("/login", 303)

    return sessions


# Coming and going


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
        COOKIE, key, int(LASTS.total_seconds()), httponly=True, samesite="strict",
        secure=origin.startswith("https"),
    )  # fmt: skip
    return out


@router.post("/logout")
def logout(request: Request, _here: Acting) -> Response:
    """End the session."""
    request.app.state.sessions.end(request.cookies.get(COOKIE))
    out = RedirectResponse("/login", 303)
    out.delete_cookie(COOKIE)
    return out


# Pages


@router.get("/book")
def book(here: Looking) -> HTMLResponse:
    """Show accounts, equity, margin, staleness, what was earned."""
    views, now = here.site.views, here.site.service.clock.now()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    shown = views.book()
    ratios = [row.ratio for row in shown.accounts if row.ratio is not None]
    return here.page(
        "book",
        book=shown,
        worst=min(ratios, default=None),
        today=next(iter(views.profit("book", midnight, now)), None),
        venues=views.profit("venue", midnight, now),
        curve=charts.equity(views.equity("book", now - DAY, now)),
    )


@router.get("/exposure")
def exposure(here: Looking) -> HTMLResponse:
    """Show exposures against target and band, by account, and how much of limits is used."""
    shown = here.site.views.book()
    return here.page("exposure", book=shown, heat=charts.heat(shown))


@router.get("/plan")
def latest_plan(here: Looking) -> HTMLResponse:
    """Show the latest plan."""
    hashes = here.site.views.plan_hashes(1)
    return _plan(here, hashes[0] if hashes else None, None)


@router.get("/plan/{plan_hash}")
def plan(here: Looking, plan_hash: str, job: str | None = None) -> HTMLResponse:
    """Show a plan: before and after, what moves, what it costs, what binds, who let it go."""
    return _plan(here, plan_hash, job)


def _plan(here: Visit, plan_hash: str | None, job: str | None) -> HTMLResponse:
    views = here.site.views
    recent = views.plans(12)
    if plan_hash is None:
        return here.page("plan", recent=recent, shown=None)
    shown, (found, _) = views.plan(plan_hash), views.proposal(plan_hash)
    work = here.site.jobs.get(job) if job else None
    curve = work.result["frontier"] if work is not None and work.result else None
    return here.page(
        "plan",
        recent=recent,
        shown=shown,
        headline=found.plan.explain().splitlines()[0],
        exposure=charts.exposure(found.plan),
        sankey=charts.sankey(found.plan, found.snapshot),
        cost=charts.cost(found.plan),
        job=work,
        frontier=None if curve is None else charts.frontier(curve),
        curve=curve,
        execution=_execution(here.site, plan_hash),
    )


def _execution(site: Site, plan_hash: str) -> api.ExecutionView | None:
    try:
        return site.views.execution(plan_hash)
    except MissingError:
        return None


@router.get("/runs")
def runs(here: Looking) -> HTMLResponse:
    """Show what was and is done, and the latest execution action by action."""
    views = here.site.views
    begun = next((row for row in views.plans(20) if row.begun), None)
    latest = None if begun is None else views.execution(begun.plan_hash)
    return here.page(
        "runs",
        slots=views.slots(40),
        schedules=views.schedules(),
        latest=latest,
        timeline=charts.timeline(latest.attempts if latest is not None else ()),
    )


@router.get("/what-if")
def what_if_page(here: Looking, job: str | None = None) -> HTMLResponse:
    """Ask what would be done if things were otherwise."""
    site = here.site
    work = site.jobs.get(job) if job else None
    rows: tuple[api.Decided, ...] = ()
    if work is not None and work.status == "done":
        rows = api.WhatIfResult.model_validate(work.result).decided
    marks = site.views.marks()
    return here.page(
        "whatif",
        underlyings=[row.underlying for row in marks.exposures] if marks is not None else [],
        venues=sorted({row.venue for row in site.service.config.logins.values()}),
        job=work,
        decided=rows,
        cases=charts.cases(rows),
    )


@router.get("/health")
def health(here: Looking) -> HTMLResponse:
    """Show instances, schedules, triggers, breakers, alerts, versions and the audit's end."""
    site, service = here.site, here.site.service
    last = site.views.last_event()
    return here.page(
        "health",
        health=site.views.health(),
        beats=service.beats.all(),
        now=service.clock.now(),
        schedules=site.views.schedules(),
        rules=service.config.service.triggers,
        lines=service.lines.read(),
        tripped=site.views.breakers(),
        frozen=service.office.history.frozen(),
        alerts=service.office.history.alerts(),
        mandates=site.views.mandates()[:8],
        events=tuple(reversed(site.views.events(max(0, last - 15), 15))),
        holder=service.live.holder,
    )


# Forms


@router.post("/plan/{plan_hash}/approve")
def approve(here: Acting, plan_hash: str, reason: Text = "") -> Response:
    """Approve a plan."""
    here.need("approve")
    return _did(f"/plan/{plan_hash}", lambda: deeds.judge(
        here.site, plan_hash, here.who.name, "approved", reason))  # fmt: skip


@router.post("/plan/{plan_hash}/reject")
def reject(here: Acting, plan_hash: str, reason: Text = "") -> Response:
    """Reject a plan."""
    here.need("approve")
    return _did(f"/plan/{plan_hash}", lambda: deeds.judge(
        here.site, plan_hash, here.who.name, "rejected", reason))  # fmt: skip


@router.post("/plan/{plan_hash}/execute")
def execute(here: Acting, plan_hash: str) -> Response:
    """Ask for a plan to be carried out."""
    here.need("execute")
    return _did(f"/plan/{plan_hash}", lambda: deeds.execute(here.site, plan_hash, here.who.name))


@router.post("/plan/{plan_hash}/frontier")
def frontier(here: Acting, plan_hash: str, along: Annotated[str, Form()] = "actions") -> Response:
    """Begin to compute a frontier."""
    here.need("plan")
    here.site.views.proposal(plan_hash)
    which = "tracking" if along == "tracking" else "actions"
    job = here.site.jobs.start(
        "frontier", lambda watch: frontier_of(here.site, plan_hash, which, 9, watch)
    )
    return RedirectResponse(f"/plan/{plan_hash}?job={job.id}#frontier", 303)


@router.post("/what-if")
async def what_if_form(request: Request, here: Acting) -> Response:
    """Begin to decide a case."""
    here.need("plan")
    form = await request.form()
    case = _case({key: str(value).strip() for key, value in form.items()})
    here.site.service.snapshots.latest()
    job = here.site.jobs.start("what-if", lambda watch: what_if(here.site, (case,), watch))
    return RedirectResponse(f"/what-if?job={job.id}", 303)


def _case(form: dict[str, str]) -> api.Case:
    """Read the what-if form: empty fields change nothing."""
    prices = {
        key.removeprefix("price:"): f"{value.removesuffix('%')}%"
        for key, value in form.items()
        if key.startswith("price:") and value
    }
    shock: dict[str, Any] = {}
    if prices:
        shock["prices"] = prices
    if form.get("volatility"):
        shock["volatility"] = {"multiply": form["volatility"]}
    if form.get("halted"):
        shock["venues"] = {form["halted"]: {"withdrawals": "halted"}}
    override = {"mandate.policy.margin_buffer": form["buffer"]} if form.get("buffer") else {}
    return api.Case(name=form.get("name") or "what if", shock=shock, override=override)


@router.post("/schedules/{schedule}/{deed}")
def schedule(here: Acting, schedule: str, deed: str, reason: Text = "") -> Response:
    """Run, pause or resume a schedule."""
    here.need("plan")
    who, site = here.who.name, here.site
    known: dict[str, Callable[[], object]] = {
        "run": lambda: deeds.run_now(site, schedule, who),
        "pause": lambda: deeds.pause(site, schedule, who, reason or "from the dashboard"),
        "resume": lambda: deeds.unpause(site, schedule, who),
    }
    if deed not in known:
        raise MissingError(f"NO_DEED: name={deed}")
    return _did("/health" if deed != "run" else "/runs", known[deed])


@router.post("/mandates/{version}/publish")
def publish(here: Acting, version: int) -> Response:
    """Publish a draft of the mandate."""
    here.need("approve")
    return _did("/health", lambda: deeds.publish(here.site, version, here.who.name))


@router.post("/halt")
def halt(here: Acting, reason: Text = "", scope: Text = "global") -> Response:
    """Stop everything, a venue or an account."""
    from allocator.risk.breaker import Breaker

    here.need("plan", "approve", "execute")
    office, who = here.site.service.office, here.who.name
    return _did("/health", lambda: office.trip(scope, Breaker.HALTED, reason, who))


@router.post("/resume")
def resume(here: Acting, reason: Text = "", scope: Text = "global") -> Response:
    """Let what was halted act again."""
    here.need("approve")
    office = here.site.service.office
    return _did("/health", lambda: office.reset(scope, reason, here.who.name))


def _did(target: str, deed: Callable[[], object]) -> Response:
    """Do something, then show where it can be seen; a refusal is told there."""
    from urllib.parse import urlencode

    try:
        deed()
    except MissingError:
        raise
    except AllocatorError as error:
        return RedirectResponse(f"{target}?{urlencode({'refused': str(error)[:300]})}", 303)
    return RedirectResponse(target, 303)
