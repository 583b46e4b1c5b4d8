"""Heads of the audit outside its database: whatever is cut off at its end is missed."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from allocator.execution.audit import Head
from allocator.execution.history import History
from allocator.execution.office import Office
from allocator.models.config import Config
from allocator.models.errors import StaleError
from allocator.models.service import HistoryConfig
from allocator.risk.breaker import Breaker
from allocator.service.anchors import Anchors, Kept, anchor_file, kept_heads, known_heads
from allocator.service.bootstrap import anchored
from tests.execution.book import JumpingClock, order
from tests.execution.desk import Desk

CUT = """
DELETE FROM event WHERE seq > 4;
UPDATE audit_tail SET seq = 4, hash = (SELECT hash FROM event WHERE seq = 4);
DELETE FROM breaker WHERE scope = 'account:c';
DELETE FROM outbox WHERE id > 2;
"""
"""What somebody does who knows how the record is built: everything in the database agrees."""


def written(engine: Engine, path: Path) -> tuple[Office, Anchors]:
    clock = JumpingClock()
    office = Office(engine, "desk", clock)
    anchors = Anchors(path, office.history, clock)
    for account in ("a", "b", "c"):
        office.trip(f"account:{account}", Breaker.HALTED, "odd prices", "ann")
        anchors.keep()
    return office, anchors


def heads_of(folder: Path) -> tuple[Head, ...]:
    kept = kept_heads(folder / "heads")
    assert kept.faults == ()
    return kept.heads


def changed(engine: Engine, statements: str) -> None:
    lite = engine.dialect.name == "sqlite"
    guards = ("event_keeps_rows", "event_keeps_facts")
    free = [f"DROP TRIGGER IF EXISTS {name}" for name in guards]
    with engine.begin() as connection:
        for statement in free if lite else ["ALTER TABLE event DISABLE TRIGGER USER"]:
            connection.execute(text(statement))
        for statement in filter(str.strip, statements.split(";")):
            connection.execute(text(statement))


def test_a_record_that_holds_its_heads_is_whole(engine: Engine, tmp_path: Path) -> None:
    office, _ = written(engine, tmp_path / "heads")
    heads = heads_of(tmp_path)
    assert [row.seq for row in heads] == [2, 4, 6]
    assert heads[-1] == office.history.head()
    office.trip("account:d", Breaker.HALTED, "odd prices", "ann")
    assert office.history.verify(heads) == ()


def test_what_was_cut_off_at_the_end_is_told_by_the_heads_alone(
    engine: Engine, tmp_path: Path
) -> None:
    office, _ = written(engine, tmp_path / "heads")
    changed(engine, CUT)
    assert office.history.verify() == ()
    (fault,) = office.history.verify(heads_of(tmp_path))
    assert (fault.seq, fault.what) == (6, "its hash was kept, and it is no longer there")


def test_what_was_written_anew_after_a_cut_is_told(engine: Engine, tmp_path: Path) -> None:
    office, _ = written(engine, tmp_path / "heads")
    changed(engine, CUT)
    office.trip("account:c", Breaker.REDUCING, "odd prices", "ann")
    assert office.history.verify() == ()
    (fault,) = office.history.verify(heads_of(tmp_path))
    assert (fault.seq, fault.what) == (6, "is not the one whose hash was kept")


def test_a_head_kept_after_the_record_was_written_anew_hides_nothing(
    engine: Engine, tmp_path: Path
) -> None:
    office, anchors = written(engine, tmp_path / "heads")
    changed(engine, CUT)
    office.trip("account:c", Breaker.REDUCING, "odd prices", "ann")
    anchors.keep()
    heads = heads_of(tmp_path)
    assert [row.seq for row in heads] == [2, 4, 6, 6]
    for order_ in (heads, heads[::-1]):
        assert [(row.seq, row.what) for row in office.history.verify(order_)] == [
            (6, "2 different hashes of it were kept"),
            (6, "is not the one whose hash was kept"),
        ]


def test_two_heads_of_an_event_that_is_gone_are_told(lite: Engine, tmp_path: Path) -> None:
    office, anchors = written(lite, tmp_path / "heads")
    changed(lite, CUT)
    office.trip("account:c", Breaker.REDUCING, "odd prices", "ann")
    anchors.keep()
    changed(lite, CUT)
    assert [(row.seq, row.what) for row in office.history.verify(heads_of(tmp_path))] == [
        (6, "2 different hashes of it were kept"),
        (6, "its hash was kept, and it is no longer there"),
    ]


def test_a_head_is_kept_once(lite: Engine, tmp_path: Path) -> None:
    _, anchors = written(lite, tmp_path / "heads")
    anchors.keep()
    assert len(heads_of(tmp_path)) == 3


def test_an_empty_record_has_no_head(lite: Engine, tmp_path: Path) -> None:
    Anchors(tmp_path / "heads", History(lite), JumpingClock()).keep()
    assert not (tmp_path / "heads").exists()
    for config in ({}, {"anchors": str(tmp_path / "heads")}):
        row = HistoryConfig(folder=str(tmp_path), **config)
        assert known_heads(row, History(lite)) == Kept()


def test_a_file_that_cannot_be_written_is_told_and_tried_again(
    lite: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "heads").mkdir()
    _, anchors = written(lite, tmp_path / "heads")
    assert caplog.messages.count(caplog.messages[0]) == 3
    assert "AUDIT_ANCHOR" in caplog.messages[0]
    (tmp_path / "heads").rmdir()
    anchors.keep()
    assert [row.seq for row in heads_of(tmp_path)] == [6]


@pytest.mark.parametrize(
    "line", ["", "x " + "0" * 64, "1 abc", "0" * 64, "9" * 5000 + " " + "0" * 64, "1 \udcff"]
)
def test_a_line_that_is_no_head_is_a_fault_and_the_others_hold(
    lite: Engine, tmp_path: Path, line: str
) -> None:
    office, anchors = written(lite, tmp_path / "heads")
    with (tmp_path / "heads").open("a", errors="surrogateescape") as file:
        file.write(f"{line}\n")
    office.trip("account:d", Breaker.HALTED, "odd prices", "ann")
    anchors.keep()
    kept = kept_heads(tmp_path / "heads")
    assert [row.seq for row in kept.heads] == [2, 4, 6, 8]
    (fault,) = kept.verify(office.history)
    assert (fault.seq, fault.what) == (None, f"{tmp_path / 'heads'}:4: this is no head of an audit")
    changed(lite, CUT)
    assert [row.seq for row in kept.verify(office.history)][:3] == [None, 6, 8]


def test_a_head_after_a_torn_line_stands_by_itself(lite: Engine, tmp_path: Path) -> None:
    office, anchors = written(lite, tmp_path / "heads")
    with (tmp_path / "heads").open("a") as file:
        file.write("4 abcdef")
    office.trip("account:d", Breaker.HALTED, "odd prices", "ann")
    anchors.keep()
    kept = kept_heads(tmp_path / "heads")
    assert kept.heads[-1] == office.history.head()
    assert [row.what for row in kept.faults] == [
        f"{tmp_path / 'heads'}:4: this is no head of an audit"
    ]


def test_a_full_disk_that_took_half_a_line_is_told_and_tried_again(
    lite: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    office, anchors = written(lite, tmp_path / "heads")
    office.trip("account:d", Breaker.HALTED, "odd prices", "ann")
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda handle, data: write(handle, data[:9]))
        anchors.keep()
    assert "AUDIT_ANCHOR" in caplog.messages[-1]
    anchors.keep()
    kept = kept_heads(tmp_path / "heads")
    assert kept.heads[-1] == office.history.head()
    assert len(kept.faults) == 1


def test_a_place_that_hangs_is_left_behind_and_told(
    lite: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, office = tmp_path / "heads", Office(lite, "desk", JumpingClock())
    os.mkfifo(path)  # Opening it hangs for as long as nobody opens its other end.
    anchors = Anchors(path, office.history, JumpingClock(), patience_s=0)
    for account in ("a", "b"):
        office.trip(f"account:{account}", Breaker.HALTED, "odd prices", "ann")
        anchors.keep()
        assert caplog.messages[-1] == f"AUDIT_ANCHOR: {path} hangs: it has not taken a head yet"
    (hung,) = [row for row in threading.enumerate() if row.name == "audit head"]
    assert hung.daemon
    ends = os.open(path, os.O_RDWR)
    hung.join()
    os.close(ends)
    path.unlink()
    Anchors(path, office.history, JumpingClock()).keep()
    assert heads_of(tmp_path) == (office.history.head(),)


def test_a_record_that_cannot_be_read_holds_up_nothing(
    lite: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _, anchors = written(lite, tmp_path / "heads")
    changed(lite, "DROP TABLE audit_tail")
    anchors.keep()
    assert "AUDIT_ANCHOR" in caplog.messages[-1]


def test_a_file_that_the_configuration_names_and_that_is_gone_is_a_fault(
    lite: Engine, tmp_path: Path
) -> None:
    office, _ = written(lite, tmp_path / "heads")
    gone = tmp_path / "mount" / "heads"
    kept = known_heads(HistoryConfig(folder=str(tmp_path), anchors=str(gone)), office.history)
    assert [row.what for row in kept.verify(office.history)] == [
        f"no heads are kept where service.history.anchors says: {gone}"
    ]
    assert known_heads(HistoryConfig(folder=str(tmp_path)), office.history) == Kept()


def test_heads_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    with pytest.raises(StaleError, match="cannot be read"):
        kept_heads(tmp_path)


def test_every_cycle_leaves_the_head_that_it_ended_with(lite: Engine, tmp_path: Path) -> None:
    desk = Desk.open(lite)
    executor = desk.executor()
    anchors = Anchors(tmp_path / "heads", History(lite), desk.clock)
    executor.ended = anchors.keep
    made = desk.plan(order(1, "a", "sell", "0.1"))
    asyncio.run(executor.run(made, desk.start, desk.mandate))
    assert heads_of(tmp_path) == (History(lite).head(),)
    (last,) = History(lite).events(after=heads_of(tmp_path)[0].seq - 1)
    assert (last.subject, last.what) == ("cycle:1", "ended")


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ({}, "var/history/audit-heads"),
        ({"folder": "marks"}, "marks/audit-heads"),
        ({"anchors": "kept/heads"}, "kept/heads"),
    ],
)
def test_heads_stand_in_the_historys_folder_or_where_the_configuration_says(
    tmp_path: Path, told: dict[str, str], found: str
) -> None:
    config = anchored(Config.model_validate({"service": {"history": told}}), tmp_path)
    assert anchor_file(config.service.history) == (tmp_path / found).resolve()
