from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from allocator.execution.copies import BEGINNINGS, copy_database, private_copy
from allocator.execution.database import connect
from allocator.execution.history import History
from allocator.execution.journal import Journal
from allocator.execution.office import Office
from allocator.models.errors import StaleError
from allocator.risk.breaker import Breaker
from tests.execution.book import JumpingClock

PATIENCE_S = 60


@contextmanager
def at_first_read(act: Callable[[], None]) -> Iterator[None]:
    """Do something once, in the middle of the next reading of the whole audit."""
    done = list[int]()

    def told(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if "FROM event ORDER BY" in statement and not done:
            done.append(1)
            act()

    event.listen(Engine, "after_cursor_execute", told)
    try:
        yield
    finally:
        event.remove(Engine, "after_cursor_execute", told)
    assert done


def rows(path: Path, table: str = "event") -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A database of some hundred pages."""
    path = tmp_path / "large.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (x TEXT)")
        connection.executemany("INSERT INTO t VALUES (?)", [("x" * 2000,)] * 200)
        connection.commit()
    return path


def test_whoever_verifies_keeps_nobody_from_halting(lite: Engine) -> None:
    office = Office(lite, "desk", JumpingClock())
    office.note("a", "b")
    reads, ends, faults = threading.Event(), threading.Event(), list[Any]()

    def verify() -> None:
        faults.extend(History(connect(str(lite.url))).verify())

    def hold() -> None:
        reads.set()
        ends.wait(PATIENCE_S)

    with at_first_read(hold):
        reader = threading.Thread(target=verify)
        reader.start()
        assert reads.wait(PATIENCE_S)
        try:
            state = office.trip("global", Breaker.HALTED, "odd prices", "ann")
        finally:
            ends.set()
            reader.join()
    assert (state, faults) == (Breaker.HALTED, [])


def test_what_is_written_while_the_record_is_verified_is_no_fault(
    engine: Engine, journal: Journal
) -> None:
    journal.note("a", "b")
    with at_first_read(lambda: journal.freeze("a", "a break")):
        assert History(engine).verify() == ()
    assert History(engine).verify() == ()


def test_a_copy_lets_everybody_write_between_its_steps(large: Path, tmp_path: Path) -> None:
    target, written, free = tmp_path / "copy.db", 0, 0

    def write() -> None:
        nonlocal written, free
        free += 1
        if free % 5 == 0 and written < BEGINNINGS - 1:
            with closing(sqlite3.connect(large, timeout=0)) as other:
                other.execute("INSERT INTO t VALUES ('y')")
                other.commit()
            written += 1

    copy_database(large, target, pages=10, held_s=PATIENCE_S, watch=write)
    assert written == BEGINNINGS - 1
    assert rows(target, "t") == 200 + written


def test_a_copy_gets_through_although_somebody_writes_all_the_time(
    large: Path, tmp_path: Path
) -> None:
    target, written = tmp_path / "copy.db", 0

    def write() -> None:
        nonlocal written
        with closing(sqlite3.connect(large, timeout=0)) as other:
            other.execute("INSERT INTO t VALUES ('y')")
            other.commit()
        written += 1

    copy_database(large, target, pages=10, held_s=PATIENCE_S, watch=write)
    assert rows(target, "t") == 200 + written
    with closing(sqlite3.connect(target)) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_what_cannot_be_copied_in_time_is_let_go(large: Path, tmp_path: Path) -> None:
    def write() -> None:
        with closing(sqlite3.connect(large, timeout=0)) as other:
            other.execute("INSERT INTO t VALUES ('y')")
            other.commit()

    with pytest.raises(StaleError, match=r"is written all the time, and its .* pages"):
        copy_database(large, tmp_path / "copy.db", pages=1, held_s=0, watch=write)
    write()


def test_what_is_no_database_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.write_text("not a database, by far too short or too long")
    with pytest.raises(StaleError, match="cannot be copied: file is not a database"):
        copy_database(path, tmp_path / "copy.db")


def test_a_private_copy_leaves_nothing_behind(large: Path) -> None:
    before = sorted(large.parent.iterdir())
    with private_copy(large) as copy:
        assert rows(copy, "t") == 200
    assert sorted(large.parent.iterdir()) == before
