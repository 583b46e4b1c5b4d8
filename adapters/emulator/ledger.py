"""The exchange's state: frozen rows in tables that can be rolled back.

User ids are `venue:uid`, instruments `venue:market:symbol`, amounts `Decimal` in the unit named.
Quantities of derivatives are contracts, signed in positions (long positive), unsigned in orders.
"""

from dataclasses import dataclass, field
from decimal import Decimal

from allocator.adapters.emulator.records import (
    ZERO,
    Address,
    ApiKey,
    Balance,
    CoinPrice,
    Counter,
    Deposit,
    Execution,
    Leg,
    Leverage,
    Order,
    Position,
    PositionMove,
    Quote,
    Transfer,
    User,
    Waiting,
    Withdrawal,
)
from allocator.adapters.emulator.tables import Change, Table


def _users() -> Table[User]:
    return Table("user", User, lambda r: r.id, {"venue": lambda r: r.venue})


def _orders() -> Table[Order]:
    return Table(
        "order",
        Order,
        lambda r: r.id,
        {
            "user": lambda r: r.user,
            "client": lambda r: (r.user, r.client_id),
            "open": lambda r: (r.user, r.status == "open"),
            "instrument": lambda r: (r.instrument, r.status == "open"),
        },
    )


def _transfers() -> Table[Transfer]:
    return Table(
        "transfer",
        Transfer,
        lambda r: f"{r.venue}|{r.id}",
        {
            "client": lambda r: (r.venue, r.route, r.client_id),
            "status": lambda r: r.status,
            "venue": lambda r: r.venue,
        },
    )


def _withdrawals() -> Table[Withdrawal]:
    return Table(
        "withdrawal",
        Withdrawal,
        lambda r: r.id,
        {
            "user": lambda r: r.user,
            "client": lambda r: (r.user, r.client_id),
            "status": lambda r: r.status,
        },
    )


@dataclass(slots=True)
class Ledger:
    """Every table of the exchange."""

    users: Table[User] = field(default_factory=_users)
    keys: Table[ApiKey] = field(
        default_factory=lambda: Table("key", ApiKey, lambda r: r.key, {"user": lambda r: r.user})
    )
    balances: Table[Balance] = field(
        default_factory=lambda: Table(
            "balance",
            Balance,
            lambda r: f"{r.user}|{r.wallet}|{r.coin}",
            {"wallet": lambda r: (r.user, r.wallet)},
        )
    )
    positions: Table[Position] = field(
        default_factory=lambda: Table(
            "position",
            Position,
            lambda r: f"{r.user}|{r.instrument}|{r.leg}",
            {"user": lambda r: r.user, "instrument": lambda r: r.instrument},
        )
    )
    leverages: Table[Leverage] = field(
        default_factory=lambda: Table("leverage", Leverage, lambda r: f"{r.user}|{r.instrument}")
    )
    orders: Table[Order] = field(default_factory=_orders)
    waiting: Table[Waiting] = field(
        default_factory=lambda: Table(
            "waiting", Waiting, lambda r: r.id, {"user": lambda r: r.user}
        )
    )
    executions: Table[Execution] = field(
        default_factory=lambda: Table(
            "execution",
            Execution,
            lambda r: r.id,
            {"user": lambda r: r.user, "order": lambda r: r.order},
        )
    )
    transfers: Table[Transfer] = field(default_factory=_transfers)
    withdrawals: Table[Withdrawal] = field(default_factory=_withdrawals)
    deposits: Table[Deposit] = field(
        default_factory=lambda: Table(
            "deposit", Deposit, lambda r: r.id, {"user": lambda r: r.user}
        )
    )
    addresses: Table[Address] = field(
        default_factory=lambda: Table(
            "address",
            Address,
            lambda r: f"{r.user}|{r.coin}|{r.chain}",
            {"address": lambda r: (r.address, r.tag), "user": lambda r: r.user},
        )
    )
    quotes: Table[Quote] = field(
        default_factory=lambda: Table("quote", Quote, lambda r: r.instrument)
    )
    prices: Table[CoinPrice] = field(
        default_factory=lambda: Table("price", CoinPrice, lambda r: r.coin)
    )
    moves: Table[PositionMove] = field(
        default_factory=lambda: Table(
            "move", PositionMove, lambda r: r.id, {"client": lambda r: (r.from_user, r.client_id)}
        )
    )
    counters: Table[Counter] = field(
        default_factory=lambda: Table("counter", Counter, lambda r: r.name)
    )

    def tables(self) -> tuple[Table[object], ...]:
        """Return every table, in the order of the class."""
        return tuple(getattr(self, name) for name in self.__slots__)

    def changes(self) -> list[Change]:
        """Return everything changed since the last `accept`."""
        return [change for table in self.tables() for change in table.changes()]

    def accept(self) -> None:
        """Forget the undo: what changed stays."""
        for table in self.tables():
            table.accept()

    def rollback(self) -> None:
        """Restore everything changed since the last `accept`."""
        for table in self.tables():
            table.rollback()

    def next(self, name: str, start: int = 1) -> int:
        """Return the next number of a sequence that survives restarts."""
        last = self.counters.get(name)
        value = start if last is None else last.value + 1
        self.counters.put(Counter(name, value))
        return value

    def amount(self, user: str, wallet: str, coin: str) -> Decimal:
        """Return the coins in a wallet, zero when it was never touched."""
        row = self.balances.get(f"{user}|{wallet}|{coin}")
        return ZERO if row is None else row.amount

    def credit(self, user: str, wallet: str, coin: str, amount: Decimal) -> Decimal:
        """Add `amount` (negative takes) to a wallet and return the new balance."""
        new = self.amount(user, wallet, coin) + amount
        self.balances.put(Balance(user, wallet, coin, new))
        return new

    def position(self, user: str, instrument: str, leg: Leg = "net") -> Position | None:
        """Return a user's position, or None when it never had one."""
        return self.positions.get(f"{user}|{instrument}|{leg}")

    def coin_usd(self, coin: str) -> Decimal:
        """Return the index price of a coin in USD (USD itself is 1)."""
        return Decimal(1) if coin == "USD" else self.prices[coin].usd
