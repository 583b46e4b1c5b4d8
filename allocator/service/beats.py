"""Signs of life of the instances of a portfolio."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine, delete
from sqlmodel import Session, col, select

from allocator.execution.database import READ_ONLY
from allocator.models.records import LeaderRow
from allocator.models.service_records import BeatRow
from allocator.service.clock import MOST_LEAP_S

GONE = timedelta(seconds=60)
"""Without a sign for so long an instance is gone: they tick every few seconds."""

AHEAD = timedelta(seconds=MOST_LEAP_S)
"""A sign that is later than that by our clock was left by one that was ahead: it says nothing."""

FORGOTTEN = timedelta(days=1)
"""Signs that old are dropped once another instance starts."""


@dataclass(frozen=True, slots=True)
class Beat:
    """When an instance last ticked, and whether it led."""

    holder: str
    leads: bool
    at: datetime


class Beats:
    """Reads and writes the signs of life."""

    def __init__(self, engine: Engine, portfolio: str) -> None:
        self._engine = engine
        self._reads = engine.execution_options(**{READ_ONLY: True})
        self._portfolio = portfolio

    def beat(self, holder: str, *, leads: bool, at: datetime) -> None:
        """Leave a sign of life."""
        with Session(self._engine) as session, session.begin():
            row = session.get(BeatRow, (self._portfolio, holder))
            if row is None or row.at > at + AHEAD:
                # A new instance clears away what is left of those that were killed; so does one
                # whose clock was put back, for others may have died by the same clock.
                others = (col(BeatRow.at) < at - FORGOTTEN) | (col(BeatRow.at) > at + AHEAD)
                session.connection().execute(
                    delete(BeatRow).where(
                        col(BeatRow.portfolio) == self._portfolio,
                        col(BeatRow.holder) != holder,
                        others,
                    )
                )
            session.merge(BeatRow(portfolio=self._portfolio, holder=holder, leads=leads, at=at))

    def leave(self, holder: str) -> None:
        """Take the sign away: the instance has stopped as it should."""
        with Session(self._engine) as session, session.begin():
            row = session.get(BeatRow, (self._portfolio, holder))
            if row is not None:
                session.delete(row)

    def all(self) -> tuple[Beat, ...]:
        """List the instances, the latest sign first."""
        query = select(BeatRow).where(BeatRow.portfolio == self._portfolio)
        with Session(self._reads) as session:
            rows = session.exec(query.order_by(col(BeatRow.at).desc()))
            return tuple(Beat(row.holder, row.leads, row.at) for row in rows)

    def leader(self, now: datetime) -> str | None:
        """Tell the instance that holds the present lease, if it has ticked of late.

        One that led before it was killed has left a sign that says that it leads.
        """
        with Session(self._reads) as session:
            lease = session.get(LeaderRow, self._portfolio)
        signs = (row for row in self.all() if row.leads)
        fresh = {row.holder for row in signs if now - GONE <= row.at <= now + AHEAD}
        return lease.holder if lease is not None and lease.holder in fresh else None

    def leader_at(self, now: datetime) -> datetime | None:
        """Tell when a leader last ticked; None: none ever did."""
        return next((row.at for row in self.all() if row.leads and row.at <= now + AHEAD), None)
