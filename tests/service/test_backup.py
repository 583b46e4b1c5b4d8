from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from allocator.execution.database import connect
from allocator.execution.history import History
from allocator.execution.office import Office
from allocator.execution.schema import upgrade
from allocator.models.errors import JournalError, RefusedError, StaleError
from allocator.service.backup import backup, restore
from tests.execution.book import JumpingClock


@pytest.fixture
def url(tmp_path: Path) -> str:
    made = f"sqlite:///{tmp_path / 'journal.db'}"
    engine = connect(made)
    upgrade(engine)
    office = Office(engine, "desk", JumpingClock())
    for i in range(5):
        office.note("x", "noted", number=i)
    engine.dispose()
    return made


def test_backup_comes_back_as_it_was(url: str, tmp_path: Path) -> None:
    copy = tmp_path / "kept" / "a.backup"
    assert backup(url, copy) == 5
    other = f"sqlite:///{tmp_path / 'new' / 'journal.db'}"
    assert restore(other, copy) == 5
    first, second = connect(url), connect(other)
    assert History(first).events() == History(second).events()
    first.dispose()
    second.dispose()


def test_nothing_is_overwritten(url: str, tmp_path: Path) -> None:
    copy = tmp_path / "a.backup"
    backup(url, copy)
    with pytest.raises(RefusedError, match="there already"):
        backup(url, copy)
    with pytest.raises(RefusedError, match="there already"):
        restore(url, copy)


def test_backup_that_somebody_rewrote_is_not_put_back(url: str, tmp_path: Path) -> None:
    copy = tmp_path / "a.backup"
    backup(url, copy)
    with sqlite3.connect(copy) as connection:
        connection.execute("DROP TRIGGER event_keeps_facts")
        connection.execute("UPDATE event SET what = 'else' WHERE seq = 3")
    connection.close()
    target = tmp_path / "new.db"
    with pytest.raises(JournalError, match="AUDIT_BROKEN"):
        restore(f"sqlite:///{target}", copy)
    assert not target.exists()


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StaleError, match="no database"):
        backup(f"sqlite:///{tmp_path / 'none.db'}", tmp_path / "x")
    with pytest.raises(StaleError, match="no backup"):
        restore(f"sqlite:///{tmp_path / 'none.db'}", tmp_path / "x")
