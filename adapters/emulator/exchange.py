"""The exchange: its state, clock, limits and venues, and the transaction around a request."""

import decimal
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Protocol

from allocator.adapters.emulator.clock import Clock
from allocator.adapters.emulator.errors import Refusal, Refused, VenueError
from allocator.adapters.emulator.faults import Faults
from allocator.adapters.emulator.ledger import Ledger
from allocator.adapters.emulator.market import Book, Instrument, book
from allocator.adapters.emulator.notices import Notice
from allocator.adapters.emulator.options import premium
from allocator.adapters.emulator.ratelimit import Limiter
from allocator.adapters.emulator.records import (
    ZERO,
    Address,
    ApiKey,
    Balance,
    CoinPrice,
    Counter,
    Leg,
    Leverage,
    Position,
    Quote,
    Side,
    User,
)
from allocator.adapters.emulator.requestlog import RequestLog
from allocator.adapters.emulator.store import Store
from allocator.adapters.emulator.tables import Row, Table
from allocator.adapters.emulator.wire import Call, Endpoint, Reply

PRECISION = 34


@dataclass(frozen=True, slots=True)
class Chain:
    """A network a coin travels on, as one venue offers it. `name` is the venue's own word.

    What arrives is credited less `deposit_fee`.
    """

    venue: str
    coin: str
    name: str
    network: str
    withdraw_fee: Decimal
    withdraw_min: Decimal
    deposit_min: Decimal
    decimals: int
    confirmations: int
    deposit_fee: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class World:
    """What the exchange starts from. Rows are ledger rows; instruments and chains never change.

    `delays_ms` gives how long a `withdrawal` takes to arrive and a `transfer` to settle.
    """

    users: tuple[User, ...]
    keys: tuple[ApiKey, ...]
    instruments: tuple[Instrument, ...]
    prices: tuple[CoinPrice, ...]
    balances: tuple[Balance, ...] = ()
    positions: tuple[Position, ...] = ()
    leverages: tuple[Leverage, ...] = ()
    addresses: tuple[Address, ...] = ()
    chains: tuple[Chain, ...] = ()
    delays_ms: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True)
class Intent:
    """An order the core is asked to carry out, or that a venue is asked whether it may be."""

    user: str
    instrument: Instrument
    side: Side
    quantity: Decimal
    price: Decimal | None
    reduce_only: bool
    leg: Leg = "net"

    @property
    def signed(self) -> Decimal:
        """Return the quantity with the sign of its side."""
        return self.quantity if self.side == "buy" else -self.quantity


class Venue(Protocol):
    """What a venue adds to the core: words, wallets, margin law, signatures, limits."""

    @property
    def name(self) -> str:
        """Return the venue's name, the first part of its users' and instruments' ids."""
        ...

    @property
    def hosts(self) -> tuple[str, ...]:
        """Return the host names it answers for."""
        ...

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        """Return its rows of the endpoint table."""
        ...

    def wallet(self, instrument: Instrument) -> str:
        """Return the wallet that margins an instrument, or holds what spot trades."""
        ...

    def admit(self, exchange: "Exchange", intent: Intent) -> None:
        """Raise Refused when margin, balance or a risk limit does not allow the order."""
        ...

    def transferable(self, exchange: "Exchange", user: str, wallet: str, coin: str) -> Decimal:
        """Return what may leave a wallet now, in the coin."""
        ...

    def authenticate(self, call: Call, endpoint: Endpoint) -> ApiKey | None:
        """Check key, signature and receive window; raise VenueError, or return the key."""
        ...

    def limit(self, call: Call, endpoint: Endpoint) -> Mapping[str, str]:
        """Count the call; raise VenueError when over, else return headers for the reply."""
        ...

    def answer(self, call: Call, body: object) -> Reply:
        """Wrap what a handler returned."""
        ...

    def refuse(self, call: Call, error: VenueError | Refused | ValueError) -> Reply:
        """Put a refusal into the venue's words."""
        ...

    def unknown(self, call: Call) -> Reply:
        """Answer a path that is not in the table."""
        ...


@dataclass(frozen=True, slots=True)
class Options:
    """Time, the books' seed, and a factor on every rate limit."""

    clock: Clock = field(default_factory=Clock)
    seed: int = 7
    limit_scale: int = 1


