"""The paper exchange: one object that plays every venue of a snapshot, in memory.

Orders fill at the best bid or ask up to the depth given, fees leave the asset that pays,
transfers arrive after their route's latency, moves happen at once. A client id that comes again
changes nothing (unless `deduplicates` is off, to play a venue that doubles). Initial margin is
not checked: a refusal is ordered as a `Fault`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from allocator.adapters.exact import down
from allocator.adapters.paper.faults import Fault, Faults
from allocator.adapters.paper.ledger import Holdings
from allocator.adapters.paper.records import MoveRecord, OrderRecord, Record, TransferRecord
from allocator.adapters.paper.rules import refusal, taker_rate
from allocator.models.base import ZERO
from allocator.models.intents import (
    Ack,
    Capabilities,
    Intent,
    MoveIntent,
    OrderIntent,
    Outcome,
    Rejected,
    TransferIntent,
)
from allocator.models.market import Asset, Instrument
from allocator.models.snapshot import Snapshot
from allocator.ports import Clock

EVERYTHING = Capabilities(withdrawals=True, moves=True, sees_deposits=True)


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How the exchange behaves.

    Attributes
    ----------
    depth
        Contracts at the best price, by instrument, refilled before each order; absent: endless.
    capabilities
        What its venues claim to do.
    visible_after_s
        Seconds until an accepted action shows in `find`.
    deduplicates
        Whether a client id that comes again changes nothing.
    """

    depth: Mapping[str, Decimal] = field(default_factory=dict[str, Decimal])
    capabilities: Capabilities = EVERYTHING
    visible_after_s: Decimal = ZERO
    deduplicates: bool = True


