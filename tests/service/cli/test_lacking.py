"""A service and its commands where the secrets of one account cannot be read."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from allocator.models.config import Config
from allocator.service.bootstrap import open_database, read_config
from allocator.service.cli.service import _tell_lacking
from allocator.service.doctor import examine
from allocator.service.run import Service
from allocator.service.telemetry import HIDDEN, Redactor
from tests.service.cli.shop import Shop, flat


@pytest.fixture
def key(shop: Shop) -> Path:
    """Take the key of an account away; tell where it stood."""
    path = shop.path.with_name("keys").joinpath("bybit-a.key")
    path.rename(path.with_suffix(".away"))
    return path


def put_back(key: Path) -> None:
    key.with_suffix(".away").rename(key)


async def until(true: Callable[[], bool]) -> None:
    while not true():
        await asyncio.sleep(0.02)


def serving(shop: Shop) -> Config:
    shop.set(service={"poll_s": "0.05", "retry_s": "0.05"})
    return read_config(shop.path)


def test_a_leader_serves_all_others_and_reads_it_once_it_is_there(
    shop: Shop, key: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = serving(shop)
    secret, engine = key.with_suffix(".away").read_text().strip(), open_database(config)
    redactor = Redactor()
    service = Service(config, engine, redactor=redactor)
    live, topics = service.live, list[str]()

    def alerted() -> list[str]:
        topics[:] = [row.topic for row in service.office.history.alerts()]
        return topics

    async def go() -> None:
        leading = asyncio.create_task(service.run())
        await until(lambda: live.marks is not None)
        assert live.missing.keys() == {"bybit-a"}
        assert "NO_SECRET: login bybit-a: no secret can be read at" in live.missing["bybit-a"]
        assert live.snapshot is not None
        assert {row.id for row in live.snapshot.accounts if row.unread} == {"bybit-a"}
        await until(lambda: "accounts_unread" in alerted())
        put_back(key)
        await until(lambda: not live.missing)
        await until(lambda: live.marks is not None and live.marks.whole)
        service.stop()
        await leading

    asyncio.run(asyncio.wait_for(go(), 60))
    assert not [row for row in caplog.records if row.levelno >= logging.ERROR]
    assert redactor.text(f"key {secret}") == f"key {HIDDEN}"
    engine.dispose()


def test_a_start_tells_each_secret_that_cannot_be_read_and_refuses_none_at_all(
    shop: Shop, key: Path
) -> None:
    config = read_config(shop.path)
    shop.capsys.readouterr()
    _tell_lacking(config)
    told = shop.capsys.readouterr().err
    assert told.startswith("WARNING: NO_SECRET: login bybit-a: no secret can be read at file:")
    assert f"{key}: No such file or directory: put it there, or mend logins.bybit-a.key" in told
    assert told.endswith("; until then bybit-a: not read, and frozen\n")
    for row in key.parent.iterdir():
        row.unlink()
    status, told = shop.type("run", "--no-serve")
    assert status == 2, told
    assert told.count("NO_SECRET: login ") == len(config.logins)


def test_a_plan_of_the_others_is_held_to_what_a_book_not_read_whole_may(
    shop: Shop, key: Path
) -> None:
    """As where a venue does not answer: what increases waits, whatever account it is of."""
    plan = shop.approved()
    status, told = shop.type("execute", plan)
    assert status == 6, told
    assert "account bybit-a is not read, and stands frozen: NO_SECRET: login" in flat(told)
    assert "MISSING_ACCOUNTS: control=DAT-02 of=bybit-a" in flat(told)
    assert "only plans that reduce go until it is" in flat(told)
    put_back(key)
    assert shop.type("execute", shop.approved())[0] == 0


def test_a_plan_of_its_own_is_refused_and_can_be_carried_out_later(shop: Shop) -> None:
    plan = shop.approved()
    key = shop.path.with_name("keys").joinpath("bybit-a.key")
    key.rename(key.with_suffix(".away"))
    before = shop.sent()
    status, told = shop.type("execute", plan)
    assert (status, shop.sent()) == (6, before), told
    assert "NO_SECRET: login bybit-a: no secret can be read at" in flat(told)
    put_back(key)
    assert shop.type("execute", plan)[0] == 0


def test_the_doctor_names_it_and_goes_on_to_the_others(shop: Shop, key: Path) -> None:
    del key
    rows = {row.check: row for row in examine(read_config(shop.path))}
    assert rows["key of bybit-a"].state == "wrong"
    assert rows["key of bybit-a"].remedy == "put it there, or mend logins.bybit-a.key"
    assert rows["account bybit-a"].state == "wrong"
    assert "put what its login signs with" in rows["account bybit-a"].remedy
    assert rows["account bybit-b"].state == "ok"
    assert "rights of bybit-a" not in rows
    assert "rights of bybit-b" in rows
