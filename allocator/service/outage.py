"""A database that cannot be used, told in one line: what is away, since when, and what to do.

A driver writes several, with the statement under way and its parameters; none of that is told.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from allocator.execution.database import first_line
from allocator.models.base import stamp
from allocator.models.errors import StaleError
from allocator.service.database import REMEDY, passwords, shown_url
from allocator.service.telemetry import Redactor

OURS = ("no such ", "near ")
"""What SQLite says of a wrong statement by the same kind of error as of a file that is away."""

BACKGROUND = " (Background on"
"""What SQLAlchemy ends its words with."""

AWAY = (
    "database {url} cannot be used since {since}: {why}; this instance does not lead, and sends "
    "nothing, until it can, and tries again every {retry_s} s: {remedy}"
)


def is_away(error: BaseException) -> bool:
    """Tell whether an error says that a database cannot be used now."""
    from sqlalchemy.exc import DatabaseError, DBAPIError, InterfaceError, OperationalError
    from sqlalchemy.exc import TimeoutError as PoolTimeoutError

    cause = cause_of(error)
    if isinstance(cause, DBAPIError) and str(cause.orig).startswith(OURS):
        return False
    lost = isinstance(cause, DBAPIError) and cause.connection_invalidated
    lost = lost or type(cause) is DatabaseError
    return lost or isinstance(cause, InterfaceError | OperationalError | PoolTimeoutError)


def words_of(error: BaseException) -> str:
    r"""Say in one line what went wrong, without a statement and its parameters.

    >>> words_of(OSError("no route\n\tto the host"))
    'OSError: no route'
    """
    from sqlalchemy.exc import DBAPIError

    told = error.orig if isinstance(error, DBAPIError) else error
    return f"{type(error).__name__}: {first_line(told).partition(BACKGROUND)[0]}"


def cause_of(error: BaseException) -> BaseException:
    """Tell what a driver said, where an error of ours was made from it."""
    return error.__cause__ or error if isinstance(error, StaleError) else error


class Outage:
    """Remembers since when an instance's database cannot be used.

    Parameters
    ----------
    url
        Of the database; what is secret in it is not told.
    now
        Tells the time.
    """

    def __init__(self, url: str, now: Callable[[], datetime], retry_s: object) -> None:
        self._url = shown_url(url)
        self._hide = Redactor(passwords(url))
        self._now = now
        self._retry_s = retry_s
        self._since: datetime | None = None
        self._told = ""

    def take(self, error: BaseException) -> str:
        """Say that it is away, if an error tells so; empty: it is none of that."""
        if not is_away(error):
            return ""
        if self._since is None:
            self._since = self._now()
        why = self._hide.text(words_of(cause_of(error)))
        return AWAY.format(
            url=self._url, since=stamp(self._since), why=why, retry_s=self._retry_s, remedy=REMEDY
        )

    def is_news(self, told: str) -> bool:
        """Whether this was not told last: each try to lead meets it anew."""
        before, self._told = self._told, told
        return told != before

    def over(self) -> str:
        """Say that it can be used again; empty: it could all the time."""
        since, self._since, self._told = self._since, None, ""
        if since is None:
            return ""
        return f"database {self._url} is back; it was away since {stamp(since)}"
