"""What one transaction of the journal is made of: rows stepped, and the audit told of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlmodel import Session, col, select

from allocator.execution import audit
from allocator.execution.attempts import Attempt, intent_text, of_row, sender, text_hash, touched
from allocator.execution.reservations import settle
from allocator.execution.shortfall import Shortfall
from allocator.execution.transitions import Stage, State, advance, advance_stage
from allocator.models.base import plain, stamp
from allocator.models.canonical import canonical_json
from allocator.models.errors import JournalError, RefusedError
from allocator.models.intents import Intent
from allocator.models.records import (
    ActionRow,
    AttemptRow,
    BreakerRow,
    FreezeRow,
    OutboxRow,
    PlanRow,
    ShortfallRow,
)
from allocator.risk.breaker import Breaker, latch, stops, told
from allocator.risk.control import Refusal

MOST_NAMED = 500
"""Actions that one query names; beyond, all of the plan are read."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A transaction under way."""

    session: Session
    at: datetime
    epoch: int
    _lines: list[audit.Line] = field(default_factory=list[audit.Line])
    _alerts: list[OutboxRow] = field(default_factory=list[OutboxRow])

    def event(self, subject: str, what: str, **facts: Any) -> None:
        """Add a line to the audit."""
        self._lines.append(audit.line(self.at, self.epoch, subject, what, **facts))

    def finish(self) -> None:
        """Chain the lines to the audit: the last thing before the commit."""
        self.session.flush()
        for row in self._alerts:
            text = text_hash(row.body_json)
            self.event(f"alert:{row.id}", "raised", topic=row.topic, text=text)
        audit.append(self.session, self._lines)

    def alert(self, topic: str, **body: Any) -> None:
        """Leave an alert to be delivered."""
        row = OutboxRow(at=self.at, topic=topic, body_json=canonical_json(body))
        self.session.add(row)
        self._alerts.append(row)


@dataclass(frozen=True, slots=True)
class Place:
    """Which slice of which action an intent is, and which try."""

    plan_hash: str
    seq: int
    part: int
    number: int


def plan_row(session: Session, plan_hash: str) -> PlanRow:
    """Read a plan that must be there."""
    row = session.get(PlanRow, plan_hash)
    if row is None:
        raise JournalError(f"NO_PLAN: plan_hash={plan_hash}")
    return row


def action_rows(
    session: Session, plan_hash: str, seqs: Sequence[int] | None = None
) -> Sequence[ActionRow]:
    """List the actions of a plan, or some of them."""
    query = select(ActionRow).where(col(ActionRow.plan_hash) == plan_hash)
    if seqs is not None and len(seqs) <= MOST_NAMED:
        query = query.where(col(ActionRow.seq).in_(seqs))
    return session.exec(query.order_by(col(ActionRow.seq))).all()


def attempt_row(session: Session, client_id: str) -> AttemptRow:
    """Read an attempt that must be there."""
    row = session.get(AttemptRow, client_id)
    if row is None:
        raise JournalError(f"NO_ATTEMPT: client_id={client_id}")
    return row


def attempts_of(session: Session, plan_hash: str, seq: int) -> tuple[Attempt, ...]:
    """List the attempts of an action, in the order they were made."""
    session.flush()
    query = select(AttemptRow).where(AttemptRow.plan_hash == plan_hash, AttemptRow.seq == seq)
    made = session.exec(query.order_by(col(AttemptRow.part), col(AttemptRow.number)))
    return tuple(of_row(row) for row in made)


def new_row(place: Place, intent: Intent, window_s: Decimal, entry: Entry) -> AttemptRow:
    """Make the row of an attempt that is about to be sent."""
    text = intent_text(intent)
    at = intent.stamped_at or entry.at
    return AttemptRow(
        client_id=intent.client_id,
        plan_hash=place.plan_hash,
        seq=place.seq,
        part=place.part,
        number=place.number,
        kind=intent.kind,
        account=sender(intent),
        state=advance(intent.kind, State.CHECKED, State.SENDING),
        intent_json=text,
        intent_hash=text_hash(text),
        epoch=entry.epoch,
        intent_at=at,
        fence_at=at + timedelta(seconds=float(window_s)),
        updated_at=entry.at,
    )


def tell_state(entry: Entry, row: AttemptRow, before: State, **facts: Any) -> None:
    """Write a change of state into the audit."""
    entry.event(f"attempt:{row.client_id}", "state", **{"from": before, "to": row.state, **facts})


def move_attempt(entry: Entry, row: AttemptRow, to: State, why: str) -> None:
    """Step an attempt, settle its reservations and tell the audit."""
    attempt = of_row(row)
    row.state = advance(attempt.kind, attempt.state, to)
    row.reason, row.updated_at = why, entry.at
    entry.session.add(row)
    settle(entry.session, row.client_id, to, row.filled, entry.at)
    price = None if row.average_price is None else plain(row.average_price)
    facts = {
        "venue_id": row.venue_id,
        "filled": plain(row.filled),
        "average_price": price,
        "fees": row.fees_json,
    }
    if row.settled_by is not None:
        facts["settled_by"] = row.settled_by
    tell_state(entry, row, attempt.state, why=why, **facts)


