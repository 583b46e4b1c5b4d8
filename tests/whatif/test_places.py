"""Declarations are told by file, line and column."""

from __future__ import annotations

from pathlib import Path

from allocator.whatif.places import places

ROOT = Path(__file__).resolve().parents[2]
CAPPED = ROOT / "scenarios" / "owner-cap-beats-splitting.yaml"

TEXT = """\
snapshot:
  accounts:
    - id: a
      balances: {USDT: {wallet: "1"}}
      positions:
        "v:X/USDT:USDT": {quantity: "0"}
      order_budget: 2
  routes:
    - {id: r, from: a, to: b}
mandate:
  targets:
    - {underlying: X, delta: "1"}
  limits:
    - id: cap
      max: "5"
"""


def test_every_kind_of_declaration_is_found(tmp_path: Path) -> None:
    file = tmp_path / "book.yaml"
    file.write_text(TEXT)
    tell = places(file)
    expected = {
        ("mandate", "limits", "cap"): "14:7",
        ("mandate", "targets", "X"): "12:7",
        ("snapshot", "accounts", "a"): "3:7",
        ("snapshot", "accounts", "a", "balances", "USDT"): "4:18",
        ("snapshot", "accounts", "a", "positions", "v:X/USDT:USDT"): "6:9",
        ("snapshot", "accounts", "a", "order_budget"): "7:7",
        ("snapshot", "routes", "r"): "9:7",
    }
    assert {place: tell(place).removeprefix(f"{file}:") for place in expected} == expected


def test_what_the_file_lacks_is_told_by_its_path(tmp_path: Path) -> None:
    file = tmp_path / "book.yaml"
    file.write_text(TEXT)
    tell = places(file)
    assert tell(("elsewhere", "x")) == "elsewhere.x"
    assert tell(()) == ""
    assert tell(("mandate", "limits", "unknown")) == f"{file}:13:3"


def test_a_half_in_another_file_is_told_with_that_file(tmp_path: Path) -> None:
    (tmp_path / "mandate.yaml").write_text('limits:\n  - id: cap\n    max: "5"\n')
    book = tmp_path / "book.yaml"
    book.write_text("snapshot: {file: gone.yaml}\nmandate: {file: mandate.yaml}\n")
    tell = places(book)
    assert tell(("mandate", "limits", "cap")) == f"{tmp_path / 'mandate.yaml'}:2:5"
    assert tell(("snapshot", "accounts", "a")) == "snapshot.accounts.a"


def test_the_line_of_a_limit_is_where_the_scenario_has_it() -> None:
    lines = CAPPED.read_text().splitlines()
    line = next(n for n, text in enumerate(lines, 1) if "id: btc-owner-cap" in text)
    assert places(CAPPED)(("mandate", "limits", "btc-owner-cap")).startswith(f"{CAPPED}:{line}:")
