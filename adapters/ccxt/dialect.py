"""What differs between venues, as one interface: facts as data, calls as methods.

The methods raise `VenueError` and its kinds from `failures`; what that means for an action is
decided in one place, `base.CcxtVenue`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Protocol, runtime_checkable

from allocator.adapters.ccxt.place import Place
from allocator.adapters.sources import AssetPrices, NetworkTerms
from allocator.models.account import Account
from allocator.models.config import AccountConfig, AddressConfig
from allocator.models.intents import (
    AccountReading,
    Capabilities,
    Found,
    MoveIntent,
    OrderIntent,
    Quote,
    TransferIntent,
)
from allocator.models.market import Instrument


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a venue beforehand.

    Attributes
    ----------
    definitive
        Codes after which this request was certainly not carried out. Any other code is Unknown.
    duplicate
        Codes that say the client id is known already: the action was taken before.
    gone
        Codes of a cancel that came too late.
    stale
        Codes that say the request's time stamp is outside the window; they are definitive.
    replayed
        Words that say this very request arrived before, whatever its code: the first of the two
        may have been carried out.
    formal
        Definitive codes that tell of the request itself, its form or its key. Any other may follow
        from what the same request did that the network had delivered before: a position that is
        closed already, margin or money that is bound already, a stamp that is too old by now. The
        action is looked up before it is told as rejected.
    unkeyed
        Kinds of actions that are looked up by what was sent and when, as long as their id at the
        venue is not known: `own` transfers between wallets of a login, others between `members`,
        `withdrawal`, `move`. To each, whether its record bears the id of its acknowledgement.
    transfer_step
        Asset units of which the amount of a transfer is a multiple.
    """

    definitive: frozenset[str]
    duplicate: frozenset[str]
    gone: frozenset[str]
    stale: frozenset[str]
    replayed: frozenset[str] = frozenset()
    formal: frozenset[str] = frozenset()
    unkeyed: Mapping[str, bool] = field(default_factory=dict[str, bool])
    transfer_step: Decimal = Decimal("1e-8")

    def is_replay(self, message: str) -> bool:
        """Tell whether a refusal says that the same request arrived before."""
        return any(words in message for words in self.replayed)


