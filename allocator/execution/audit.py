"""The audit: append-only events, each with the hash of the one before."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlmodel import Session, col, select

from allocator.models.base import stamp
from allocator.models.canonical import canonical_json
from allocator.models.records import EventRow, TailRow

GENESIS = "0" * 64
TAIL = 1
"""Key of the one row that tells where the audit ends."""

WRITER_LOCK = 4_718_293_615
"""PostgreSQL's advisory lock of whoever appends; SQLite has one writer anyway."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A place where the audit does not hold.

    Attributes
    ----------
    seq
        The event, or None when rows and audit differ elsewhere.
    """

    seq: int | None
    what: str


def digest(row: EventRow) -> str:
    """Hash an event with its predecessor's hash (sha256, hex)."""
    data = {
        "seq": row.seq,
        "at": stamp(row.at),
        "epoch": row.epoch,
        "subject": row.subject,
        "what": row.what,
        "facts": row.facts_json,
        "previous": row.previous,
    }
    return hashlib.sha256(canonical_json(data).encode()).hexdigest()


def line(at: datetime, epoch: int, subject: str, what: str, **facts: Any) -> EventRow:
    """Make an event that is not in the chain yet."""
    return EventRow(
        seq=0,
        at=at,
        epoch=epoch,
        subject=subject,
        what=what,
        facts_json=canonical_json(facts),
        previous="",
        hash="",
    )


def alone(session: Session) -> None:
    """Wait until nobody else writes, until the end of the transaction; SQLite does so anyway."""
    if session.get_bind().dialect.name == "postgresql":
        lock = text("SELECT pg_advisory_xact_lock(:key)")
        session.connection().execute(lock, {"key": WRITER_LOCK})


def append(session: Session, row: EventRow) -> None:
    """Chain an event to the last one, in the transaction of the change it tells of."""
    last = session.get(TailRow, TAIL, populate_existing=True)
    row.seq = 1 if last is None else last.seq + 1
    row.previous = GENESIS if last is None else last.hash
    row.hash = digest(row)
    if last is None:
        last = TailRow(id=TAIL, seq=0, hash=GENESIS)
    last.seq, last.hash = row.seq, row.hash
    session.add_all((row, last))
    session.flush()


def chain(session: Session, told: Callable[[EventRow], None]) -> list[Fault]:
    """Check the whole chain, handing each event on as it is passed."""
    faults: list[Fault] = []
    previous, expected = GENESIS, 1
    for row in session.exec(select(EventRow).order_by(col(EventRow.seq))):
        if row.seq != expected:
            faults.append(Fault(row.seq, f"event {expected} is missing"))
        if row.previous != previous:
            faults.append(Fault(row.seq, "does not follow the event before"))
        if row.hash != digest(row):
            faults.append(Fault(row.seq, "was changed after it was written"))
        previous, expected = row.hash, row.seq + 1
        told(row)
    tail = session.get(TailRow, TAIL)
    ends = (0, GENESIS) if tail is None else (tail.seq, tail.hash)
    if ends != (expected - 1, previous):
        faults.append(Fault(expected, f"the audit ends here and was written up to {ends[0]}"))
    return faults
