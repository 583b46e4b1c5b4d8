"""The exchange's records: frozen rows.

User ids are `venue:uid`, instruments `venue:market:symbol`, amounts `Decimal` in the unit named.
Quantities of derivatives are contracts, signed in positions (long positive), unsigned in orders.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

ZERO = Decimal(0)


Side = Literal["buy", "sell"]


Leg = Literal["net", "long", "short"]


OrderType = Literal["limit", "market"]


TimeInForce = Literal["gtc", "ioc", "fok", "post_only"]


OrderStatus = Literal["open", "filled", "cancelled"]


ExecutionKind = Literal["trade", "funding", "move"]


@dataclass(frozen=True, slots=True)
class User:
    """A member of the venue: a main account or a sub-account of `parent`."""

    id: str
    venue: str
    uid: str
    name: str
    email: str
    owner: str
    parent: str | None = None

    @property
    def root(self) -> str:
        """Return the id of the main account."""
        return self.parent or self.id


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key pair, its user, what it may do (venue's own words), a passphrase where one is used."""

    key: str
    secret: str
    user: str
    permissions: tuple[str, ...] = ()
    passphrase: str = ""


@dataclass(frozen=True, slots=True)
class Balance:
    """Coins in one wallet of a user, before unrealised profit; negative when borrowed."""

    user: str
    wallet: str
    coin: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Position:
    """A position: signed contracts, average entry price, profit realised so far (settle coin)."""

    user: str
    instrument: str
    leg: Leg
    quantity: Decimal
    entry: Decimal
    realised: Decimal
    created_ms: int
    updated_ms: int


@dataclass(frozen=True, slots=True)
class Leverage:
    """Leverage a user selected for an instrument."""

    user: str
    instrument: str
    leverage: Decimal


@dataclass(frozen=True, slots=True)
class Order:
    """An order through its whole life.

    `value` is the sum of price times quantity filled (contracts' value for derivatives, quote for
    spot), `fee` the fees so far in `fee_coin` (positive paid), `reason` why it ended.
    """

    id: str
    client_id: str
    user: str
    instrument: str
    side: Side
    type: OrderType
    tif: TimeInForce
    price: Decimal | None
    quantity: Decimal
    filled: Decimal
    value: Decimal
    average: Decimal | None
    fee: Decimal
    fee_coin: str
    reduce_only: bool
    leg: Leg
    status: OrderStatus
    reason: str
    mark_at_creation: Decimal
    seq: int
    created_ms: int
    updated_ms: int
    tag: str = ""

    @property
    def remaining(self) -> Decimal:
        """Return the quantity not filled."""
        return self.quantity - self.filled


@dataclass(frozen=True, slots=True)
class Waiting:
    """An order that waits for a trigger, which never comes here.

    `kind` is the venue's word for what it is, `quantity` None where it closes all of a position,
    `price` None where it fires at market.
    """

    id: str
    user: str
    instrument: str
    kind: str
    side: Side
    trigger: Decimal
    created_ms: int
    quantity: Decimal | None = None
    price: Decimal | None = None
    reduce_only: bool = False
    leg: Leg = "net"


@dataclass(frozen=True, slots=True)
class Execution:
    """A fill, a funding payment or a moved position; `fee` positive when paid."""

    id: str
    order: str
    client_id: str
    user: str
    instrument: str
    side: Side
    price: Decimal
    quantity: Decimal
    value: Decimal
    fee: Decimal
    fee_coin: str
    fee_rate: Decimal
    maker: bool
    kind: ExecutionKind
    realised: Decimal
    closed: Decimal
    leg: Leg
    mark: Decimal
    seq: int
    time_ms: int


@dataclass(frozen=True, slots=True)
class Transfer:
    """A move of coins between two wallets of one owner on one venue."""

    id: str
    client_id: str
    venue: str
    by: str
    route: str
    coin: str
    amount: Decimal
    from_user: str
    from_wallet: str
    to_user: str
    to_wallet: str
    status: Literal["pending", "done", "failed"]
    seq: int
    time_ms: int
    due_ms: int


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Coins leaving the venue for an address; they arrive at `due_ms` when it is known here."""

    id: str
    client_id: str
    user: str
    wallet: str
    coin: str
    chain: str
    amount: Decimal
    fee: Decimal
    address: str
    tag: str
    status: Literal["pending", "sent", "done"]
    txid: str
    seq: int
    time_ms: int
    due_ms: int

    @property
    def left(self) -> bool:
        """Whether it is on its chain; it arrives no earlier."""
        return self.status != "pending"


@dataclass(frozen=True, slots=True)
class Deposit:
    """Coins that arrived from an address outside the venue; `fee` of them was not credited."""

    id: str
    user: str
    wallet: str
    coin: str
    chain: str
    amount: Decimal
    address: str
    tag: str
    txid: str
    seq: int
    time_ms: int
    fee: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Address:
    """A deposit address: what arrives there is credited to a user's wallet."""

    user: str
    wallet: str
    coin: str
    chain: str
    address: str
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Quote:
    """Mark and index price of an instrument, its funding rate and the last time it was paid."""

    instrument: str
    mark: Decimal
    index: Decimal
    funding_rate: Decimal
    funded_ms: int


@dataclass(frozen=True, slots=True)
class CoinPrice:
    """The index price of a coin, in USD."""

    coin: str
    usd: Decimal


@dataclass(frozen=True, slots=True)
class PositionMove:
    """A block move of positions between two users of one owner.

    `refused` names the party that refused it once it was taken: nothing moved.
    """

    id: str
    client_id: str
    from_user: str
    to_user: str
    legs: tuple[tuple[str, Side, Decimal, Decimal], ...]
    seq: int
    time_ms: int
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Counter:
    """A sequence or a setting: a named number."""

    name: str
    value: int
