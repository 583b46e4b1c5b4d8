"""The database behind the journal: SQLite by default, PostgreSQL by URL.

SQLite 3.7.0 to 3.51.2 can corrupt a database in WAL mode when a reset of the log races with a
checkpoint, so an affected library keeps a rollback journal. Either way a commit is on the disk
before it returns.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import StaticPool

from allocator.models.errors import ConfigError

READ_ONLY = "allocator_read_only"
"""Execution option of connections that only read: they do not take the writer's lock."""

BUSY_TIMEOUT_MS = 15_000
"""How long SQLite waits for others, in `COMMIT` too; ``?timeout=`` of a URL, seconds, says
otherwise. A reader of ours is through long before, but not every reader is ours."""

WAL_RESET_FIXED_IN = (3, 51, 3)

PATIENCE: Final[Mapping[str, int]] = {
    "connect_timeout": 5,
    "tcp_user_timeout": 15_000,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
}
"""How long PostgreSQL is waited for (libpq's settings; ms for the second, else s); a URL may say
otherwise. By themselves a connection waits two minutes for a host that is gone, and a query a
quarter of an hour, with everything that waits for its answer."""


def journal_mode(version: tuple[int, ...]) -> tuple[str, str]:
    """Choose SQLite's (journal_mode, synchronous) by the version of its library.

    >>> journal_mode((3, 40, 1)), journal_mode((3, 51, 3))
    (('DELETE', 'EXTRA'), ('WAL', 'FULL'))
    """
    return ("DELETE", "EXTRA") if version < WAL_RESET_FIXED_IN else ("WAL", "FULL")


def sqlite_path(url: str) -> Path | None:
    """Tell the file of a SQLite URL; None for PostgreSQL and for a database in memory."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:"):
        return None
    return Path(str(parsed.database))


def connect(url: str) -> Engine:
    """Make an engine that commits durably.

    Parameters
    ----------
    url
        ``sqlite:///FILE``, ``sqlite://`` (in memory) or ``postgresql://...``.

    Raises
    ------
    ConfigError
        For any other database.
    """
    parsed = make_url(url)
    match parsed.get_backend_name():
        case "sqlite":
            return _sqlite(url)
        case "postgresql":
            return _postgres(parsed)
        case other:
            raise ConfigError(f"database {other}: SQLite and PostgreSQL are supported")


def _postgres(url: URL) -> Engine:
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_pre_ping=True,
        connect_args={key: value for key, value in PATIENCE.items() if key not in url.query},
    )

    @event.listens_for(engine, "connect")
    def _durable(connection: Any, _record: object) -> None:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SET synchronous_commit = on")
            cursor.execute("SET timezone = 'UTC'")
        connection.autocommit = False

    return engine


def _sqlite(url: str) -> Engine:
    path = sqlite_path(url)
    if path is None:
        engine = create_engine(url, poolclass=StaticPool, connect_args={"check_same_thread": False})
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        told = make_url(url).query.get("timeout")
        wait_s = BUSY_TIMEOUT_MS / 1000 if told is None else float(str(told))
        engine = create_engine(url, connect_args={"timeout": wait_s})
    event.listen(engine, "connect", _set_pragmas)
    event.listen(engine, "begin", _begin)
    return engine


def _set_pragmas(connection: sqlite3.Connection, _record: object) -> None:
    # The driver must not begin transactions by itself: it would begin them deferred.
    connection.isolation_level = None
    mode, synchronous = journal_mode(sqlite3.sqlite_version_info)
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA journal_mode = {mode}")
    cursor.execute(f"PRAGMA synchronous = {synchronous}")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin(connection: Connection) -> None:
    # A deferred transaction that reads and then writes fails at once when another one has
    # written, whatever busy_timeout says; so writers take the lock at once.
    reads = connection.get_execution_options().get(READ_ONLY, False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def first_line(told: object) -> str:
    """Take the first line of a driver's words: those that follow repeat it for each address."""
    return str(told).strip().partition("\n")[0]
