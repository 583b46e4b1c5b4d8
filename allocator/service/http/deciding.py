"""What the API decides on request: plans, what-if cases, frontiers; nothing is sent."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from allocator.models.base import Value
from allocator.models.bodies import Case, PlanRequest, SweepRequest
from allocator.models.errors import RefusedError, SnapshotError
from allocator.models.mandate import Mandate
from allocator.models.plan import Plan
from allocator.models.refusals import book_problems
from allocator.models.scenario import Along
from allocator.models.snapshot import Snapshot
from allocator.models.what_if import SweepResult, WhatIfResult
from allocator.service.http.cases import decided, decided_case, source_of
from allocator.service.http.site import Site, Watch
from allocator.service.snapshots import MissingError

MOST_POINTS = 40


class FrontierView(Value):
    """A frontier as plain data."""

    frontier: Any


def book_of(site: Site, asked: PlanRequest) -> tuple[Snapshot, Mandate]:
    """Find what a request is about.

    Raises
    ------
    MissingError
        When nothing was gathered yet, or there is no such snapshot or version.
    SnapshotError
        When the two make no sensible problem.
    """
    snapshot, mandate = asked.snapshot or _snapshot(site, asked), asked.mandate
    mandate = mandate or _mandate(site, asked.mandate_version)
    problems = book_problems(snapshot, mandate)
    if problems:
        raise SnapshotError(problems)
    return snapshot, mandate


def book_now(site: Site) -> Snapshot:
    """Tell the latest book: of a cycle, or of a look since that has read everything.

    Raises
    ------
    MissingError
        When nothing was gathered yet.
    """
    live, gathered = site.service.live, site.service.snapshots.latest()
    seen = live.snapshot
    whole = seen is not None and not live.missing and not live.unclear
    return seen if whole and seen is not None and seen.as_of > gathered.as_of else gathered


def _snapshot(site: Site, asked: PlanRequest) -> Snapshot:
    if asked.snapshot_hash is not None:
        return site.service.snapshots.read(asked.snapshot_hash)
    return site.service.snapshots.latest()


def _mandate(site: Site, version: int | None) -> Mandate:
    mandates = site.service.mandates
    found = mandates.published() if version is None else mandates.one(version)
    if found is None:
        raise MissingError(f"NO_MANDATE: version={version}")
    return found.mandate


def plan_for(site: Site, asked: PlanRequest, who: str) -> tuple[Plan, bool]:
    """Decide, and propose if that was asked for; tells whether it is proposed.

    Raises
    ------
    RefusedError
        When something else than what was gathered and published is to be proposed.
    """
    from allocator.decide import decide

    snapshots, name = site.service.snapshots, asked.snapshot_hash
    posted = asked.snapshot or (name is not None and not snapshots.was_gathered(name))
    if asked.propose and (posted or asked.mandate or asked.mandate_version):
        raise RefusedError(
            "NOT_OURS: only a plan for a gathered snapshot and the published mandate is proposed"
        )
    snapshot, mandate = book_of(site, asked)
    plan = decide(snapshot, mandate)
    if asked.propose:
        site.service.office.propose(plan, snapshot, mandate, who)
    return plan, asked.propose


def what_if(site: Site, cases: tuple[Case, ...], watch: Watch) -> WhatIfResult:
    """Decide the book as it is, and each case beside it."""
    snapshot, mandate = book_of(site, PlanRequest(snapshot=book_now(site)))
    now = site.service.clock.now()
    out = [decided("as it is", snapshot, mandate)]
    for number, case in enumerate(cases):
        watch(number + 1, len(cases) + 1)
        out.append(decided_case(snapshot, mandate, case))
    age_s = Decimal(str((now - snapshot.as_of).total_seconds()))
    return WhatIfResult(as_of=snapshot.as_of, age_s=age_s, decided=tuple(out))


def sweep_of(site: Site, asked: SweepRequest, watch: Watch) -> SweepResult:
    """Decide every point of a grid on the book as it is."""
    from allocator.whatif.sweep import sweep

    snapshot, mandate = book_of(site, PlanRequest(snapshot=book_now(site)))
    grid = {path: list(row) for path, row in asked.grid.items()}
    parts = {"shock": asked.shock, "override": asked.override, "grid": grid}
    source = source_of(snapshot, mandate, "sweep", parts)
    found = sweep(source, backend="serial", jobs=1, depth=asked.depth, watch=watch)
    rows = tuple(dict(row) for row in found.rows)
    return SweepResult(as_of=snapshot.as_of, results_hash=found.results_hash, rows=rows)


def frontier_of(
    site: Site, plan_hash: str, along: Along, points: int, watch: Watch
) -> FrontierView:
    """Compute the frontier of the book that a plan was made for."""
    from allocator.frontier import frontier

    found, _ = site.views.proposal(plan_hash)
    curve = frontier(found.snapshot, found.mandate, along=along, points=points, watch=watch)
    return FrontierView(frontier=curve.to_json())
