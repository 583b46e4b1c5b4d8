"""The offline commands: data on standard output, errors on standard error, their exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from allocator import __version__
from allocator.service.cli.commands import COMMANDS
from allocator.service.cli.main import run

ROOT = Path(__file__).parents[3]
BOOK = (ROOT / "tests" / "whatif" / "book.yaml").read_text()
ORDER = {
    "seq": 1, "kind": "order", "account": "a", "instrument": "v:BTC", "side": "buy",
    "quantity": "3", "limit_price": "101", "after": [],
}  # fmt: skip
PLAN = {"schema": "allocator.plan/1", "status": "act", "actions": [ORDER], "cost": {"total": "1"}}


def write(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def test_help_loads_neither_venues_nor_solvers_nor_a_database() -> None:
    code = (
        "import sys\n"
        "from allocator.service.cli.main import run\n"
        "status = run(['--help'])\n"
        "heavy = {'ccxt', 'cvxpy', 'sqlmodel', 'sqlalchemy', 'numpy', 'scipy', 'pydantic'}\n"
        "print(sorted(heavy & set(sys.modules)), status, file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stderr.strip() == "[] 0"
    for row in COMMANDS:
        assert row.name in done.stdout


@pytest.mark.parametrize("entry", COMMANDS, ids=[row.name for row in COMMANDS])
def test_every_command_has_help_with_an_example(
    entry: object, capsys: pytest.CaptureFixture[str]
) -> None:
    name: str = entry.name  # type: ignore[attr-defined]
    assert run([name, "--help"]) == 0
    shown = capsys.readouterr().out
    assert "--install-completion" not in shown
    assert "Example: allocator " in shown
    if name == "scenario":
        for inner in ("resolve", "run"):
            assert run([name, inner, "--help"]) == 0
            assert f"Example: allocator scenario {inner}" in capsys.readouterr().out
    else:
        assert f"Example: allocator {name}" in shown


def test_diff_says_what_its_detailed_exit_code_tells(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["diff", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "End with 3 if the plans differ" in shown


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"allocator {__version__}\n"


def test_an_unknown_command_is_a_usage_error_with_a_suggestion(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["validat"]) == 2
    assert "validate" in capsys.readouterr().err


def test_a_good_file_is_valid(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, "b.yaml", BOOK)
    assert run(["validate", path]) == 0
    assert capsys.readouterr().out == f"{path}: a good scenario\n"


def test_five_mistakes_are_told_with_their_places_and_end_with_two(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = BOOK
    for old, new in (
        ("owner: fund", "ownr: fund"),
        ('lot: "0.001"', 'lot: "0,001"'),
        ("bybit-b, asset: BTC", "bybit-c, asset: BTC"),
        ("unit: base", "unit: bas"),
        ("    margin_buffer: 0.25", "    margin_bufer: 0.25"),
    ):
        text = text.replace(old, new, 1)
    path = write(tmp_path, "b.yaml", text)
    assert run(["validate", path]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        f"{path}:15:12: snapshot.instruments[0].lot: not a number: '0,001'",
        f"{path}:56:7: snapshot.accounts[0].ownr: unknown key 'ownr' - did you mean 'owner'?",
        f"{path}:78:36: snapshot.routes[0].to: unknown account 'bybit-c' - did you mean 'bybit-b'?",
        f"{path}:84:46: mandate.targets[0].unit: one of base, numeraire is wanted, not 'bas' "
        "- did you mean 'base'?",
        f"{path}:88:5: mandate.policy.margin_bufer: unknown key 'margin_bufer' "
        "- did you mean 'margin_buffer'?",
    ]


def test_a_file_that_tells_nothing_needs_its_kind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, "m.yaml", "{}")
    assert run(["validate", path]) == 2
    assert "say which with --as" in capsys.readouterr().err
    assert run(["validate", path, "--as", "mandate"]) == 0


@pytest.mark.parametrize("kind", ["snapshot", "mandate", "scenario", "plan", "config"])
def test_schemas_are_printed_as_json(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema", kind]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == kind


def test_a_shocked_scenario_is_resolved_to_a_plain_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, "b.yaml", BOOK + "shock: {prices: {BTC: -20%}}\n")
    assert run(["scenario", "resolve", path]) == 0
    text = capsys.readouterr().out
    assert "shock" not in text
    plain = write(tmp_path, "plain.yaml", text)
    assert run(["scenario", "resolve", plain, "-o", "json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["snapshot"]["assets"]["BTC"]["price"] == "51200"
    assert run(["validate", plain]) == 0


def test_a_plan_is_explained_and_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, "p.json", json.dumps(PLAN))
    assert run(["explain", path]) == 0
    assert "1. buy 3 v:BTC in a, no worse than 101" in capsys.readouterr().out
    assert run(["report", path]) == 0
    assert capsys.readouterr().out.startswith("# p\n")
    page = tmp_path / "p.html"
    assert run(["report", path, "--out", str(page)]) == 0
    assert page.read_text().startswith("<!doctype html>")


def test_plans_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = write(tmp_path, "1.json", json.dumps(PLAN))
    two = write(tmp_path, "2.json", json.dumps({**PLAN, "status": "nothing", "actions": []}))
    assert run(["diff", one, one, "--detailed-exitcode"]) == 0
    assert capsys.readouterr().out == "no difference\n"
    assert run(["diff", one, two, "-o", "csv", "--detailed-exitcode"]) == 3
    assert capsys.readouterr().out.splitlines()[:2] == ["what,before,after", "status,act,nothing"]
    assert run(["diff", one, two, "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["what"] == "status"


def test_an_unreadable_plan_ends_with_two(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, "p.json", json.dumps({**PLAN, "status": "akt"}))
    assert run(["explain", path]) == 2
    assert "did you mean 'act'" in capsys.readouterr().err


def test_plan_wants_a_scenario_or_both_halves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["plan"]) == 2
    assert run(["plan", "--snapshot", "x.json"]) == 2
    assert "--mandate" in capsys.readouterr().err
