"""Scenario files start from what a database holds, and from what was saved."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import Engine, update

from allocator import decide, load_scenario
from allocator.execution.journal import Journal
from allocator.models.canonical import snapshot_hash
from allocator.models.service_records import SnapshotRow
from allocator.models.snapshot import Snapshot
from allocator.service.cli.main import run
from allocator.service.snapshots import GATHERED, Snapshots
from allocator.whatif.resolution import plain_data

BOOK = load_scenario(Path(__file__).parents[3] / "scenarios" / "two-venue-delta-move.yaml")
LATER = BOOK.snapshot.model_copy(
    update={"as_of": BOOK.snapshot.as_of.replace(year=BOOK.snapshot.as_of.year + 1)}
)


def url_of(engine: Engine) -> str:
    return engine.url.set(
        drivername=engine.url.get_backend_name()
    ).render_as_string(hide_password=False)  # fmt: skip


def scenario(folder: Path, name: str) -> Path:
    path = folder / "stored.yaml"
    mandate = json.dumps(plain_data(BOOK.mandate))
    shock = "shock: {prices: {BTC: -10%}}"
    path.write_text(f"snapshot: {{stored: {name}}}\nmandate: {mandate}\n{shock}\n")
    return path


def base_of(capsys: pytest.CaptureFixture[str], path: Path, *args: str) -> str:
    assert run(["what-if", str(path), "-o", "json", *args]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["base"]["snapshot_hash"] != data["shocked"]["snapshot_hash"]
    assert data["done"] == ["prices {BTC: -10%}"]
    found: str = data["base"]["snapshot_hash"]
    return found


def recorded(journal: Journal, snapshot: Snapshot, slot: str) -> str:
    cycle = journal.open_cycle("desk", slot)
    assert cycle is not None
    plan = decide(snapshot, BOOK.mandate)
    journal.record_plan(cycle, plan, snapshot, BOOK.mandate)
    return plan.plan_hash


def test_a_database_gives_snapshots_by_plan_by_hash_and_the_latest(
    engine: Engine, journal: Journal, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = ("--database", url_of(engine), "--store", str(tmp_path / "store"))
    plan, first = recorded(journal, BOOK.snapshot, "one"), snapshot_hash(BOOK.snapshot)
    for name in (plan, plan[:8], first, first[:6], "latest"):
        assert base_of(capsys, scenario(tmp_path, name), *database) == first, name
    later = Snapshots(engine, "desk").keep(LATER, GATHERED).snapshot_hash
    assert base_of(capsys, scenario(tmp_path, "latest"), *database) == later
    assert base_of(capsys, scenario(tmp_path, later), *database) == later
    assert base_of(capsys, scenario(tmp_path, plan), *database) == first


def test_what_was_saved_from_a_database_is_found_without_it(
    engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = Snapshots(engine, "desk").keep(BOOK.snapshot, GATHERED).snapshot_hash
    store = ("--store", str(tmp_path / "store"))
    path = scenario(tmp_path, "latest")
    assert base_of(capsys, path, *store, "--database", url_of(engine), "--save") == name
    again = scenario(tmp_path, name)
    assert base_of(capsys, again, *store) == name
    assert run(["sweep", str(again), *store]) == 2
    assert "has no grid to sweep over" in capsys.readouterr().err


def test_names_that_fit_nothing_or_several_are_told(
    engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Snapshots(engine, "desk").keep(BOOK.snapshot, GATHERED)
    args = ["--database", url_of(engine), "--store", str(tmp_path / "store")]
    for name in ("facade0000", "abc", "../../etc"):
        assert run(["what-if", str(scenario(tmp_path, name)), *args]) == 2
        assert f"no snapshot '{name}' is stored" in capsys.readouterr().err


def test_a_snapshot_that_was_changed_in_the_database_is_refused(
    engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = Snapshots(engine, "desk").keep(BOOK.snapshot, GATHERED).snapshot_hash
    with engine.begin() as connection:
        text = json.dumps(plain_data(LATER))
        connection.execute(update(SnapshotRow).values(snapshot_json=text))
    args = ["--database", url_of(engine), "--store", str(tmp_path / "store")]
    assert run(["what-if", str(scenario(tmp_path, name)), *args]) == 2
    assert "its hash is another" in capsys.readouterr().err
