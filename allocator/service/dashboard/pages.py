"""What the pages show; the what-if page's form is here beside what it asks."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse

from allocator.models import api
from allocator.models.errors import InputError
from allocator.models.what_if import WhatIfResult
from allocator.service.beats import GONE
from allocator.service.dashboard import charts
from allocator.service.dashboard.asked import case_asked
from allocator.service.dashboard.visits import Acting, Looking, PlanNamed, Visit
from allocator.service.http.deciding import what_if
from allocator.service.http.problems import ProblemError
from allocator.service.http.site import Site
from allocator.service.mandate_changes import changes
from allocator.service.mandate_versions import Unreadable, Version
from allocator.service.monitor.history import Group
from allocator.service.monitor.profit import OUTSIDE, PARTS
from allocator.service.snapshots import MissingError
from allocator.service.views import mandate_view

DAY = timedelta(days=1)
GROUPS: tuple[Group, ...] = ("book", "owner", "venue", "account")

MOST_TEXT = 8_000
"""Characters of a scenario that a form takes: it stays in the address of its answer."""

MOST_ALERTS = 50
MOST_VERSIONS = 8
"""Alerts that were not told, on the Health page: the latest."""

router = APIRouter(include_in_schema=False)


@router.get("/book")
def book(here: Looking) -> HTMLResponse:
    """Show accounts, equity, margin, staleness, what was earned."""
    views, now = here.site.views, here.site.service.clock.now()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    shown, line = views.book(), views.equity("book", now - DAY, now)
    told = [row.ratio_at_most if row.ratio is None else row.ratio for row in shown.accounts]
    return here.page(
        "book",
        book=shown,
        worst=min((row for row in told if row is not None), default=None),
        unsure=[row.account for row in shown.accounts if row.equity is None or row.margin_unknown],
        parts=PARTS,
        outside=OUTSIDE,
        stale_s=_stale_s(here),
        earned={by: views.profit(by, midnight, now, whole=False) for by in GROUPS},
        earned_at=max((row.at for row in line), default=None),
        curve=charts.equity(line),
        lacking=views.lacking(now - DAY, now),
    )


@router.get("/exposure")
def exposure(here: Looking) -> HTMLResponse:
    """Show exposures against target and band, by account, and how much of limits is used."""
    shown = here.site.views.book()
    return here.page("exposure", book=shown, heat=charts.heat(shown), stale_s=_stale_s(here))


def _stale_s(here: Visit) -> float:
    """Tell the age from which figures are shown as old: beyond what data may be, and one look."""
    config = here.site.service.config
    return float(config.gather.max_age_s + config.service.poll_s)


@router.get("/plan")
def latest_plan(here: Looking) -> HTMLResponse:
    """Show the latest plan."""
    hashes = here.site.views.plan_hashes(1)
    return _plan(here, hashes[0] if hashes else None, None)


@router.get("/plan/{plan_hash}")
def plan(here: Looking, plan_hash: PlanNamed, job: str | None = None) -> HTMLResponse:
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
def what_if_page(
    here: Looking,
    job: str | None = None,
    scenario: Annotated[str, Query(max_length=MOST_TEXT)] = "",
) -> HTMLResponse:
    """Ask what would be done if things were otherwise."""
    return _what_if(here, job, scenario)


def _what_if(here: Visit, job: str | None, asked: str) -> HTMLResponse:
    site = here.site
    work = site.jobs.get(job) if job else None
    found: WhatIfResult | None = None
    if work is not None and work.status == "done":
        found = WhatIfResult.model_validate(work.result)
    rows = () if found is None else found.decided
    marks = site.views.marks()
    return here.page(
        "whatif",
        underlyings=[row.underlying for row in marks.exposures] if marks is not None else [],
        venues=sorted({row.venue for row in site.service.config.logins.values()}),
        job=work,
        asked=asked,
        found=found,
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
        leader=service.beats.leader(service.clock.now()),
        gone_s=GONE.total_seconds(),
        schedules=site.views.schedules(),
        rules=service.config.service.triggers,
        lines=service.lines.read(),
        tripped=site.views.breakers(),
        venues=site.views.venues(site.views.marks()),
        frozen=service.office.history.frozen(),
        alerts=service.outbox.latest(MOST_ALERTS),
        mandates=tuple(map(mandate_view, service.mandates.in_sight(MOST_VERSIONS))),
        events=tuple(reversed(site.views.events(max(0, last - 15), 15))),
        holder=service.live.holder,
    )


@router.get("/mandates/{version}")
def mandate(here: Looking, version: int) -> HTMLResponse:
    """Show what a version of the mandate changes against the one that holds, and publish it."""
    mandates = here.site.service.mandates
    row, holds = mandates.listed(version), mandates.holds()
    if row is None:
        raise MissingError(f"NO_VERSION: version={version}")
    misfits, unchecked = tuple[str, ...](), ""
    if isinstance(row, Version):
        try:
            unchecked = mandates.fitting.check(row.mandate)
        except InputError as error:
            misfits = tuple(str(problem) for problem in error.problems)
    unread = tuple(one for one in (row, holds) if isinstance(one, Unreadable))
    return here.page(
        "mandate",
        row=row,
        holds=holds,
        changes=changes(holds.mandate if isinstance(holds, Version) else None, row.mandate)
        if isinstance(row, Version)
        else (),
        misfits=(*misfits, *dict.fromkeys(one.why for one in unread)),
        unchecked=unchecked,
    )


@router.post("/what-if")
async def what_if_form(request: Request, here: Acting) -> Response:
    """Begin to decide a case."""
    here.need("plan")
    form = await request.form()
    asked = {key: str(value).strip() for key, value in form.items()}
    text = asked.get("scenario", "")[:MOST_TEXT]
    try:
        # In a thread: the loop answers others while a text is read.
        case = await run_in_threadpool(case_asked, {**asked, "scenario": text})
    except InputError as error:
        return await run_in_threadpool(_refused, here, text, str(error), 422)
    await run_in_threadpool(here.site.service.snapshots.latest)
    try:
        job = here.site.jobs.start("what-if", lambda watch: what_if(here.site, (case,), watch))
    except ProblemError as error:
        return await run_in_threadpool(_refused, here, text, error.detail, error.status_code)
    return RedirectResponse(f"/what-if?{urlencode({'job': job.id, 'scenario': text})}", 303)


def _refused(here: Visit, text: str, why: str, status: int) -> HTMLResponse:
    page = _what_if(replace(here, refused=why), None, text)
    page.status_code = status
    return page
