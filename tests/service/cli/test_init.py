"""A desk begins from what its accounts hold; nothing is sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from allocator.service import demo, loopback
from allocator.service.cli.main import run
from allocator.whatif.reader import load_mandate, load_snapshot


@pytest.fixture
def exchanges(tmp_path: Path) -> Iterator[loopback.Exchanges]:
    """The demo's exchanges, and its configuration in the folder."""
    demo.prepare(tmp_path)
    started = loopback.start(tmp_path / "exchange")
    demo.configuration(tmp_path / "config.yaml", started.url)
    yield started
    loopback.stop(started)


def test_accounts_become_a_snapshot_and_a_mandate_that_keeps_them(
    tmp_path: Path, exchanges: loopback.Exchanges, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["init", str(tmp_path), "--from-accounts"]) == 0
    written = [Path(line) for line in capsys.readouterr().out.split()]
    assert [path.name for path in written] == ["snapshot.json", "mandate.yaml"]
    snapshot, mandate = load_snapshot(written[0]), load_mandate(written[1])
    assert len(snapshot.accounts) == 8
    assert all(account.balances for account in snapshot.accounts)
    assert mandate.targets_default == "hold"
    given = ["--snapshot", str(written[0]), "--mandate", str(written[1])]
    assert run(["plan", *given, "-o", "json"]) in (0, 4)
    plan = json.loads(capsys.readouterr().out)
    assert [row["kind"] for row in plan["actions"] if row["kind"] == "order"] == []
    for path in written:
        before = path.read_text()
        assert run(["init", str(tmp_path), "--from-accounts"]) == 2
        assert "not overwritten" in capsys.readouterr().err
        assert path.read_text() == before
    done = exchanges.ask("state")
    assert (done["order"], done["transfer"], done["withdrawal"]) == ([], [], [])


def test_account_that_cannot_be_read_is_told(
    tmp_path: Path, exchanges: loopback.Exchanges, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exchanges.url
    (tmp_path / "keys" / "bybit-a.key").write_text("not-a-key")
    assert run(["init", str(tmp_path), "--from-accounts"]) == 5
    told = capsys.readouterr()
    assert "missing: bybit-a: " in told.err
    assert not (tmp_path / "snapshot.json").exists()
