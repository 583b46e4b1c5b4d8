"""Reading the durable record back, and checking that nobody rewrote it."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import cast

from sqlalchemy import Engine, func
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import Select

from allocator.execution import agreement, audit
from allocator.execution.arrivals import arrived
from allocator.execution.attempts import Attempt, of_row
from allocator.execution.copies import private_copy
from allocator.execution.database import READ_ONLY, connect, sqlite_path
from allocator.execution.recorded import (
    ActionRecord,
    Alert,
    Cycle,
    Event,
    Measured,
    PlanRecord,
    Proposal,
    cycle_record,
    measured_record,
    plan_record,
    proposal_record,
)
from allocator.execution.transitions import OPEN_STATES, Stage, State
from allocator.models.errors import JournalError
from allocator.models.intents import Found
from allocator.models.records import (
    ActionRow,
    AttemptRow,
    BreakerRow,
    CycleRow,
    EventRow,
    FreezeRow,
    OutboxRow,
    PlanRow,
    ProposalRow,
    ShortfallRow,
    VerdictRow,
)
from allocator.risk.approvals import Said, Verdict
from allocator.risk.breaker import Breaker, Tripped

MOST_NUMBER = 2**31 - 1
"""The largest that a database numbers a row by: it does not look for one beyond, but fails."""


class History:
    """Reads the record; takes no lock that would hold up the writer."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine.execution_options(**{READ_ONLY: True})

    @contextmanager
    def _session(self) -> Generator[Session]:
        """Open a session to read in.

        Raises
        ------
        JournalError
            When a row holds what nobody wrote there.
        """
        with Session(self._engine) as session:
            try:
                yield session
            except ValueError as error:
                first = str(error).partition("\n")[0]
                raise JournalError(f"UNREADABLE: a row of the record: {first}") from error

    def cycles(self, limit: int = 100) -> tuple[Cycle, ...]:
        """List cycles, the latest first."""
        with self._session() as session:
            query = _cycles().order_by(col(CycleRow.id).desc()).limit(limit)
            return tuple(cycle_record(row, hash_) for row, hash_ in session.exec(query))

    def cycle(self, cycle_id: int) -> Cycle:
        """Read one cycle.

        Raises
        ------
        JournalError
            When there is none.
        """
        with self._session() as session:
            query = _cycles().where(CycleRow.id == cycle_id)
            found = session.exec(query).first() if 0 < cycle_id <= MOST_NUMBER else None
            if found is None:
                raise JournalError(f"NO_CYCLE: id={cycle_id}")
            return cycle_record(*found)

    def unfinished(self) -> tuple[Cycle, ...]:
        """List cycles that were begun and not ended, the oldest first."""
        query = _cycles().where(col(CycleRow.status).in_(("open", "parked")))
        with self._session() as session:
            rows = session.exec(query.order_by(col(CycleRow.id)))
            return tuple(cycle_record(row, hash_) for row, hash_ in rows)

    def plan(self, hash_: str) -> PlanRecord | None:
        """Read a plan by its hash.

        Raises
        ------
        JournalError
            When what is stored is not what was hashed.
        """
        with self._session() as session:
            row = session.get(PlanRow, hash_)
            return None if row is None else plan_record(row)

    def proposals(self, limit: int = 100) -> tuple[Proposal, ...]:
        """List proposed plans, the latest first."""
        with self._session() as session:
            rows = session.exec(
                select(ProposalRow).order_by(col(ProposalRow.at).desc()).limit(limit)
            ).all()
            return tuple(proposal_record(r, begun=_begun(session, r.plan_hash)) for r in rows)

    def proposal(self, hash_: str) -> Proposal | None:
        """Read a proposed plan by its hash.

        Raises
        ------
        JournalError
            When what is stored is not what was hashed.
        """
        with self._session() as session:
            row = session.get(ProposalRow, hash_)
            return None if row is None else proposal_record(row, begun=_begun(session, hash_))

    def verdicts(self, hash_: str) -> tuple[Verdict, ...]:
        """List what people said of a plan, in order."""
        query = select(VerdictRow).where(col(VerdictRow.plan_hash) == hash_)
        with self._session() as session:
            rows = session.exec(query.order_by(col(VerdictRow.id)))
            return tuple(
                Verdict(r.plan_hash, r.who, cast("Said", r.verdict), r.reason, r.at) for r in rows
            )

    def breakers(self) -> tuple[Tripped, ...]:
        """List breakers that were ever tripped, by scope."""
        with self._session() as session:
            return breakers(session)

    def actions(self, hash_: str) -> tuple[ActionRecord, ...]:
        """List the actions of a plan by sequence number."""
        with self._session() as session:
            rows = session.exec(
                select(ActionRow)
                .where(col(ActionRow.plan_hash) == hash_)
                .order_by(col(ActionRow.seq))
            )
            return tuple(ActionRecord(r.seq, r.kind, Stage(r.stage), r.reason) for r in rows)

    def working(self) -> tuple[str, ...]:
        """List the hashes of plans that have an action whose end is not written down."""
        query = select(ActionRow.plan_hash).where(ActionRow.stage == Stage.WORKING).distinct()
        with self._session() as session:
            return tuple(session.exec(query.order_by(col(ActionRow.plan_hash))))

    def attempts(self, hash_: str, seq: int | None = None) -> tuple[Attempt, ...]:
        """List the attempts of a plan, or of one of its actions, in the order they were made."""
        query = select(AttemptRow).where(col(AttemptRow.plan_hash) == hash_)
        if seq is not None:
            query = query.where(AttemptRow.seq == seq)
        query = query.order_by(col(AttemptRow.seq), col(AttemptRow.part), col(AttemptRow.number))
        with self._session() as session:
            return tuple(of_row(row) for row in session.exec(query))

    def attempts_since(self, at: datetime) -> tuple[Attempt, ...]:
        """List attempts of any plan that were intended at a time or after it, in order."""
        query = select(AttemptRow).where(AttemptRow.intent_at >= at)
        with self._session() as session:
            rows = session.exec(query.order_by(col(AttemptRow.intent_at)))
            return tuple(of_row(row) for row in rows)

    def cancels_since(self, at: datetime) -> tuple[tuple[datetime, str], ...]:
        """List when orders were asked to be cancelled at a time or after it, and whose."""
        # Times of the audit have no index, and it is in their order: its end alone is read.
        before = select(EventRow.seq).where(EventRow.at < at).order_by(col(EventRow.seq).desc())
        first = func.coalesce(before.limit(1).scalar_subquery(), 0)
        id_ = func.substr(EventRow.subject, len(audit.ATTEMPT) + 1)
        query = select(EventRow.at, AttemptRow.account).join(
            AttemptRow, col(AttemptRow.client_id) == id_
        )
        query = query.where(EventRow.what == audit.CANCEL, col(EventRow.seq) > first)
        with self._session() as session:
            return tuple(session.exec(query.order_by(col(EventRow.seq))))

    def written_by(self, now: datetime) -> dict[datetime, datetime]:
        """Tell by when what is stamped later than now was written, by its stamp.

        A clock that was ahead has stamped it. The audit is in the order of writing, so what follows
        there under a stamp that has come bounds it; now, where nothing does.
        """
        first = select(func.min(EventRow.seq)).where(EventRow.at > now).scalar_subquery()
        query = select(EventRow.at, EventRow.subject).where(EventRow.seq >= first)
        with self._session() as session:
            rows = session.exec(query.order_by(col(EventRow.seq).desc())).all()
            sent = select(AttemptRow).where(AttemptRow.intent_at > now)
            stamps = {f"{audit.ATTEMPT}{r.client_id}": r.intent_at for r in session.exec(sent)}
        known, out, begun = now, dict[datetime, datetime](), dict[datetime, datetime]()
        for at, subject in rows:
            if at <= now:
                known = min(known, at)
            else:
                out.setdefault(at, known)
            if subject in stamps:  # the first line of several says when it was sent
                begun[stamps[subject]] = known
        return out | begun

    def shortfalls(self, hash_: str | None = None, limit: int = 10_000) -> tuple[Measured, ...]:
        """List what actions came to, of one plan or of all, the latest first."""
        query = select(ShortfallRow).order_by(col(ShortfallRow.id).desc()).limit(limit)
        if hash_ is not None:
            query = query.where(ShortfallRow.plan_hash == hash_)
        with self._session() as session:
            return tuple(measured_record(row) for row in session.exec(query))

    def attempt(self, client_id: str) -> Attempt | None:
        """Read one attempt."""
        with self._session() as session:
            row = session.get(AttemptRow, client_id)
            return None if row is None else of_row(row)

    def arrived(self, client_id: str, found: Found) -> Found:
        """Tell what a venue says of a transfer by deposits that settled no other."""
        with self._session() as session:
            return arrived(session, client_id, found)

    def with_state(self, *states: State) -> tuple[Attempt, ...]:
        """List attempts of any plan that stand in one of these states, the oldest first."""
        with self._session() as session:
            rows = session.exec(
                select(AttemptRow)
                .where(col(AttemptRow.state).in_([str(state) for state in states]))
                .order_by(col(AttemptRow.intent_at), col(AttemptRow.client_id))
            )
            return tuple(of_row(row) for row in rows)

    def open_attempts(self) -> tuple[Attempt, ...]:
        """List attempts whose end is not known."""
        return self.with_state(*sorted(OPEN_STATES))

    def waiting(self) -> tuple[Attempt, ...]:
        """List attempts that wait for an operator: given to one, or left open and frozen for."""
        rows = self.with_state(*sorted(OPEN_STATES), State.MANUAL)
        with self._session() as session:
            query = select(FreezeRow.client_id).where(col(FreezeRow.lifted_at).is_(None))
            held = set(session.exec(query))
        return tuple(r for r in rows if r.state is State.MANUAL or r.client_id in held)

    def frozen(self) -> dict[str, str]:
        """Tell which accounts stand still, and why."""
        out = dict[str, str]()
        with self._session() as session:
            query = select(FreezeRow.account, FreezeRow.reason).order_by(col(FreezeRow.id))
            for account, why in session.exec(query.where(col(FreezeRow.lifted_at).is_(None))):
                out[account] = f"{out[account]}; {why}" if account in out else why
        return out

    def unexplained(self) -> frozenset[str]:
        """Tell which accounts stand still for more than requests whose end is open."""
        open_ = (col(FreezeRow.lifted_at).is_(None), col(FreezeRow.client_id).is_(None))
        with self._session() as session:
            return frozenset(session.exec(select(FreezeRow.account).where(*open_)))

    def events(
        self, subject: str | None = None, after: int = 0, limit: int | None = None
    ) -> tuple[Event, ...]:
        """List audit events in order."""
        query = select(EventRow).where(EventRow.seq > after).order_by(col(EventRow.seq))
        query = query.limit(limit)
        if subject is not None:
            query = query.where(EventRow.subject == subject)
        with self._session() as session:
            return tuple(
                Event(r.seq, r.at, r.epoch, r.subject, r.what, json.loads(r.facts_json))
                for r in session.exec(query)
            )

    def told_last(self, subject: str) -> str | None:
        """Tell what the audit says last of a subject; None: nothing."""
        with self._session() as session:
            query = select(EventRow.what).where(EventRow.subject == subject)
            return session.exec(query.order_by(col(EventRow.seq).desc()).limit(1)).first()

    def last_event_at(self) -> datetime | None:
        """Tell when the record was last written; None: never."""
        with self._session() as session:
            query = select(EventRow.at).order_by(col(EventRow.seq).desc()).limit(1)
            return session.exec(query).first()

    def last_step_at(self, cycle: Cycle) -> datetime | None:
        """Tell when a leader last went on with a cycle: what people write does not count."""
        subjects = (f"cycle:{cycle.id}", f"plan:{cycle.plan_hash}")
        told = select(EventRow.at).where(col(EventRow.subject).in_(subjects))
        sent = select(AttemptRow.intent_at).where(AttemptRow.plan_hash == cycle.plan_hash)
        queries = (
            told.order_by(col(EventRow.seq).desc()).limit(1),
            sent.order_by(col(AttemptRow.intent_at).desc()).limit(1),
        )
        with self._session() as session:
            found = [session.exec(query).first() for query in queries]
        return max((at for at in found if at is not None), default=None)

    def alerts(self) -> tuple[Alert, ...]:
        """List alerts that were not delivered yet, the oldest first."""
        with self._session() as session:
            rows: Sequence[OutboxRow] = session.exec(
                select(OutboxRow)
                .where(col(OutboxRow.delivered_at).is_(None))
                .order_by(col(OutboxRow.id))
            ).all()
            return tuple(
                Alert(r.id, r.at, r.topic, json.loads(r.body_json))
                for r in rows
                if r.id is not None
            )

    def head(self) -> audit.Head | None:
        """Tell where the audit ends now; None: nothing was ever written."""
        with self._session() as session:
            return audit.head(session)

    def verify(
        self, heads: Iterable[audit.Head] = (), *, private: bool = False
    ) -> tuple[audit.Fault, ...]:
        """Check the audit's hash chain, and the rows against it; empty when all is well.

        SQLite's record is checked in a copy: whoever reads all of it would keep others from
        writing for as long as that takes.

        Parameters
        ----------
        heads
            What the audit ended with at earlier times, as it was kept outside the database: rows
            cut off at its end are told by nothing else.
        private
            Whether nobody else uses the database, so that it need not be copied.

        Raises
        ------
        StaleError
            When the database cannot be copied now.
        """
        path = sqlite_path(self._engine.url.render_as_string(hide_password=False))
        if private or path is None:
            with History(_at_one_moment(self._engine))._session() as session:
                return agreement.verify(session, heads)
        with private_copy(path) as copy:
            engine = connect(f"sqlite:///{copy}")
            try:
                return History(engine).verify(heads, private=True)
            finally:
                engine.dispose()


def _at_one_moment(engine: Engine) -> Engine:
    """Let all statements of a transaction see one state of the record; SQLite's do so anyway."""
    if engine.dialect.name != "postgresql":
        return engine
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def breakers(session: Session) -> tuple[Tripped, ...]:
    """List breakers that were ever tripped, by scope."""
    rows = session.exec(select(BreakerRow).order_by(col(BreakerRow.scope)))
    return tuple(Tripped(r.scope, Breaker(r.state), r.reason, r.who, r.at) for r in rows)


def _cycles() -> Select[CycleRow, str]:
    """Select cycles with the hashes of their plans, if they have one; not the plans."""
    return select(CycleRow, PlanRow.plan_hash).join(PlanRow, isouter=True)


def _begun(session: Session, hash_: str) -> bool:
    return session.get(PlanRow, hash_) is not None
