"""A database's password is seen nowhere: not in what is shown, logged, refused or handed on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from allocator.models.errors import ConfigError, StaleError
from allocator.service.backup import backup
from allocator.service.cli.main import run
from allocator.service.database import database_errors, passwords, shown_url
from allocator.service.telemetry import Redactor
from tests.service.sites import config

PASSWORD = "hunter2secret"
NOWHERE = "127.0.0.1:1/desk"
URLS = (
    f"postgresql://al:{PASSWORD}@{NOWHERE}",
    f"postgresql+psycopg://al:{PASSWORD}@{NOWHERE}",
    f"postgresql://{NOWHERE}?user=al&password={PASSWORD}",
    f"postgresql://al:p%40{PASSWORD}@{NOWHERE}",
    f"postgresql://al:p@{PASSWORD}@{NOWHERE}",
    f"postgresql://al:p@q@{PASSWORD}@{NOWHERE}",
    f"postgresql://al@{NOWHERE}?sslkey=k&sslpassword={PASSWORD}",
)


@pytest.mark.parametrize("url", URLS)
def test_url_is_shown_without_what_is_secret(url: str) -> None:
    assert PASSWORD not in shown_url(url)
    assert NOWHERE in shown_url(url)
    assert any(PASSWORD in word for word in passwords(url))
    assert PASSWORD not in Redactor().text(f"cannot reach {url} now")


@pytest.mark.parametrize(
    "url", ["sqlite:///var/a.db", "sqlite:////x/a@b.db?timeout=3", "postgresql://al@db/desk"]
)
def test_url_without_a_secret_is_shown_as_it_is_written(url: str) -> None:
    assert (shown_url(url), passwords(url)) == (url, ())


def written(folder: Path, url: str, *, books: bool = False, apart: bool = True) -> Path:
    data = config(folder).model_dump(mode="json", by_alias=True, exclude_none=True)
    data["database"] = url
    if books:
        del data["mandate"], data["database"]
        data["service"].update(schedules=[], triggers=[])
        data["books"] = [
            {"id": name, "accounts": [name], "database": f"{url}{end}"}
            for name, end in (("a", "-a"), ("b", "-b" if apart else "-a"))
        ]
    path = folder / "config.yaml"
    path.write_text(json.dumps(data))
    return path


@pytest.mark.parametrize("url", URLS)
def test_shown_configuration_has_no_password_of_a_database(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["config", "show", "-c", str(written(tmp_path, url))]) == 0
    assert PASSWORD not in capsys.readouterr().out


def test_shown_configuration_has_no_password_of_a_books_database(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["config", "show", "-c", str(written(tmp_path, URLS[0], books=True))]) == 0
    shown = capsys.readouterr().out
    assert PASSWORD not in shown
    assert [row["database"][-6:] for row in json.loads(shown)["books"]] == ["desk-a", "desk-b"]


def test_database_that_two_books_share_is_named_without_its_password(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, URLS[0], books=True, apart=False)
    assert run(["validate", "--as", "config", str(path)]) == 2
    told = capsys.readouterr()
    assert f"{NOWHERE}-a is given twice" in told.out + told.err
    assert PASSWORD not in told.out + told.err


@pytest.mark.parametrize("url", [URLS[1], URLS[2], URLS[4]])
@pytest.mark.parametrize("words", [["run"], ["doctor"], ["history", "verify"], ["token", "list"]])
def test_no_command_tells_the_password_of_a_database_that_it_cannot_reach(
    url: str, words: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("psycopg")
    path = str(written(tmp_path, url))
    asked = ["history", "-c", path, *words[1:]] if words[0] == "history" else [*words, "-c", path]
    assert run(asked) != 0
    told = capfd.readouterr()
    assert PASSWORD not in told.out + told.err
    assert "database" in told.out + told.err


def test_password_with_an_at_sign_is_refused_with_its_remedy() -> None:
    with pytest.raises(ConfigError, match="written %40"), database_errors(URLS[4]):
        pass


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pg_dump that writes down what it was given, and fails with all of it."""
    told, made = tmp_path / "told", tmp_path / "pg_dump"
    made.write_text(
        f'#!/bin/sh\necho "$*" > {told}\necho "$PGPASSWORD" >> {told}\n'
        'echo "no such password: $PGPASSWORD" >&2\nexit 1\n'
    )
    made.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return told


@pytest.mark.parametrize("url", URLS[:4])
def test_password_goes_to_the_tool_by_the_environment_alone(
    url: str, tool: Path, tmp_path: Path
) -> None:
    with pytest.raises(StaleError, match="pg_dump") as caught:
        backup(url, tmp_path / "a.backup")
    assert PASSWORD not in str(caught.value)
    arguments, password = tool.read_text().splitlines()
    assert "***" not in arguments
    assert PASSWORD not in arguments
    assert password in (PASSWORD, f"p@{PASSWORD}")


def test_secret_that_a_tool_takes_by_arguments_alone_is_refused(tool: Path, tmp_path: Path) -> None:
    with pytest.raises(StaleError, match="sslpassword"):
        backup(URLS[-1], tmp_path / "a.backup")
    assert not tool.exists()
