"""Commands where an account was taken out, or cannot be opened, while a request of it is open."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from allocator.execution.database import connect
from allocator.execution.schema import upgrade
from allocator.execution.transitions import State
from allocator.service.binding import bind
from allocator.service.bootstrap import openable, read_config
from tests.execution.book import START
from tests.execution.test_left_open import A, B, Left
from tests.service.cli.shop import Shop, flat

HALT = ("halt", "--as", "ann", "--reason", "odd")


@pytest.fixture
def left(shop: Shop) -> Left:
    config = read_config(shop.path)
    engine: Engine = connect(config.database)
    upgrade(engine)
    bind(engine, config.installation, START)
    return Left(engine)


def test_a_halt_tells_what_it_could_not_settle_and_what_to_do(shop: Shop, left: Left) -> None:
    status, told = shop.type(*HALT)
    assert status == 7, told
    assert told.startswith("global: halted\n")
    for account, id_ in (("a", A), ("b", B)):
        assert f"not settled: NO_VENUE: account={account};" in flat(told)
        assert f"`allocator resolve {id_}`" in flat(told)
    assert "put it back into the configuration" in flat(told)
    assert left.state(A) is State.ACKED
    assert left.frozen.keys() == {"a", "b"}
    left.desk.engine.dispose()


def test_nothing_is_carried_out_until_a_person_has_ended_it(shop: Shop, left: Left) -> None:
    plan = shop.approved()
    status, told = shop.type("execute", plan)
    assert (status, shop.sent()) == (6, 0), told
    assert f"not settled: NO_VENUE: account=a; it is not opened here, so its order {A}" in flat(
        told
    )
    assert "UNRESOLVED: NO_VENUE: account=a" in flat(told)
    assert A in shop.type("resolve")[1]
    for id_ in (A, B):
        said = ("--to", "cancelled", "--as", "ann", "--evidence", "order page")
        status, told = shop.type("resolve", id_, *said)
        assert (status, f"{id_}: cancelled, 0" in told) == (0, True), told
    assert left.frozen == {}
    assert shop.type(*HALT)[0] == 0
    left.desk.engine.dispose()


def test_an_account_without_its_secret_keeps_a_halt_from_no_other(shop: Shop, left: Left) -> None:
    shop.path.with_name("keys").joinpath("bybit-a.key").unlink()
    config = read_config(shop.path)
    opened, why = openable(config)
    assert why.keys() == {"bybit-a"}
    assert {row.id for row in config.accounts} - {row.id for row in opened.accounts} == {"bybit-a"}
    status, told = shop.type(*HALT)
    assert status == 7, told
    said = "account bybit-a is not opened: NO_SECRET: login bybit-a: no secret can be read at file:"
    assert said in flat(told)
    assert left.frozen.keys() == {"a", "b"}
    left.desk.engine.dispose()
