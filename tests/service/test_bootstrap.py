"""What a clean core without the exchange client says."""

from __future__ import annotations

from pathlib import Path

import pytest

from allocator.models.errors import ConfigError
from allocator.service import bootstrap
from allocator.service.cli.main import run
from allocator.service.live import new_holder


def test_missing_exchange_client_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'allocator\[exchanges\]'"):
        bootstrap.need_exchanges()


def test_installed_exchange_client_is_found() -> None:
    bootstrap.need_exchanges()


@pytest.mark.parametrize("command", [["run", "-c", "config.yaml"], ["demo", "--serve"]])
def test_missing_parts_of_the_service_are_named_with_their_remedy(
    command: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["init", "."]) == 0
    monkeypatch.setattr(bootstrap, "find_spec", lambda name: None)
    assert run(command) == 2
    assert "pip install 'allocator[exchanges,service]'" in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["config.yaml"]


def test_installed_service_is_found() -> None:
    bootstrap.need_service()


def test_record_is_the_same_wherever_a_command_is_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    desk, elsewhere = tmp_path / "desk", tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert run(["init", str(desk)]) == 0
    monkeypatch.chdir(desk)
    assert run(["token", "make", "alice", "-s", "read", "-c", "config.yaml"]) == 0
    monkeypatch.chdir(elsewhere)
    assert run(["token", "make", "alice", "-s", "read", "-c", str(desk / "config.yaml")]) == 6
    assert "alice" in capsys.readouterr().err
    assert (desk / "var" / "allocator.db").exists()
    assert list(elsewhere.iterdir()) == []
    url = "postgresql://allocator@db/allocator"
    config = bootstrap.read_config(desk / "config.yaml").model_copy(update={"database": url})
    assert bootstrap.anchored(config, elsewhere).database == url


def test_two_instances_of_one_host_and_process_number_are_two() -> None:
    assert new_holder() != new_holder()
