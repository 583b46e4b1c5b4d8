from __future__ import annotations

import ast
from pathlib import Path

import pytest

from bench import mutants

SOURCE = """
KINDS = {1, 2}


@dataclass(frozen=True)
class Row:
    at: int


def step(a: int, b: int) -> int | None:
    if a < b and b in KINDS:
        raise ValueError
    return max(a + 1, b)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(mutants, "ROOT", tmp_path)
    path = tmp_path / "small.py"
    path.write_text(SOURCE)
    return path


def test_each_mutant_is_the_module_with_one_change(module: Path) -> None:
    found = list(mutants.mutants(module))
    sources = {row.source for row in found}
    assert len(sources) == len(found) > 10
    assert ast.unparse(ast.parse(SOURCE)) not in sources
    assert all(row.module == "small" for row in found)


def test_every_kind_of_change_is_made(module: Path) -> None:
    told = " ".join(row.what for row in mutants.mutants(module))
    for what in ("compare 0", "connective", "sign", "number", "condition", "without element",
                 "max", "returns nothing", "without line"):  # fmt: skip
        assert what in told


def test_a_mutant_is_noticed_by_a_test_that_looks_and_by_no_other(
    module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    looks, blind = tmp_path / "test_looks.py", tmp_path / "test_blind.py"
    looks.write_text("from small import step\n\ndef test_it():\n    assert step(3, 1) == 4\n")
    blind.write_text("def test_it():\n    assert True\n")
    row = next(row for row in mutants.mutants(module) if "sign" in row.what)
    assert mutants.noticed(row, module, [str(looks)])
    assert not mutants.noticed(row, module, [str(blind)])


def test_what_only_declares_is_left_alone(module: Path) -> None:
    told = [row.what for row in mutants.mutants(module)]
    assert not any("int | None" in what or "truth" in what for what in told)


def test_every_mutant_that_changes_nothing_is_one_of_its_module_and_has_a_reason() -> None:
    root = Path(mutants.__file__).resolve().parent.parent
    told = mutants.equivalent()
    files = {name.partition(":")[0] for name in told}
    paths = [path for path in root.glob("allocator/*/*.py") if path.name in files]
    names = {row.name for path in paths for row in mutants.mutants(path)}
    assert told.keys() <= names
    assert all(len(why) > 20 for why in told.values())