class PaperExchange:
    """The state of every account of a snapshot, and what was done to it.

    Parameters
    ----------
    snapshot
        Where it starts.
    clock
        Its time.
    faults
        What goes wrong.
    behaviour
        Its depth, its delays, its capabilities.

    Attributes
    ----------
    received, effects
        How often each client id was received, and how often it changed something.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        clock: Clock,
        *,
        faults: Iterable[Fault] = (),
        behaviour: Behaviour | None = None,
    ) -> None:
        self.clock = clock
        self.start = snapshot
        self.faults = Faults(faults)
        self.behaviour = behaviour or Behaviour()
        self.instruments: dict[str, Instrument] = dict(snapshot.instrument)
        self.assets: dict[str, Asset] = dict(snapshot.assets)
        self.accounts = dict(snapshot.account)
        self.holdings = {
            name: Holdings.of(account, self.instruments) for name, account in self.accounts.items()
        }
        self.records: dict[str, Record] = {}
        self.received = Counter[str]()
        self.effects = Counter[str]()
        self._silent_at: dict[str, datetime] = {}
        self._late: list[tuple[datetime, Intent]] = []

    def now(self) -> datetime:
        """Tell the exchange's time, after everything due has happened."""
        now = self.clock.now()
        for due, intent in [row for row in self._late if row[0] <= now]:
            self._late.remove((due, intent))
            self._take(intent, None)
        for record in self.records.values():
            if isinstance(record, TransferRecord):
                self._arrive(record, now)
            elif isinstance(record, OrderRecord) and not record.ended:
                silent = self._silent_at.get(record.intent.account)
                record.ended = silent is not None and silent <= now
        return now

    def arm(self, account: str, seconds: int) -> None:
        """End an account's resting orders after a silence; zero: never."""
        self._silent_at.pop(account, None)
        if seconds:
            self._silent_at[account] = self.clock.now() + timedelta(seconds=seconds)

    def receive(self, intent: Intent, fault: Fault | None = None) -> Outcome:
        """Take a request that has reached the exchange."""
        self.now()
        return self._take(intent, fault)

    def delay(self, intent: Intent, seconds: Decimal) -> None:
        """Let a request arrive later; past the receive window it is refused unheard."""
        if seconds <= self.behaviour.capabilities.receive_window_s:
            self._late.append((self.clock.now() + timedelta(seconds=float(seconds)), intent))

    def cancel(self, client_id: str) -> Outcome:
        """End what is left of an order."""
        self.now()
        record = self.records.get(client_id)
        if not isinstance(record, OrderRecord):
            return Rejected(code="ORDER_NOT_FOUND", message=client_id)
        if record.ended:
            return Rejected(code="ORDER_ENDED", message=client_id)
        record.ended = True
        return Ack(venue_id=record.venue_id)

    def set_price(self, instrument: str, bid: Decimal, ask: Decimal, mark: Decimal) -> None:
        """Move a market; resting orders that it crosses fill at their limit."""
        row = self.instruments[instrument]
        self.instruments[instrument] = row.model_copy(update={"bid": bid, "ask": ask, "mark": mark})
        for record in self.records.values():
            if isinstance(record, OrderRecord) and record.intent.instrument == instrument:
                limit = record.intent.limit_price
                crossed = ask <= limit if record.intent.side == "buy" else bid >= limit
                if crossed and not record.ended:
                    self._fill(record, record.left, limit)

    def set_asset_price(self, asset: str, price: Decimal) -> None:
        """Change what an asset is worth, numeraire."""
        self.assets[asset] = self.assets[asset].model_copy(update={"price": price})

    def fill(self, client_id: str, quantity: Decimal) -> None:
        """Fill a resting order at its limit, as if somebody had come."""
        record = self.records[client_id]
        assert isinstance(record, OrderRecord)
        self._fill(record, min(quantity, record.left), record.intent.limit_price)

    def trade_elsewhere(self, account: str, instrument: str, signed: Decimal) -> None:
        """Change a position behind the allocator's back, at mark and without a fee."""
        row = self.instruments[instrument]
        self.holdings[account].apply(row, signed, row.mark, ZERO)

    def _take(self, intent: Intent, fault: Fault | None) -> Outcome:
        self.received[intent.client_id] += 1
        known = self.records.get(intent.client_id)
        if known is not None and self.behaviour.deduplicates:
            return Ack(venue_id=known.venue_id)
        if fault is not None and fault.how == "rejected":
            return Rejected(code=fault.code, message="ordered by a fault")
        reason = self._stale(intent) or refusal(self, intent)
        if reason is not None:
            return Rejected(code=reason, message=f"{intent.kind} {intent.client_id}")
        self.effects[intent.client_id] += 1
        if isinstance(intent, OrderIntent):
            self._order(intent, fault)
        elif isinstance(intent, TransferIntent):
            self._transfer(intent, fault)
        else:
            self._move(intent, fault)
        return Ack(venue_id=self.records[intent.client_id].venue_id)

    def _stale(self, intent: Intent) -> str | None:
        """Refuse what was stamped longer ago than the receive window."""
        if intent.stamped_at is None:
            return None
        age = (self.clock.now() - intent.stamped_at).total_seconds()
        return "STALE_STAMP" if age > self.behaviour.capabilities.receive_window_s else None

    def _stamp(self) -> tuple[str, datetime, datetime]:
        now = self.clock.now()
        name = f"paper-{len(self.records) + 1}"
        return name, now, now + timedelta(seconds=float(self.behaviour.visible_after_s))

    def _order(self, intent: OrderIntent, fault: Fault | None) -> None:
        row = self.instruments[intent.instrument]
        record = OrderRecord(intent, *self._stamp())
        self.records[intent.client_id] = record
        best = row.ask if intent.side == "buy" else row.bid
        crosses = best is not None and (
            best <= intent.limit_price if intent.side == "buy" else best >= intent.limit_price
        )
        if intent.style == "post_only":
            record.ended = crosses
            return
        if crosses and best:
            share = fault.share if fault is not None and fault.how == "partial" else Decimal(1)
            there = self.behaviour.depth.get(intent.instrument, intent.quantity)
            self._fill(record, down(min(intent.quantity, there) * share, row.lot), best)
        record.ended = True

    def _fill(self, record: OrderRecord, quantity: Decimal, price: Decimal) -> None:
        intent = record.intent
        holdings = self.holdings[intent.account]
        if intent.reduce_only:
            quantity = min(quantity, abs(holdings.holding(intent.instrument).quantity))
        if not quantity:
            return
        row = self.instruments[intent.instrument]
        signed = quantity if intent.side == "buy" else -quantity
        rate = taker_rate(self.accounts[intent.account], row)
        record.fee += holdings.apply(row, signed, price, rate)
        record.fee_asset = row.cash
        record.filled += quantity
        record.value += quantity * price
        record.ended = record.ended or not record.left

    def _transfer(self, intent: TransferIntent, fault: Fault | None) -> None:
        route = self.start.route[intent.route]
        charge = route.fee + route.rate * intent.amount
        name, now, visible = self._stamp()
        due = now + timedelta(seconds=float(route.latency_s))
        how = fault.how if fault is not None else ""
        self.holdings[intent.source].wallet(intent.asset).add(-intent.amount - charge)
        record = TransferRecord(
            intent, name, now, visible, None if how == "stuck" else due, charge, how == "returned"
        )
        self.records[intent.client_id] = record
        self._arrive(record, now)

    def _arrive(self, record: TransferRecord, now: datetime) -> None:
        if record.ended or record.due is None or record.due > now:
            return
        record.ended = True
        place = record.intent.source if record.comes_back else record.intent.target
        amount = record.intent.amount + (record.charge if record.comes_back else ZERO)
        self.holdings[place].wallet(record.intent.asset).add(amount)

    def _move(self, intent: MoveIntent, fault: Fault | None) -> None:
        rejected = fault is not None and fault.how == "returned"
        self.records[intent.client_id] = MoveRecord(intent, *self._stamp(), rejected)
        if rejected:
            return
        row = self.instruments[intent.instrument]
        signed = intent.quantity if intent.side == "buy" else -intent.quantity
        self.holdings[intent.source].apply(row, -signed, intent.price, ZERO)
        self.holdings[intent.target].apply(row, signed, intent.price, ZERO)
