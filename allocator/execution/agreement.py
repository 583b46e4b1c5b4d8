"""Whether the rows of the record stand where its audit left them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from sqlmodel import Session, col, select

from allocator.execution import audit
from allocator.execution.attempts import text_hash
from allocator.execution.audit import Fault, Head
from allocator.execution.reservations import phase_of, set_aside
from allocator.execution.told import Facts, Told
from allocator.execution.transitions import Stage, State
from allocator.models.base import exact, plain, stamp
from allocator.models.canonical import (
    canonical_json,
    mandate_hash,
    mandate_text_hash,
    plan_hash,
    snapshot_hash,
)
from allocator.models.errors import AllocatorError
from allocator.models.mandate import Mandate
from allocator.models.plan import Plan
from allocator.models.records import (
    ActionRow,
    AttemptRow,
    BreakerRow,
    CycleRow,
    FreezeRow,
    LeaderRow,
    OpeningRow,
    OutboxRow,
    PlanRow,
    ProposalRow,
    ReservationRow,
    ShortfallRow,
    VerdictRow,
)
from allocator.models.service_records import BindingRow, MandateRow
from allocator.models.snapshot import Snapshot


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
        _alerts,
        _leaders,
        _mandates,
        _installations,
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


def _when(at: datetime | None) -> str | None:
    return None if at is None else stamp(at)


def _attempts(session: Session, told: Told) -> Iterator[str]:
    unfilled = {"filled": "0", "fees": "{}", "why": ""}
    for row in session.exec(select(AttemptRow)):
        subject = f"attempt:{row.client_id}"
        # Records of earlier releases do not tell whose attempt it was.
        whose = {"plan": row.plan_hash, "account": row.account}
        says = unfilled | whose | told.take(subject)
        says["state"] = says.get("to")
        price = None if row.average_price is None else plain(row.average_price)
        asked = json.loads(row.intent_json)
        # A request bears its own time, or is intended when it is written down.
        at = asked.get("stamped_at") or says.get("intended")
        intended = None if at is None else stamp(datetime.fromisoformat(at))
        says |= {"kind": asked["kind"], "intent_at": intended}
        stands = {
            **whose,
            "kind": row.kind,
            "intent_at": stamp(row.intent_at),
            "epoch": row.epoch,
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
            "settled_by": row.settled_by,
        }
        yield from _differ(subject, stands, says)
        if row.intent_hash != stands["request"]:
            yield f"{subject}: the request is not the one that was hashed"


def _reservations(session: Session, told: Told) -> Iterator[str]:
    """Tell where money set aside is not what its attempt asks for and stands at."""
    kept: defaultdict[str, dict[str, ReservationRow]] = defaultdict(dict)
    for row in session.exec(select(ReservationRow)):
        kept[row.client_id][row.direction] = row
    for attempt in session.exec(select(AttemptRow)):
        rows, state = kept.pop(attempt.client_id, {}), State(attempt.state)
        subject = f"reservation:{attempt.client_id}"
        says = told.reserved.get(attempt.client_id)
        if says is not None:
            yield from _set_aside(subject, rows, says)
        if attempt.kind == "transfer":
            asked = exact(json.loads(attempt.intent_json)["amount"])
            if {"in", "out"} - rows.keys() or rows["in"].amount != asked:
                yield f"{subject}: is not what the transfer asks for"
        for row in rows.values():
            phase = phase_of(row.direction, state, attempt.filled) or "reserved"
            # What had left before its end was lost sight of stays posted.
            if row.phase != phase and not (state is State.MANUAL and row.phase == "posted"):
                yield f"{subject}: {row.direction} is {row.phase}; the attempt says {phase}"
    yield from (f"reservation:{name}: there is no such attempt" for name in sorted(kept))


def _set_aside(
    subject: str, rows: Mapping[str, ReservationRow], says: list[dict[str, Any]]
) -> Iterator[str]:
    wanted = {row["direction"]: row for row in says}
    for direction in sorted(rows.keys() | wanted.keys()):
        stands = set_aside(rows[direction]) if direction in rows else {}
        told = wanted.get(direction, {})
        for key in sorted(stands.keys() | told.keys()):
            if stands.get(key) != told.get(key):
                yield (
                    f"{subject}: {direction}: {key} is {stands.get(key)}; "
                    f"the audit says {told.get(key)}"
                )


def _plans(session: Session, told: Told) -> Iterator[str]:
    for row in session.exec(select(PlanRow)):
        subject = f"plan:{row.plan_hash}"
        says: dict[str, Any] = {"proposer": row.proposer, "at": None} | told.take(subject)
        readings = says.get("readings")
        says["baseline"] = None if readings is None else canonical_json(readings)
        stands = {
            "cycle": row.cycle_id,
            "snapshot": row.snapshot_hash,
            "mandate": row.mandate_hash,
            "text": text_hash(row.plan_json),
            "proposer": row.proposer,
            "approver": row.approver,
            "at": _when(row.approved_at),
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
            "epoch": row.epoch,
            "opened_at": stamp(row.opened_at),
            "ended_at": _when(row.ended_at),
        }
        yield from _differ(subject, stands, says)


def _judgement(session: Session, told: Told) -> Iterator[str]:
    for row in session.exec(select(ProposalRow)):
        subject = f"proposal:{row.plan_hash}"
        text = text_hash("\n".join((row.plan_json, row.snapshot_json, row.mandate_json)))
        stands = {"by": row.proposer, "text": text, "at": stamp(row.at)}
        yield from _differ(subject, stands, told.take(subject))
    for said in session.exec(select(VerdictRow)):
        subject = f"verdict:{said.plan_hash}:{said.who}"
        stands = {"verdict": said.verdict, "reason": said.reason, "at": stamp(said.at)}
        yield from _differ(subject, stands, told.take(subject))


def _breakers(session: Session, told: Told) -> Iterator[str]:
    for row in session.exec(select(BreakerRow)):
        subject = f"breaker:{row.scope}"
        stands = {"state": row.state, "reason": row.reason, "who": row.who, "at": stamp(row.at)}
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


def _alerts(session: Session, told: Told) -> Iterator[str]:
    first = told.first("alert", "topic").get("alert")
    for row in session.exec(select(OutboxRow)):
        assert row.id is not None
        subject, delivered = f"alert:{row.id}", {"delivered_at": _when(row.delivered_at)}
        says = told.take(subject)
        if "topic" not in says and (first is None or row.id < first):
            # An earlier release left it: only its delivery may be told.
            yield from _differ(subject, delivered if says else {}, says)
            continue
        stands = {"topic": row.topic, "text": text_hash(row.body_json), "at": stamp(row.at)}
        yield from _differ(subject, {**stands, "times": 1, **delivered}, says)


def _leaders(session: Session, told: Told) -> Iterator[str]:
    for row in session.exec(select(LeaderRow)):
        says = told.take(f"leader:{row.name}")
        stands = {"holder": row.holder, "since": stamp(row.since), "epoch": row.epoch}
        # Who led under an earlier release is not told.
        yield from _differ(f"leader:{row.name}", stands if says else {}, says)


def _mandates(session: Session, told: Told) -> Iterator[str]:
    first = told.first("mandate", "created_at")
    for row in session.exec(select(MandateRow)):
        subject = f"mandate:{row.portfolio}:{row.version}"
        if mandate_text_hash(row.mandate_json) != row.mandate_hash:
            yield f"{subject}: the mandate is not the one that was hashed"
        says = {"by": None, "published_at": None} | told.take(subject)
        stands = {
            "status": row.status,
            "mandate": row.mandate_hash,
            "author": row.author,
            "note": row.note,
            "created_at": stamp(row.created_at),
            "by": row.published_by,
            "published_at": _when(row.published_at),
        }
        earliest = first.get(f"mandate:{row.portfolio}")
        if "created_at" not in says and (earliest is None or row.version < earliest):
            # An earlier release wrote it down: only what became of it since may be told.
            stands = {key: value for key, value in stands.items() if says.get(key) is not None}
        yield from _differ(subject, stands, says)


def _installations(session: Session, told: Told) -> Iterator[str]:
    """Tell where the database is not that of the installation that the audit names."""
    for row in session.exec(select(BindingRow)):
        subject = f"installation:{row.installation}"
        yield from _differ(subject, {"bound_at": stamp(row.bound_at)}, told.take(subject))


def _freezes(session: Session, told: Told) -> Iterator[str]:
    """Tell where the freezes of an account are not those, nor lifted as, the audit says."""
    kept = defaultdict[str, list[FreezeRow]](list)
    for row in session.exec(select(FreezeRow).order_by(col(FreezeRow.id))):
        kept[row.account].append(row)
    for name in sorted(kept.keys() | told.frozen.keys() | told.thawed.keys()):
        frozen, thawed = told.frozen[name], told.thawed[name]
        held = sum(row.lifted_at is None for row in kept[name])
        if held != len(frozen) - len(thawed):
            says = len(frozen) - len(thawed)
            yield f"account:{name}: {held} freezes; the audit says {says}"
        stands = [(row.reason, row.client_id, stamp(row.frozen_at)) for row in kept[name]]
        if stands != [(row.get("reason"), row.get("client_id"), row["at"]) for row in frozen]:
            yield f"account:{name}: its freezes are not those in the audit"
        if not _lifted_as_told(kept[name], thawed):
            yield f"account:{name}: its freezes were not lifted as the audit says"


def _lifted_as_told(rows: Iterable[FreezeRow], thawed: Iterable[Facts]) -> bool:
    """Whether each freeze that was lifted is told to be; earlier releases did not tell which."""
    lifted = [
        {
            "at": _when(row.lifted_at),
            "operator": row.lifted_by,
            "evidence": row.evidence,
            "client_id": row.client_id,
            "frozen_at": stamp(row.frozen_at),
        }
        for row in rows
        if row.lifted_at is not None or row.lifted_by is not None
    ]
    # Those that are told in full are looked for first: what is left is anybody's.
    for told in sorted(thawed, key=len, reverse=True):
        found = next((row for row in lifted if told.items() <= row.items()), None)
        if found is None:
            return False
        lifted.remove(found)
    return not lifted