class Exchange:
    """The one object that handlers see.

    Parameters
    ----------
    world
        Seeds the ledger when the state directory is empty; gives instruments and chains always.
    venues
        The venues it speaks for.
    directory
        Where state is kept; None keeps it in memory.
    options
        Clock, seed and limits.
    """

    def __init__(
        self,
        world: World,
        venues: Sequence[Venue],
        directory: Path | None = None,
        options: Options | None = None,
    ) -> None:
        options = options or Options()
        self.world = world
        self.venues = {venue.name: venue for venue in venues}
        self.clock = options.clock
        self.seed = options.seed
        self.limiter = Limiter(options.limit_scale)
        self.faults = Faults()
        self.notices: dict[str, Notice] = {}
        self.instruments = {i.id: i for i in world.instruments}
        self.ledger = Ledger()
        self.store = Store(directory)
        self.log = RequestLog(self.store.connection)
        if not self.store.load(self.ledger):
            with self.unit():
                self._seed()
        offset = self.ledger.counters.get("clock.offset_ms")
        self.clock.offset_ms = 0 if offset is None else offset.value

    @contextmanager
    def unit(self) -> Generator[Ledger, None, None]:
        """Commit everything changed inside, or nothing when it raises."""
        with decimal.localcontext(decimal.Context(prec=PRECISION)):
            try:
                yield self.ledger
                self.store.commit(self.ledger.changes())
                self.ledger.accept()
            except BaseException:
                self.ledger.rollback()
                raise

    def venue_of(self, user: str) -> Venue:
        """Return the venue of a user id or instrument id."""
        return self.venues[user.partition(":")[0]]

    def instrument(self, venue: str, market: str, symbol: str) -> Instrument:
        """Return an instrument by the venue's words, or raise Refused."""
        found = self.instruments.get(f"{venue}:{market}:{symbol}")
        if found is None:
            raise Refused(Refusal.UNKNOWN_INSTRUMENT, symbol=symbol, market=market)
        return found

    def quote(self, instrument: Instrument) -> Quote:
        """Return the instrument's mark, index and funding rate."""
        return self.ledger.quotes[instrument.id]

    def book(self, instrument: Instrument) -> Book:
        """Return the instrument's book."""
        return book(instrument, self.quote(instrument), self.seed)

    def leverage(self, user: str, instrument: Instrument) -> Decimal:
        """Return the leverage a user selected, 10 when it never did (or the first tier's)."""
        row = self.ledger.leverages.get(f"{user}|{instrument.id}")
        if row is not None:
            return row.leverage
        return min(Decimal(10), instrument.tiers[0].max_leverage)

    def positions(self, user: str) -> list[tuple[Instrument, Position]]:
        """Return a user's positions that are not flat, with their instruments."""
        rows = self.ledger.positions.by("user", user)
        return [(self.instruments[p.instrument], p) for p in rows if p.quantity != 0]

    def advance_clock(self, by_ms: int) -> None:
        """Move time forward and remember it."""
        self.clock.advance(by_ms)
        self.ledger.counters.put(Counter("clock.offset_ms", self.clock.offset_ms))

    def close(self) -> None:
        """Close the store."""
        self.store.close()

    def _seed(self) -> None:
        ledger, world, now_ms = self.ledger, self.world, self.clock.now_ms()
        fill(ledger.users, world.users)
        fill(ledger.keys, world.keys)
        fill(ledger.prices, world.prices)
        fill(ledger.balances, world.balances)
        fill(ledger.positions, world.positions)
        fill(ledger.leverages, world.leverages)
        fill(ledger.addresses, world.addresses)
        for instrument in world.instruments:
            ledger.quotes.put(quote_at(instrument, ledger.coin_usd(instrument.base), now_ms))


def opening(exchange: Exchange, intent: Intent) -> Decimal:
    """Return the part of an order that adds to the position rather than closes it, unsigned."""
    position = exchange.ledger.position(intent.user, intent.instrument.id, intent.leg)
    held = ZERO if position is None else position.quantity
    if held * intent.signed >= 0:
        return intent.quantity
    return max(ZERO, intent.quantity - abs(held))


def fill(table: Table[Row], rows: Sequence[Row]) -> None:
    """Put rows into a table."""
    for row in rows:
        table.put(row)


def quote_at(instrument: Instrument, index: Decimal, now_ms: int) -> Quote:
    """Return a quote whose mark is the index plus the instrument's basis, on its tick.

    The mark of an option is its worth at that price, on no tick.
    """
    raw = index * (1 + instrument.basis)
    if instrument.option is not None:
        worth = premium(instrument.option, raw, instrument.settle == instrument.base)
        return Quote(instrument.id, worth, index, ZERO, now_ms)
    mark = (raw / instrument.tick).quantize(Decimal(1)) * instrument.tick
    return Quote(instrument.id, mark, index, instrument.funding_rate, now_ms)
