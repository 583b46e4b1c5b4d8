"""Whether a request has written anything: until it has, it may be asked again as if never asked."""

from __future__ import annotations

from contextvars import ContextVar

from sqlalchemy import Connection, Engine, event

_commits: ContextVar[list[int] | None] = ContextVar("commits", default=None)


def watch(engine: Engine) -> None:
    """Take note of the commits of requests on a database."""
    event.listen(engine, "commit", _note)


def begin() -> list[int]:
    """Begin to note what this request commits, in whatever threads; empty: nothing so far.

    A commit is noted before it is tried: of one that breaks off nobody knows what became of it.
    """
    commits = list[int]()
    _commits.set(commits)
    return commits


def _note(_connection: Connection) -> None:
    commits = _commits.get()
    if commits is not None:
        commits.append(1)
