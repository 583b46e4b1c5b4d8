"""What can be read."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import AfterValidator

from allocator.execution.history import History
from allocator.models import api
from allocator.models.base import utc
from allocator.models.snapshot import Snapshot
from allocator.service.http.access import OnceRoute, Served, need, site_of
from allocator.service.http.problems import responses, written_as
from allocator.service.http.site import Site
from allocator.service.metrics import CONTENT_TYPE, Reading
from allocator.service.monitor.history import Group
from allocator.service.snapshots import MissingError

LARGEST = 2**53
DAY = timedelta(days=1)

Limit = Annotated[int, Query(ge=1, le=1000)]
After = Annotated[int, Query(ge=0, le=LARGEST)]
PlanHash = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]
Named = Annotated[str, Path(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
YEARS = range(2000, 2200)


def _plausible(value: datetime) -> datetime:
    if value.year not in YEARS:
        raise ValueError(f"a year from {YEARS.start} to {YEARS.stop - 1} is wanted")
    return utc(value)


Moment = Annotated[Annotated[datetime, AfterValidator(_plausible)] | None, Query()]

open_routes = APIRouter(route_class=OnceRoute, tags=["health"])
router = APIRouter(
    prefix="/v1",
    route_class=OnceRoute,
    dependencies=[Depends(need("read"))],
    responses=responses(401, 403, 422),
    tags=["read"],
)


@open_routes.get("/healthz")
async def healthz() -> api.Health:
    """Tell that the process serves."""
    # In the server's loop, which waits for nothing: threads may all hang in the database.
    from allocator import __version__

    return api.Health(ok=True, version=__version__)


@open_routes.get("/readyz", responses=responses(503))
async def readyz(request: Request, response: Response) -> api.Health:
    """Tell whether this instance is of use: database, ticks, a leader that ticks."""
    found = await site_of(request).readiness.ask()
    response.status_code = 200 if found.ok else 503
    return found


@open_routes.get(
    "/metrics",
    dependencies=[Depends(need("read"))],
    response_class=Response,
    responses=written_as("text/plain", 401, 403),
)
def metrics(site: Served) -> Response:
    """Tell Prometheus everything; it needs a token of scope read."""
    return Response(site.service.metrics.render(reading(site)), media_type=CONTENT_TYPE)


def reading(site: Site) -> Reading:
    """Read what metrics tell of the present."""
    service = site.service
    history: History = service.office.history
    now = service.clock.now()
    return Reading(
        now=now,
        leads=service.live.leads,
        busy=bool(service.live.busy),
        ticked_at=service.live.ticked_at,
        leader_at=service.beats.leader_at(now),
        marks=service.live.marks,
        waiting=len(service.slots.with_status("due")),
        undelivered=service.outbox.count(),
        frozen=len(history.frozen()),
        paused=len(service.slots.paused()),
        halted=sum(str(row.state) != "active" for row in history.breakers()),
        slot_s=service.vigil.age_s(),
        silent_s=service.vigil.silent_s(),
        most_silent_s=float(service.vigil.most_s),
    )


@router.get("/book")
def book(site: Served) -> api.BookView:
    """Show the whole book as it was last marked."""
    return site.views.book()


@router.get("/accounts")
def accounts(site: Served) -> tuple[api.AccountView, ...]:
    """List accounts with equity, margin and state."""
    return site.views.accounts(site.views.marks())


@router.get("/snapshots")
def snapshots(site: Served, limit: Limit = 50) -> tuple[api.SnapshotView, ...]:
    """List stored snapshots, the latest first."""
    return site.service.snapshots.all(limit)


@router.get("/snapshots/{snapshot_hash}", responses=responses(404))
def snapshot(site: Served, snapshot_hash: PlanHash) -> Snapshot:
    """Read a stored snapshot."""
    return site.service.snapshots.read(snapshot_hash)


@router.get("/plans")
def plans(
    site: Served, limit: Annotated[int, Query(ge=1, le=64)] = 20
) -> tuple[api.PlanSummary, ...]:
    """List proposed plans with where their approval stands, the latest first."""
    return site.views.plans(limit)


@router.get("/plans/{plan_hash}", responses=responses(404))
def plan(site: Served, plan_hash: PlanHash) -> api.PlanView:
    """Show a proposed plan in full."""
    return site.views.plan(plan_hash)


@router.get("/plans/{plan_hash}/diff", responses=responses(404))
def diff(
    site: Served, plan_hash: PlanHash, other: Annotated[str, Query(pattern=r"^[0-9a-f]{64}$")]
) -> api.Difference:
    """Compare another plan, the earlier one, with this one."""
    return site.views.compare(other, plan_hash)


@router.get(
    "/plans/{plan_hash}/explain",
    response_class=Response,
    responses=written_as("text/plain", 404),
)
def explain(site: Served, plan_hash: PlanHash) -> Response:
    """Tell in plain words what a plan does and why."""
    text = site.views.proposal(plan_hash)[0].plan.explain()
    return Response(text, media_type="text/plain; charset=utf-8")


@router.get(
    "/plans/{plan_hash}/report",
    response_class=Response,
    responses=written_as("text/html", 404),
)
def report(site: Served, plan_hash: PlanHash) -> Response:
    """Write a plan as one HTML page that needs nothing beside itself."""
    from allocator.whatif.report import html

    page = html(site.views.proposal(plan_hash)[0].plan)
    return Response(page, media_type="text/html; charset=utf-8")


@router.get("/executions/{plan_hash}", responses=responses(404))
def execution(site: Served, plan_hash: PlanHash) -> api.ExecutionView:
    """Show how a plan is being carried out, or was."""
    return site.views.execution(plan_hash)


@router.get("/jobs")
def jobs(site: Served) -> tuple[api.JobView, ...]:
    """List the long work of this instance (what-ifs, sweeps, frontiers), the latest first.

    What each came to is read by its id.
    """
    return site.jobs.all()


@router.get("/jobs/{job}", responses=responses(404))
def job(site: Served, job: Named) -> api.JobView:
    """Tell how long work stands, with its result once it is done."""
    return site.jobs.get(job)


@router.get("/schedules")
def schedules(site: Served) -> tuple[api.ScheduleView, ...]:
    """List schedules with when they come next."""
    return site.views.schedules()


@router.get("/slots")
def slots(site: Served, limit: Limit = 50) -> tuple[api.SlotView, ...]:
    """List what was and is to be done, the latest first."""
    return site.views.slots(limit)


@router.get("/mandates")
def mandates(site: Served, limit: Limit = 50) -> tuple[api.MandateView, ...]:
    """List versions of the mandate, the latest first."""
    return site.views.mandates(limit)


@router.get("/audit")
def audit(site: Served, after: After = 0, limit: Limit = 200) -> tuple[api.EventView, ...]:
    """List lines of the audit in order, after a number."""
    return site.views.events(after, limit)


@router.get("/audit/verify", responses=responses(429, 503))
async def verify(site: Served) -> api.AuditCheck:
    """Check that nobody rewrote the audit, nor cut off what was kept of it elsewhere.

    One check runs at a time; what it found, at the time in `checked_at`, is told to all who ask
    for half a minute at least. Where many wait for it, more are refused (429).
    """
    return await site.verification.ask()


@router.get("/profit", responses=responses(503))
def profit(
    site: Served, by: Group = "account", since: Moment = None, until: Moment = None
) -> tuple[api.ProfitView, ...]:
    """Add up what was earned in (since, until], by default of the last day."""
    begin, end = _interval(site, since, until)
    return site.views.profit(by, begin, end)


@router.get("/equity", responses=responses(503))
def equity(
    site: Served, by: Group = "book", since: Moment = None, until: Moment = None
) -> tuple[api.EquityView, ...]:
    """Follow equity and margin over (since, until], by default of the last day."""
    begin, end = _interval(site, since, until)
    return site.views.equity(by, begin, end)


@router.get("/schemas/{name}", responses=responses(404))
def schema(name: Named) -> dict[str, Any]:
    """Give the JSON Schema of a file: config, scenario, plan, snapshot or mandate."""
    from allocator.whatif import schemas

    if name not in schemas.FILES:
        raise MissingError(f"NO_SCHEMA: name={name}")
    return schemas.schema(name)


def _interval(
    site: Site, since: datetime | None, until: datetime | None
) -> tuple[datetime, datetime]:
    end = until or site.service.clock.now()
    return since or end - DAY, end
