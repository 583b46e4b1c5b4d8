"""The paper exchange behind the ports: one venue an account, and the snapshots."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from allocator.adapters.paper.exchange import Behaviour, PaperExchange
from allocator.adapters.paper.faults import Fault
from allocator.adapters.paper.records import OrderRecord, TransferRecord
from allocator.models.account import Account, Balance, InFlight, Position, SeenOrder
from allocator.models.base import ZERO
from allocator.models.errors import VenueError
from allocator.models.intents import (
    AbsentNow,
    AccountReading,
    Ack,
    Capabilities,
    Finding,
    Intent,
    OrderIntent,
    Outcome,
    Quote,
    Rejected,
    Unknown,
    Unsure,
)
from allocator.models.snapshot import Snapshot
from allocator.models.status import VenueStatus
from allocator.ports import Clock, Venue


class PaperVenue:
    """One account of the paper exchange.

    Parameters
    ----------
    exchange
        Where it lives.
    account
        The account's id.
    """

    def __init__(self, exchange: PaperExchange, account: str) -> None:
        self._exchange = exchange
        self._account = account

    @property
    def account(self) -> str:
        """The account's id."""
        return self._account

    @property
    def capabilities(self) -> Capabilities:
        """What may be asked."""
        return self._exchange.behaviour.capabilities

    async def server_time(self) -> datetime:
        """Read the exchange's clock, UTC."""
        if self._exchange.faults.next("time", self._account):
            raise VenueError("the clock was not read")
        return self._exchange.now()

    async def submit(self, intent: Intent) -> Outcome:
        """Send one action."""
        exchange = self._exchange
        fault = exchange.faults.next(intent.kind, self._account)
        how = fault.how if fault is not None else ""
        if how == "lost_before":
            return Unknown(why="the request was lost")
        if fault is not None and how == "late":
            exchange.delay(intent, fault.delay_s)
            return Unknown(why="the request is under way")
        outcome = exchange.receive(intent, fault)
        return Unknown(why="the reply was lost") if how == "lost_after" else outcome

    async def submit_together(self, intents: Sequence[OrderIntent]) -> tuple[Outcome, ...]:
        """Send orders in one request, once; each has an outcome of its own."""
        if len({intent.stamped_at for intent in intents}) > 1:
            refused = Rejected(code="NOT_SENT", message="orders of one request are stamped alike")
            return (refused,) * len(intents)
        return tuple([await self.submit(intent) for intent in intents])

    async def cancel_after(self, seconds: int) -> Outcome:
        """Have every order of the account cancelled unless this is called again in time."""
        if self._exchange.faults.next("dead_man", self._account):
            return Unknown(why="the reply was lost")
        self._exchange.arm(self._account, seconds)
        return Ack(venue_id=f"dead-man-{seconds}")

    async def find(self, intent: Intent, since: datetime, venue_id: str | None = None) -> Finding:
        """Look an action up by its client id."""
        del venue_id
        if self._exchange.faults.next("find", self._account):
            return Unsure(why="the reply was lost")
        now = self._exchange.now()
        record = self._exchange.records.get(intent.client_id)
        if record is None or record.visible > now or record.at < since:
            return AbsentNow(venue_time=now)
        return record.found()

    async def cancel(self, intent: OrderIntent) -> Outcome:
        """Cancel what is left of an order."""
        fault = self._exchange.faults.next("cancel", self._account)
        if fault is not None and fault.how in ("lost_before", "error"):
            return Unknown(why="the request was lost")
        outcome = self._exchange.cancel(intent.client_id)
        return Unknown(why="the reply was lost") if fault is not None else outcome

    async def read(self) -> AccountReading:
        """Read wallets, positions and open orders."""
        now = self._exchange.now()
        if self._exchange.faults.next("read", self._account):
            return AccountReading(
                account=self._account, at=now, complete=False, missing=("everything",)
            )
        held = self._exchange.holdings[self._account]
        return AccountReading(
            account=self._account,
            at=now,
            complete=True,
            wallets={asset: row.units for asset, row in held.wallets.items()},
            positions={name: row.quantity for name, row in held.positions.items()},
            open_orders=open_orders(self._exchange, self._account),
        )

    async def quote(self, instrument: str) -> Quote:
        """Read best prices."""
        self._exchange.now()
        row = self._exchange.instruments.get(instrument)
        if self._exchange.faults.next("quote", self._account) or row is None:
            raise VenueError(f"no prices of {instrument}")
        if row.bid is None or row.ask is None:
            raise VenueError(f"{instrument} is not quoted on both sides")
        at = self._exchange.clock.now()
        return Quote(instrument=instrument, bid=row.bid, ask=row.ask, mark=row.mark, at=at)

    async def close(self) -> None:
        """Release nothing."""


