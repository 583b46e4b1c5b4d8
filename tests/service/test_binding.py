"""One database, one installation: however the other one came by it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from sqlalchemy import Engine

from allocator.execution.history import History
from allocator.models.errors import RefusedError
from allocator.models.mandate import Mandate
from allocator.service.binding import bind, bound_to
from allocator.service.bootstrap import open_database, open_desk
from allocator.service.cli.main import run
from allocator.service.mandates import Mandates
from tests.execution.book import START
from tests.service.sites import MANDATE, config


def test_a_database_is_bound_at_its_first_use_and_keeps_its_name(engine: Engine) -> None:
    assert bound_to(engine) is None
    bind(engine, "desk", START)
    bind(engine, "desk", START)
    with pytest.raises(RefusedError, match=r"belongs to installation=desk, not to copy"):
        bind(engine, "copy", START)
    assert bound_to(engine) == "desk"
    told = [(row.subject, row.what) for row in History(engine).events()]
    assert told == [("installation:desk", "bound")]
    assert History(engine).verify(private=True) == ()


def used(engine: Engine, *names: str) -> None:
    """Let installations publish mandates in one database, as releases before 0006 did."""
    for number, name in enumerate(names):
        mandate = Mandate.model_validate({**MANDATE, "targets": MANDATE["targets"][:number]})
        Mandates(engine, name).from_config(mandate, START)


def test_whoever_has_a_mandate_of_its_own_is_not_told_to_bear_the_others_name(
    engine: Engine,
) -> None:
    used(engine, "desk", "other")
    bind(engine, "other", START, chosen=True)
    with pytest.raises(RefusedError, match="give desk a database of its own") as caught:
        bind(engine, "desk", START)
    assert "write `installation" not in str(caught.value)
    with pytest.raises(RefusedError, match="write `installation: other` in the configuration"):
        bind(engine, "renamed", START)


def test_a_database_that_several_have_used_is_nobodys_until_somebody_says_whose(
    engine: Engine,
) -> None:
    used(engine, "desk", "other")
    for name in ("desk", "other", "third"):
        with pytest.raises(RefusedError, match=r"SEVERAL_INSTALLATIONS: .* desk and other"):
            bind(engine, name, START)
    assert bound_to(engine) is None
    bind(engine, "desk", START, chosen=True)
    bind(engine, "desk", START)
    with pytest.raises(RefusedError, match="OTHER_INSTALLATION"):
        bind(engine, "other", START, chosen=True)


def test_neither_a_service_nor_a_desk_opens_under_another_name(tmp_path: Path) -> None:
    first = config(tmp_path)
    other = first.model_copy(update={"installation": "desk-renamed"})
    open_database(first).dispose()
    with pytest.raises(RefusedError, match="OTHER_INSTALLATION"):
        open_database(other)

    async def opened() -> None:
        async with open_desk(other, other.installation):
            pass

    with pytest.raises(RefusedError, match="OTHER_INSTALLATION"):
        asyncio.run(opened())


def test_commands_under_another_name_are_refused_and_reading_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = config(tmp_path).model_dump(mode="json", by_alias=True, exclude_none=True)
    paths = list[str]()
    for name in ("desk", "copy"):
        path = tmp_path / f"{name}.yaml"
        path.write_text(json.dumps(data | {"installation": name}))
        paths.append(str(path))
    mine, other = paths
    halt = ["halt", "account:a", "--as", "ann", "--reason", "odd", "-c"]
    (tmp_path / "mandate.yaml").write_text("targets: []\n")
    assert run(["config", "draft", str(tmp_path / "mandate.yaml"), "-c", mine]) == 0
    capsys.readouterr()
    assert run([*halt, other]) == 6
    told = capsys.readouterr().err
    assert "journal.db belongs to installation=desk, not to copy" in told
    assert "write `installation: desk` in the configuration" in told
    assert run(["db", "keep", "-c", other]) == 6
    assert run(["db", "keep", "-c", mine]) == 0
    assert run(["config", "versions", "-c", other]) == 6
    assert run(["token", "make", "eve", "-s", "read", "-c", other]) == 6
    assert run(["history", "-c", other, "verify"]) == 0
    assert run(["db", "backup", str(tmp_path / "copy.db"), "-c", other]) == 0
