"""A private copy of a SQLite database that is in use, made without holding up who writes it.

With a rollback journal whoever reads keeps everybody else from committing for as long as he reads.
So what reads all of a record reads a copy of it, and the copy is made in steps: between two of them
the database is free. SQLite begins a copy anew whenever somebody has written meanwhile, so after
some beginnings the database is held still for the rest, for less time than a writer waits.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from allocator.execution.database import BUSY_TIMEOUT_MS
from allocator.models.errors import StaleError

STEP: Final = 256
"""Pages that are copied while the database is held, a megabyte as SQLite makes them."""

BEGINNINGS: Final = 4
"""How often a copy is begun while others may write."""

HELD_S: Final = 2.0
"""Seconds that the database is held still at the most; a writer waits several times as long."""

Watch = Callable[[], None]
"""Called after each step that leaves the database free."""


class _OvertakenError(Exception):
    """Others have written too often for the copy to get through beside them."""


def copy_database(
    path: Path,
    target: Path,
    *,
    pages: int = STEP,
    held_s: float = HELD_S,
    watch: Watch = lambda: None,
) -> None:
    """Copy a database as it stands at one moment.

    Parameters
    ----------
    target
        A file that is not there yet; it is not synced to the disk.
    pages, held_s
        How much is copied in one step, and how long the database may be held still in the end.

    Raises
    ------
    StaleError
        When it is locked, cannot be read, or is written all the time and too large to be held
        still.
    """
    wait_s = BUSY_TIMEOUT_MS / 1000
    try:
        with (
            closing(sqlite3.connect(path, timeout=wait_s, isolation_level=None)) as source,
            closing(sqlite3.connect(target)) as copy,
        ):
            # A copy that breaks off is thrown away: it needs neither a journal nor the disk.
            copy.execute("PRAGMA journal_mode = MEMORY")
            copy.execute("PRAGMA synchronous = OFF")
            try:
                source.backup(copy, pages=pages, progress=_beginnings(watch))
            except _OvertakenError:
                source.execute("BEGIN")
                source.execute("SELECT count(*) FROM sqlite_master").fetchone()
                source.backup(copy, pages=pages, progress=_deadline(path, held_s))
                source.execute("ROLLBACK")
    except sqlite3.Error as error:
        raise StaleError(f"database {path}: cannot be copied: {error}") from error


def _beginnings(watch: Watch) -> Callable[[int, int, int], None]:
    """Count how often a copy was begun, or found the database locked."""
    begun, left = 1, 0

    def told(status: int, remaining: int, _total: int) -> None:
        nonlocal begun, left
        again = status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
        begun += again or remaining >= left > 0
        left = remaining
        if begun > BEGINNINGS:
            raise _OvertakenError
        watch()

    return told


def _deadline(path: Path, held_s: float) -> Callable[[int, int, int], None]:
    ends = time.monotonic() + held_s

    def told(_status: int, remaining: int, total: int) -> None:
        if remaining and time.monotonic() > ends:
            raise StaleError(
                f"database {path}: is written all the time, and its {total} pages take longer "
                f"than {held_s:g} s to copy: try again when less is written"
            )

    return told


@contextmanager
def private_copy(path: Path) -> Generator[Path]:
    """Copy a database for as long as the block runs, beside it if that folder can be written.

    Raises
    ------
    StaleError
        As `copy_database` does.
    """
    beside = path.parent if os.access(path.parent, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=beside) as folder:
        target = Path(folder) / path.name
        copy_database(path, target)
        yield target
