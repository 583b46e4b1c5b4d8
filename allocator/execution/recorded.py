"""What the durable record tells, as values, and how each is read from its row."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from allocator.execution.shortfall import Shortfall
from allocator.execution.transitions import Stage
from allocator.models.canonical import plan_hash
from allocator.models.errors import JournalError
from allocator.models.mandate import Mandate
from allocator.models.plan import Plan
from allocator.models.records import CycleRow, PlanRow, ProposalRow, ShortfallRow
from allocator.models.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Cycle:
    """One run over the book.

    Attributes
    ----------
    status
        ``open``, ``parked`` (stopped on request), ``ended``, ``superseded`` or ``failed``.
    """

    id: int
    slot: str
    status: str
    opened_at: datetime
    ended_at: datetime | None
    note: str
    plan_hash: str | None


@dataclass(frozen=True, slots=True)
class ActionRecord:
    """Where a line of a plan stands."""

    seq: int
    kind: str
    stage: Stage
    reason: str


@dataclass(frozen=True, slots=True)
class PlanRecord:
    """A plan with what it was made from.

    Attributes
    ----------
    baseline
        What the venues said before its first action, as JSON data; None: not read yet.
    """

    cycle_id: int
    plan: Plan
    snapshot: Snapshot
    mandate: Mandate
    baseline: Any
    proposer: str
    approver: str | None


@dataclass(frozen=True, slots=True)
class Proposal:
    """A plan that somebody has to judge, with what it was made from.

    Attributes
    ----------
    begun
        Whether it has been carried out, in whole or in part.
    """

    at: datetime
    proposer: str
    plan: Plan
    snapshot: Snapshot
    mandate: Mandate
    begun: bool


@dataclass(frozen=True, slots=True)
class Measured:
    """What an action came to against its plan's forecast."""

    plan_hash: str
    at: datetime
    figures: Shortfall


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the audit."""

    seq: int
    at: datetime
    epoch: int
    subject: str
    what: str
    facts: Any


@dataclass(frozen=True, slots=True)
class Alert:
    """Something somebody should know."""

    id: int
    at: datetime
    topic: str
    body: Any


def plan_known(cycle: Cycle) -> str:
    """Tell what became of a plan that is on record, and what to do instead of beginning it."""
    why = f": {cycle.note}" if cycle.note else ""
    if cycle.status in ("open", "parked"):
        told = "it is under way; the next `allocator execute` or cycle takes it up"
    else:
        given_up = bool(why) or cycle.status == "superseded"
        told = f"it was given up{why}" if given_up else "it was carried out"
        told += "; a plan goes once: propose a new one"
    return f"PLAN_KNOWN: plan_hash={cycle.plan_hash}: {told}"


def cycle_record(row: CycleRow, hash_: str | None) -> Cycle:
    """Read a cycle with the hash of its plan, if it has one."""
    assert row.id is not None
    return Cycle(
        id=row.id,
        slot=row.slot,
        status=row.status,
        opened_at=row.opened_at,
        ended_at=row.ended_at,
        note=row.note,
        plan_hash=hash_,
    )


def stored_plan(row: PlanRow | ProposalRow) -> Plan:
    """Read a plan.

    Raises
    ------
    JournalError
        When what is stored is not what was hashed.
    """
    plan = Plan.model_validate_json(row.plan_json)
    if plan_hash(plan) != row.plan_hash:
        raise JournalError(f"PLAN_CHANGED: plan_hash={row.plan_hash}")
    return plan


def plan_record(row: PlanRow) -> PlanRecord:
    """Read a plan with what it was made from.

    Raises
    ------
    JournalError
        When what is stored is not what was hashed.
    """
    return PlanRecord(
        cycle_id=row.cycle_id,
        plan=stored_plan(row),
        snapshot=Snapshot.model_validate_json(row.snapshot_json),
        mandate=Mandate.model_validate_json(row.mandate_json),
        baseline=None if row.baseline_json is None else json.loads(row.baseline_json),
        proposer=row.proposer,
        approver=row.approver,
    )


def proposal_record(row: ProposalRow, *, begun: bool) -> Proposal:
    """Read a proposed plan.

    Raises
    ------
    JournalError
        When what is stored is not what was hashed.
    """
    return Proposal(
        at=row.at,
        proposer=row.proposer,
        plan=stored_plan(row),
        snapshot=Snapshot.model_validate_json(row.snapshot_json),
        mandate=Mandate.model_validate_json(row.mandate_json),
        begun=begun,
    )


def measured_record(row: ShortfallRow) -> Measured:
    """Read what an action came to."""
    names = (field.name for field in fields(Shortfall))
    figures = Shortfall(**{name: getattr(row, name) for name in names})
    return Measured(row.plan_hash, row.at, figures)
