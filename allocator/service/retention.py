"""What the database keeps no longer: answers, slots, proposals and drafts nothing refers to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Engine, delete, func
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from allocator.execution.database import READ_ONLY
from allocator.execution.office import Office
from allocator.models.base import stamp
from allocator.models.controls import ApprovalConfig
from allocator.models.records import PlanRow, ProposalRow
from allocator.models.service import KeepConfig
from allocator.models.service_records import MandateRow, ReplyRow, SlotRow

ENDED: Final = ("done", "failed", "missed", "skipped")
MOST: Final = 200
"""Proposals that are dropped in one transaction: it holds the audit."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """How many rows went."""

    replies: int
    slots: int
    proposals: int
    drafts: int

    def __bool__(self) -> bool:
        return bool(self.replies or self.slots or self.proposals or self.drafts)


class Retention:
    """Drops what is older than the configuration keeps.

    An answer goes once its idempotency key is older than the days that the configuration names,
    of which there are seven at least: until then the same request acts no second time. A slot
    goes once it has ended and its source has had a later one, since the next is reckoned from the
    latest. A proposal goes once its approval has expired, if it was never begun and no slot is to
    carry it out; the audit says so. What was carried out stays for ever. A draft of the mandate
    that nobody published goes, and the audit and an alert say so; but not the latest version, since
    the next is numbered after it.
    """

    def __init__(
        self, engine: Engine, office: Office, portfolio: str, keep: KeepConfig, rule: ApprovalConfig
    ) -> None:
        self._engine = engine
        self._office = office
        self._portfolio = portfolio
        self._keep = keep
        self._lasts = timedelta(seconds=float(rule.max_age_s))

    def tidy(self, now: datetime) -> Dropped:
        """Drop what is too old."""
        replies = self._drop(col(ReplyRow.at) < self._cut(now, self._keep.replies_days))
        slots = self._drop_slots(self._cut(now, self._keep.slots_days))
        proposals, before = 0, self._cut(now, self._keep.proposals_days)
        while count := self._drop_proposals(before):
            proposals += count
        drafts = self._drop_drafts(self._cut(now, self._keep.drafts_days))
        return Dropped(replies, slots, proposals, drafts)

    def first(self, now: datetime) -> datetime:
        """Tell as of when tidying begins where it is not known when it last was.

        Not beyond what would drop the oldest row: a machine may have started with its clock ahead.
        """
        slots = col(SlotRow.portfolio) == self._portfolio, col(SlotRow.status).in_(ENDED)
        due_at = select(SlotRow.due_at).where(*slots, _followed()).order_by(col(SlotRow.due_at))
        asked = (
            (select(ReplyRow.at).order_by(col(ReplyRow.at)), self._keep.replies_days),
            (due_at, self._keep.slots_days),
            (select(ProposalRow.at).order_by(col(ProposalRow.at)), self._keep.proposals_days),
            (
                select(MandateRow.created_at)
                .where(*self._drafts())
                .order_by(col(MandateRow.created_at)),
                self._keep.drafts_days,
            ),
        )
        with Session(self._engine.execution_options(**{READ_ONLY: True})) as session:
            found = [(session.exec(query.limit(1)).first(), days) for query, days in asked]
        goes = [now - self._cut(now, days) + at for at, days in found if at is not None]
        return min((now, *goes))

    def _cut(self, now: datetime, days: int) -> datetime:
        """Tell before when; never within the time that an approval may count."""
        return now - max(timedelta(days=days), self._lasts)

    def _drop(self, which: ColumnElement[bool]) -> int:
        with Session(self._engine) as session, session.begin():
            return session.connection().execute(delete(ReplyRow).where(which)).rowcount

    def _drop_slots(self, before: datetime) -> int:
        query = delete(SlotRow).where(
            col(SlotRow.portfolio) == self._portfolio,
            col(SlotRow.status).in_(ENDED),
            col(SlotRow.due_at) < before,
            col(SlotRow.ended_at).is_(None) | (col(SlotRow.ended_at) < before),
            _followed(),
        )
        with Session(self._engine) as session, session.begin():
            return session.connection().execute(query).rowcount

    def _drop_proposals(self, before: datetime) -> int:
        begun = select(PlanRow.plan_hash).where(col(PlanRow.plan_hash) == ProposalRow.plan_hash)
        asked = select(SlotRow.id).where(
            col(SlotRow.plan_hash) == ProposalRow.plan_hash,
            col(SlotRow.status).in_(("due", "running")),
        )
        query = (
            select(ProposalRow.plan_hash)
            .where(col(ProposalRow.at) < before, ~begun.exists(), ~asked.exists())
            .order_by(col(ProposalRow.at))
            .limit(MOST)
        )
        with self._office.write() as entry:
            names = entry.session.exec(query).all()
            for name in names:
                entry.event(f"proposal:{name}", "dropped")
            if names:
                gone = delete(ProposalRow).where(col(ProposalRow.plan_hash).in_(names))
                entry.session.connection().execute(gone)
        return len(names)

    def _drop_drafts(self, before: datetime) -> int:
        query = select(MandateRow).where(*self._drafts(), col(MandateRow.created_at) < before)
        with self._office.write() as entry:
            rows = entry.session.exec(query.order_by(col(MandateRow.version))).all()
            for row in rows:
                subject = f"mandate:{row.portfolio}:{row.version}"
                entry.event(subject, "dropped", author=row.author, note=row.note)
                entry.session.delete(row)
            if rows:
                versions = ", ".join(str(row.version) for row in rows)
                entry.alert("drafts_dropped", versions=versions, since=stamp(before))
        return len(rows)

    def _drafts(self) -> tuple[ColumnElement[bool], ...]:
        last = select(func.max(MandateRow.version)).where(MandateRow.portfolio == self._portfolio)
        return (
            col(MandateRow.portfolio) == self._portfolio,
            col(MandateRow.status) == "draft",
            col(MandateRow.version) < last.scalar_subquery(),
        )


def _followed() -> ColumnElement[bool]:
    """Whether the source of a slot has had a later one."""
    later = aliased(SlotRow)
    return (
        select(later.id)
        .where(
            later.portfolio == col(SlotRow.portfolio),
            later.origin == col(SlotRow.origin),
            later.source == col(SlotRow.source),
            later.due_at > col(SlotRow.due_at),
        )
        .exists()
    )
