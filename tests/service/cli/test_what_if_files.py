"""Where what-if and sweep write, and what they refuse before they compute."""

from __future__ import annotations

from pathlib import Path

import pytest

from allocator.service.cli.main import run
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
