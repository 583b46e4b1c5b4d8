"""What was sent within the last day, counted as the controls count it.

Read from the journal when a plan begins and added to as it goes on, so that counts survive a
restart and no request has to read a day's record again.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import chain

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
    volume: Volume
    total: Volume


MadeFor = Callable[[str], Book | None]
"""Tells the book that a plan was made for, by the plan's hash; None: it is not known."""

Message = tuple[datetime, Collection[str]]
"""When a request was sent, and the accounts that it may count for."""


class Recent:
    """Requests of the last day, in order.

    What a clock that was ahead has stamped is kept apart, and counts from when it was first seen to
    be ahead, or was written by the order of the audit if that is earlier: by its stamp it would be
    of every window for as long as the clock was ahead. Once that time has come it counts by its
    stamp again, as it may be now's clock that was wrong: to count twice refuses too much, never too
    little.
    """

    def __init__(self) -> None:
        self._rows: list[Past] = []
        self._messages: list[Message] = []
        self._cycles: dict[str, Volume] = {}
        self._ahead: list[Past] = []
        self._messages_ahead: list[Message] = []
        self._unwritten: list[Message] = []
        self._first_seen: dict[datetime, datetime] = {}
        self._now: datetime | None = None

    def load(
        self,
        book: Book,
        attempts: Iterable[Attempt],
        cancels: Iterable[tuple[datetime, str]],
        made_for: MadeFor = lambda _plan: None,
        written: Mapping[datetime, datetime] | None = None,
    ) -> None:
        """Begin anew with what the journal knows.

        Parameters
        ----------
        cancels
            When an order was asked to be cancelled, and of which account.
        made_for
            Tells the book of an earlier plan, for instruments that this one no longer has.
        written
            By when what a clock ahead has stamped was written, by its stamp.
        """
        self._rows, self._cycles, self._messages = [], {}, []
        self._ahead, self._messages_ahead = [], []
        for stamp, at in (written or {}).items():
            self._first_seen[stamp] = min(self._first_seen.get(stamp, at), at)
        for row in sorted(attempts, key=lambda row: (row.intent_at, row.client_id)):
            self.add(_book_of(row, book, made_for), row)
        self._messages += [(at, (account,)) for at, account in cancels]
        last = max((at for at, _ in self._unwritten), default=None)
        self._unwritten = [row for row in self._unwritten if last and row[0] > last - DAY]
        self._messages += self._unwritten
        self._messages.sort(key=lambda row: row[0])

    def by(self, now: datetime) -> None:
        """Take in what time it is."""
        self._now = now
        while self._rows and self._rows[-1].at > now:
            self._ahead.append(self._rows.pop())
        while self._messages and self._messages[-1][0] > now:
            self._messages_ahead.append(self._messages.pop())
        stamps = [row.at for row in self._ahead] + [at for at, _ in self._messages_ahead]
        known = self._first_seen
        self._first_seen = {at: min(known.get(at, now), now) for at in stamps}

    def add(self, book: Book, attempt: Attempt) -> None:
        """Count a request that is about to be sent."""
        intent, at = attempt.intent, attempt.intent_at
        if self._rows:
            at = max(at, self._rows[-1].at)
        moved = transferred_value(book, intent)
        one = Volume(traded_value(book, intent), moved or ZERO, 1, int(moved is None))
        last = self._rows[-1].total if self._rows else Volume()
        self._rows.append(Past(at, attempt.plan_hash, attempt.seq, intent, one, _plus(last, one)))
        before = self._cycles.get(attempt.plan_hash, Volume())
        self._cycles[attempt.plan_hash] = _plus(before, one)
        self.message(asks(intent), at)

    def message(self, accounts: Collection[str], at: datetime, *, written: bool = True) -> None:
        """Count a request that changes something, cancels among them.

        Parameters
        ----------
        written
            Whether the journal knows of it; what it does not is kept from plan to plan here, and
            is not counted after a restart.
        """
        if self._messages:
            at = max(at, self._messages[-1][0])
        self._messages.append((at, accounts))
        if not written:
            self._unwritten.append((at, accounts))

    def messages(self, accounts: Collection[str], since: datetime) -> int:
        """Count requests of any of these accounts after a time."""
        first = bisect_right(self._messages, since, key=lambda row: row[0])
        ahead = [row for row in self._messages_ahead if self._counts_from(row[0]) > since]
        rows = chain(self._messages[first:], ahead)
        return sum(any(name in accounts for name in names) for _, names in rows)

    def cycle(self, plan_hash: str) -> Volume:
        """Tell what a plan has sent."""
        return self._cycles.get(plan_hash, Volume())

    def since(self, at: datetime) -> Volume:
        """Tell what was sent at a time or after it."""
        first, out = bisect_left(self._rows, at, key=lambda row: row.at), Volume()
        if first < len(self._rows):
            before = self._rows[first - 1].total if first else Volume()
            out = _minus(self._rows[-1].total, before)
        for row in self._ahead_since(at):
            out = _plus(out, row.volume)
        return out

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
                return Decimal(str((now - self._counts_from(row.at)).total_seconds()))
        return None

    def _after(self, since: datetime) -> list[Past]:
        first = bisect_left(self._rows, since, key=lambda row: row.at)
        return [*self._rows[first:], *self._ahead_since(since)]

    def _ahead_since(self, since: datetime) -> list[Past]:
        return [row for row in self._ahead if self._counts_from(row.at) >= since]

    def _counts_from(self, stamp: datetime) -> datetime:
        """Tell since when a request counts; a clock that was only set back once has its stamp."""
        if self._now is None or stamp <= self._now:
            return stamp
        return self._first_seen.get(stamp, stamp)


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


def _book_of(attempt: Attempt, book: Book, made_for: MadeFor) -> Book:
    """Choose the book that tells what an attempt was worth."""
    intent = attempt.intent
    if isinstance(intent, TransferIntent) or intent.instrument in book.instruments:
        return book
    return made_for(attempt.plan_hash) or book


@lawful
def traded_value(book: Book, intent: Intent) -> Decimal:
    """Value an order or a move at the book's prices, numeraire; zero for a transfer.

    An instrument that the book does not have is valued at the price it was asked at.
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
