"""The look-up of a database's host: bounded, one thread a name, and the driver's own afterwards."""

from __future__ import annotations

import socket
from threading import Event, Thread
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from allocator.service import lookup
from allocator.service.lookup import Lookups, patient_connect

SHORT_S, PATIENCE_S = 0.05, 60


class Resolver:
    """A system's resolver that answers once it is let."""

    def __init__(self) -> None:
        self.answers, self.asked = Event(), list[str]()

    def __call__(self, name: str) -> tuple[str, ...]:
        self.asked.append(name)
        self.answers.wait()
        if name == "nowhere.test":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return ("127.0.0.1",)


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    made = Resolver()
    monkeypatch.setattr(lookup, "LOOKUPS", Lookups(made))
    return made


def engine_of(host: str, /, **query: str | tuple[str, ...]) -> Any:
    return patient_connect(
        make_url(f"postgresql://somebody@{host}/x")
        .update_query_dict({"connect_timeout": str(PATIENCE_S), **query})
        .render_as_string(hide_password=False)
    )


def told(engine: Any) -> str:
    with pytest.raises(OperationalError) as error, engine.connect():
        pass
    engine.dispose()
    return str(error.value.orig)


def test_look_ups_that_hang_cost_one_thread_and_nobody_waits_for_the_second() -> None:
    resolver = Resolver()
    lookups = Lookups(resolver)
    for _ in range(3):
        with pytest.raises(TimeoutError, match=r"the look-up hangs since \d+ s"):
            lookups.addresses("database.test", SHORT_S)
    assert resolver.asked == ["database.test"]
    resolver.answers.set()
    assert lookups.addresses("database.test", PATIENCE_S) == ("127.0.0.1",)
    assert lookups.addresses("database.test", PATIENCE_S) == ("127.0.0.1",)
    assert len(resolver.asked) >= 2, "what is found is not kept: a name may move"


def test_all_who_wait_for_a_name_are_answered_by_one_look_up() -> None:
    resolver, found = Resolver(), list[tuple[str, ...]]()
    lookups = Lookups(resolver)
    waiting = [
        Thread(target=lambda: found.append(lookups.addresses("database.test", PATIENCE_S)))
        for _ in range(5)
    ]
    for row in waiting:
        row.start()
    resolver.answers.set()
    for row in waiting:
        row.join()
    assert found == [("127.0.0.1",)] * 5


def test_name_that_is_not_known_is_told_as_the_driver_does(resolver: Resolver) -> None:
    resolver.answers.set()
    assert told(engine_of("nowhere.test")) == (
        "failed to resolve host 'nowhere.test': [Errno -2] Name or service not known"
    )


def test_name_that_cannot_be_one_is_told_as_well() -> None:
    assert "label" in told(engine_of(f"{'x' * 70}.test"))


def test_connection_whose_look_up_hangs_fails_within_its_time(resolver: Resolver) -> None:
    assert "failed to resolve host 'database.test': the look-up hangs" in told(
        engine_of("database.test", connect_timeout="1")
    )
    resolver.answers.set()


@pytest.mark.parametrize("host", ["", "127.0.0.1", "[::1]"])
def test_what_is_no_name_is_not_looked_up(resolver: Resolver, host: str) -> None:
    folder = {} if host else {"host": "/nowhere"}
    assert "connection" in told(engine_of(f"{host}:1" if host else "", **folder))
    assert resolver.asked == []


def test_every_host_of_an_address_is_tried_with_its_own_port(resolver: Resolver) -> None:
    resolver.answers.set()
    words = told(engine_of("", host=("one.test:1", "two.test:2", "nowhere.test:3")))
    assert "'one.test', port: '1', hostaddr: '127.0.0.1'" in words
    assert "'two.test', port: '2', hostaddr: '127.0.0.1'" in words
    assert resolver.asked == ["one.test", "two.test", "nowhere.test"]


def test_servers_own_socket_is_reached_as_before(postgres_url: str) -> None:
    engine = patient_connect(postgres_url)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT 1")).scalar() == 1
    engine.dispose()
