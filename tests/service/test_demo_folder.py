"""The demo's folder: one run at a time, and no more is removed than was laid there."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from allocator.service import demo, loopback
from allocator.service.cli.main import run


def test_a_second_run_is_refused_and_resets_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = demo.prepare(tmp_path)
    with (tmp_path / "lock").open("w") as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        for options in ([], ["--reset"]):
            assert run(["demo", "--state", str(tmp_path), *options]) == 6
            assert "another run of the demo is under way" in capsys.readouterr().err
    assert path.exists()
    assert loopback.running(tmp_path / "exchange") is None


def test_mistakes_of_the_configuration_are_told_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = demo.prepare(tmp_path)
    path.write_text(path.read_text().replace("mode: loopback", "mode: lopback"))
    assert run(["demo", "--state", str(tmp_path)]) == 2
    assert "config.yaml:4:7: mode:" in capsys.readouterr().err
    assert not (tmp_path / "exchange").exists()


def test_a_journal_that_is_no_database_leaves_no_exchanges_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    demo.prepare(tmp_path)
    (tmp_path / "journal.db").write_bytes(bytes(range(256)) * 20)
    assert run(["demo", "--state", str(tmp_path)]) == 5
    assert "file is not a database" in capsys.readouterr().err
    assert loopback.running(tmp_path / "exchange") is None


def test_forgetting_removes_the_marks_and_no_folder_of_that_name_without_them(
    tmp_path: Path,
) -> None:
    for name, marks in (("ours", "history/accounts/day=2026-11-20"), ("theirs", "history/notes")):
        (tmp_path / name / marks).mkdir(parents=True)
        demo.forget(tmp_path / name)
    assert not (tmp_path / "ours" / "history").exists()
    assert (tmp_path / "theirs" / "history").exists()


def test_forgetting_leaves_what_others_put_there(tmp_path: Path) -> None:
    demo.prepare(tmp_path)
    for name in ("keys/mine.key", "exchange/notes.txt", "mine.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    demo.forget(tmp_path)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"keys/mine.key", "exchange/notes.txt", "mine.yaml"}
