"""What a database's driver says, in our words; its URL without what is secret in it."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

from allocator.execution.database import first_line
from allocator.models.errors import ConfigError, StaleError
from allocator.service.telemetry import HIDDEN, SECRET_KEYS, Redactor

if TYPE_CHECKING:
    from sqlalchemy.engine import URL


REMEDY = "see that it can be used from here, or mend `database` in the configuration"


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
        host = make_url(url).host
    except ArgumentError as error:
        wanted = "sqlite:///FILE or postgresql://HOST/NAME is wanted"
        raise ConfigError(f"database: not the URL of a database; {wanted}") from error
    shown = shown_url(url)
    if "@" in (host or ""):
        remedy = "an @ of a password or a user is written %40"
        raise ConfigError(f"database {shown}: there are several @ before the host; {remedy}")
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
        told = Redactor(passwords(url)).text(first_line(error.orig))
        raise StaleError(f"database {shown}: cannot be used: {told}: {REMEDY}") from error


def shown_url(url: str) -> str:
    """Write a database's URL without what is secret in it.

    >>> shown_url("postgresql://al:p%40ss@db/desk?sslmode=require")
    'postgresql://al:***@db/desk?sslmode=require'
    >>> shown_url("postgresql://db/desk?user=al&password=hidden")
    'postgresql://db/desk?password=***&user=al'
    >>> shown_url("postgresql://al:p@ss@db/desk")
    'postgresql://***@db/desk'
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(url)
    except ArgumentError:
        return HIDDEN
    if not passwords(url):
        return url
    host = parsed.host or ""
    if "@" in host:
        # The password was cut at its first @: what is before the last one may all be secret.
        parsed = parsed._replace(username=HIDDEN, password=None, host=host.rpartition("@")[2])
    for name in _secret_keys(parsed):
        parsed = parsed.update_query_dict({name: HIDDEN})
    return str(parsed).replace(quote_plus(HIDDEN), HIDDEN)


def passwords(url: str) -> tuple[str, ...]:
    """List what is secret in a database's URL, as it is meant and as it is written."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(url)
    except ArgumentError:
        return ()
    found = [] if parsed.password is None else [str(parsed.password)]
    host = parsed.host or ""
    if "@" in host:
        found = [f"{parsed.password or parsed.username}@{host.rpartition('@')[0]}"]
    for name in _secret_keys(parsed):
        told = parsed.query[name]
        found += [told] if isinstance(told, str) else told
    written = [form(row) for row in found for form in (quote, quote_plus)]
    return tuple(dict.fromkeys((*found, *written)))


def _secret_keys(parsed: URL) -> list[str]:
    return [name for name in parsed.query if SECRET_KEYS.search(name)]