def step_action(entry: Entry, action: ActionRow, to: Stage, reason: str) -> None:
    """Step an action and tell the audit."""
    before = Stage(action.stage)
    action.stage = advance_stage(before, to)
    action.reason, action.updated_at = reason, entry.at
    entry.session.add(action)
    facts: Mapping[str, Any] = {"from": before, "to": to, "reason": reason}
    entry.event(f"action:{action.plan_hash}:{action.seq}", "stage", **facts)


def keep_figures(entry: Entry, plan_hash: str, rows: Sequence[Shortfall]) -> None:
    """Keep what actions came to; measured again, the later figures stand."""
    query = select(ShortfallRow).where(ShortfallRow.plan_hash == plan_hash)
    known = {row.seq: row for row in entry.session.exec(query)}
    for row in rows:
        figures = asdict(row)
        kept = known.get(row.seq)
        if kept is None:
            kept = ShortfallRow(plan_hash=plan_hash, at=entry.at, **figures)
        else:
            for name, value in figures.items():
                setattr(kept, name, value)
            kept.at = entry.at
        entry.session.add(kept)
        told = {name: plain(v) for name, v in figures.items() if isinstance(v, Decimal)}
        entry.event(f"shortfall:{plan_hash}:{row.seq}", "measured", **told)


def refuse_frozen(session: Session, intent: Intent) -> None:
    """Refuse an intent that touches a frozen account."""
    rows = session.exec(
        select(FreezeRow).where(
            col(FreezeRow.account).in_(touched(intent)), col(FreezeRow.lifted_at).is_(None)
        )
    )
    for row in rows:
        what = f"account:{row.account}" if row.client_id is None else row.client_id
        raise RefusedError(
            f"FROZEN: account={row.account} reason={row.reason}; "
            f"`allocator resolve {what}` lets it act again"
        )


def refuse_halted(session: Session, scopes: Sequence[str], *, reduces: bool) -> None:
    """Refuse an intent that a breaker stands in the way of.

    Parameters
    ----------
    scopes
        Every breaker that covers what it touches.
    reduces
        Whether it may go while only reductions may.
    """
    for row in session.exec(select(BreakerRow).where(col(BreakerRow.scope).in_(scopes))):
        if stops(Breaker(row.state), reduces=reduces):
            raise RefusedError(told(row.scope, row.state, row.reason))


def freeze_account(entry: Entry, account: str, reason: str, client_id: str | None) -> None:
    """Stop an account."""
    entry.session.add(
        FreezeRow(account=account, reason=reason, client_id=client_id, frozen_at=entry.at)
    )
    entry.event(f"account:{account}", "frozen", reason=reason, client_id=client_id)


def freezes_of(session: Session, client_id: str) -> tuple[FreezeRow, ...]:
    """List what a request froze and nobody has lifted."""
    query = select(FreezeRow).where(
        FreezeRow.client_id == client_id, col(FreezeRow.lifted_at).is_(None)
    )
    return tuple(session.exec(query))


def give_to_person(entry: Entry, row: AttemptRow, why: str) -> None:
    """Step an attempt to MANUAL; one of which nobody knows whether it was sent is UNKNOWN first."""
    if row.state == State.SENDING:
        move_attempt(entry, row, State.UNKNOWN, why)
    move_attempt(entry, row, State.MANUAL, why)


def lift(entry: Entry, row: FreezeRow, operator: str, evidence: str) -> None:
    """Let an account act again."""
    row.lifted_at, row.lifted_by, row.evidence = entry.at, operator, evidence
    entry.session.add(row)
    which = {"client_id": row.client_id, "frozen_at": stamp(row.frozen_at)}
    said = {"operator": operator, "evidence": evidence}
    entry.event(f"account:{row.account}", "thawed", **said, **which)


def need_evidence(operator: str, evidence: str) -> None:
    """Refuse what an operator says without a name or evidence."""
    if not operator.strip() or not evidence.strip():
        raise RefusedError("NO_EVIDENCE: an operator and evidence are needed")


def set_breaker(entry: Entry, scope: str, state: Breaker, reason: str, who: str) -> Breaker:
    """Latch a breaker and leave an alert; what is stricter already stays as it is."""
    row = entry.session.get(BreakerRow, scope)
    before = Breaker.ACTIVE if row is None else Breaker(row.state)
    now = latch(before, state)
    if now is before:
        entry.event(f"breaker:{scope}", "confirmed", state=now, reason=reason, who=who)
        return now
    if row is None:
        row = BreakerRow(scope=scope, state=now, reason=reason, who=who, at=entry.at)
    row.state, row.reason, row.who, row.at = now, reason, who, entry.at
    entry.session.add(row)
    entry.event(f"breaker:{scope}", "tripped", state=now, reason=reason, who=who)
    entry.alert(str(now), scope=scope, reason=reason, who=who)
    return now


def tell_refusals(
    entry: Entry, subject: str, refusals: Sequence[Refusal], account: str, **facts: Any
) -> None:
    """Write refusals of the controls into the audit, and trip what they latch.

    A figure that was only unknown or without a limit blocks, and latches nothing.
    """
    told = {
        "controls": [row.control.id for row in refusals],
        "codes": [row.control.code for row in refusals],
        "why": [str(row) for row in refusals],
    }
    entry.event(subject, "refused", **told, **facts)
    entry.alert("refused", subject=subject, why=told["why"])
    for row in refusals:
        if row.control.latches is not None and row.value is not None and row.limit is not None:
            what, state = row.control.latches
            scope = "global" if what == "global" else f"account:{account}"
            set_breaker(entry, scope, state, str(row), row.control.id)
