"""What the pages' forms do; each shows the page where its deed can be seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Response
from fastapi.responses import RedirectResponse

from allocator.models.api import Scope
from allocator.models.errors import AllocatorError
from allocator.models.scenario import Along
from allocator.service import deeds
from allocator.service.dashboard.visits import Acting, PlanNamed, Text
from allocator.service.http.deciding import frontier_of
from allocator.service.http.problems import ProblemError
from allocator.service.mandates import Seen
from allocator.service.snapshots import MissingError

router = APIRouter(include_in_schema=False)

Shown = Annotated[str, Form(alias="hash", max_length=64)]

MAY: dict[str, tuple[Scope, ...]] = {
    "run": ("plan",),
    "pause": ("plan", "approve", "execute"),
    "resume": ("execute",),
}
"""Who may do what with a schedule, as over the API."""


@router.post("/plan/{plan_hash}/approve")
def approve(here: Acting, plan_hash: PlanNamed, reason: Text = "") -> Response:
    """Approve a plan."""
    here.need("approve")
    return _did(f"/plan/{plan_hash}", lambda: deeds.judge(
        here.site, plan_hash, here.who.name, "approved", reason))  # fmt: skip


@router.post("/plan/{plan_hash}/reject")
def reject(here: Acting, plan_hash: PlanNamed, reason: Text = "") -> Response:
    """Reject a plan."""
    here.need("approve")
    return _did(f"/plan/{plan_hash}", lambda: deeds.judge(
        here.site, plan_hash, here.who.name, "rejected", reason))  # fmt: skip


@router.post("/plan/{plan_hash}/retract")
def retract(here: Acting, plan_hash: PlanNamed, reason: Text = "") -> Response:
    """Take an approval back."""
    here.need("approve")
    return _did(f"/plan/{plan_hash}", lambda: deeds.retract(
        here.site, plan_hash, here.who.name, reason))  # fmt: skip


@router.post("/plan/{plan_hash}/execute")
def execute(here: Acting, plan_hash: PlanNamed) -> Response:
    """Ask for a plan to be carried out."""
    here.need("execute")
    return _did(f"/plan/{plan_hash}", lambda: deeds.execute(here.site, plan_hash, here.who.name))


@router.post("/plan/{plan_hash}/frontier")
def frontier(
    here: Acting, plan_hash: PlanNamed, along: Annotated[Along, Form()] = "actions"
) -> Response:
    """Begin to compute a frontier."""
    here.need("plan")
    here.site.views.proposal(plan_hash)
    try:
        job = here.site.jobs.start(
            "frontier", lambda watch: frontier_of(here.site, plan_hash, along, 9, watch)
        )
    except ProblemError as error:
        return _refused(f"/plan/{plan_hash}", error.detail)
    return RedirectResponse(f"/plan/{plan_hash}?job={job.id}#frontier", 303)


@router.post("/schedules/{schedule}/{deed}")
def schedule(here: Acting, schedule: str, deed: str, reason: Text = "") -> Response:
    """Run, pause or resume a schedule."""
    here.need(*MAY.get(deed, ("plan",)))
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
def publish(
    here: Acting, version: int, hash_: Shown = "", instead_of: Annotated[int, Form()] = 0
) -> Response:
    """Publish a draft of the mandate: the one that was shown, in the place of the one shown."""
    here.need("approve")
    seen = Seen(hash_, instead_of or None)
    return _did(
        f"/mandates/{version}",
        lambda: deeds.publish(here.site, version, here.who.name, seen),
    )


@router.post("/halt")
def halt(here: Acting, reason: Text = "", scope: Text = "global") -> Response:
    """Stop everything, a venue or an account."""
    from allocator.risk.breaker import Breaker

    here.need("plan", "approve", "execute")
    site, who = here.site, here.who.name
    return _did("/health", lambda: deeds.halt(site, scope, Breaker.HALTED, reason, who))


@router.post("/resume")
def resume(here: Acting, reason: Text = "", scope: Text = "global") -> Response:
    """Let what was halted act again."""
    here.need("approve")
    office = here.site.service.office
    return _did("/health", lambda: office.reset(scope, reason, here.who.name))


def _did(target: str, deed: Callable[[], object]) -> Response:
    """Do something, then show where it can be seen; a refusal is told there."""
    try:
        deed()
    except MissingError:
        raise
    except AllocatorError as error:
        return _refused(target, str(error))
    return RedirectResponse(target, 303)


def _refused(target: str, why: str) -> Response:
    return RedirectResponse(f"{target}?{urlencode({'refused': why[:300]})}", 303)
