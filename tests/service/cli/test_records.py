"""The record from the command line: what cannot be used is told, with the documented status."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from allocator.execution import schema
from allocator.execution.database import connect
from allocator.execution.office import Office
from allocator.service.cli import records
from allocator.service.cli.main import run
from allocator.service.clock import SystemClock

COMMANDS = (["history"], ["db", "current"], ["db", "upgrade"])


def told(args: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    status = run(args)
    shown = capsys.readouterr()
    assert shown.out == ""
    return status, shown.err.splitlines()


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_file_that_is_no_database_is_told(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.db").write_bytes(bytes(range(256)) * 20)
    status, lines = told([*command, "-d", f"sqlite:///{tmp_path / 'x.db'}"], capsys)
    assert status == 5
    assert len(lines) == 1
    assert "cannot be used: file is not a database" in lines[0]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_folder_in_a_database_s_place_is_told(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, lines = told([*command, "-d", f"sqlite:///{tmp_path}"], capsys)
    assert status == 5
    assert "unable to open database file" in lines[0]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_what_is_no_url_is_a_mistake_of_usage(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    status, lines = told([*command, "-d", "nonsense"], capsys)
    assert status == 2
    assert "sqlite:///FILE" in lines[0]


def test_a_place_that_cannot_be_written_is_a_mistake_of_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    status, lines = told(["demo", "--state", str(tmp_path / "file" / "x")], capsys)
    assert status == 2
    assert len(lines) == 1
    assert "cannot be used: Not a directory" in lines[0]


def test_a_rewritten_record_is_told_by_its_events(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    faults = [
        SimpleNamespace(seq=5, what="was changed after it was written"),
        SimpleNamespace(seq=None, what="an attempt is in the audit only"),
    ]
    record = SimpleNamespace(verify=lambda _heads: faults, events=lambda: [])
    monkeypatch.setattr(records, "_record", lambda _ctx: nullcontext(record))
    status, lines = told(["history", "-d", "sqlite://", "verify"], capsys)
    assert status == 1
    assert lines[:2] == [
        "event 5: was changed after it was written",
        "an attempt is in the audit only",
    ]


@pytest.mark.parametrize("named", [False, True])
def test_a_record_without_heads_is_told_as_such_and_is_a_fault_where_they_are_configured(
    named: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.yaml"
    anchors = "service: {history: {anchors: mount/heads}}\n" if named else ""
    config.write_text(f"mode: dry\n{anchors}")
    database = f"sqlite:///{tmp_path / 'x.db'}"
    engine = connect(database)
    schema.upgrade(engine)
    Office(engine, "desk", SystemClock()).note("x", "y")
    engine.dispose()
    status = run(["history", "-c", str(config), "-d", database, "verify"])
    shown = capsys.readouterr()
    if named:
        assert status == 1
        gone = f"no heads are kept where service.history.anchors says: {tmp_path / 'mount/heads'}"
        assert shown.err.splitlines()[0] == gone
    else:
        assert (status, shown.out) == (0, "the record is whole: 1 events, no heads kept\n")
