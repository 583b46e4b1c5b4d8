"""Every scenario file is a test: of its own expectations, and of the independent referee."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from allocator.decide import decide
from allocator.models.canonical import mandate_hash, snapshot_hash
from allocator.models.plan import Plan
from allocator.models.scenario import Scenario
from allocator.whatif.expectations import check_expect
from allocator.whatif.reader import load_recipe, load_scenario
from allocator.whatif.resolution import resolve, yaml_text
from allocator.whatif.schemas import schema

ROOT = Path(__file__).parents[2]
STRESS = sorted((ROOT / "scenarios" / "stress").glob("*.yaml"))
FILES = [*sorted((ROOT / "scenarios").glob("*.yaml")), *STRESS]
NAMES = [path.stem for path in FILES]
PLACES = (os.environ.get("ALLOCATOR_SHARED"), ROOT.parent / "shared", ROOT.parents[1] / "shared")
REFEREE = next(
    (
        path
        for place in PLACES
        if place and (path := Path(place) / "referee" / "referee.py").is_file()
    ),
    None,
)


@cache
def decided(path: Path) -> tuple[Scenario, Plan]:
    """Load and decide a file once for all tests of it."""
    scenario = load_scenario(path)
    return scenario, decide(scenario.snapshot, scenario.mandate)


def test_there_are_enough_of_them() -> None:
    assert len(FILES) >= 10


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_a_scenario_tells_its_story_and_what_should_come_of_it(path: Path) -> None:
    scenario = load_scenario(path)
    assert scenario.name == path.stem
    assert scenario.description
    assert scenario.expect is not None
    schema_of = "../scenario" if path in STRESS else "./scenario"
    first = f"# yaml-language-server: $schema={schema_of}.schema.json\n# "
    assert path.read_text().startswith(first)


@pytest.mark.parametrize("path", STRESS, ids=[path.stem for path in STRESS])
def test_a_stress_names_the_sources_of_its_figures_and_what_it_assumes(path: Path) -> None:
    head = path.read_text().split("version: 1")[0]
    assert "https://" in head
    assert "Assumed" in head or "Hypothetical" in head
    assert len(load_recipe(path).tree["shock"]) >= 2


def test_the_stress_set_has_the_named_days() -> None:
    days = {"2020-03-12", "2021-05-19", "ftx-week", "stablecoin-depeg", "exchange-halt"}
    assert days <= {path.stem for path in STRESS}


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_a_scenario_comes_out_as_expected(path: Path) -> None:
    scenario, plan = decided(path)
    assert scenario.expect is not None
    assert check_expect(scenario.expect, plan) == [], plan.explain()


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_a_resolved_scenario_is_the_same_book(path: Path, tmp_path: Path) -> None:
    scenario = load_scenario(path)
    (tmp_path / "plain.yaml").write_text(yaml_text(resolve(scenario)))
    plain = load_scenario(tmp_path / "plain.yaml")
    assert snapshot_hash(plain.snapshot) == snapshot_hash(scenario.snapshot)
    assert mandate_hash(plain.mandate) == mandate_hash(scenario.mandate)
    assert plain.expect == scenario.expect


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_the_referee_finds_no_rule_broken(path: Path, tmp_path: Path) -> None:
    if REFEREE is None:
        pytest.skip("the referee is not beside the project")
    scenario, plan = decided(path)
    (tmp_path / "scenario.yaml").write_text(yaml_text(resolve(scenario)))
    (tmp_path / "plan.json").write_text(json.dumps(plan.to_json()))
    done = subprocess.run(
        [sys.executable, str(REFEREE), "scenario.yaml", "plan.json"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_schema_beside_the_files_is_the_present_one() -> None:
    published = json.loads((ROOT / "scenarios" / "scenario.schema.json").read_text())
    assert published == schema("scenario"), "run: allocator schema scenario"
