"""Alerts that nobody was told yet, read a page at a time: they may be very many."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Engine, case, func
from sqlmodel import Session, col, select

from allocator.execution.database import READ_ONLY
from allocator.execution.office import Office
from allocator.execution.recorded import Alert
from allocator.models.records import OutboxRow

MOST_MARKED = 500
"""Alerts that are marked in one transaction: it holds the audit."""


@dataclass(frozen=True, slots=True)
class Folded:
    """Old alerts that are told of in one line.

    Attributes
    ----------
    last
        The number of the last of them.
    count
        How many they are.
    since
        When the first was left.
    chosen
        The latest of those topics that are told as themselves all the same.
    """

    last: int
    count: int
    since: datetime
    chosen: tuple[Alert, ...]


class Outbox:
    """Reads what waits, and writes down what was told.

    Parameters
    ----------
    office
        Writes down what was told, with the audit's line.
    """

    def __init__(self, engine: Engine, office: Office) -> None:
        self._reads = engine.execution_options(**{READ_ONLY: True})
        self._office = office

    def count(self) -> int:
        """Count what waits."""
        with Session(self._reads) as session:
            return session.exec(select(func.count()).where(*_waits())).one()

    def after(self, number: int, limit: int) -> tuple[Alert, ...]:
        """List what waits after an alert's number, the oldest first."""
        asked = select(OutboxRow).where(*_waits(), col(OutboxRow.id) > number)
        with Session(self._reads) as session:
            return _alerts(session.exec(asked.order_by(col(OutboxRow.id)).limit(limit)))

    def latest(self, limit: int) -> tuple[Alert, ...]:
        """List the latest that wait, of these the oldest first."""
        asked = select(OutboxRow).where(*_waits()).order_by(col(OutboxRow.id).desc()).limit(limit)
        with Session(self._reads) as session:
            return _alerts(session.exec(asked))[::-1]

    def first(self, topics: Collection[str], number: int, limit: int) -> tuple[Alert, ...]:
        """List what waits after an alert's number: some topics first, and then the oldest first."""
        rest = case((col(OutboxRow.topic).in_(topics), 0), else_=1)
        asked = select(OutboxRow).where(*_waits(), col(OutboxRow.id) > number)
        with Session(self._reads) as session:
            return _alerts(session.exec(asked.order_by(rest, col(OutboxRow.id)).limit(limit)))

    def fold(self, before: datetime, topics: Collection[str], most: int) -> Folded | None:
        """Fold what was left before a time and waits since; None: it is no more than so many.

        Whatever its time says, an alert that was left after a later one is none of them: a clock
        was behind.

        Parameters
        ----------
        topics
            Of which the latest, so many at most, are told as themselves all the same.
        """
        number = col(OutboxRow.id)
        with Session(self._reads) as session:
            later = select(func.min(number)).where(*_waits(), col(OutboxRow.at) >= before)
            first = session.exec(later).one()
            old = _waits() if first is None else (*_waits(), number < first)
            last = session.exec(select(func.max(number)).where(*old)).one()
            if last is None:
                return None
            these = (*_waits(), number <= last)
            asked = select(func.count(), func.min(OutboxRow.at)).where(*these)
            count, since = session.exec(asked).one()
            if count <= most:
                return None
            states = select(OutboxRow).where(*these, col(OutboxRow.topic).in_(topics))
            chosen = session.exec(states.order_by(number.desc()).limit(most))
            return Folded(last, count, since, _alerts(chosen)[::-1])

    def told(self, rows: Sequence[Alert], folded: Folded | None = None) -> None:
        """Write down that somebody was told of alerts, with the audit's lines."""
        if folded is not None:
            while numbers := self._upto(folded.last):
                self._mark(numbers)
        self._mark([row.id for row in rows])

    def _upto(self, last: int) -> Sequence[int]:
        number = col(OutboxRow.id)
        asked = select(number).where(*_waits(), number <= last).order_by(number)
        with Session(self._reads) as session:
            return [row for row in session.exec(asked.limit(MOST_MARKED)) if row is not None]

    def _mark(self, numbers: Sequence[int]) -> None:
        if not numbers:
            return
        with self._office.write() as entry:
            for number in numbers:
                row = entry.session.get(OutboxRow, number)
                if row is not None and row.delivered_at is None:
                    row.delivered_at = entry.at
                    entry.session.add(row)
                    entry.event(f"alert:{number}", "delivered")


def _waits() -> tuple[ColumnElement[bool], ...]:
    return (col(OutboxRow.delivered_at).is_(None),)


def _alerts(rows: Iterable[OutboxRow]) -> tuple[Alert, ...]:
    return tuple(
        Alert(row.id, row.at, row.topic, json.loads(row.body_json))
        for row in rows
        if row.id is not None
    )
