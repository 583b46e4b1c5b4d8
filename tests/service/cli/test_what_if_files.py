"""Where what-if and sweep write, and what they refuse before they compute."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from allocator.service.cli.main import run
from allocator.whatif.folder import Folder
from tests.whatif.grids import CRASH, with_grid

RELAXED = ("--depth", "relaxed", "--backend", "serial")


def named(path: Path, name: str) -> Path:
    path.write_text(CRASH.read_text().replace(f"name: {CRASH.stem}", f"name: {name}"))
    return path


@pytest.mark.parametrize("name", ["../../outside", "/outside", "..", "a/b"])
def test_a_scenario_cannot_name_a_place_outside_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    file = with_grid(tmp_path, "\ngrid: {shock.prices.BTC: [-20%]}\n")
    file.write_text(file.read_text().replace(f"name: {CRASH.stem}", f"name: {name!r}"))
    assert run(["sweep", str(file), *RELAXED]) == 0
    made = [path for path in tmp_path.rglob("*") if path.is_file() and path != file]
    assert {path.parent.parent for path in made} == {tmp_path / "var" / "sweeps"}

    other = named(tmp_path / "other.yaml", "other")
    assert run(["what-if", str(file), str(other), "--report", "pages"]) == 0
    assert len(list((tmp_path / "pages").glob("*.html"))) == 2


def test_scenarios_of_one_name_have_a_page_each(tmp_path: Path) -> None:
    files = [str(named(tmp_path / f"{i}.yaml", "same")) for i in range(3)]
    pages = tmp_path / "pages"
    assert run(["what-if", *files, "--report", str(pages)]) == 0
    assert sorted(path.name for path in pages.iterdir()) == [
        "same-2.html", "same-3.html", "same.html",
    ]  # fmt: skip


def test_one_scenario_goes_into_a_folder_that_is_there(tmp_path: Path) -> None:
    assert run(["what-if", str(named(tmp_path / "a.yaml", "one")), "--report", str(tmp_path)]) == 0
    assert (tmp_path / "one.html").is_file()


def test_axes_of_the_picture_are_checked_before_anything_is_decided(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    for wrong in (("--x", "nope"), ("--y", "nope"), ("--figure", "nope")):
        assert run(["sweep", str(with_grid(tmp_path)), *RELAXED, "--out", str(out), *wrong]) == 2
        assert "'nope'" in capsys.readouterr().err
    assert not out.exists()


def test_what_is_kept_is_listed_and_shown_by_a_piece_of_its_hash(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = ["--store", str(tmp_path)]
    assert run(["what-if", "--list", *store, "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    assert run(["what-if", str(CRASH), "--save", *store, "-o", "json"]) == 0
    shown = capsys.readouterr()
    made, name = json.loads(shown.out), shown.err.split()[-1]
    assert run(["what-if", "--list", *store, "-o", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row.pop("kept").endswith("Z")
    assert row == {
        "what-if": name,
        "scenario": made["name"],
        "base": made["base"]["status"],
        "shocked": made["shocked"]["status"],
        "verdict": "as expected",
    }
    for called in (name, name[:6], "latest"):
        assert run(["what-if", "--show", called, *store, "-o", "json"]) == 0
        kept = json.loads(capsys.readouterr().out)
        assert kept.pop("books")
        assert kept == made
    assert run(["what-if", "--list", *store]) == 0
    assert name[:12] in capsys.readouterr().out
    assert run(["what-if", "--show", "latest", *store]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert f"What if: {made['name']}" in told
    assert "as expected" in told
    assert all(line in told for line in made["done"])


def test_what_is_not_kept_or_was_changed_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = ["--store", str(tmp_path)]
    assert run(["what-if", "--show", "abcdef", *store]) == 2
    assert capsys.readouterr().err == f"no what-if 'abcdef' is kept in {tmp_path}\n"
    name = Folder(tmp_path).save("what-if", {"a": 1})
    (tmp_path / "what-if" / f"{name}.json").write_text("{}")
    assert run(["what-if", "--list", *store]) == 2
    assert "is not what was stored" in capsys.readouterr().err


@pytest.mark.parametrize("args", [[], ["--list", "--show", "latest"], [str(CRASH), "--list"]])
def test_listing_and_showing_go_alone(args: list[str]) -> None:
    assert run(["what-if", *args]) == 2
