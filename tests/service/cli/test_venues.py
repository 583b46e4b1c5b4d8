"""Accounts from the command line: plain figures for programs, none for what was not read."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest

from allocator.service.cli import venues
from allocator.service.cli.main import run
from allocator.service.remedies import remedy_for
from allocator.whatif.reader import load_scenario

ROOT = Path(__file__).parents[3]
MOVE = ROOT / "scenarios" / "position-move.yaml"
FIGURES = venues.ACCOUNT_COLUMNS[5:]


@pytest.mark.parametrize("output", ["csv", "json"])
def test_programs_read_figures_as_numbers(output: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["accounts", str(MOVE), "-o", output]) == 0
    shown = capsys.readouterr().out
    rows = json.loads(shown) if output == "json" else list(csv.DictReader(io.StringIO(shown)))
    assert [Decimal(row["equity"]) for row in rows] == [80000, 300000]
    assert [Decimal(row["initial_margin"]) for row in rows] == [128000, 0]


def test_people_read_them_in_thousands(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["accounts", str(MOVE)]) == 0
    assert "300,000.00" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["accounts", "gather"])
def test_an_account_that_was_not_read_has_no_figures(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    snapshot = load_scenario(MOVE).snapshot
    lost = snapshot.accounts[0].model_copy(update={"state": "frozen", "balances": {}})
    snapshot = snapshot.model_copy(update={"accounts": (lost, *snapshot.accounts[1:])})
    missing = [SimpleNamespace(account=lost.id, what="no answer")]
    notes = [
        SimpleNamespace(account=snapshot.accounts[1].id, what="DUST: 0.01 USD in coin futures")
    ]
    gathered = SimpleNamespace(snapshot=snapshot, missing=missing, notes=notes)
    monkeypatch.setattr(venues, "_gather", lambda _path: gathered)
    assert run([command, "-c", "config.yaml", "-o", "csv"]) == 5
    shown = capsys.readouterr()
    rows = list(csv.DictReader(io.StringIO(shown.out)))
    assert {rows[0][name] for name in FIGURES} == {""}
    assert rows[1]["equity"] == "300000"
    assert shown.err == (
        f"note: {notes[0].account}: {notes[0].what}\nmissing: {lost.id}: no answer\n"
    )


@pytest.mark.parametrize(
    "said",
    ["-2015: Invalid API-key, IP, or permissions for action.", "10003: API key is invalid."],
)
def test_a_wrong_key_has_the_remedy_of_a_wrong_key(said: str) -> None:
    assert remedy_for(said).startswith("check the key of the login")


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ('50105: Request header "OK-ACCESS-PASSPHRASE" incorrect.', "check the passphrase"),
        ("50111: Invalid OK-ACCESS-KEY.", "check the key of the login"),
        ("50113: Invalid signature.", "check the key and the secret"),
        ("portfolio margin (acctLv 4) is not read by this adapter", "switch the account"),
        ("spot mode (acctLv 1) has no contracts: switch the account's mode", "switch the account"),
    ],
)
def test_what_okx_says_of_a_login_or_a_mode_has_a_remedy(said: str, remedy: str) -> None:
    assert remedy_for(said).startswith(remedy)


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("account mode 2 is not read by this adapter: only classic (1)", "use a classic account"),
        ("a unified account's margin is not read by this adapter", "use a classic account"),
        ("INVALID_KEY: Invalid key provided", "check the key of the login"),
        ("INVALID_SIGNATURE: Signature mismatch", "check the key and the secret"),
        ("40085: You are in Unified Account mode", "use a classic account"),
        (
            "asset mode union is not read by this adapter: only single",
            "switch the account to single",
        ),
        ("40012: apikey/password is incorrect", "check the key, the secret and the passphrase"),
    ],
)
def test_what_gate_and_bitget_say_of_a_login_or_a_mode_has_a_remedy(said: str, remedy: str) -> None:
    assert remedy_for(said).startswith(remedy)
