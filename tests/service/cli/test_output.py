"""Tables keep every figure whole, however narrow the terminal."""

from __future__ import annotations

import pytest

from allocator.service.cli import output

COLUMNS = ("account", "why", "before>", "after>")
ROWS = [("bybit-main", "takes 214,165 USD of BTC off the whole book", "1,280,000.00", "80,000.00")]


@pytest.mark.parametrize("width", [20, 40, 60, 80, 180])
def test_no_figure_is_cut_short(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(output, "PIPE_WIDTH", width)
    output.write_table(COLUMNS, ROWS, title="Exposure")
    shown = capsys.readouterr().out
    for whole in ("Exposure", "bybit-main", "1,280,000.00", "80,000.00", "after", "214,165"):
        assert whole in shown


def test_rows_that_fit_stand_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    output.write_table(COLUMNS, ROWS)
    assert "bybit-main" in capsys.readouterr().out.splitlines()[-2]
