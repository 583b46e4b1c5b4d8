"""A price that was not read anew serves no longer than data may be old, and never silently."""

import asyncio
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from allocator.adapters.assemble import Book
from allocator.adapters.gather import Gatherer
from allocator.adapters.sources import NetworkTerms
from allocator.models.account import Account, Balance, Fees, OpenOrder, Position
from allocator.models.config import AccountConfig, Config
from allocator.models.errors import VenueError
from allocator.models.intents import Capabilities
from allocator.models.market import Funding, Instrument, Status, Tier

CONFIG = Config.model_validate(
    {
        "logins": {
            name: {"venue": "bybit", "key": f"env:{name}", "secret": "env:B"} for name in ("a", "b")
        },
        "accounts": [
            {"id": name, "login": name, "wallet": "unified", "owner": "o"} for name in ("a", "b")
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
        self.quantity: Decimal | None = None
        self.orders = tuple[OpenOrder, ...]()

    @property
    def transfer_step(self) -> Decimal:
        return Decimal("1e-8")

    def reaches(self, target: AccountConfig) -> bool:
        del target
        return False

    def accepts(self, asset: str) -> bool:
        del asset
        return True

    async def account(self) -> Account:
        held = Balance(wallet=Decimal(10), withdrawable=Decimal(10))
        quantity = self.quantity or Decimal(0)
        pair = Position(quantity=quantity, entry_price=Decimal(60000), leverage=Decimal(5))
        return Account(
            id=self.config.id,
            venue=self.venue,
            owner="o",
            login="l",
            fees=Fees(taker=Decimal("0.001")),
            balances={} if self._asset is None else {self._asset: held},
            positions={} if self.quantity is None else {NAME: pair},
            open_orders=self.orders,
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


def perpetual(mark: int, status: Status = "open", settle: str = "USDT") -> Instrument:
    return Instrument(
        id=NAME, kind="perpetual", base="BTC", quote=settle, underlying="BTC", settle=settle,
        contract_size=Decimal(1), lot=Decimal("0.001"), tick=Decimal("0.1"), status=status,
        bid=Decimal(mark - 1), ask=Decimal(mark + 1), mark=Decimal(mark),
        daily_volume=Decimal(1000), funding=Funding(interval_h=Decimal(8)),
        tiers=(Tier(cap=Decimal(10**6), maintenance=Decimal("0.01"), max_leverage=Decimal(10)),),
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


def unread(
    seconds: float, quantity: str | None, settle: str = "USDT", orders: tuple[OpenOrder, ...] = ()
) -> Book:
    """Gather with a market, and again so much later without; the first account trades in it."""
    clock = HandClock()
    exchange = Exchange(clock)
    exchange.marks = (perpetual(60000, settle=settle),)
    holders = [Holder(row, None) for row in CONFIG.accounts]
    holders[0].quantity = None if quantity is None else Decimal(quantity)
    holders[0].orders = orders
    gatherer = Gatherer(CONFIG, [exchange], holders, clock)

    async def work() -> Book:
        first = await gatherer.gather()
        assert first.missing == ()
        exchange.marks = ()
        for _ in range(3):
            await clock.sleep(seconds / 3)
            book = await gatherer.gather()
        return book

    return asyncio.run(work())


ALLOWED = float(CONFIG.gather.max_age_s)
STANDS = OpenOrder(instrument=NAME, side="buy", quantity=Decimal(1), price=Decimal(50000))


def test_a_position_in_a_market_that_is_not_read_is_frozen_once_its_mark_is_old() -> None:
    book = unread(ALLOWED, "2")
    assert book.snapshot.account["a"].state == "open"
    book = unread(ALLOWED + 3, "2")
    assert told(book, "a") == [f"the market data of {NAME} are {ALLOWED + 3:.0f} s old"]
    assert book.snapshot.account["a"].state == "frozen"
    assert book.snapshot.account["a"].unread
    assert book.snapshot.account["a"].positions[NAME].quantity == 2
    assert book.snapshot.instrument[NAME].status == "halted"


def test_an_order_in_it_freezes_as_well_and_a_flat_pair_or_another_account_does_not() -> None:
    assert unread(43200, "0", orders=(STANDS,)).snapshot.account["a"].unread
    book = unread(43200, "0")
    assert book.missing == ()
    assert {row.state for row in book.snapshot.accounts} == {"open"}
    assert unread(43200, "2").snapshot.account["b"].state == "open"


def test_figures_that_are_kept_are_turned_into_dollars_once() -> None:
    (row,) = unread(ALLOWED, "2", settle="BTC").snapshot.instruments
    assert row.daily_volume == 1000 * 60000
    assert row.tiers[0].cap == 10**6 * 60000


def halted(seconds: float) -> Book:
    """Gather with a market that trades, and again so much later with it halted, as told."""
    clock = HandClock()
    exchange = Exchange(clock)
    exchange.priced = False
    exchange.marks = (perpetual(60000),)
    holders = [Holder(CONFIG.accounts[0], "BTC"), Holder(CONFIG.accounts[1], None)]
    holders[1].quantity = Decimal(2)
    gatherer = Gatherer(CONFIG, [exchange], holders, clock)

    async def work() -> Book:
        await gatherer.gather()
        await clock.sleep(seconds)
        exchange.marks = (perpetual(59000, "halted"),)
        return await gatherer.gather()

    return asyncio.run(work())


def test_the_mark_of_a_halted_market_prices_no_coin_afresh() -> None:
    assert halted(ALLOWED).snapshot.assets["BTC"].price == 60000
    book = halted(ALLOWED + 1)
    assert f"the price of BTC is {ALLOWED + 1:.0f} s old" in told(book, "a")
    assert book.snapshot.account["a"].state == "frozen"


def test_a_position_in_a_market_that_its_venue_halts_stands_at_the_venue_s_mark() -> None:
    book = halted(43200)
    assert told(book, "b") == []
    assert book.snapshot.account["b"].state == "open"
    assert book.snapshot.instrument[NAME].mark == 59000
