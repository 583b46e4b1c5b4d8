"""A price that was not read anew serves no longer than data may be old, and never silently."""

import asyncio
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from allocator.adapters.assemble import Book
from allocator.adapters.gather import Gatherer
from allocator.adapters.sources import NetworkTerms
from allocator.models.account import Account, Balance, Fees
from allocator.models.config import AccountConfig, Config
from allocator.models.errors import VenueError
from allocator.models.intents import Capabilities
from allocator.models.market import Funding, Instrument

CONFIG = Config.model_validate(
    {
        "logins": {"l": {"venue": "bybit", "key": "env:A", "secret": "env:B"}},
        "accounts": [
            {"id": name, "login": "l", "wallet": "unified", "owner": "o"} for name in ("a", "b")
        ],
        "assets": {"USDT": {"price": 1, "haircut": 0}},
    }
)
START = datetime(2026, 1, 1, tzinfo=UTC)
NAME = "bybit:BTC/USDT:USDT"


class HandClock:
    """Stands until it is moved."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> datetime:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


class Holder:
    """An account that holds one asset, or nothing."""

    venue = "bybit"
    capabilities = Capabilities()

    def __init__(self, config: AccountConfig, asset: str | None) -> None:
        self.config = config
        self._asset = asset

    def reaches(self, target: AccountConfig) -> bool:
        del target
        return False

    def accepts(self, asset: str) -> bool:
        del asset
        return True

    async def account(self) -> Account:
        held = Balance(wallet=Decimal(10), withdrawable=Decimal(10))
        return Account(
            id=self.config.id,
            venue=self.venue,
            owner="o",
            login="l",
            fees=Fees(taker=Decimal("0.001")),
            balances={} if self._asset is None else {self._asset: held},
        )


class Exchange:
    """A venue whose prices, or markets, can be taken away."""

    venue = "bybit"

    def __init__(self, clock: HandClock) -> None:
        self._clock = clock
        self.priced = True
        self.marks = tuple[Instrument, ...]()

    async def prepare(self) -> None:
        pass

    async def server_time(self) -> datetime:
        return self._clock.now()

    async def instruments(self, wanted: Collection[str]) -> tuple[Instrument, ...]:
        del wanted
        return self.marks

    async def prices(self) -> Mapping[str, Decimal]:
        if not self.priced:
            raise VenueError("tickers: HTTP 503")
        return {"BTC": Decimal(60000)}

    async def networks(self, assets: Collection[str]) -> Mapping[str, NetworkTerms]:
        del assets
        return {}


def perpetual(mark: int) -> Instrument:
    return Instrument(
        id=NAME, kind="perpetual", base="BTC", quote="USDT", underlying="BTC", settle="USDT",
        contract_size=Decimal(1), lot=Decimal("0.001"), tick=Decimal("0.1"),
        bid=Decimal(mark - 1), ask=Decimal(mark + 1), mark=Decimal(mark),
        funding=Funding(interval_h=Decimal(8)),
    )  # fmt: skip


def later(seconds: float, mark: int | None = None) -> Book:
    """Gather with prices, and again so much later without."""
    clock = HandClock()
    exchange = Exchange(clock)
    holders = [Holder(CONFIG.accounts[0], "BTC"), Holder(CONFIG.accounts[1], None)]
    gatherer = Gatherer(CONFIG, [exchange], holders, clock)

    async def twice() -> Book:
        first = await gatherer.gather()
        assert first.missing == ()
        await clock.sleep(seconds)
        exchange.priced = False
        exchange.marks = () if mark is None else (perpetual(mark),)
        return await gatherer.gather()

    return asyncio.run(twice())


def told(book: Book, account: str) -> list[str]:
    return [row.what for row in book.missing if row.account == account]


FAILED = "prices of bybit: VenueError: tickers: HTTP 503"


def test_who_holds_what_only_an_old_price_is_known_of_is_frozen_and_named() -> None:
    book = later(43200)
    assert told(book, "a") == [FAILED, "the price of BTC is 43200 s old"]
    assert book.snapshot.account["a"].state == "frozen"
    assert book.snapshot.account["a"].unread
    assert book.snapshot.account["a"].balances["BTC"].wallet == 10


def test_who_holds_nothing_of_it_goes_on_and_is_not_named() -> None:
    book = later(43200)
    assert told(book, "b") == []
    assert book.snapshot.account["b"].state == "open"
    assert not book.snapshot.account["b"].unread


def test_a_price_within_the_allowed_age_serves_and_the_failed_read_is_named() -> None:
    allowed = float(CONFIG.gather.max_age_s)
    book = later(allowed)
    assert told(book, "a") == [FAILED]
    assert book.snapshot.account["a"].state == "open"
    assert book.snapshot.assets["BTC"].price == 60000
    assert later(allowed + 1).snapshot.account["a"].state == "frozen"


def test_a_fresh_mark_is_preferred_to_an_old_price() -> None:
    book = later(43200, mark=45000)
    assert told(book, "a") == []
    assert book.snapshot.assets["BTC"].price == 45000
    assert book.snapshot.account["a"].state == "open"
