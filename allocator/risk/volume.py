"""What the controls measure of everything sent so far, of transfers, and of a snapshot. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from allocator.models.base import ZERO
from allocator.models.intents import MoveIntent, TransferIntent
from allocator.models.snapshot import RouteKind, Snapshot
from allocator.risk import table
from allocator.risk.control import Reading, flag
from allocator.state import Book, State, equity, lawful


@dataclass(frozen=True, slots=True)
class Volume:
    """What was sent within a cycle, an hour or a day, without the request at hand.

    Attributes
    ----------
    traded, transferred
        Numeraire.
    requests
        How many.
    unpriced
        How many transfers are not in the sum, since nobody can tell what they were worth.
    """

    traded: Decimal = ZERO
    transferred: Decimal = ZERO
    requests: int = 0
    unpriced: int = 0


@lawful
def volume_readings(
    traded: Decimal | None, cycle: Volume, hour: Volume, day: Volume
) -> Iterator[Reading]:
    """Measure turnover and requests with one request more.

    Parameters
    ----------
    traded
        Its value, numeraire; zero for a transfer, None: not known.
    """
    turnover = (table.TURNOVER_CYCLE, table.TURNOVER_HOUR, table.TURNOVER_DAY)
    actions = (table.ACTIONS_CYCLE, table.ACTIONS_HOUR, table.ACTIONS_DAY)
    for spent, count, row in zip(turnover, actions, (cycle, hour, day), strict=True):
        yield Reading(spent, None if traded is None else row.traded + traded)
        yield Reading(count, Decimal(row.requests + 1))


@lawful
def transfer_readings(
    book: Book, intent: TransferIntent, day: Volume, kinds: Collection[RouteKind]
) -> Iterator[Reading]:
    """Measure a transfer and the way it goes."""
    route = book.routes.get(intent.route)
    ends = (intent.source, intent.target, intent.asset)
    known = route is not None and route.enabled
    same = route is not None and (route.source, route.target, route.asset) == ends
    yield flag(table.ROUTE, not (known and same), intent.route)
    yield flag(table.ROUTE_KIND, route is None or route.kind not in kinds, intent.route)
    priced = intent.asset in book.snapshot.assets
    value = intent.amount * book.price(intent.asset) if priced else None
    yield Reading(table.TRANSFER_VALUE, value, intent.route)
    known_day = None if value is None or day.unpriced else day.transferred + value
    yield Reading(table.TRANSFER_DAY, known_day)


@lawful
def move_readings(book: Book, intent: MoveIntent) -> Iterator[Reading]:
    """Measure a position move."""
    value = intent.quantity * book.notional(intent.instrument)
    yield Reading(table.MOVE_VALUE, value, intent.instrument)


@lawful
def worth(book: Book) -> Decimal:
    """Add up the equity of every account and what is on its way to it, numeraire."""
    total, start = ZERO, State.start(book)
    for account in book.accounts:
        total += equity(book, start, account)
        arriving: Mapping[str, Decimal] = book.arriving(account)
        total += sum((units * book.price(asset) for asset, units in arriving.items()), ZERO)
    return total


def missing_reading(snapshot: Snapshot) -> Reading:
    """Measure how whole a snapshot is: its subject names the accounts that were not read.

    What an account holds and whether it may act tell nothing of that: one that is empty or stands
    still may have been read, and one that stands still may not.
    """
    unread = [row.id for row in snapshot.accounts if row.unread]
    return Reading(table.MISSING, Decimal(len(unread)), ", ".join(unread))
