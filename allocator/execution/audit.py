"""The audit: append-only events, each with the hash of the one before."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, text, update
from sqlmodel import Session, col, select

from allocator.models.base import stamp
from allocator.models.canonical import canonical_json
from allocator.models.records import EventRow, TailRow

GENESIS = "0" * 64
ATTEMPT, CANCEL = "attempt:", "cancel"
"""What precedes a client id as a subject, and what is told of one whose cancel is asked for."""

TAIL = 1
"""Key of the one row that tells where the audit ends."""

WRITER_LOCK = 4_718_293_615
"""PostgreSQL's advisory lock of whoever appends; SQLite has one writer anyway."""


_LAST = select(TailRow.seq, TailRow.hash).where(TailRow.id == TAIL)


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


@dataclass(frozen=True, slots=True)
class Head:
    """The event that an audit ended with at some time."""

    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class Line:
    """An event that is not in the chain yet."""

    at: datetime
    epoch: int
    subject: str
    what: str
    facts_json: str


def digest(row: EventRow | Line, seq: int, previous: str) -> str:
    """Hash an event with its place and its predecessor's hash (sha256, hex)."""
    data = {
        "seq": seq,
        "at": stamp(row.at),
        "epoch": row.epoch,
        "subject": row.subject,
        "what": row.what,
        "facts": row.facts_json,
        "previous": previous,
    }
    return hashlib.sha256(canonical_json(data).encode()).hexdigest()


def line(at: datetime, epoch: int, subject: str, what: str, **facts: Any) -> Line:
    """Make an event that is not in the chain yet."""
    return Line(at, epoch, subject, what, canonical_json(facts))


def alone(session: Session) -> None:
    """Wait until nobody else writes, until the end of the transaction; SQLite does so anyway."""
    if session.get_bind().dialect.name == "postgresql":
        lock = text("SELECT pg_advisory_xact_lock(:key)")
        session.connection().execute(lock, {"key": WRITER_LOCK})


def append(session: Session, lines: Sequence[Line]) -> None:
    """Chain events to the last one, in the transaction of the changes they tell of."""
    if not lines:
        return
    connection = session.connection()
    last = connection.execute(_LAST).first()
    seq, previous = (0, GENESIS) if last is None else (last.seq, last.hash)
    rows = list[dict[str, Any]]()
    for row in lines:
        seq += 1
        hash_ = digest(row, seq, previous)
        rows.append({"seq": seq, **asdict(row), "previous": previous, "hash": hash_})
        previous = hash_
    connection.execute(insert(EventRow), rows)
    ends = {"seq": seq, "hash": previous}
    if last is None:
        connection.execute(insert(TailRow), {"id": TAIL, **ends})
    else:
        connection.execute(update(TailRow).where(col(TailRow.id) == TAIL), ends)


def head(session: Session) -> Head | None:
    """Tell where the audit ends now; None: nothing was ever written."""
    tail = session.get(TailRow, TAIL)
    return None if tail is None else Head(tail.seq, tail.hash)


def chain(
    session: Session, told: Callable[[EventRow], None], heads: Iterable[Head] = ()
) -> list[Fault]:
    """Check the whole chain, handing each event on as it is passed.

    Parameters
    ----------
    heads
        What it ended with at earlier times, as it was kept elsewhere: it must hold them all. Two
        that differ under one number tell that it was cut and written anew between them.
    """
    kept = defaultdict[int, set[str]](set)
    for end in heads:
        kept[end.seq].add(end.hash)
    faults = [
        Fault(seq, f"{len(hashes)} different hashes of it were kept")
        for seq, hashes in sorted(kept.items())
        if len(hashes) > 1
    ]
    previous, expected = GENESIS, 1
    for row in session.exec(select(EventRow).order_by(col(EventRow.seq))):
        if row.seq != expected:
            faults.append(Fault(row.seq, f"event {expected} is missing"))
        if row.previous != previous:
            faults.append(Fault(row.seq, "does not follow the event before"))
        if row.hash != digest(row, row.seq, row.previous):
            faults.append(Fault(row.seq, "was changed after it was written"))
        if kept.pop(row.seq, set()) - {row.hash}:
            faults.append(Fault(row.seq, "is not the one whose hash was kept"))
        previous, expected = row.hash, row.seq + 1
        told(row)
    ends = head(session) or Head(0, GENESIS)
    if ends != Head(expected - 1, previous):
        faults.append(Fault(expected, f"the audit ends here and was written up to {ends.seq}"))
    faults += [Fault(seq, "its hash was kept, and it is no longer there") for seq in sorted(kept)]
    return faults
