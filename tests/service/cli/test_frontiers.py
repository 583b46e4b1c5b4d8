"""Drawing frontiers from the command line."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from allocator.service.cli.frontiers import BAR, chart
from allocator.service.cli.main import run

SCENARIOS = Path(__file__).parents[3] / "scenarios"
DELTA = str(SCENARIOS / "two-venue-delta-move.yaml")


def test_a_frontier_along_actions_is_a_table_with_a_chart(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["frontier", DELTA]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert "one more" in captured.out
    assert f"  0 |{'#' * BAR} 2,056.31" in captured.out
    assert "  2 | 0.00" in captured.out


def test_json_and_csv_have_the_same_exact_figures(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["frontier", DELTA, "--along", "actions", "-o", "json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert run(["frontier", DELTA, "--along", "actions", "-o", "csv"]) == 0
    heading, *rows = capsys.readouterr().out.splitlines()
    table = [dict(zip(heading.split(","), row.split(","), strict=True)) for row in rows]
    assert [row["total"] for row in table] == [row["cost"]["total"] for row in data["points"]]
    assert [len(row["plan"]["actions"]) for row in data["points"]] == [0, 1, 2]
    assert [row["proven"] for row in table] == ["true"] * 3


def test_a_frontier_along_tracking_has_the_weights_as_factors(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["frontier", DELTA, "--along", "tracking", "--points", "3", "-o", "csv"]) == 0
    heading, *rows = capsys.readouterr().out.splitlines()
    assert heading.split(",")[:4] == ["factor", "count", "tracking_error", "band_excess"]
    assert "1" in [row.split(",")[0] for row in rows]


def test_wrong_options_end_with_two(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["frontier", DELTA, "--points", "1"]) == 2
    assert run(["frontier", DELTA, "--along", "time"]) == 2
    assert run(["frontier"]) == 2
    assert capsys.readouterr().out == ""


def test_a_flat_chart_has_no_bars() -> None:
    none, same = [Decimal(0)] * 2, [True] * 2
    flat = chart([0, 10], [Decimal(5), Decimal(5)], none, same)
    assert flat[1:] == ["   0 | 0.00", "  10 | 0.00"]


def test_what_leaves_more_broken_is_no_cheaper_point_of_the_curve(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Doing nothing costs nothing here and leaves 36,000 USD missing."""
    file, page = str(SCENARIOS / "margin-rescue-by-transfer.yaml"), tmp_path / "f.html"
    assert run(["frontier", file, "--report", str(page)]) == 0
    told = capsys.readouterr().out
    assert "0 x leaves 36,000.00 broken, costs 0.00" in told
    assert "1 of 2 points leave more broken than the best can" in told
    text = page.read_text()
    for words in ("total, more left broken", "What stays broken", "1 of 2 points leave more"):
        assert words in text
