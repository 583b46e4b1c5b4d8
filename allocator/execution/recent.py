"""What was sent within the last day, counted as the controls count it.

Read from the journal when a plan begins and added to as it goes on, so that counts survive a
restart and no request has to read a day's record again.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from allocator.execution.attempts import Attempt, sender, touched
from allocator.models.base import ZERO
from allocator.models.intents import Intent, MoveIntent, OrderIntent, TransferIntent
from allocator.models.plan import Order
from allocator.risk.volume import Volume
from allocator.state import Book, lawful

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Past:
    """A request that was sent.

    Attributes
    ----------
    total
        Volume of every request up to and with this one.
    """

    at: datetime
    plan_hash: str
    seq: int
    intent: Intent
    total: Volume


class Recent:
    """Requests of the last day, in order."""

    def __init__(self) -> None:
        self._rows: list[Past] = []
        self._cycles: dict[str, Volume] = {}
        self._messages: list[tuple[datetime, Collection[str]]] = []

    def load(
        self, book: Book, attempts: Iterable[Attempt], cancels: Iterable[tuple[datetime, str]]
    ) -> None:
        """Begin anew with what the journal knows.

        Parameters
        ----------
        cancels
            When an order was asked to be cancelled, and of which account.
        """
        self._rows, self._cycles, self._messages = [], {}, []
        for row in sorted(attempts, key=lambda row: (row.intent_at, row.client_id)):
            self.add(book, row)
        self._messages += [(at, (account,)) for at, account in cancels]
        self._messages.sort(key=lambda row: row[0])

    def by(self, now: datetime) -> None:
        """Take what a clock that was ahead has stamped as sent now: it ages like anything else.

        Left where it stands it would be of every window for as long as the clock was ahead.
        """
        for at in reversed(range(len(self._rows))):
            if self._rows[at].at <= now:
                break
            self._rows[at] = replace(self._rows[at], at=now)
        for at in reversed(range(len(self._messages))):
            if self._messages[at][0] <= now:
                break
            self._messages[at] = (now, self._messages[at][1])

    def add(self, book: Book, attempt: Attempt) -> None:
        """Count a request that is about to be sent."""
        intent, at = attempt.intent, attempt.intent_at
        self.by(at)
        moved = transferred_value(book, intent)
        one = Volume(traded_value(book, intent), moved or ZERO, 1, int(moved is None))
        last = self._rows[-1].total if self._rows else Volume()
        self._rows.append(Past(at, attempt.plan_hash, attempt.seq, intent, _plus(last, one)))
        before = self._cycles.get(attempt.plan_hash, Volume())
        self._cycles[attempt.plan_hash] = _plus(before, one)
        self.message(asks(intent), at)

    def message(self, accounts: Collection[str], at: datetime) -> None:
        """Count a request that changes something, cancels among them."""
        self.by(at)
        self._messages.append((at, accounts))

    def messages(self, accounts: Collection[str], since: datetime) -> int:
        """Count requests of any of these accounts after a time."""
        count = 0
        for at, names in reversed(self._messages):
            if at <= since:
                break
            count += any(name in accounts for name in names)
        return count

    def cycle(self, plan_hash: str) -> Volume:
        """Tell what a plan has sent."""
        return self._cycles.get(plan_hash, Volume())

    def since(self, at: datetime) -> Volume:
        """Tell what was sent at a time or after it."""
        first = bisect_left(self._rows, at, key=lambda row: row.at)
        if first == len(self._rows):
            return Volume()
        before = self._rows[first - 1].total if first else Volume()
        return _minus(self._rows[-1].total, before)

    def same_side(self, order: OrderIntent | Order, since: datetime) -> int:
        """Count orders for the same side of the same instrument in the same account."""
        return sum(
            isinstance(row.intent, OrderIntent) and _side(row.intent) == _side(order)
            for row in self._after(since)
        )

    def equal_before_s(
        self, intent: OrderIntent, action: tuple[str, int], now: datetime, within_s: Decimal
    ) -> Decimal | None:
        """Tell how long ago an equal order of another action was sent; None: not within."""
        since = now - timedelta(seconds=float(within_s))
        for row in reversed(self._after(since)):
            other = row.intent
            if (row.plan_hash, row.seq) == action or not isinstance(other, OrderIntent):
                continue
            if _side(other) == _side(intent) and _size(other) == _size(intent):
                return Decimal(str((now - row.at).total_seconds()))
        return None

    def _after(self, since: datetime) -> list[Past]:
        return self._rows[bisect_left(self._rows, since, key=lambda row: row.at) :]


def asks(intent: Intent) -> tuple[str, ...]:
    """Name the accounts for which a venue may count a request: a move trades in both of its."""
    return touched(intent) if isinstance(intent, MoveIntent) else (sender(intent),)


def _side(order: OrderIntent | Order) -> tuple[str, str, str]:
    return order.account, order.instrument, order.side


def _size(intent: OrderIntent) -> tuple[Decimal, Decimal]:
    return intent.quantity, intent.limit_price


def _plus(a: Volume, b: Volume) -> Volume:
    return Volume(
        a.traded + b.traded, a.transferred + b.transferred,
        a.requests + b.requests, a.unpriced + b.unpriced,
    )  # fmt: skip


def _minus(a: Volume, b: Volume) -> Volume:
    return Volume(
        a.traded - b.traded, a.transferred - b.transferred,
        a.requests - b.requests, a.unpriced - b.unpriced,
    )  # fmt: skip


@lawful
def traded_value(book: Book, intent: Intent) -> Decimal:
    """Value an order or a move at the book's prices, numeraire; zero for a transfer.

    An instrument that the book no longer has is valued at the price it was asked at.
    """
    match intent:
        case TransferIntent():
            return ZERO
        case OrderIntent() | MoveIntent() if intent.instrument in book.instruments:
            return intent.quantity * book.notional(intent.instrument)
        case OrderIntent():
            return intent.quantity * intent.limit_price
        case MoveIntent():
            return intent.quantity * intent.price


@lawful
def transferred_value(book: Book, intent: Intent) -> Decimal | None:
    """Value a transfer at the book's prices, numeraire; zero for anything else.

    None: its asset is no longer in the book, so nobody can tell.
    """
    if not isinstance(intent, TransferIntent):
        return ZERO
    priced = intent.asset in book.snapshot.assets
    return intent.amount * book.price(intent.asset) if priced else None
