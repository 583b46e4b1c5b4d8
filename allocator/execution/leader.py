"""One leader: a lock that dies with its holder, and an epoch that outlives him.

The lock keeps a second process from starting to act; the epoch keeps a leader that was paused
past its lock from writing anything more. SQLite: `flock` on a file beside the database;
PostgreSQL: an advisory lock on a connection of its own.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Generator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, select
from sqlmodel.sql.expression import SelectOfScalar

from allocator.execution import audit
from allocator.execution.database import sqlite_path
from allocator.models.errors import JournalError, RefusedError
from allocator.models.records import LeaderRow


class NotLeaderError(RefusedError):
    """Another process leads."""

    code = "NOT_LEADER"


class FencedError(JournalError):
    """A later leader has taken over: this one must stop."""

    code = "FENCED"


@dataclass(frozen=True, slots=True)
class Lease:
    """Leadership, good until somebody else's epoch is higher.

    Attributes
    ----------
    name
        What is led: the installation.
    epoch
        Counts leaders from one.
    """

    name: str
    epoch: int


@contextmanager
def lead(engine: Engine, name: str, holder: str, now: datetime) -> Generator[Lease]:
    """Hold the lead for as long as the block runs.

    Raises
    ------
    NotLeaderError
        At once, when another process holds it.
    """
    with ExitStack() as stack:
        path = sqlite_path(str(engine.url.render_as_string(hide_password=False)))
        if engine.dialect.name == "postgresql":
            stack.enter_context(_advisory_lock(engine, name))
        elif path is not None:
            stack.enter_context(_file_lock(path, name))
        yield next_epoch(engine, name, holder, now)


def next_epoch(engine: Engine, name: str, holder: str, now: datetime) -> Lease:
    """Take the next epoch; whoever held the one before is fenced from here on."""
    with Session(engine) as session, session.begin():
        audit.alone(session)
        row = session.get(LeaderRow, name, with_for_update=True)
        if row is None:
            row = LeaderRow(name=name, epoch=0, holder=holder, since=now)
        row.epoch += 1
        row.holder, row.since = holder, now
        session.add(row)
        epoch = row.epoch
        leads = audit.line(now, epoch, f"leader:{name}", "leads", holder=holder)
        session.flush()
        audit.append(session, [leads])
    return Lease(name, epoch)


def _epoch(name: str) -> SelectOfScalar[int]:
    return select(LeaderRow.epoch).where(LeaderRow.name == name)


def latest_epoch(session: Session, name: str) -> int:
    """Tell the epoch of the present leader, or of the last one; zero: there was none yet."""
    epoch = session.connection().execute(_epoch(name)).scalar()
    return 0 if epoch is None else int(epoch)


def fence(session: Session, lease: Lease) -> None:
    """Refuse a write of a leader that has been followed; serialises writers as well.

    Raises
    ------
    FencedError
        When the epoch is not the latest.
    """
    query = _epoch(lease.name).with_for_update()
    _compare(lease, session.connection().execute(query).scalar() or 0)


def check_epoch(session: Session, lease: Lease) -> None:
    """Refuse a leader that has been followed, without holding anybody up.

    Raises
    ------
    FencedError
        When the epoch is not the latest.
    """
    _compare(lease, latest_epoch(session, lease.name))


def _compare(lease: Lease, latest: int) -> None:
    if latest != lease.epoch:
        raise FencedError(f"FENCED: epoch={lease.epoch} latest={latest}")


@contextmanager
def _file_lock(database: Path, name: str) -> Generator[None]:
    tag = hashlib.sha256(name.encode()).hexdigest()[:8]
    # By whichever link a database is reached, its lock is one.
    database = database.resolve()
    path = database.with_name(f"{database.name}.{tag}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise NotLeaderError(f"NOT_LEADER: another process leads {name}") from error
        yield
    finally:
        os.close(handle)


@contextmanager
def _advisory_lock(engine: Engine, name: str) -> Generator[None]:
    digest = hashlib.sha256(f"allocator:{name}".encode()).digest()
    key = int.from_bytes(digest[:8], "big", signed=True)
    connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    with closing(connection):
        lock = text("SELECT pg_try_advisory_lock(:key)")
        if not connection.execute(lock, {"key": key}).scalar():
            raise NotLeaderError(f"NOT_LEADER: another process leads {name}")
        try:
            yield
        finally:
            # A connection that broke has let go already.
            with suppress(DBAPIError):
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": key})
