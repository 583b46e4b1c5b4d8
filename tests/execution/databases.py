"""Databases at the newest schema without its migrations: they are run once, then copied."""

from __future__ import annotations

import sqlite3
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Dialect, Engine, inspect, text
from sqlalchemy.pool import ConnectionPoolEntry

from allocator.execution.database import connect
from allocator.execution.schema import upgrade

SYNCED = "allocator_synced"
"""Key of a pooled connection's notes: set once `unsynced` has seen it."""

DIALECTS, COMPILED = dict[str, Dialect](), dict[Any, Any]()
"""What the engines of this process share: SQLAlchemy compiles by engine and dialect."""


@cache
def image() -> bytes:
    """Migrate an empty SQLite database and return what its file would hold."""
    engine = connect("sqlite://")
    upgrade(engine)
    raw = engine.raw_connection()
    driver: Any = raw.driver_connection
    out = bytes(driver.serialize())
    raw.close()
    engine.dispose()
    return out


def lite_at(path: Path) -> Engine:
    """Make an empty SQLite database at the newest schema in a file that is not there yet."""
    with path.open("xb") as file:
        file.write(image())
    return sharing(connect(f"sqlite:///{path}"))


def sharing(engine: Engine) -> Engine:
    """Let engines of one kind compile each statement once, not each of them anew."""
    if engine.dialect.name not in DIALECTS:
        engine.connect().close()  # a dialect is ready once it has seen its server
        DIALECTS[engine.dialect.name] = engine.dialect
    engine.dialect = DIALECTS[engine.dialect.name]
    engine.update_execution_options(compiled_cache=COMPILED)
    return engine


def schema_of(engine: Engine) -> str:
    """Tell tables, columns, keys, indexes and triggers of a PostgreSQL database."""
    asked = (
        "SELECT string_agg(told, E'\\n' ORDER BY told) FROM ("
        " SELECT concat_ws(' ', 'column', table_name, ordinal_position, column_name, data_type,"
        "  is_nullable, column_default) AS told FROM information_schema.columns"
        "  WHERE table_schema = 'public'"
        " UNION ALL SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = 'public'"
        " UNION ALL SELECT concat_ws(' ', 'constraint', conrelid::regclass, conname,"
        "  pg_get_constraintdef(oid)) FROM pg_constraint"
        "  WHERE connamespace = 'public'::regnamespace"
        " UNION ALL SELECT concat_ws(' ', 'trigger', tgenabled, pg_get_triggerdef(pg_trigger.oid))"
        "  FROM pg_trigger WHERE NOT tgisinternal"
        " UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc"
        "  WHERE pronamespace = 'public'::regnamespace) AS all_of_it"
    )
    with engine.connect() as connection:
        return str(connection.execute(text(asked)).scalar())


class Emptied:
    """One PostgreSQL database for test after test: emptied while its schema is the newest."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._newest: str | None = None

    def engine(self) -> Engine:
        """Hand out the database, empty; migrated anew where a test left another schema."""
        made = sharing(connect(self._url))
        if self._newest is None or schema_of(made) != self._newest:
            with made.begin() as connection:
                connection.execute(text("DROP SCHEMA public CASCADE"))
                connection.execute(text("CREATE SCHEMA public"))
            upgrade(made)
            self._newest = schema_of(made)
            return made
        with made.begin() as connection:
            names = set(inspect(connection).get_table_names()) - {"alembic_version"}
            told = ", ".join(f'"{name}"' for name in sorted(names))
            connection.execute(text(f"TRUNCATE {told} RESTART IDENTITY CASCADE"))
        return made


def template() -> sqlite3.Connection:
    """Make an empty database in memory to copy from."""
    out = sqlite3.connect(":memory:")
    out.deserialize(image())
    return out


def uncaring(url: str) -> None:
    """Let a PostgreSQL server of tests, which nothing cuts the power of, wait for no disk."""
    made = connect(url).execution_options(isolation_level="AUTOCOMMIT")
    with made.connect() as connection:
        for setting in ("fsync", "full_page_writes"):
            connection.execute(text(f"ALTER SYSTEM SET {setting} = off"))
        connection.execute(text("SELECT pg_reload_conf()"))
    made.dispose()


def unsynced(connection: object, record: object, _proxy: object) -> None:
    """Let SQLite wait for no disk, in this process alone (SQLAlchemy's event `checkout`).

    Tests die by exception or by signal, and either way the system keeps what was written; only a
    power cut takes it. Processes of their own sync as in earnest, as do those that are killed.
    """
    assert isinstance(record, ConnectionPoolEntry)
    if isinstance(connection, sqlite3.Connection) and SYNCED not in record.info:
        record.info[SYNCED] = False
        connection.execute("PRAGMA synchronous = OFF")
