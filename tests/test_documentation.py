"""What the documentation tells people to type works."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest

from allocator.models.config import Config

ROOT = Path(__file__).resolve().parent.parent
PATHS = re.compile(r"scenarios/[\w-]+\.yaml")
WRITTEN = [ROOT / "README.md", *sorted((ROOT / "allocator").rglob("*.py"))]


@pytest.mark.parametrize("file", WRITTEN, ids=lambda file: str(file.relative_to(ROOT)))
def test_scenarios_that_are_named_exist(file: Path) -> None:
    named = PATHS.findall(file.read_text())
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_library_example_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    example = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert example is not None
    exec(example.group(1), {})
    assert "actions cost" in capsys.readouterr().out


def script(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_explanations_is_what_the_scenarios_come_to() -> None:
    module = script("write_explanations")
    assert module.PAGE.read_text() == module.page()


def test_the_page_of_controls_is_the_table_that_the_executor_goes_by() -> None:
    module = script("write_controls")
    assert module.PAGE.read_text() == module.page()


def test_the_page_of_the_configuration_is_what_the_values_say_of_themselves() -> None:
    module = script("write_configuration")
    assert module.PAGE.read_text() == module.page()


def test_every_key_of_the_configuration_has_its_words() -> None:
    module = script("write_configuration")
    sections: list[tuple[str, Any]] = list(module.sections(Config))
    assert len(sections) > 20
    for path, kind in sections:
        told = [name for names, _ in module.groups_of(kind) for name in names]
        assert sorted(told) == sorted(kind.model_fields), path


def test_the_page_of_the_doctor_is_what_the_command_says() -> None:
    module = script("write_doctor")
    assert module.PAGE.read_text() == module.page()


def test_the_page_of_the_contract_says_what_the_passing_suites_prove() -> None:
    """The suites fail where the page would have to say so, and this fails where it says else."""
    module = script("write_contract")
    assert module.PAGE.read_text() == module.page(module.collected())


def test_the_page_of_the_contract_calls_a_failure_a_failure() -> None:
    module = script("write_contract")
    results = dict(module.collected())
    unproved = module.page(results).count("| not proved |")
    results["c05", "okx"] = False
    results["bybit", "order", "html"] = False
    del results["c07", "paper"]
    told = module.page(results)
    assert told.count("| FAILED |") == 2
    assert told.count("| not proved |") == unproved + 1
    assert "2 failed" in told
