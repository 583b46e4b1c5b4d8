"""The slots of a portfolio: written once by whoever comes first, carried out by the leader."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Engine
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from allocator.execution.audit import alone
from allocator.execution.database import READ_ONLY
from allocator.execution.entries import Entry
from allocator.execution.leader import Lease, fence
from allocator.execution.office import write as entered
from allocator.models.base import stamp
from allocator.models.errors import JournalError
from allocator.models.records import CycleRow, PlanRow
from allocator.models.service import Schedule
from allocator.models.service_records import PauseRow, SlotRow
from allocator.service.scheduler.definitions import definition, last_due, starts
from allocator.service.scheduler.slot import (
    Asked,
    Slot,
    Status,
    again,
    counted,
    head_of,
    named_at,
    untold,
)

CALLED_BACK = "called back by {by}"
"""Note of a slot that somebody has called back."""

RESUMED = "what fell due since {at} is not made up for"
"""Note of the slot that ends a pause."""


class Slots:
    """Reads and writes the slots of one portfolio."""

    def __init__(self, engine: Engine, portfolio: str) -> None:
        self._engine = engine
        self.reads = engine.execution_options(**{READ_ONLY: True})
        self.portfolio = portfolio

    def add(self, asked: Asked) -> bool:
        """Write a slot down; False when somebody has done so before."""
        with Session(self._engine) as session, session.begin():
            return write(session, self.portfolio, asked)

    def add_one(self, asked: Asked) -> Slot:
        """Write down what a person asks for; what he asked for so and has not begun is the same.

        Looked up and written by one at a time: of requests that come at once each found none.
        """
        of_portfolio = select(SlotRow).where(SlotRow.portfolio == self.portfolio)
        same = of_portfolio.where(
            SlotRow.origin == asked.origin,
            SlotRow.source == asked.source,
            SlotRow.kind == asked.kind,
            SlotRow.status == "due",
        ).order_by(col(SlotRow.due_at), col(SlotRow.id))
        with Session(self._engine) as session, session.begin():
            alone(session)
            row = session.exec(same).first()
            if row is None:
                write(session, self.portfolio, asked)
                row = session.exec(of_portfolio.where(SlotRow.name == asked.name)).one()
            return _slot(row)

    def last_due(self, schedule: str, until: datetime) -> datetime | None:
        """Tell the latest slot of a schedule up to a time; None: it had none by then."""
        with Session(self.reads) as session:
            return last_due(session, self.portfolio, schedule, until)

    def starts(self, schedules: Sequence[Schedule], now: datetime) -> dict[str, datetime]:
        """Tell from when on the slots of schedules count; a changed one begins anew.

        What passed by what a schedule said before is written down as missed.
        """
        told = {row.id: definition(row) for row in schedules}
        with Session(self._engine) as session, session.begin():
            after, passed = starts(session, self.portfolio, told, now)
            for row in passed:
                write(session, self.portfolio, untold(row))
            return after

    def untold(self) -> tuple[str, ...]:
        """Name the schedules of which missed slots were not told."""
        query = select(SlotRow.source).where(*self._untold())
        with Session(self.reads) as session:
            return tuple(session.exec(query.distinct().order_by(SlotRow.source)))

    def tell(self, schedule: str, now: datetime) -> tuple[Slot, ...]:
        """Leave one alert of what a schedule missed and nobody was told of, in one transaction.

        Returns
        -------
        What was told: nothing, where another instance has done so.
        """
        query = select(SlotRow).where(*self._untold(), SlotRow.source == schedule)
        with entered(self._engine, self.portfolio, lambda: now) as entry:
            rows = entry.session.exec(query.order_by(col(SlotRow.due_at), col(SlotRow.id))).all()
            for row in rows:
                row.status = "missed"
                entry.session.add(row)
            if rows:
                _alert_missed(entry, rows)
            return tuple(_slot(row) for row in rows)

    def _untold(self) -> tuple[ColumnElement[bool], ...]:
        return col(SlotRow.portfolio) == self.portfolio, col(SlotRow.status) == "untold"

    def with_status(self, *statuses: Status) -> tuple[Slot, ...]:
        """List slots that stand so, the oldest first."""
        query = (
            select(SlotRow)
            .where(SlotRow.portfolio == self.portfolio, col(SlotRow.status).in_(statuses))
            .order_by(col(SlotRow.due_at), col(SlotRow.id))
        )
        return self._all(query)

    def recent(self, limit: int = 100) -> tuple[Slot, ...]:
        """List slots, the latest first."""
        query = (
            select(SlotRow)
            .where(SlotRow.portfolio == self.portfolio)
            .order_by(col(SlotRow.id).desc())
            .limit(limit)
        )
        return self._all(query)

    def named(self, name: str) -> Slot | None:
        """Read one slot."""
        query = select(SlotRow).where(SlotRow.portfolio == self.portfolio, SlotRow.name == name)
        return next(iter(self._all(query)), None)

    def proposed(self, plan_hash: str) -> Slot | None:
        """Tell the slot that a plan was made in; None: by hand, or no longer kept."""
        query = (
            select(SlotRow)
            .where(
                SlotRow.portfolio == self.portfolio,
                SlotRow.plan_hash == plan_hash,
                SlotRow.kind != "execute",
            )
            .order_by(col(SlotRow.id))
            .limit(1)
        )
        return next(iter(self._all(query)), None)

    def had_cycle(self, name: str) -> bool:
        """Tell whether a slot has become a cycle with a plan: it gets no second one."""
        query = (
            select(PlanRow.plan_hash)
            .join(CycleRow, col(CycleRow.id) == PlanRow.cycle_id)
            .where(CycleRow.portfolio == self.portfolio, CycleRow.slot == name)
        )
        with Session(self.reads) as session:
            return session.exec(query).first() is not None

    def claim(self, lease: Lease, slot: Slot, now: datetime) -> None:
        """Begin a slot that is due, or that an earlier leader had begun.

        Raises
        ------
        FencedError
            When another leads by now.
        JournalError
            When it has ended or was called back, or this leader has begun it.
        """
        with Session(self._engine) as session, session.begin():
            fence(session, lease)
            # Held until this ends: somebody may just be calling it back.
            row = _row(session, slot, held=True)
            mine = row.status == "running" and row.epoch == lease.epoch
            if mine or row.status not in ("due", "running"):
                raise JournalError(f"SLOT_BEGUN: slot={row.name} status={row.status}")
            row.status, row.epoch, row.began_at = "running", lease.epoch, now
            session.add(row)

    def finish(  # noqa: PLR0913 - a slot's end
        self,
        lease: Lease,
        slot: Slot,
        status: Status,
        now: datetime,
        *,
        note: str = "",
        plan_hash: str | None = None,
    ) -> None:
        """End a slot, or set one aside that was never begun; one that failed or was missed is told.

        Raises
        ------
        FencedError
            When another leads by now.
        """
        with entered(self._engine, self.portfolio, lambda: now) as entry:
            fence(entry.session, lease)
            row = _row(entry.session, slot)
            row.status, row.ended_at, row.note = status, now, note
            row.plan_hash = plan_hash or row.plan_hash
            entry.session.add(row)
            if status == "failed":
                facts = {"of": head_of(row.name), "cause": row.cause, "why": note}
                entry.alert("slot_failed", **facts)
            elif status == "missed":
                _alert_missed(entry, [row])

    def call_back(self, slot: Slot, by: str, now: datetime) -> bool:
        """Set a slot aside that has not begun; False when it has."""
        with Session(self._engine) as session, session.begin():
            row = session.get(SlotRow, slot.id, with_for_update=True)
            if row is None or row.status != "due":
                return False
            row.status, row.ended_at, row.note = "skipped", now, CALLED_BACK.format(by=by)
            session.add(row)
            return True

    def ask_again(self, asked: Asked) -> bool:
        """Let a slot be due again that came to nothing; False: it is no such.

        That is one that was called back before it began: where somebody else than the asker did
        so, only he may ask for it again. And an execution that failed before its plan was begun,
        in whose place nothing was planned: what stood in the way may have passed. Of one whose
        plan was begun something may have come.
        """
        query = (
            select(SlotRow)
            .where(SlotRow.portfolio == self.portfolio, SlotRow.name == asked.name)
            .with_for_update()
        )
        with Session(self._engine) as session, session.begin():
            row = session.exec(query).first()
            if row is None or not (_called_back(row, asked.source) or _unbegun(session, row)):
                return False
            row.source, row.cause, row.due_at = asked.source, asked.cause, asked.due_at
            row.status, row.note, row.ended_at = asked.status, asked.note, None
            row.epoch = row.began_at = None
            session.add(row)
            return True

    def pause(self, schedule: str, by: str, reason: str, now: datetime) -> None:
        """Let a schedule rest until it is resumed; whoever pauses it first stands for it."""
        with suppress(IntegrityError), Session(self._engine) as session, session.begin():
            row = session.get(PauseRow, (self.portfolio, schedule))
            if row is None:
                session.add(
                    PauseRow(
                        portfolio=self.portfolio, schedule=schedule, by=by, reason=reason, at=now
                    )
                )

    def resume(self, schedule: str, now: datetime) -> None:
        """Let a paused schedule go on.

        The end of the pause is written down as a slot of it, by which an instance that starts
        knows that what fell due before is neither missed nor made up for.
        """
        with Session(self._engine) as session, session.begin():
            row = session.get(PauseRow, (self.portfolio, schedule))
            if row is not None:
                session.delete(row)
                write(session, self.portfolio, _end_of_pause(row, now))

    def paused(self) -> dict[str, str]:
        """Name the schedules that rest, with who paused them and why."""
        with Session(self.reads) as session:
            rows = session.exec(select(PauseRow).where(PauseRow.portfolio == self.portfolio))
            return {row.schedule: f"{row.by}: {row.reason}" for row in rows}

    def _all(self, query: Any) -> tuple[Slot, ...]:
        with Session(self.reads) as session:
            rows: Sequence[SlotRow] = session.exec(query).all()
            return tuple(_slot(row) for row in rows)


def write(session: Session, portfolio: str, asked: Asked) -> bool:
    """Write a slot down in a transaction; False when somebody has done so before."""
    if session.get_bind().dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        insert: Any = postgresql.insert
    else:
        from sqlalchemy.dialects import sqlite

        insert = sqlite.insert
    statement = (
        insert(SlotRow)
        .values(
            portfolio=portfolio,
            name=asked.name,
            source=asked.source,
            origin=asked.origin,
            kind=asked.kind,
            cause=asked.cause,
            due_at=asked.due_at,
            status=asked.status,
            note=asked.note,
            plan_hash=asked.plan_hash,
        )
        .on_conflict_do_nothing()
    )
    return session.connection().execute(statement.returning(col(SlotRow.id))).first() is not None


def _alert_missed(entry: Entry, rows: Sequence[SlotRow]) -> None:
    """Leave one alert of slots of a schedule, in the transaction by which they are missed."""
    last = rows[-1]
    count = counted(row.note for row in rows)
    facts = {"cause": last.cause, "slots": count, "latest": last.name, "why": last.note}
    entry.alert("slots_missed", **facts)


def _end_of_pause(row: PauseRow, now: datetime) -> Asked:
    return Asked(
        name=named_at(f"{row.schedule} resumed", now),
        source=row.schedule,
        origin="schedule",
        kind="plan",
        cause=f"schedule {row.schedule} was resumed",
        due_at=now,
        status="skipped",
        note=RESUMED.format(at=stamp(row.at)),
    )


def _called_back(row: SlotRow, asker: str) -> bool:
    """Tell whether a slot was called back before it began, and the asker may undo that."""
    if row.status != "skipped" or row.began_at is not None:
        return False
    return row.note in {CALLED_BACK.format(by=who) for who in (row.source, asker)}


def _unbegun(session: Session, row: SlotRow) -> bool:
    """Tell whether an execution failed before its plan was begun, and nothing took its place."""
    if (row.kind, row.status) != ("execute", "failed"):
        return False
    successor = select(SlotRow.id).where(
        SlotRow.portfolio == row.portfolio, SlotRow.name == again(row.name)
    )
    if session.exec(successor).first() is not None:
        return False
    return session.get(PlanRow, row.plan_hash) is None


def _row(session: Session, slot: Slot, *, held: bool = False) -> SlotRow:
    row = session.get(SlotRow, slot.id, with_for_update=held)
    if row is None:
        raise JournalError(f"NO_SLOT: id={slot.id}")
    return row


def _slot(row: SlotRow) -> Slot:
    assert row.id is not None
    return Slot(
        id=row.id,
        name=row.name,
        source=row.source,
        kind=row.kind,
        cause=row.cause,
        due_at=row.due_at,
        # Whether it was told is nobody's business but the alert's.
        status="missed" if row.status == "untold" else row.status,
        note=row.note,
        epoch=row.epoch,
        began_at=row.began_at,
        ended_at=row.ended_at,
        plan_hash=row.plan_hash,
        origin=row.origin,
    )
