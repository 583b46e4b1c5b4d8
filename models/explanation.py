"""A plan's explanation as data: rows of facts, or typed JSON with each sentence beside it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from allocator.models.base import Value
from allocator.models.explain import (
    Where,
    asked,
    binds,
    clauses,
    describe,
    headline,
    path_of,
    why_broken,
    why_idle,
)
from allocator.models.plan import Action, Plan


def facts(plan: Plan, where: Where = path_of) -> list[tuple[str, str]]:
    """List what is told as (about, fact)."""
    rows = [("plan", line) for line in headline(plan)]
    if plan.idle is not None:
        rows += [("nothing done", line.strip()) for line in why_idle(plan.idle, where)]
    for action in plan.actions:
        rows.append((f"action {action.seq}", describe(action)))
        if action.seq in plan.reasons:
            rows += [(f"action {action.seq}", line) for line in clauses(plan.reasons[action.seq])]
    binding = plan.certificate.binding if plan.certificate is not None else ()
    rows += [(row.limit, f"binds: {binds(row, where)}") for row in binding]
    for broken in plan.infeasible:
        rows += [(broken.what, line.strip()) for line in why_broken(broken, where)]
    for row in plan.frozen:
        place = f" [{where(row.place)}]" if row.place else ""
        rows.append((row.what, f"frozen: {asked(row)}{place}"))
    return rows + [(row.code, row.message) for row in plan.refusals]


def explanation(plan: Plan, where: Where = path_of) -> dict[str, Any]:
    """Put the explanation into plain JSON data: typed facts, each with its sentence and place."""
    proof = plan.certificate
    return {
        "status": plan.status,
        "plan_hash": plan.plan_hash,
        "headline": headline(plan),
        "actions": [_action(plan, action) for action in plan.actions],
        "idle": None if plan.idle is None else _told(plan.idle, why_idle(plan.idle, where)),
        "binding": [
            _told(row, [binds(row, where)], where(row.declared))
            for row in (proof.binding if proof is not None else ())
        ],
        "infeasible": [
            _told(row, why_broken(row, where), where(row.declared)) for row in plan.infeasible
        ],
        "frozen": [_told(row, [asked(row)], where(row.place)) for row in plan.frozen],
        "refusals": [row.model_dump(mode="json") for row in plan.refusals],
    }


def _action(plan: Plan, action: Action) -> dict[str, Any]:
    reason = plan.reasons.get(action.seq)
    return {
        "seq": action.seq,
        "text": describe(action),
        "reason": None if reason is None else _told(reason, clauses(reason)),
    }


def _told(fact: Value, lines: Iterable[str], at: str | None = None) -> dict[str, Any]:
    place = {} if at is None else {"at": at}
    return {**fact.model_dump(mode="json"), **place, "text": [line.strip() for line in lines]}