@dataclass(frozen=True, slots=True)
class PaperMissing:
    """What a paper gather did not read."""

    account: str
    what: str


@dataclass(frozen=True, slots=True)
class PaperGathered:
    """A paper snapshot and what is missing from it."""

    snapshot: Snapshot
    missing: tuple[PaperMissing, ...] = ()
    notes: tuple[PaperMissing, ...] = ()
    statuses: Mapping[str, VenueStatus] = field(default_factory=dict[str, VenueStatus])


class PaperMarket:
    """Snapshots of the paper exchange."""

    def __init__(self, exchange: PaperExchange) -> None:
        self._exchange = exchange

    async def gather(self) -> PaperGathered:
        """Read every account; one whose reading fails keeps its last numbers, frozen."""
        exchange = self._exchange
        now = exchange.now()
        missing = [
            name for name in exchange.accounts if exchange.faults.next("gather", name) is not None
        ]
        accounts = (
            current(exchange, row).model_copy(update={"state": "frozen", "unread": True})
            if name in missing
            else current(exchange, row)
            for name, row in exchange.accounts.items()
        )
        snapshot = Snapshot(
            as_of=now,
            assets=dict(exchange.assets),
            instruments=tuple(exchange.instruments.values()),
            accounts=tuple(accounts),
            routes=exchange.start.routes,
            moves=exchange.start.moves,
        )
        return PaperGathered(snapshot, tuple(PaperMissing(name, "a fault") for name in missing))


def current(exchange: PaperExchange, account: Account) -> Account:
    """Write an account as it stands now."""
    held = exchange.holdings[account.id]
    positions = dict(account.positions)
    for name, holding in held.positions.items():
        row = exchange.instruments[name]
        numbers = {
            "quantity": holding.quantity,
            "entry_price": None,
            "unrealised": holding.unrealised(row),
        }
        before = positions.get(name, Position(quantity=ZERO, tradable=False))
        positions[name] = before.model_copy(update=numbers)
    balances = {
        asset: Balance(wallet=row.units, withdrawable=row.free)
        for asset, row in held.wallets.items()
    }
    return account.model_copy(
        update={
            "balances": balances,
            "positions": positions,
            "open_orders": tuple(row.nameless() for row in open_orders(exchange, account.id)),
            "in_flight": account.in_flight + _in_flight(exchange, account.id),
        }
    )


def open_orders(exchange: PaperExchange, account: str) -> tuple[SeenOrder, ...]:
    """List the orders of an account that stand in a book: others', which never fill, and ours.

    Those of others bear no name: they are the snapshot's.
    """
    others = exchange.accounts[account].open_orders
    ours = tuple(
        SeenOrder(
            instrument=row.intent.instrument,
            side=row.intent.side,
            quantity=row.left,
            price=row.intent.limit_price,
            reduce_only=row.intent.reduce_only,
            client_id=row.intent.client_id,
        )
        for row in exchange.records.values()
        if isinstance(row, OrderRecord) and row.intent.account == account and not row.ended
    )
    return (
        *(SeenOrder.model_validate({**row.model_dump(), "client_id": ""}) for row in others),
        *ours,
    )


def _in_flight(exchange: PaperExchange, account: str) -> tuple[InFlight, ...]:
    return tuple(
        InFlight(
            asset=row.intent.asset,
            amount=row.intent.amount,
            direction="in" if row.intent.target == account else "out",
            route=row.intent.route,
        )
        for row in exchange.records.values()
        if isinstance(row, TransferRecord)
        and not row.ended
        and account in (row.intent.source, row.intent.target)
    )


def open_paper(
    snapshot: Snapshot,
    clock: Clock,
    *,
    faults: Iterable[Fault] = (),
    behaviour: Behaviour | None = None,
) -> tuple[PaperExchange, PaperMarket, Mapping[str, Venue]]:
    """Open the paper exchange of a snapshot with a venue an account."""
    exchange = PaperExchange(snapshot, clock, faults=faults, behaviour=behaviour)
    return (
        exchange,
        PaperMarket(exchange),
        {name: PaperVenue(exchange, name) for name in exchange.accounts},
    )
