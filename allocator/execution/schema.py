"""Brings a database to the schema of this release."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text

from allocator.execution.database import connect

MIGRATIONS = Path(__file__).parent / "migrations"
UPGRADE_LOCK = 0x616C6C6F63
"""Advisory lock that an upgrade holds on PostgreSQL; SQLite's writer lock does the same."""


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def head() -> str:
    """Name the newest revision of the schema."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    assert revision is not None
    return revision


def current(engine: Engine) -> str | None:
    """Name the revision a database is at; None for an empty one."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def upgrade(database: str | Engine, revision: str = "head") -> None:
    """Bring a database to a revision, all of it or nothing."""
    engine = connect(database) if isinstance(database, str) else database
    config = _config()
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            # Instances that start together must not make the same tables at once.
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": UPGRADE_LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    if isinstance(database, str):
        engine.dispose()
