"""Deciding from the command line: only data on standard output, the status as documented."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from allocator.service.cli.main import run

ROOT = Path(__file__).parents[3]
SCENARIOS = ROOT / "scenarios"
MOVE = str(SCENARIOS / "position-move.yaml")


def allocator(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "allocator", *args],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )


def test_a_plan_as_json_is_all_that_goes_to_standard_output(tmp_path: Path) -> None:
    done = allocator("plan", MOVE, "-o", "json")
    assert done.returncode == 0
    plan = json.loads(done.stdout)
    assert plan["schema"] == "allocator.plan/1"
    assert [row["kind"] for row in plan["actions"]] == ["move"]
    (tmp_path / "plan.json").write_text(done.stdout)
    told = allocator("explain", str(tmp_path / "plan.json"))
    assert told.returncode == 0
    assert told.stdout == allocator("explain", MOVE).stdout


@pytest.mark.parametrize(
    ("scenario", "plain", "detailed"),
    [
        ("position-move", 0, 3),
        ("nothing-worth-doing", 0, 0),
        ("infeasible-named-cause", 4, 4),
    ],
)
def test_the_status_tells_what_the_plan_comes_to(
    scenario: str, plain: int, detailed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(SCENARIOS / f"{scenario}.yaml")
    assert run(["plan", path]) == plain
    assert run(["plan", path, "--detailed-exitcode"]) == detailed
    assert capsys.readouterr().err == ""


def test_an_infeasible_plan_names_what_is_missing_and_where_it_is_declared(
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = SCENARIOS / "infeasible-named-cause.yaml"
    lines = path.read_text().splitlines()
    line = lines.index("    - id: bybit-a") + 1
    route = next(n for n, text in enumerate(lines, 1) if "id: bin-byb-usdt" in text)
    assert run(["plan", str(path)]) == 4
    missing = capsys.readouterr().out.split("Missing")[1]
    for command in ("plan", "explain"):
        told = missing
        if command == "explain":
            assert run(["explain", str(path)]) == 0
            told = capsys.readouterr().out
        assert "missing: margin bybit-a" in told or "margin bybit-a" in told
        assert f"[{path}:{line}:7]" in told
        assert f"[{path}:{route}:7]" in told


def test_an_explanation_as_json_has_the_facts_and_their_sentences(
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = SCENARIOS / "infeasible-named-cause.yaml"
    assert run(["explain", str(path), "-o", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    (row,) = told["infeasible"]
    assert row["conflicts"] == [
        "margin bybit-a", "status bybit:BTC/USDT:USDT", "route bin-byb-usdt"
    ]  # fmt: skip
    assert row["relaxations"][2]["amount"] == "26000"
    assert row["at"].startswith(f"{path}:")
    assert any("initial margin: 96,000.00 asked" in line for line in row["text"])
    (action,) = told["actions"]
    assert action["reason"]["needs"][0]["missing"] == "36000"
    assert action["reason"]["needs"][0]["leg"] == "bybit:BTC/USDT:USDT"


def test_everything_that_the_text_says_is_among_the_facts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for path in sorted(SCENARIOS.glob("*.yaml")):
        assert run(["explain", str(path)]) == 0
        text = capsys.readouterr().out
        assert run(["explain", str(path), "-o", "csv"]) == 0
        facts = [row["fact"] for row in csv.DictReader(io.StringIO(capsys.readouterr().out))]
        assert run(["explain", str(path), "-o", "json"]) == 0
        data = capsys.readouterr().out
        for line in text.splitlines():
            bare = line.strip().removeprefix("- ").removeprefix("binds: ")
            if bare and ": exposure " not in bare and not bare.startswith("cannot be repaired"):
                assert any(bare.split(" after ")[0].split(". ")[-1] in f for f in facts), line
        assert json.loads(data)["headline"][0] == text.splitlines()[0]


def test_a_plan_as_csv_has_a_row_for_every_action(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", MOVE, "-o", "csv"]) == 0
    heading, row = capsys.readouterr().out.splitlines()
    cells = dict(zip(heading.split(","), row.split(","), strict=True))
    assert (cells["kind"], cells["from"], cells["to"]) == ("move", "bybit-tight", "bybit-ample")


def test_the_halves_of_a_book_may_be_two_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["scenario", "resolve", MOVE, "-o", "json"]) == 0
    data = json.loads(capsys.readouterr().out)
    for key in ("snapshot", "mandate"):
        (tmp_path / f"{key}.json").write_text(json.dumps(data[key]))
    halves = ["--snapshot", str(tmp_path / "snapshot.json")]
    halves += ["--mandate", str(tmp_path / "mandate.json")]
    assert run(["plan", *halves, "-o", "json"]) == 0
    two = json.loads(capsys.readouterr().out)
    assert run(["plan", MOVE, "-o", "json"]) == 0
    assert two["plan_hash"] == json.loads(capsys.readouterr().out)["plan_hash"]


def test_scenarios_are_run_and_an_unmet_expectation_ends_with_eight(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["scenario", "run", MOVE]) == 0
    assert "as expected" in capsys.readouterr().out
    text = Path(MOVE).read_text().replace("moves: {min: 1, max: 1}", "moves: {min: 2}")
    (tmp_path / "wrong.yaml").write_text(text)
    assert run(["scenario", "run", MOVE, str(tmp_path / "wrong.yaml")]) == 8
    assert "position-move: moves: expected at least 2, got 1" in capsys.readouterr().out
    assert run(["scenario", "run", MOVE, str(tmp_path / "wrong.yaml"), "-o", "json"]) == 8
    rows = json.loads(capsys.readouterr().out)
    assert [row["expected"] for row in rows] == [True, False]


def test_an_unreadable_scenario_does_not_keep_the_others_from_running(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.yaml").write_text("name: bad\n")
    assert run(["scenario", "run", str(tmp_path / "bad.yaml"), MOVE]) == 2
    captured = capsys.readouterr()
    assert "snapshot: is required" in captured.err
    assert "position-move" in captured.out


DELTA = str(SCENARIOS / "two-venue-delta-move.yaml")


def test_a_preset_is_planned_like_any_plan_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", DELTA, "--preset", "net_liq", "-o", "json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert (plan["status"], plan["preset"], plan["certificate"]) == ("act", "net_liq", None)
    assert [row["quantity"] for row in plan["actions"]] == ["0.82", "1.18"]
    assert run(["plan", DELTA, "--preset", "net_liq", "--detailed-exitcode"]) == 3
    shown = capsys.readouterr().out
    assert "Preset net_liq: 2 orders to trade +128,000.00 USD of BTC." in shown
    assert "decide" not in shown


def test_a_preset_is_compared_with_decide_only_if_asked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["plan", DELTA, "-o", "json"]) == 0
    best = json.loads(capsys.readouterr().out)
    assert run(["plan", DELTA, "--preset", "equal", "--compare", "-o", "json"]) == 0
    both = json.loads(capsys.readouterr().out)
    assert both["decide"] == best
    assert both["preset"]["preset"] == "equal"
    assert run(["plan", DELTA, "--preset", "equal", "--compare"]) == 0
    shown = capsys.readouterr().out
    saved = float(both["preset"]["cost"]["total"]) - float(best["cost"]["total"])
    assert f"decide() saves {saved:,.2f} against the preset equal" in shown
    assert run(["plan", DELTA, "--compare"]) == 2
    assert run(["plan", DELTA, "--preset", "equal", "--compare", "-o", "csv"]) == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("even", "no preset 'even': there are equal, net_liq, available_equity"),
        ("ratio=nobody:1", "no account nobody: there are binance-main, bybit-a"),
        ("pct_change=much", "preset 'pct_change=much': not a number: 'much'"),
    ],
)
def test_text_that_is_no_preset_ends_with_two_and_the_reason(
    text: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["plan", DELTA, "--preset", text]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert told in captured.err
