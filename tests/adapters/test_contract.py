"""The numbered cases that every venue behind the ports passes, paper and real client alike."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from allocator.adapters.emulator.testing import Emulator, running_emulator
from allocator.adapters.paper import Fault, open_paper
from allocator.adapters.registry import open_venues
from allocator.models.config import Config
from allocator.models.errors import VenueError
from allocator.models.intents import (
    AbsentNow,
    Ack,
    Found,
    OrderIntent,
    Rejected,
    TransferIntent,
    Unknown,
    Unsure,
)
from allocator.models.snapshot import Snapshot
from allocator.ports import Venue

Venues = Mapping[str, Venue]
Work = Callable[[Venues], Awaitable[None]]
ID = "0123456789abcdef0123456789abcdef"


class RealClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@dataclass(frozen=True)
class Subject:
    """A venue under test, the words for what is asked of it, and how to disturb it."""

    run: Callable[[Work], None]
    lose: Callable[[str, str], None]
    effects: Callable[[], int]
    instrument: str
    quantity: str
    source: str
    target: str

    def order(self, **changes: Any) -> OrderIntent:
        data = {
            "client_id": ID,
            "account": self.source,
            "instrument": self.instrument,
            "side": "buy",
            "quantity": self.quantity,
            "limit_price": "64100",
        }
        return OrderIntent.model_validate({**data, **changes})

    def resting(self, **changes: Any) -> OrderIntent:
        return self.order(limit_price="63000", style="post_only", **changes)

    def transfer(self, amount: str = "100.5") -> TransferIntent:
        return TransferIntent(
            client_id=ID,
            route="r",
            source=self.source,
            target=self.target,
            asset="USDT",
            amount=Decimal(amount),
        )


def ago(seconds: float = 5) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


PAPER = {
    "as_of": "2026-11-20T08:00:00Z",
    "assets": {"USDT": {"price": 1}},
    "instruments": [
        {
            "id": "x:BTC/USDT:USDT",
            "kind": "perpetual",
            "settle": "USDT",
            "underlying": "BTC",
            "contract_size": 1,
            "lot": "0.001",
            "tick": "0.1",
            "bid": "63999",
            "ask": "64001",
            "mark": "64000",
            "funding": {"interval_h": 8},
        }
    ],
    "accounts": [
        {
            "id": name,
            "venue": "x",
            "owner": "o",
            "fees": {"taker": "0.0005"},
            "balances": {"USDT": {"wallet": 100000, "withdrawable": 90000}},
            "positions": {"x:BTC/USDT:USDT": {"quantity": 0, "leverage": 10}},
        }
        for name in ("a", "b")
    ],
    "routes": [{"id": "r", "from": "a", "to": "b", "asset": "USDT"}],
}


def paper(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> Subject:
    exchange, _, venues = open_paper(Snapshot.model_validate(PAPER), RealClock())

    def lose(call: str, how: str) -> None:
        asked = "error" if call in ("find", "read") else f"lost_{how}"
        exchange.faults.add(Fault(call, asked))  # type: ignore[arg-type]

    return Subject(
        lambda work: asyncio.run(_awaited(work, venues)),
        lose,
        exchange.effects.total,
        "x:BTC/USDT:USDT",
        "0.003",
        "a",
        "b",
    )


async def _awaited(work: Work, venues: Venues) -> None:
    await work(venues)


def _login(venue: str, name: str, member: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    prefix = f"{venue}_{name}".upper()
    monkeypatch.setenv(f"{prefix}_KEY", f"{venue}-{name}-key")
    monkeypatch.setenv(f"{prefix}_SECRET", f"{venue}-{name}-secret")
    if venue == "okx":
        monkeypatch.setenv(f"{prefix}_PASSPHRASE", f"{venue}-{name}-passphrase")
    return {
        "venue": venue,
        "key": f"env:{prefix}_KEY",
        "secret": f"env:{prefix}_SECRET",
        "passphrase": f"env:{prefix}_PASSPHRASE" if venue == "okx" else None,
        "member": member,
    }


def _emulated(
    emulator: Emulator, data: dict[str, Any], paths: dict[str, str], words: dict[str, str]
) -> Subject:
    config = Config.model_validate({"mode": "loopback", "loopback_url": emulator.base_url, **data})

    def run(work: Work) -> None:
        async def whole() -> None:
            opened = open_venues(config, RealClock())
            try:
                await opened.venues[words["source"]].server_time()
                await work(opened.venues)
            finally:
                await opened.close()

        asyncio.run(whole())

    def lose(call: str, how: str) -> None:
        """Twice for a read, because aiohttp itself repeats a GET whose connection broke."""
        times = 2 if call in ("find", "read") else 1
        emulator.fault({"kind": f"drop_{how}", "path": paths[call], "times": times})

    def effects() -> int:
        rows: Any = emulator.admin("GET", "effects")
        return sum(row["count"] for row in [*rows["orders"], *rows["transfers"]])

    return Subject(run, lose, effects, **words)


def bybit(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> Subject:
    emulator = stack.enter_context(running_emulator())
    instruments = ["BTC/USDT:USDT"]
    data = {
        "logins": {
            "main": _login("bybit", "main", "10000001", monkeypatch),
            "a": {**_login("bybit", "a", "10000002", monkeypatch), "master": "main"},
        },
        "accounts": [
            {"id": name, "login": name, "wallet": "unified", "owner": "o",
             "instruments": instruments}
            for name in ("main", "a")
        ],
    }  # fmt: skip
    paths = {
        "order": "/v5/order/create",
        "transfer": "/v5/asset/transfer/universal-transfer",
        "find": "/v5/order/realtime",
        "read": "/v5/position/list",
    }
    words = {
        "instrument": "bybit:BTC/USDT:USDT",
        "quantity": "0.003",
        "source": "main",
        "target": "a",
    }
    return _emulated(emulator, data, paths, words)


def binance(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> Subject:
    emulator = stack.enter_context(running_emulator())
    data = {
        "logins": {"main": _login("binance", "main", "main@x.example", monkeypatch)},
        "accounts": [
            {"id": "usdm", "login": "main", "wallet": "usdm", "owner": "o",
             "instruments": ["BTC/USDT:USDT"]},
            {"id": "spot", "login": "main", "wallet": "spot", "owner": "o",
             "instruments": ["BTC/USDT"]},
        ],
    }  # fmt: skip
    paths = {
        "order": "/fapi/v1/order",
        "transfer": "/sapi/v1/asset/transfer",
        "find": "/fapi/v1/order",
        "read": "/fapi/v3/positionRisk",
    }
    words = {
        "instrument": "binance:BTC/USDT:USDT",
        "quantity": "0.003",
        "source": "usdm",
        "target": "spot",
    }
    return _emulated(emulator, data, paths, words)


def deribit(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> Subject:
    emulator = stack.enter_context(running_emulator())
    data = {
        "logins": {
            "main": _login("deribit", "main", "5001", monkeypatch),
            "a": {**_login("deribit", "a", "5002", monkeypatch), "master": "main"},
        },
        "accounts": [
            {"id": name, "login": name, "wallet": "unified", "owner": "o",
             "instruments": ["BTC/USDC:USDC"]}
            for name in ("main", "a")
        ],
    }  # fmt: skip
    paths = {
        "order": "/api/v2/private/buy",
        "transfer": "/api/v2/private/submit_transfer_between_subaccounts",
        "find": "/api/v2/private/get_order_state_by_label",
        "read": "/api/v2/private/get_positions",
    }
    words = {
        "instrument": "deribit:BTC/USDC:USDC",
        "quantity": "3",
        "source": "main",
        "target": "a",
    }
    return _emulated(emulator, data, paths, words)


def okx(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> Subject:
    emulator = stack.enter_context(running_emulator())
    data = {
        "logins": {
            "main": _login("okx", "main", "okxmain", monkeypatch),
            "a": {**_login("okx", "a", "okxa", monkeypatch), "master": "main"},
        },
        "accounts": [
            {"id": name, "login": name, "wallet": "unified", "owner": "o",
             "instruments": ["BTC/USDT:USDT"]}
            for name in ("main", "a")
        ],
    }  # fmt: skip
    paths = {
        "order": "/api/v5/trade/order",
        "transfer": "/api/v5/asset/transfer",
        "find": "/api/v5/trade/order",
        "read": "/api/v5/account/positions",
    }
    words = {
        "instrument": "okx:BTC/USDT:USDT",
        "quantity": "0.03",
        "source": "main",
        "target": "a",
    }
    return _emulated(emulator, data, paths, words)


SUBJECTS = [paper, bybit, binance, deribit, okx]
PROOFS = {
    "paper": "paper",
    "bybit": "loopback",
    "binance": "loopback",
    "deribit": "loopback",
    "okx": "loopback",
}
"""Against what the cases are run: docs/contract.md says it of each venue."""


@pytest.fixture(params=SUBJECTS, ids=[row.__name__ for row in SUBJECTS])
def subject(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Subject]:
    with ExitStack() as stack:
        yield request.param(stack, monkeypatch)


def test_c01_an_acknowledged_order_is_found_by_its_client_id(subject: Subject) -> None:
    async def work(venues: Venues) -> None:
        venue = venues[subject.source]
        ack = await venue.submit(subject.order())
        assert isinstance(ack, Ack)
        found = await venue.find(subject.order(), ago())
        assert isinstance(found, Found)
        assert (found.venue_id, found.state) == (ack.venue_id, "filled")
        assert found.filled == Decimal(subject.quantity)
        assert all(fee > 0 for fee in found.fees.values())
        assert found.fees

    subject.run(work)


def test_c02_what_was_never_sent_is_absent_at_the_venues_time(subject: Subject) -> None:
    async def work(venues: Venues) -> None:
        for intent in (subject.order(), subject.transfer()):
            absent = await venues[subject.source].find(intent, ago())
            assert isinstance(absent, AbsentNow)
            assert abs((absent.venue_time - datetime.now(UTC)).total_seconds()) < 5

    subject.run(work)


def test_c03_a_resting_order_sent_again_is_one_order(subject: Subject) -> None:
    async def work(venues: Venues) -> None:
        venue = venues[subject.source]
        first = await venue.submit(subject.resting())
        assert isinstance(first, Ack)
        assert await venue.submit(subject.resting()) == first
        assert len((await venue.read()).open_orders) == 1

    subject.run(work)
    assert subject.effects() == 1


@pytest.mark.parametrize("how", ["before", "after"])
@pytest.mark.parametrize("kind", ["order", "transfer"])
def test_c04_no_answer_is_unknown_and_a_lookup_tells(subject: Subject, kind: str, how: str) -> None:
    intent = subject.order() if kind == "order" else subject.transfer()

    async def work(venues: Venues) -> None:
        venue = venues[subject.source]
        subject.lose(kind, how)
        assert isinstance(await venue.submit(intent), Unknown)
        finding = await venue.find(intent, ago())
        assert isinstance(finding, AbsentNow if how == "before" else Found)

    subject.run(work)
    assert subject.effects() == (how == "after")


def test_c05_a_lookup_without_an_answer_is_unsure(subject: Subject) -> None:
    async def work(venues: Venues) -> None:
        subject.lose("find", "after")
        assert isinstance(await venues[subject.source].find(subject.order(), ago()), Unsure)

    subject.run(work)


def test_c06_a_reading_without_an_answer_is_incomplete(subject: Subject) -> None:
    async def work(venues: Venues) -> None:
        subject.lose("read", "after")
        reading = await venues[subject.source].read()
        assert not reading.complete
        assert reading.missing

    subject.run(work)


def test_c07_an_order_is_cancelled_once(subject: Subject) -> None:
    async def work(venues: Venues) -> None:
        venue = venues[subject.source]
        assert isinstance(await venue.submit(subject.resting()), Ack)
        assert isinstance(await venue.cancel(subject.resting()), Ack)
        assert isinstance(await venue.cancel(subject.resting()), Rejected)
        found = await venue.find(subject.resting(), ago())
        assert isinstance(found, Found)
        assert (found.state, found.filled) == ("cancelled", 0)

    subject.run(work)


def test_c08_a_fill_shows_in_the_position(subject: Subject) -> None:
    async def work(venues: Venues) -> None:
        venue = venues[subject.source]
        before = (await venue.read()).position(subject.instrument)
        await venue.submit(subject.order())
        after = (await venue.read()).position(subject.instrument)
        assert after - before == Decimal(subject.quantity)

    subject.run(work)


def test_c09_a_transfer_leaves_one_wallet_and_arrives_in_the_other(subject: Subject) -> None:
    async def work(venues: Venues) -> None:
        source, target = venues[subject.source], venues[subject.target]
        before = [(await row.read()).wallets["USDT"] for row in (source, target)]
        assert isinstance(await source.submit(subject.transfer()), Ack)
        found = await source.find(subject.transfer(), ago())
        assert isinstance(found, Found)
        assert (found.state, found.filled) == ("settled", Decimal("100.5"))
        after = [(await row.read()).wallets["USDT"] for row in (source, target)]
        assert [b - a for a, b in zip(before, after, strict=True)] == [
            Decimal("-100.5"),
            Decimal("100.5"),
        ]

    subject.run(work)


def test_c10_more_than_there_is_does_not_leave(subject: Subject) -> None:
    async def work(venues: Venues) -> None:
        outcome = await venues[subject.source].submit(subject.transfer("99999999"))
        assert isinstance(outcome, Rejected)

    subject.run(work)
    assert subject.effects() == 0


def test_c11_an_order_off_its_steps_is_refused_not_rounded(subject: Subject) -> None:
    async def work(venues: Venues) -> None:
        outcome = await venues[subject.source].submit(subject.order(quantity="0.0035"))
        assert isinstance(outcome, Rejected)
        assert outcome.code != "NOT_SENT"

    subject.run(work)
    assert subject.effects() == 0


def test_c12_a_request_stamped_before_the_window_is_refused(subject: Subject) -> None:
    async def work(venues: Venues) -> None:
        venue = venues[subject.source]
        assert venue.capabilities.receive_window_s <= 5
        outcome = await venue.submit(subject.order(stamped_at=ago(6)))
        assert isinstance(outcome, Rejected)

    subject.run(work)
    assert subject.effects() == 0


def test_c13_prices_are_ordered_and_an_unknown_market_has_none(subject: Subject) -> None:
    async def work(venues: Venues) -> None:
        venue = venues[subject.source]
        quote = await venue.quote(subject.instrument)
        assert quote.bid <= quote.mark <= quote.ask
        venue_name = subject.instrument.split(":", maxsplit=1)[0]
        with pytest.raises(VenueError):
            await venue.quote(f"{venue_name}:NO/SUCH:THING")

    subject.run(work)


def test_c14_a_post_only_order_that_would_take_never_fills(subject: Subject) -> None:
    async def work(venues: Venues) -> None:
        venue = venues[subject.source]
        outcome = await venue.submit(subject.order(style="post_only"))
        if isinstance(outcome, Ack):
            found = await venue.find(subject.order(), ago())
            assert isinstance(found, Found)
            assert (found.state, found.filled) == ("cancelled", 0)
        else:
            assert isinstance(outcome, Rejected)
        assert not (await venue.read()).open_orders

    subject.run(work)


def test_c15_reduce_only_never_adds(subject: Subject) -> None:
    async def work(venues: Venues) -> None:
        venue = venues[subject.source]
        held = (await venue.read()).position(subject.instrument)
        side = "buy" if held >= 0 else "sell"
        limit = "64100" if side == "buy" else "63900"
        adding = subject.order(side=side, limit_price=limit, reduce_only=True)
        outcome = await venue.submit(adding)
        assert isinstance(outcome, Rejected)
        assert (await venue.read()).position(subject.instrument) == held

    subject.run(work)
