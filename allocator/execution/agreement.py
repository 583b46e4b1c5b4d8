"""Whether the rows of the record stand where its audit left them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError
from sqlmodel import Session, col, select

from allocator.execution import audit
from allocator.execution.attempts import text_hash
from allocator.execution.audit import Fault, Head
from allocator.execution.reservations import phase_of
from allocator.execution.transitions import Stage, State
from allocator.models.base import exact, plain, stamp
from allocator.models.canonical import canonical_json, mandate_hash, plan_hash, snapshot_hash
from allocator.models.errors import AllocatorError
from allocator.models.mandate import Mandate
from allocator.models.plan import Plan
from allocator.models.records import (
    ActionRow,
    AttemptRow,
    BreakerRow,
    CycleRow,
    EventRow,
    FreezeRow,
    OpeningRow,
    PlanRow,
    ProposalRow,
    ReservationRow,
    ShortfallRow,
    VerdictRow,
)
from allocator.models.snapshot import Snapshot

Facts = Mapping[str, Any]
CHANGES = {
    "attempt": frozenset({"state"}),
    "action": frozenset({"stage"}),
    "plan": frozenset({"recorded", "approved", "baseline"}),
    "shortfall": frozenset({"measured"}),
    "proposal": frozenset({"proposed", "dropped"}),
    "verdict": frozenset({"approved", "rejected", "retracted"}),
    "breaker": frozenset({"tripped", "reset"}),
    "cycle": frozenset({"opened", "open", "parked", "ended", "superseded", "failed"}),
}
"""Events that tell of a change to their subject's row; others are notes beside it."""


class Told:
    """What the audit says of each subject in the end."""

    def __init__(self) -> None:
        self._facts: dict[str, dict[str, Any]] = {}
        self._frozen: defaultdict[str, int] = defaultdict(int)

    def add(self, row: EventRow) -> None:
        """Take in an event; later ones prevail."""
        try:
            data: dict[str, Any] = dict(json.loads(row.facts_json))
        except (ValueError, TypeError):
            return
        kind, _, name = row.subject.partition(":")
        if kind == "account":
            self._frozen[name] += {"frozen": 1, "thawed": -1}.get(row.what, 0)
        if kind == "portfolio" and row.what in ("opening", "paid"):
            self._facts.setdefault(f"{row.subject}:{data.get('day')}", {}).update(data)
        if row.what not in CHANGES.get(kind, ()):
            return
        if row.what == "dropped":
            self._facts.pop(row.subject, None)
            return
        if kind == "cycle":
            data |= {"status": "open" if row.what == "opened" else row.what}
        if kind == "verdict":
            data |= {"verdict": row.what}
        self._facts.setdefault(row.subject, {}).update(data)

    def take(self, subject: str) -> dict[str, Any]:
        """Tell what is said of a subject that has a row; what is left in the end has none."""
        return self._facts.pop(subject, {})

    def frozen(self) -> dict[str, int]:
        """Tell how many freezes of each account were not lifted."""
        return {name: count for name, count in self._frozen.items() if count}

    def left(self) -> list[str]:
        """Name subjects that no row was found for."""
        return sorted(self._facts)


def verify(session: Session, heads: Iterable[Head] = ()) -> tuple[Fault, ...]:
    """Check the whole chain, that it holds the heads, and that every row stands where it says."""
    told = Told()
    try:
        faults = audit.chain(session, told.add, heads)
    except ValueError as error:
        return (Fault(None, f"a line of the audit cannot be read: {error}"),)
    for check in (
        _attempts,
        _reservations,
        _plans,
        _actions,
        _cycles,
        _freezes,
        _judgement,
        _breakers,
        _shortfalls,
        _openings,
    ):
        try:
            faults += [Fault(None, what) for what in check(session, told)]
        except (ValueError, TypeError, LookupError) as error:
            # What stands in the rest of these rows nobody can tell; the other tables can.
            faults.append(
                Fault(None, f"{check.__name__.strip('_')}: a row cannot be read: {error}")
            )
    faults += [Fault(None, f"{name} is in the audit only") for name in told.left()]
    return tuple(faults)


def _differ(subject: str, row: Facts, told: Facts) -> Iterator[str]:
    for key, value in row.items():
        if value != told.get(key):
            yield f"{subject}: {key} is {value}; the audit says {told.get(key)}"


def _attempts(session: Session, told: Told) -> Iterator[str]:
    unfilled = {"filled": "0", "fees": "{}", "why": ""}
    for row in session.exec(select(AttemptRow)):
        subject = f"attempt:{row.client_id}"
        # Records of earlier releases do not tell whose attempt it was.
        whose = {"plan": row.plan_hash, "account": row.account}
        says = unfilled | whose | told.take(subject)
        says["state"] = says.get("to")
        price = None if row.average_price is None else plain(row.average_price)
        stands = {
            **whose,
            "state": row.state,
            "seq": row.seq,
            "part": row.part,
            "number": row.number,
            "request": text_hash(row.intent_json),
            "fence": stamp(row.fence_at),
            "venue_id": row.venue_id,
            "filled": plain(row.filled),
            "average_price": price,
            "fees": row.fees_json,
            "why": row.reason,
        }
        yield from _differ(subject, stands, says)
        if row.intent_hash != stands["request"]:
            yield f"{subject}: the request is not the one that was hashed"


