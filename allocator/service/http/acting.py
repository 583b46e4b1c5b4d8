"""What people say and ask for: plans, verdicts, executions, schedules, halts, mandates."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from allocator.models import api, bodies
from allocator.models.errors import SnapshotError
from allocator.models.plan import Plan
from allocator.models.refusals import book_problems
from allocator.models.scenario import Along
from allocator.models.snapshot import Snapshot
from allocator.risk.breaker import Breaker
from allocator.service import deeds
from allocator.service.http.access import (
    KEY,
    LONGEST_KEY,
    WRITTEN_KEY,
    LongRoute,
    OnceRoute,
    PlanningRoute,
    Served,
    need,
)
from allocator.service.http.deciding import frontier_of, plan_for, sweep_of, what_if
from allocator.service.http.problems import responses
from allocator.service.http.routes import Named, PlanHash
from allocator.service.http.tokens import Principal
from allocator.service.mandates import Seen

Version = Annotated[int, Path(ge=1, le=1_000_000)]
_KEY = {
    "parameters": [
        {
            "name": KEY,
            "in": "header",
            "required": True,
            "description": "Names the request: a second one under it acts no second time.",
            "schema": {
                "type": "string",
                "minLength": 1,
                "maxLength": LONGEST_KEY,
                "pattern": WRITTEN_KEY,
            },
        }
    ]
}

router = APIRouter(
    prefix="/v1",
    route_class=OnceRoute,
    responses=responses(400, 401, 403, 404, 409, 413, 422),
    tags=["act"],
)

planning_router = APIRouter(
    prefix="/v1",
    route_class=PlanningRoute,
    responses=responses(400, 401, 403, 404, 409, 413, 422, 429),
    tags=["act"],
)
"""What asks for plans: of it a name may ask for so much."""

long_router = APIRouter(
    prefix="/v1",
    route_class=LongRoute,
    responses=responses(400, 401, 403, 404, 409, 413, 422, 429),
    tags=["act"],
)
"""What takes long: it is decided, or held against all of the book."""

Plans = Annotated[Principal, Depends(need("plan"))]
Approves = Annotated[Principal, Depends(need("approve"))]
Executes = Annotated[Principal, Depends(need("execute"))]
Stops = Annotated[Principal, Depends(need("plan", "approve", "execute"))]


@long_router.post("/snapshots", status_code=201, openapi_extra=_KEY)
def post_snapshot(site: Served, asking: Plans, snapshot: Snapshot) -> api.SnapshotView:
    """Store a snapshot to plan on; it is never what the service itself gathered."""
    problems = book_problems(snapshot, deeds.EMPTY)
    if problems:
        raise SnapshotError(problems)
    return site.service.snapshots.keep(snapshot, f"posted by {asking.name}")


@long_router.post("/plans", status_code=201, openapi_extra=_KEY)
def post_plan(site: Served, asking: Plans, body: bodies.PlanRequest) -> Plan:
    """Decide; nothing is sent."""
    plan, _ = plan_for(site, body, asking.name)
    return plan


@router.post("/plans/{plan_hash}/approve", openapi_extra=_KEY)
def approve(
    site: Served, asking: Approves, plan_hash: PlanHash, body: bodies.ReasonBody
) -> api.PlanSummary:
    """Approve a plan: this one, whose hash covers its snapshot, mandate and every action."""
    return deeds.judge(site, plan_hash, asking.name, "approved", body.reason)


@router.post("/plans/{plan_hash}/reject", openapi_extra=_KEY)
def reject(
    site: Served, asking: Approves, plan_hash: PlanHash, body: bodies.ReasonBody
) -> api.PlanSummary:
    """Reject a plan for good."""
    return deeds.judge(site, plan_hash, asking.name, "rejected", body.reason)


@router.post("/plans/{plan_hash}/retract", openapi_extra=_KEY)
def retract(
    site: Served, asking: Approves, plan_hash: PlanHash, body: bodies.Retraction
) -> api.PlanSummary:
    """Take your approval back, until the plan is begun; you may judge it anew."""
    return deeds.retract(site, plan_hash, asking.name, body.reason)


@router.post("/plans/{plan_hash}/execute", status_code=202, openapi_extra=_KEY)
def execute(site: Served, asking: Executes, plan_hash: PlanHash) -> api.SlotView:
    """Ask the leader to carry out a plan that may go."""
    return deeds.execute(site, plan_hash, asking.name)


@planning_router.post("/plans/{plan_hash}/frontier", status_code=202, openapi_extra=_KEY)
def frontier(
    site: Served,
    _asking: Plans,
    plan_hash: PlanHash,
    along: Along = "actions",
    points: Annotated[int, Query(ge=2, le=40)] = 11,
) -> api.JobView:
    """Begin to compute the frontier of the book that a plan was made for."""
    site.views.proposal(plan_hash)
    return site.jobs.start(
        "frontier", lambda watch: frontier_of(site, plan_hash, along, points, watch)
    )


@router.post("/executions/{plan_hash}/cancel", openapi_extra=_KEY)
def cancel(site: Served, asking: Stops, plan_hash: PlanHash) -> api.SlotView:
    """Call back an execution that has not begun; what has begun is stopped by a halt."""
    return deeds.cancel(site, plan_hash, asking.name)


@planning_router.post("/what-if", status_code=202, openapi_extra=_KEY)
def post_what_if(site: Served, _asking: Plans, body: bodies.WhatIfRequest) -> api.JobView:
    """Begin to decide cases beside the book as it is."""
    site.service.snapshots.latest()
    return site.jobs.start("what-if", lambda watch: what_if(site, body.cases, watch))


@planning_router.post("/sweeps", status_code=202, openapi_extra=_KEY)
def post_sweep(site: Served, _asking: Plans, body: bodies.SweepRequest) -> api.JobView:
    """Begin to decide every point of a grid on the book as it is."""
    site.service.snapshots.latest()
    return site.jobs.start("sweep", lambda watch: sweep_of(site, body, watch))


@planning_router.post("/schedules/{schedule}/run", status_code=202, openapi_extra=_KEY)
def run_schedule(site: Served, asking: Plans, schedule: Named) -> api.SlotView:
    """Ask for a cycle now."""
    return deeds.run_now(site, schedule, asking.name)


@router.post("/schedules/{schedule}/pause", openapi_extra=_KEY)
def pause(
    site: Served, asking: Stops, schedule: Named, body: bodies.ReasonBody
) -> tuple[api.ScheduleView, ...]:
    """Let a schedule rest; its slots are not made up for later."""
    return deeds.pause(site, schedule, asking.name, body.reason)


@router.post("/schedules/{schedule}/resume", openapi_extra=_KEY)
def resume_schedule(
    site: Served, asking: Executes, schedule: Named
) -> tuple[api.ScheduleView, ...]:
    """Let a paused schedule go on."""
    return deeds.unpause(site, schedule, asking.name)


@router.post("/halt", openapi_extra=_KEY)
def halt(site: Served, asking: Stops, body: bodies.Halt) -> tuple[api.BreakerView, ...]:
    """Stop everything, a venue or an account; it stays so until an approver resumes it."""
    deeds.halt(site, body.scope, Breaker(body.state), body.reason, asking.name)
    return site.views.breakers()


@router.post("/resume", openapi_extra=_KEY)
def resume(site: Served, asking: Approves, body: bodies.Resume) -> tuple[api.BreakerView, ...]:
    """Let what was halted act again."""
    site.service.office.reset(body.scope, body.reason, asking.name)
    return site.views.breakers()


@long_router.post("/mandates", status_code=201, openapi_extra=_KEY)
def draft(site: Served, asking: Plans, body: bodies.MandateDraft) -> api.MandateView:
    """Write a draft of the mandate; it holds once somebody publishes it."""
    return deeds.draft(site, body.mandate, asking.name, body.note)


@router.post("/mandates/{version}/publish", openapi_extra=_KEY)
def publish(
    site: Served, asking: Approves, version: Version, body: bodies.Publication | None = None
) -> api.MandateView:
    """Let a draft hold from the next cycle on: the one that was seen, where a body tells it."""
    seen = None if body is None else Seen(body.mandate_hash, body.instead_of)
    return deeds.publish(site, version, asking.name, seen)
