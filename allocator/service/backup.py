"""Backup and restore of the database, checked by the audit's chain."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from sqlalchemy import inspect
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError

from allocator.execution.copies import copy_database
from allocator.execution.database import connect, sqlite_path
from allocator.execution.history import History
from allocator.models.errors import JournalError, RefusedError, StaleError
from allocator.service.database import passwords
from allocator.service.private import make_private
from allocator.service.telemetry import SECRET_KEYS, Redactor

BESIDE = ("-journal", "-wal", "-shm")
"""What SQLite keeps beside a database; left by another, it would be played into this one."""


def backup(url: str, target: Path) -> int:
    """Copy a database while it is in use; returns how many lines its audit has.

    Its owner alone may read the copy. SQLite's is checked: its audit must hold. PostgreSQL is
    dumped by ``pg_dump``.

    Raises
    ------
    RefusedError
        When the target is there already.
    StaleError
        When the copy cannot be made.
    JournalError
        When the audit does not hold.
    """
    if target.exists():
        raise RefusedError(f"{target} is there already: it is not overwritten")
    target.parent.mkdir(parents=True, exist_ok=True)
    path = sqlite_path(url)
    draft = target.with_name(target.name + ".draft")
    if path is None:
        make_private(draft)
        _run("pg_dump", "--format=custom", f"--file={draft}", url=url)
        os.replace(draft, target)
        return _lines(url)
    if not path.exists():
        raise StaleError(f"there is no database at {path}")
    make_private(draft)
    copy_database(path, draft)
    count = _lines(f"sqlite:///{draft}")
    _sync(draft)
    os.replace(draft, target)
    _sync(target.parent)
    return count


def restore(url: str, source: Path) -> int:
    """Put a backup in the place of a database that is not there (any longer).

    Raises
    ------
    RefusedError
        When there is a database already: move it away first.
    StaleError
        When the backup cannot be read.
    JournalError
        When its audit does not hold.
    """
    path = sqlite_path(url)
    if path is None:
        _need_empty(url)
        options = ("--exit-on-error", "--single-transaction", "--no-owner")
        _run("pg_restore", *options, str(source), url=url)
        return _lines(url)
    for part in ("", *BESIDE):
        there = path.with_name(path.name + part)
        if there.exists():
            raise RefusedError(f"{there} is there already: move it away first")
    if not source.exists():
        raise StaleError(f"there is no backup at {source}")
    try:
        count = _lines(f"sqlite:///{source}")
    except DatabaseError as error:
        raise StaleError(f"the backup at {source} cannot be read: {error.orig}") from error
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".draft")
    make_private(draft)
    shutil.copyfile(source, draft)
    os.replace(draft, path)
    return count


def _need_empty(url: str) -> None:
    """Check that a database holds no tables.

    Raises
    ------
    RefusedError
        When it holds some: what is there would be mixed with the backup.
    """
    engine = connect(url)
    try:
        found = inspect(engine).get_table_names()
    finally:
        engine.dispose()
    if found:
        raise RefusedError(f"the database holds tables already: {', '.join(sorted(found)[:3])}")


def _lines(url: str) -> int:
    """Count the audit's lines.

    Raises
    ------
    JournalError
        When its chain, or the rows beside it, do not hold.
    """
    engine = connect(url)
    try:
        history = History(engine)
        faults = history.verify(private=True)
        if faults:
            raise JournalError(f"AUDIT_BROKEN: {faults[0].what} and {len(faults) - 1} more")
        head = history.head()
        return 0 if head is None else head.seq
    finally:
        engine.dispose()


def _sync(path: Path) -> None:
    """Bring a file or a folder's list of files to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _run(tool: str, *arguments: str, url: str) -> None:
    """Run a tool of PostgreSQL; the password goes by the environment, never by arguments."""
    found = shutil.which(tool)
    if found is None:
        raise StaleError(f"{tool} is not installed: it comes with PostgreSQL's client")
    shown, environment = _told(url)
    where = f"--dbname={shown}"
    done = subprocess.run(  # noqa: S603 - a tool found on the path, arguments of our own
        [found, where, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        told = Redactor(passwords(url)).text(done.stderr.strip())
        raise StaleError(f"{tool}: {told[:500]}")


def _told(url: str) -> tuple[str, dict[str, str]]:
    """Part a URL into what a tool's arguments may show and an environment with the password.

    Raises
    ------
    StaleError
        When it holds another secret, which PostgreSQL's tools take by arguments alone.
    """
    parsed, environment = make_url(url), dict(os.environ)
    # As libpq has it: what the query says counts before what stands in front of the host.
    told = parsed.query.get("password", parsed.password)
    if told is not None:
        environment["PGPASSWORD"] = told if isinstance(told, str) else told[-1]
    parsed = parsed._replace(drivername="postgresql", password=None)
    parsed = parsed.difference_update_query(["password"])
    secret = [name for name in parsed.query if SECRET_KEYS.search(name)]
    if secret:
        remedy = "use a key without one, or a service file named by PGSERVICEFILE"
        raise StaleError(f"{', '.join(secret)} of the URL would be seen by others: {remedy}")
    return parsed.render_as_string(), environment