def _reservations(session: Session, _told: Told) -> Iterator[str]:
    """Tell where money set aside is not what its attempt asks for and stands at."""
    kept: defaultdict[str, dict[str, ReservationRow]] = defaultdict(dict)
    for row in session.exec(select(ReservationRow)):
        kept[row.client_id][row.direction] = row
    for attempt in session.exec(select(AttemptRow)):
        rows, state = kept.get(attempt.client_id, {}), State(attempt.state)
        subject = f"reservation:{attempt.client_id}"
        if attempt.kind == "transfer":
            asked = exact(json.loads(attempt.intent_json)["amount"])
            if {"in", "out"} - rows.keys() or rows["in"].amount != asked:
                yield f"{subject}: is not what the transfer asks for"
        for row in rows.values():
            phase = phase_of(row.direction, state, attempt.filled) or "reserved"
            # What had left before its end was lost sight of stays posted.
            if row.phase != phase and not (state is State.MANUAL and row.phase == "posted"):
                yield f"{subject}: {row.direction} is {row.phase}; the attempt says {phase}"


def _plans(session: Session, told: Told) -> Iterator[str]:
    for row in session.exec(select(PlanRow)):
        subject = f"plan:{row.plan_hash}"
        says: dict[str, Any] = {"proposer": row.proposer} | told.take(subject)
        readings = says.get("readings")
        says["baseline"] = None if readings is None else canonical_json(readings)
        stands = {
            "cycle": row.cycle_id,
            "snapshot": row.snapshot_hash,
            "mandate": row.mandate_hash,
            "text": text_hash(row.plan_json),
            "proposer": row.proposer,
            "approver": row.approver,
        }
        yield from _differ(subject, stands, says)
        if says["baseline"] != row.baseline_json:
            yield f"{subject}: the baseline is not the one in the audit"
        try:
            hashes = (
                plan_hash(Plan.model_validate_json(row.plan_json)),
                snapshot_hash(Snapshot.model_validate_json(row.snapshot_json)),
                mandate_hash(Mandate.model_validate_json(row.mandate_json)),
            )
        except (ValidationError, AllocatorError):
            yield f"{subject}: what is stored cannot be read"
            continue
        names = ("plan", "snapshot", "mandate")
        kept = (row.plan_hash, row.snapshot_hash, row.mandate_hash)
        for name, found, wanted in zip(names, hashes, kept, strict=True):
            if found != wanted:
                yield f"{subject}: the {name} is not the one that was hashed"
        yield from _lines(session, row, says.get("actions"))


def _lines(session: Session, plan: PlanRow, count: int | None) -> Iterator[str]:
    """Tell where the actions of a plan are not those that it lists."""
    query = select(ActionRow).where(col(ActionRow.plan_hash) == plan.plan_hash)
    rows = {row.seq: row.kind for row in session.exec(query)}
    listed = {row.seq: row.kind for row in Plan.model_validate_json(plan.plan_json).actions}
    subject = f"plan:{plan.plan_hash}"
    if len(rows) != count:
        yield f"{subject}: {len(rows)} actions; the audit says {count}"
    for seq in sorted(rows.keys() | listed.keys()):
        if rows.get(seq) != listed.get(seq):
            yield f"{subject}: action {seq} is {rows.get(seq)}; the plan says {listed.get(seq)}"


def _actions(session: Session, told: Told) -> Iterator[str]:
    for row in session.exec(select(ActionRow)):
        subject = f"action:{row.plan_hash}:{row.seq}"
        says = {"to": Stage.PLANNED, "reason": ""} | told.take(subject)
        says["stage"] = says["to"]
        yield from _differ(subject, {"stage": row.stage, "reason": row.reason}, says)


def _cycles(session: Session, told: Told) -> Iterator[str]:
    for row in session.exec(select(CycleRow)):
        subject = f"cycle:{row.id}"
        says = {"note": ""} | told.take(subject)
        stands = {
            "status": row.status,
            "note": row.note,
            "portfolio": row.portfolio,
            "slot": row.slot,
        }
        yield from _differ(subject, stands, says)


def _judgement(session: Session, told: Told) -> Iterator[str]:
    for row in session.exec(select(ProposalRow)):
        subject = f"proposal:{row.plan_hash}"
        text = text_hash("\n".join((row.plan_json, row.snapshot_json, row.mandate_json)))
        yield from _differ(subject, {"by": row.proposer, "text": text}, told.take(subject))
    for said in session.exec(select(VerdictRow)):
        subject = f"verdict:{said.plan_hash}:{said.who}"
        stands = {"verdict": said.verdict, "reason": said.reason}
        yield from _differ(subject, stands, told.take(subject))


def _breakers(session: Session, told: Told) -> Iterator[str]:
    for row in session.exec(select(BreakerRow)):
        subject = f"breaker:{row.scope}"
        stands = {"state": row.state, "reason": row.reason, "who": row.who}
        yield from _differ(subject, stands, told.take(subject))


def _shortfalls(session: Session, told: Told) -> Iterator[str]:
    names = ("filled", "decided", "average", "forecast", "fees", "slippage", "missed")
    for row in session.exec(select(ShortfallRow)):
        subject = f"shortfall:{row.plan_hash}:{row.seq}"
        figures = {name: getattr(row, name) for name in names}
        stands = {name: None if value is None else plain(value) for name, value in figures.items()}
        yield from _differ(subject, stands, told.take(subject))


def _openings(session: Session, told: Told) -> Iterator[str]:
    for row in session.exec(select(OpeningRow)):
        subject = f"portfolio:{row.portfolio}:{row.day}"
        yield from _differ(subject, {"equity": plain(row.equity)}, told.take(subject))


def _freezes(session: Session, told: Told) -> Iterator[str]:
    held: defaultdict[str, int] = defaultdict(int)
    for row in session.exec(select(FreezeRow).where(col(FreezeRow.lifted_at).is_(None))):
        held[row.account] += 1
    says = told.frozen()
    for name in sorted(held.keys() | says.keys()):
        if held.get(name, 0) != says.get(name, 0):
            yield f"account:{name}: {held.get(name, 0)} freezes; the audit says {says.get(name, 0)}"
