"""A record that was put back from a backup, held against the heads that were kept outside it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from allocator.execution.database import connect
from allocator.execution.history import History
from allocator.execution.office import Office
from allocator.execution.schema import upgrade
from allocator.risk.breaker import Breaker
from allocator.service.anchors import Anchors
from allocator.service.backup import backup
from allocator.service.cli.main import run
from tests.execution.book import JumpingClock
from tests.service.sites import config


class Lost:
    """An installation whose database goes, with a backup of five lines and heads of more."""

    def __init__(self, folder: Path) -> None:
        self.database, self.heads = folder / "journal.db", folder / "history" / "audit-heads"
        self.copy, self.config = folder / "a.backup", folder / "config.yaml"
        data = config(folder).model_dump(mode="json", by_alias=True, exclude_none=True)
        data["database"] = f"sqlite:///{self.database}"
        data["service"]["history"]["folder"] = str(self.heads.parent)
        self.config.write_text(json.dumps(data))

    def write(self, *numbers: int) -> None:
        """Add lines to the audit, and keep the head of each outside of it."""
        engine = connect(f"sqlite:///{self.database}")
        upgrade(engine)
        office = Office(engine, "desk", JumpingClock())
        anchors = Anchors(self.heads, office.history, JumpingClock())
        for number in numbers:
            office.note("x", "noted", number=number)
            anchors.keep()
        engine.dispose()

    def restore(self) -> int:
        self.database.unlink()
        return run(["db", "restore", str(self.copy), "-c", str(self.config)])

    def audited(self) -> str:
        """Tell what the audit has of the gap, once the record holds and everything is halted."""
        engine = connect(f"sqlite:///{self.database}")
        history = History(engine)
        (found,) = history.breakers()
        assert (found.scope, found.state) == ("global", Breaker.HALTED)
        assert history.verify(private=True) == ()
        told = [row.facts for row in history.events("record")]
        engine.dispose()
        return str(told)

    def verified(self) -> int:
        return run(["history", "-c", str(self.config), "verify"])


@pytest.fixture
def lost(tmp_path: Path) -> Lost:
    made = Lost(tmp_path)
    made.write(1, 2, 3, 4, 5)
    backup(f"sqlite:///{made.database}", made.copy)
    return made


def test_lines_whose_heads_were_kept_and_that_the_backup_lacks_are_told_at_once(
    lost: Lost, capsys: pytest.CaptureFixture[str]
) -> None:
    lost.write(6, 7, 8)
    assert lost.restore() == 0
    told = capsys.readouterr()
    assert "restored: 5 lines of audit, whole" in told.out
    assert "3 lines at least are lost, from event 6 on" in told.err
    assert "what was done after the backup is unknown" in told.err
    assert f"move {lost.heads} away" in told.err
    assert lost.audited() == str([{"differ": 0, "kept_to": 8, "last": 5}])


def test_once_its_heads_are_moved_away_as_told_the_record_verifies_again(lost: Lost) -> None:
    lost.write(6, 7, 8)
    assert lost.restore() == 0
    assert lost.verified() == 1
    lost.heads.rename(lost.heads.with_name("audit-heads.lost"))
    assert lost.verified() == 0
    lost.write(9)
    assert lost.verified() == 0


def test_a_backup_that_lacks_nothing_that_was_kept_is_not_said_to(
    lost: Lost, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lost.restore() == 0
    told = capsys.readouterr().err
    assert f"lacks none of the 5 heads of {lost.heads}" in told
    assert "are lost" not in told
    assert lost.audited() == "[]"
    assert lost.verified() == 0


def test_a_backup_of_another_record_is_told_and_everything_stands_still(
    lost: Lost, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = lost.heads.read_text().splitlines()
    number, hash_, at = lines[2].split()
    lines[2] = f"{number} {hash_[::-1]} {at}"
    lost.heads.write_text("\n".join(lines) + "\n")
    assert lost.restore() == 1
    told = capsys.readouterr().err
    assert "event 3: is not the one whose hash was kept" in told
    assert "HEADS_DIFFER" in told
    assert lost.audited() == str([{"differ": 1, "kept_to": 5, "last": 5}])


def test_heads_that_cannot_be_read_keep_nothing_from_being_halted(
    lost: Lost, capsys: pytest.CaptureFixture[str]
) -> None:
    lost.heads.unlink()
    lost.heads.mkdir()
    assert lost.restore() == 5
    assert "the heads of the audit cannot be read" in capsys.readouterr().err
    assert lost.audited() == "[]"


def test_without_a_configuration_it_is_said_that_no_heads_were_looked_at(
    lost: Lost, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = f"sqlite:///{tmp_path / 'new.db'}"
    assert run(["db", "restore", str(lost.copy), "-d", other]) == 0
    assert "not held against heads" in capsys.readouterr().err
