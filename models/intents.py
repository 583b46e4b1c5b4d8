"""What is asked of a venue, and every way a venue may answer.

An intent is written down before anything is sent. Its `client_id` is derived, never random, so
that an unknown outcome can be looked up and nothing is ever sent twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from allocator.models.account import SeenOrder, Side
from allocator.models.base import ZERO, Name, NonNegative, Num, Positive, Utc, Value, VenueId, Words


class OrderIntent(Value):
    """An order to send, already quantised.

    Attributes
    ----------
    client_id
        128-bit id as 32 hex digits; the adapter fits it to the venue's charset and length.
    quantity
        Contracts, a multiple of lot.
    limit_price
        A multiple of tick.
    style
        ``ioc``: fill at once what fills, cancel the rest; ``post_only``: never take.
    stamped_at
        Time stamp that the request carries, so that the venue's receive window refuses a
        sender that was paused; None: the time of sending.
    """

    kind: Literal["order"] = "order"
    client_id: Name
    account: Name
    instrument: Name
    side: Side
    quantity: Positive
    limit_price: Positive
    reduce_only: bool = False
    style: Literal["ioc", "post_only"] = "ioc"
    stamped_at: Utc | None = None


class TransferIntent(Value):
    """A transfer to send; amount in asset units, a multiple of step, charges on top.

    Attributes
    ----------
    most_fee
        Charges of the plan, asset units: a venue that takes more by now is sent nothing; None: not
        told.
    """

    kind: Literal["transfer"] = "transfer"
    client_id: Name
    route: Name
    source: Name
    target: Name
    asset: Name
    amount: Positive
    most_fee: NonNegative | None = Field(default=None, exclude_if=lambda told: told is None)
    stamped_at: Utc | None = None


class MoveIntent(Value):
    """A position move to send; quantity in contracts, signed as the sender gives it up.

    Attributes
    ----------
    side
        What the receiver does: ``buy`` when a long is moved.
    price
        Mark price at which it moves.
    """

    kind: Literal["move"] = "move"
    client_id: Name
    source: Name
    target: Name
    instrument: Name
    side: Side
    quantity: Positive
    price: Positive
    stamped_at: Utc | None = None


Intent = Annotated[OrderIntent | TransferIntent | MoveIntent, Field(discriminator="kind")]


class Ack(Value):
    """The venue took it.

    Attributes
    ----------
    venue_id
        The venue's own id.
    """

    outcome: Literal["ack"] = "ack"
    venue_id: VenueId


class Rejected(Value):
    """The venue did not take it, by one of its definitive codes."""

    outcome: Literal["rejected"] = "rejected"
    code: Words
    message: Words


class Unknown(Value):
    """Nobody can say: it is looked up, never resent."""

    outcome: Literal["unknown"] = "unknown"
    why: Words


Outcome = Ack | Rejected | Unknown

FoundState = Literal[
    "open", "partial", "filled", "cancelled", "in_transit", "settled", "returned", "rejected"
]
"""Where the venue says that it stands; ``rejected``: it took a move, and then carried none out."""


class Found(Value):
    """The venue knows it.

    Attributes
    ----------
    filled
        Contracts, or asset units that arrived.
    average_price
        Of the fills; None: not filled, or not told.
    fees
        Charges so far by asset (units, positive is paid).
    arrivals
        Names of deposits that a settled transfer may have arrived as, each one's for good; one of
        them settled it, and it settles no other. Empty: its venue does not tell.
    why
        What the venue says of the state; empty: nothing.
    """

    finding: Literal["found"] = "found"
    venue_id: VenueId
    state: FoundState
    filled: NonNegative = ZERO
    average_price: Num | None = None
    fees: Mapping[str, Num] = Field(default_factory=dict[str, Num])
    venue_time: Utc | None = None
    arrivals: tuple[VenueId, ...] = ()
    why: Words = ""


class AbsentNow(Value):
    """A well-formed answer that does not contain it, by id and by history.

    Attributes
    ----------
    venue_time
        The venue's clock at the answer.
    """

    finding: Literal["absent"] = "absent"
    venue_time: Utc


class Unsure(Value):
    """No well-formed answer: this is never taken for a negative."""

    finding: Literal["unsure"] = "unsure"
    why: Words


Finding = Found | AbsentNow | Unsure


class Quote(Value):
    """Best prices of one instrument at one time."""

    instrument: Name
    bid: Positive
    ask: Positive
    mark: Positive
    at: Utc


class AccountReading(Value):
    """What a venue says an account holds, right now.

    Attributes
    ----------
    complete
        Whether every wallet, settle coin and page was read.
    missing
        What was not read, and why.
    wallets
        Units by asset, without unrealised profit.
    positions
        Signed contracts by instrument; absent means flat only if `complete`.
    """

    account: Name
    at: Utc
    complete: bool
    missing: tuple[Words, ...] = ()
    wallets: Mapping[str, Num] = Field(default_factory=dict[str, Num])
    positions: Mapping[str, Num] = Field(default_factory=dict[str, Num])
    open_orders: tuple[SeenOrder, ...] = ()

    def position(self, instrument: str) -> Decimal:
        """Signed contracts of an instrument; flat if it is not listed."""
        return self.positions.get(instrument, ZERO)


class Capabilities(Value):
    """What a venue can do, from our own table, proved by the contract suite.

    Attributes
    ----------
    orders, transfers, withdrawals, moves
        Which kinds of action may be sent.
    sees_deposits
        Whether what a chain brings to the account is seen to arrive in it: where it is not, no
        withdrawal ends.
    transfer_key
        Whether a transfer carries an idempotency key; without one at most one transfer per
        (asset, source, target) may be under way, and one per (asset, amount) of the venue.
    client_id_reusable
        Whether the venue forgets a client id once its order has ended.
    receive_window_s
        Seconds after its time stamp at which the venue refuses a request; at most 5.
    read_lag_s
        Seconds after which an accepted action must be visible in reads.
    batch_orders
        Orders that one request may carry.
    dead_man_s
        Least seconds of silence after which the venue can be told to cancel every order; None:
        it has no such switch.
    tells_status
        Whether the venue publishes how it stands, so that it is asked at each gather.
    """

    orders: bool = True
    transfers: bool = True
    withdrawals: bool = False
    moves: bool = False
    sees_deposits: bool = False
    transfer_key: bool = True
    client_id_reusable: bool = False
    receive_window_s: NonNegative = Decimal(5)
    read_lag_s: NonNegative = Decimal(1)
    batch_orders: int = Field(default=1, ge=1)
    dead_man_s: Positive | None = None
    tells_status: bool = False
