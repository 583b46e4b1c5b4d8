from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from sqlalchemy import text

from allocator.execution.database import connect
from allocator.execution.history import History
from allocator.service.cli.main import run
from allocator.service.http.tokens import Tokens
from allocator.service.snapshots import GATHERED, Snapshots
from tests.execution.book import START
from tests.service.sites import CANARY, config, snapshot

HOLDS = "WHERE status = 'published'"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A configuration file whose keys are a canary."""
    data = config(tmp_path).model_dump(mode="json", by_alias=True, exclude_none=True)
    data["database"] = f"sqlite:///{tmp_path / 'journal.db'}"
    out = tmp_path / "config.yaml"
    out.write_text(json.dumps(data))
    return out


def test_init_writes_a_configuration_that_is_good_and_sends_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "desk"
    assert run(["init", str(folder)]) == 0
    assert run(["validate", "--as", "config", str(folder / "config.yaml")]) == 0
    assert "\nmode: dry" in (folder / "config.yaml").read_text()
    assert (folder / "config.yaml").stat().st_mode & 0o777 == 0o600
    assert run(["init", str(folder)]) == 2
    assert "not overwritten" in capsys.readouterr().err


def test_shown_configuration_has_references_and_no_secret(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = path.read_text().replace("sqlite:///", "postgresql://allocator:hunter22@db/x?y=")
    path.write_text(text)
    assert run(["config", "show", "-c", str(path)]) == 0
    shown = capsys.readouterr().out
    assert json.loads(shown)["logins"]["x"]["key"].startswith("file:")
    assert CANARY not in shown
    assert "hunter22" not in shown


def test_token_is_printed_once_listed_without_itself_and_revoked(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["token", "make", "alice", "-s", "read", "-s", "approve", "-c", str(path)]) == 0
    token = capsys.readouterr().out.strip()
    assert re.fullmatch(r"alc_[\w-]{43}", token)
    assert run(["token", "list", "-c", str(path), "-o", "json"]) == 0
    listed = capsys.readouterr().out
    assert json.loads(listed)[0]["scopes"] == "approve read"
    assert token not in listed
    assert run(["token", "make", "alice", "-s", "read", "-c", str(path)]) == 6
    assert run(["token", "make", "bob", "-s", "root", "-c", str(path)]) == 2
    assert run(["token", "revoke", "alice", "-c", str(path)]) == 0
    engine = connect(f"sqlite:///{path.parent / 'journal.db'}")
    assert Tokens(engine, "desk").find(token, START) is None
    told = [(row.subject, row.what, row.facts) for row in History(engine).events()]
    assert told[1:] == [
        ("token:alice", "made", {"scopes": "approve read", "expires_at": None}),
        ("token:alice", "revoked", {}),
    ]
    engine.dispose()


def test_mandate_is_drafted_published_and_listed(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    mandate = tmp_path / "mandate.yaml"
    mandate.write_text("targets: []\n")
    monkeypatch.setenv("LOGNAME", "alice")
    assert run(["config", "draft", str(mandate), "--note", "less", "-c", str(path)]) == 0
    assert run(["config", "publish", "1", "-c", str(path)]) == 6
    monkeypatch.setenv("LOGNAME", "bob")
    assert run(["config", "publish", "1", "-c", str(path)]) == 0
    capsys.readouterr()
    assert run(["config", "versions", "-c", str(path), "-o", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["status"], row["author"], row["published_by"]) == ("published", "alice", "bob")


def test_command_publishes_another_in_the_place_of_what_cannot_be_read(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    mandate = tmp_path / "mandate.yaml"
    for version, delta in (("1", "1"), ("2", "2")):
        target = f'{{underlying: BTC, delta: "{delta}", unit: base, band: "1"}}'
        mandate.write_text(f"targets: [{target}]\n")
        monkeypatch.setenv("LOGNAME", "alice")
        assert run(["config", "draft", str(mandate), "-c", str(path)]) == 0
        monkeypatch.setenv("LOGNAME", "bob")
        capsys.readouterr()
        assert run(["config", "publish", version, "-c", str(path)]) == 0
        engine = connect(f"sqlite:///{path.parent / 'journal.db'}")
        with engine.begin() as connection:
            connection.execute(text(f"UPDATE mandate_version SET mandate_json = '{{' {HOLDS}"))
        engine.dispose()
    told = capsys.readouterr()
    assert "what held cannot be read: UNREADABLE: mandate version 1" in told.err
    assert "published 2" in told.out
    assert run(["config", "versions", "-c", str(path)]) == 0


def test_mandate_that_does_not_fit_the_book_is_refused_by_the_commands(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    mandate = tmp_path / "mandate.yaml"
    mandate.write_text('targets: [{underlying: DOGE, delta: "1", unit: base, band: "1"}]\n')
    monkeypatch.setenv("LOGNAME", "alice")
    assert run(["config", "draft", str(mandate), "-c", str(path)]) == 0
    assert "nothing was gathered yet" in capsys.readouterr().err
    engine = connect(f"sqlite:///{path.parent / 'journal.db'}")
    Snapshots(engine, "desk").keep(snapshot(), GATHERED)
    engine.dispose()
    assert run(["config", "draft", str(mandate), "-c", str(path)]) == 2
    monkeypatch.setenv("LOGNAME", "bob")
    assert run(["config", "publish", "1", "-c", str(path)]) == 2
    assert "mandate.targets[0].underlying: unknown underlying 'DOGE'" in capsys.readouterr().err


def test_alerts_test_says_when_nobody_would_be_told(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["alerts", "test", "-c", str(path)]) == 2
    assert "nobody would be told" in capsys.readouterr().err


def test_live_service_wants_to_hear_it_twice(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path.write_text(path.read_text().replace('"mode": "loopback"', '"mode": "live"'))
    assert run(["run", "-c", str(path)]) == 6
    assert "NOT_LIVE" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["token", "list"], ["run"], ["db", "upgrade"]])
@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"0 * * * *"', '"61 * * * *"', "cron '61 * * * *': minute: '61' is beyond 0 to 59"),
        ("sqlite:///", "my desk ", "database: not the URL of a database; sqlite:///FILE or "),
    ],
)
def test_a_value_that_cannot_be_is_told_before_anything_is_opened(
    path: Path, capsys: pytest.CaptureFixture[str], command: list[str], old: str, new: str,
    told: str,
) -> None:  # fmt: skip
    shown = path.read_text()
    assert old in shown
    path.write_text(shown.replace(old, new))
    assert run([*command, "-c", str(path)]) == 2
    assert told in capsys.readouterr().err
    assert not (path.parent / "journal.db").exists()


def test_a_secret_that_the_environment_lacks_is_told_as_such(
    path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text(path.read_text().replace(f"file:{path.parent}/key", "env:NO_SUCH_KEY"))
    assert run(["run", "-c", str(path)]) == 2
    told = capsys.readouterr().err.splitlines()
    assert [row.partition(":")[0] for row in told] == ["NO_SECRET", "NO_SECRET"]
    assert "login x: no secret can be read at env:NO_SUCH_KEY: it is not set: set it" in told[0]
    assert told[0].endswith("or mend logins.x.secret")
    monkeypatch.setenv("NO_SUCH_KEY", "")
    assert run(["run", "-c", str(path)]) == 2
    assert "the secret at env:NO_SUCH_KEY is empty" in capsys.readouterr().err


def test_live_service_that_would_tell_nobody_says_so(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = json.loads(path.read_text())
    data["mode"], data["accounts"][0]["live"] = "live", True
    for login in data["logins"].values():
        # Where no account at all could be read, nothing starts.
        login["key"] = "env:NOWHERE_AT_ALL"
    path.write_text(json.dumps(data))
    assert run(["run", "--live", "-c", str(path)]) != 0
    assert "WARNING: mode live, but no address is configured" in capsys.readouterr().err