@dataclass(frozen=True, slots=True)
class Trace:
    """What is known of an action that is looked up.

    Attributes
    ----------
    since_ms
        No earlier than this can it have happened, by the venue's clock.
    venue_id
        The id the venue gave it, if its acknowledgement arrived.
    taken
        Ids of the venue that are other actions': none of them is this one's.
    rivals
        Whether another that looks the same was sent, its record not known.
    refused
        Whether the venue refused it just now: what is looked for is what another copy of the same
        request did before, and none is on its way.
    """

    since_ms: int
    venue_id: str | None = None
    taken: frozenset[str] = frozenset()
    rivals: bool = False
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A withdrawal as the sending venue shows it; `txid` once it is on its chain.

    Attributes
    ----------
    amount
        Asset units, as the record tells them.
    address
        Where it went; none: the record does not tell.
    fee_within
        Whether the fee was taken out of what was asked for, so that the amount may hold it.
    """

    venue_id: str
    asset: str
    amount: Decimal
    address: str
    failed: bool
    txid: str | None
    fee: Decimal
    at: datetime
    fee_within: bool = False


@dataclass(frozen=True, slots=True)
class Deposit:
    """What of a transaction was credited, as the receiving venue shows it.

    Attributes
    ----------
    amount
        Asset units; None: the record does not tell them.
    address, tag, network
        Where it arrived, in the receiving venue's words; empty: the record does not tell.
    venue_id
        The venue's own id of this deposit and no other; empty: it has none.
    """

    amount: Decimal | None
    address: str = ""
    tag: str = ""
    network: str = ""
    venue_id: str = ""


class Dialect(Protocol):
    """One venue."""

    @property
    def wallets(self) -> Sequence[str]:
        """The wallets of a user that are read, each a pool of its own."""
        ...

    @property
    def facts(self) -> Facts:
        """What is known beforehand."""
        ...

    def capabilities(self, place: Place) -> Capabilities:
        """Tell what may be asked of an account that is one of `wallets`: see `able`."""
        ...

    def linked(self, source: str, target: str, *, one_login: bool) -> bool:
        """Tell whether money goes directly between two kinds of wallet of one master."""
        ...

    async def send_order(self, place: Place, intent: OrderIntent) -> str:
        """Send an order and return the venue's id."""
        ...

    async def find_order(self, place: Place, intent: OrderIntent, trace: Trace) -> Found | None:
        """Look an order up by its client id, in open orders and in history."""
        ...

    async def cancel_order(self, place: Place, intent: OrderIntent) -> str:
        """Cancel by client id and return the venue's id."""
        ...

    async def send_transfer(self, source: Place, target: Place, intent: TransferIntent) -> str:
        """Send money between two accounts of one venue and return the venue's id."""
        ...

    async def find_transfer(
        self, source: Place, target: Place, intent: TransferIntent, trace: Trace
    ) -> Found | None:
        """Look such a transfer up."""
        ...

    async def send_withdrawal(
        self, source: Place, address: AddressConfig, intent: TransferIntent, fee: Decimal
    ) -> str:
        """Send money to a registered address and return the venue's id; `fee` as read just now."""
        ...

    async def find_withdrawal(
        self, source: Place, address: AddressConfig, intent: TransferIntent, trace: Trace
    ) -> Withdrawal | None:
        """Look a withdrawal up at the venue that sends."""
        ...

    async def deposits(self, target: Place, asset: str, txid: str) -> Sequence[Deposit]:
        """List what of a transaction was credited at the venue that receives."""
        ...

    async def send_move(self, source: Place, target: Place, intent: MoveIntent) -> str:
        """Move a position and return the venue's id."""
        ...

    async def find_move(self, source: Place, intent: MoveIntent, trace: Trace) -> Found | None:
        """Look a move up."""
        ...

    async def reading(self, place: Place) -> AccountReading:
        """Read wallets, positions and open orders; what fails is named in the reading."""
        ...

    async def quote(self, place: Place, instrument: str) -> Quote:
        """Read best prices."""
        ...

    async def account(self, place: Place) -> Account:
        """Read everything a snapshot says of an account, whole or not at all."""
        ...

    async def instruments(self, place: Place, wanted: Collection[str]) -> tuple[Instrument, ...]:
        """Read markets by id; a market the venue does not have is left out."""
        ...

    async def prices(self, place: Place) -> AssetPrices:
        """Read prices of assets in dollars, as far as the venue tells them."""
        ...

    async def networks(self, place: Place, assets: Collection[str]) -> Mapping[str, NetworkTerms]:
        """Read fee, minimum and state of withdrawals, by ``asset:network``."""
        ...


@runtime_checkable
class Batches(Protocol):
    """A venue that takes several orders in one request."""

    async def send_orders(
        self, place: Place, intents: Sequence[OrderIntent]
    ) -> tuple[str | Exception, ...]:
        """Send orders together and return the venue's id of each, or what was raised instead."""
        ...


@runtime_checkable
class DeadMan(Protocol):
    """A venue that cancels every order in a book when it hears nothing for a while.

    None that waits for a trigger is sent here; no page says that such a one is cancelled too.
    """

    async def cancel_after(self, place: Place, seconds: int) -> str:
        """Cancel an account's orders after so many seconds, unless called again; 0: never.

        Returns the venue's time of it.
        """
        ...


@runtime_checkable
class Permits(Protocol):
    """A venue where a member may lack the right to send money to another."""

    def permits(self, place: Place, target: str) -> bool:
        """Tell whether an account may send to one of another login; asked after it was read."""
        ...


@runtime_checkable
class Holds(Protocol):
    """A venue whose wallets do not take every asset that another of them may send."""

    def holds(self, place: Place, asset: str) -> bool:
        """Tell whether an account takes an asset; asked after it was read."""
        ...


def able(dialect: Dialect, place: Place) -> Capabilities:
    """Tell what may be asked of an account: nothing of a wallet that the venue does not have."""
    told = dialect.capabilities(place)
    if place.config.wallet in dialect.wallets:
        return told
    return Capabilities(orders=False, transfers=False, tells_status=told.tells_status)


def leads(dialect: Dialect, source: AccountConfig, target: AccountConfig) -> bool:
    """Tell whether money goes directly between two accounts of one master at a venue."""
    if not {source.wallet, target.wallet} <= set(dialect.wallets):
        return False
    one_login = source.login == target.login
    return dialect.linked(source.wallet, target.wallet, one_login=one_login)
