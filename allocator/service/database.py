"""What a database's driver says, in our words."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from allocator.models.errors import ConfigError, StaleError


@contextmanager
def database_errors(url: str) -> Generator[None]:
    """Tell a database that cannot be used from a bug.

    Raises
    ------
    ConfigError
        When the URL is none, or its driver is not installed.
    StaleError
        When the database does not answer, is locked, or is not a database.
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError, DatabaseError, InterfaceError, OperationalError

    try:
        shown = str(make_url(url))
    except ArgumentError as error:
        wanted = "sqlite:///FILE or postgresql://HOST/NAME is wanted"
        raise ConfigError(f"database: not the URL of a database; {wanted}") from error
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name != "psycopg":
            raise
        remedy = "pip install 'allocator[postgres]'"
        raise ConfigError(f"database {shown}: its driver is not installed: {remedy}") from error
    except DatabaseError as error:
        # What is more special than these is a wrong statement of ours.
        if type(error) not in (DatabaseError, InterfaceError, OperationalError):
            raise
        raise StaleError(f"database {shown}: cannot be used: {error.orig}") from error
