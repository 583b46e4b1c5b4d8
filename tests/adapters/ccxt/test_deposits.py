"""Which deposit a withdrawal arrived as, over real SQLite and the loopback exchanges."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocator.adapters.ccxt.deposits import arrived_as
from allocator.adapters.ccxt.dialect import Deposit, Withdrawal
from allocator.adapters.emulator.testing import Emulator
from allocator.adapters.registry import Opened
from allocator.execution.attempts import Attempt, sender
from allocator.execution.database import connect
from allocator.execution.entries import Place
from allocator.execution.journal import Journal
from allocator.execution.leader import next_epoch
from allocator.execution.reservations import Reservation
from allocator.execution.schema import upgrade
from allocator.execution.transitions import State
from allocator.models.config import AddressConfig, Config
from allocator.models.errors import VenueError
from allocator.models.intents import Ack, Found, TransferIntent
from tests.adapters.ccxt.conftest import run_with
from tests.adapters.times import HastyClock, now
from tests.execution.book import recorded, transfer

FIRST, SECOND = "1" * 32, "2" * 32
TXID = "ab" * 32


class Way(NamedTuple):
    """A way from a venue to another."""

    source: str
    target: str
    network: str
    address: str


WAYS = {
    "to binance": Way("bybit-fund", "binance-spot", "TRX", "TBinanceFundOne11111111111111111111"),
    "to bybit": Way("binance-spot", "bybit-fund", "TRX", "TBybitFundOne1111111111111111111111"),
}


@pytest.fixture(params=list(WAYS))
def way(request: pytest.FixtureRequest) -> Way:
    return WAYS[request.param]


@pytest.fixture
def config(both_data: dict[str, Any], way: Way) -> Config:
    route = {"id": "out", "from": way.source, "to": way.target, "asset": "USDT",
             "kind": "onchain", "latency_s": 600}  # fmt: skip
    end = {"network": way.network, "address": way.address}
    return Config.model_validate({**both_data, "routes": [route], "addresses": {"out": end}})


def withdrawal(way: Way, name: str, amount: str = "5000.5") -> TransferIntent:
    return TransferIntent(
        client_id=name, route="out", source=way.source, target=way.target, asset="USDT",
        amount=Decimal(amount),
    )  # fmt: skip


class Desk:
    """A process: a journal of its own over the database that all share, adapters of its own."""

    def __init__(self, journal: Journal, config: Config) -> None:
        self.journal = journal
        self._config = config

    def send(self, way: Way, name: str) -> None:
        """Write a withdrawal down, and send it."""
        seq, sent = int(name[0]), withdrawal(way, name)
        made = recorded(self.journal, transfer(seq, "5000.5"))
        rows = (
            Reservation(way.source, "USDT", sent.amount + 1, "out"),
            Reservation(way.target, "USDT", sent.amount, "in"),
        )
        place = Place(made.plan_hash, seq, 1, 1)
        self.journal.intend(place, sent, Decimal(5), rows, Decimal(50000))

        async def work(opened: Opened) -> None:
            told = await opened.venues[way.source].submit(sent)
            assert isinstance(told, Ack)
            self.journal.outcome(name, told)

        run_with(self._config, work)

    def look(self, *names: str) -> list[Attempt]:
        """Look withdrawals up, and write down what is found."""

        async def all_of(opened: Opened) -> list[Attempt]:
            rows = list[Attempt]()
            for name in names:
                row = self.journal.history.attempt(name)
                assert row is not None
                since = now() - timedelta(minutes=1)
                venue = opened.venues[sender(row.intent)]
                found = await venue.find(row.intent, since, row.venue_id)
                assert isinstance(found, Found), found
                rows.append(self.journal.found(name, found))
            return rows

        made: list[Attempt] = run_with(self._config, all_of)
        return made


@contextmanager
def process(database: Path, config: Config) -> Generator[Desk]:
    """Start a process anew."""
    engine = connect(f"sqlite:///{database}")
    upgrade(engine)
    try:
        lease = next_epoch(engine, "desk", "test", now())
        yield Desk(Journal(engine, lease, HastyClock()), config)
    finally:
        engine.dispose()


def test_a_deposit_settles_one_withdrawal_though_the_process_that_knew_it_has_ended(
    tmp_path: Path, config: Config, way: Way, emulator: Emulator
) -> None:
    """Two equal ones share a transaction; only the first is credited at first."""
    database = tmp_path / "journal.db"
    with process(database, config) as desk:
        desk.send(way, FIRST)
        emulator.admin("POST", "clock", advance_ms=1000)
        desk.send(way, SECOND)
        assert emulator.admin("POST", "together", txid=TXID) == {"withdrawals": 2}
        assert states(desk.look(FIRST, SECOND)) == ["in_transit", "in_transit"]
        emulator.admin("POST", "clock", advance_ms=600)
        assert states(desk.look(FIRST)) == ["settled"]
    with process(database, config) as desk:
        (second,) = desk.look(SECOND)
        assert (second.state, second.filled) == (State.IN_TRANSIT, 0)
    emulator.admin("POST", "clock", advance_ms=1000)
    with process(database, config) as desk:
        (second,) = desk.look(SECOND)
        assert (second.state, second.filled) == (State.SETTLED, Decimal("5000.5"))
        first = desk.journal.history.attempt(FIRST)
        assert first is not None
        assert None not in {first.settled_by, second.settled_by}
        assert first.settled_by != second.settled_by
        first = desk.journal.history.attempt(FIRST)
        assert first is not None
        assert desk.journal.history.verify() == ()


def states(rows: list[Attempt]) -> list[str]:
    return [str(row.state) for row in rows]


END = AddressConfig(network="TRX", address="T1")
SENT = Withdrawal("w1", "USDT", Decimal("21"), "T1", failed=False, txid=TXID, fee=Decimal(1),
                  at=datetime(2026, 11, 20, tzinfo=UTC))  # fmt: skip
ROW = st.builds(
    Deposit,
    amount=st.sampled_from([Decimal(21), Decimal("21.0"), Decimal(22), None]),
    address=st.sampled_from(["", "T1", "t1", "T2"]),
    tag=st.sampled_from(["", "7"]),
    network=st.sampled_from(["", "TRX"]),
)


def named(rows: list[Deposit]) -> tuple[str, ...]:
    intent = withdrawal(WAYS["to bybit"], FIRST, "21")
    try:
        return arrived_as(SENT, rows, END, intent, "bybit", one_venue=False)
    except VenueError:
        return ()


def is_ours(row: Deposit) -> bool:
    return row.amount == 21 and row.address in {"", "T1", "t1"} and not row.tag


@given(st.lists(ROW, max_size=6), st.randoms(use_true_random=False), ROW)
def test_a_deposit_has_one_name_whatever_else_is_credited_and_in_which_order(
    rows: list[Deposit], shuffled: Random, later: Deposit
) -> None:
    names = named(rows)
    assert len(set(names)) == len(names) == sum(map(is_ours, rows))
    assert set(names) <= set(named([*rows, later]))
    other = list(rows)
    shuffled.shuffle(other)
    assert set(named(other)) == set(names)


@given(st.lists(st.integers(1, 4), max_size=6))
def test_a_venues_own_id_names_a_deposit_once_however_often_it_is_listed(ids: list[int]) -> None:
    rows = [Deposit(Decimal(21), venue_id=str(one)) for one in ids]
    assert set(named(rows)) == {f"bybit {one}" for one in ids}
    assert len(named(rows)) == len(set(ids))


def test_deposits_of_two_venues_or_transactions_are_never_called_alike() -> None:
    rows, intent = [Deposit(Decimal(21))], withdrawal(WAYS["to bybit"], FIRST, "21")
    told = {
        arrived_as(replace(SENT, txid=txid), rows, END, intent, venue, one_venue=False)
        for txid in ("1", "2") for venue in ("bybit", "okx")
    }  # fmt: skip
    assert len(told) == 4
