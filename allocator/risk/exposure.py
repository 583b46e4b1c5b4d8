"""What the controls measure of the book with a request and every working order in it. Pure.

Working orders count at their worst: each place has the lowest and the highest quantity that any
of its fills can lead to. A request that makes no figure worse passes limits that are broken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from allocator.margin import liquidation_distances, margin_ratio
from allocator.models.account import Account
from allocator.models.base import ONE, ZERO
from allocator.models.errors import SnapshotError
from allocator.risk import table
from allocator.risk.control import Control, Reading
from allocator.state import Book, State, equity, lawful

NO_EQUITY = Decimal("1e-12")
"""Stands for an equity of nothing or less, so that any leverage on it is beyond every limit."""

NO_MARGIN = Decimal(10**6)
"""Stands for the ratio of an account that needs no margin."""


@dataclass(frozen=True, slots=True)
class Working:
    """Contracts that may still be filled, positive for a buy."""

    account: str
    instrument: str
    signed: Decimal


@dataclass(frozen=True, slots=True)
class Place:
    """A position, or a holding of a coin that is exposure.

    Attributes
    ----------
    low, high
        Value and exposure at the lowest and at the highest quantity, numeraire.
    """

    account: str
    name: str
    underlying: str | None
    gross: Decimal
    low: Decimal
    high: Decimal


@dataclass(frozen=True, slots=True)
class Change:
    """The book before and after a request.

    Attributes
    ----------
    before, after
        Without it, and with all of it filled.
    working
        What else may still fill.
    request
        What it adds to the working orders.
    """

    book: Book
    before: State
    after: State
    working: Sequence[Working]
    request: Sequence[Working]


Key = tuple[str, str]


@lawful
def places(book: Book, state: State, working: Iterable[Working]) -> dict[Key, Place]:
    """Work out every position and coin with its worst fills, by (account, name)."""
    spans = dict[Key, list[Decimal]]()
    for account, holding in state.holdings.items():
        for name, quantity in holding.quantity.items():
            spans[account, name] = [quantity, quantity]
        for asset, units in holding.wallet.items():
            if book.asset(asset).underlying is not None:
                spans[account, f"asset {asset}"] = [units, units]
    for row in working:
        span = spans.setdefault(_key(book, row), [ZERO, ZERO])
        span[0 if row.signed < 0 else 1] += row.signed
    return {key: _place(book, key, low, high) for key, (low, high) in spans.items()}


def _key(book: Book, row: Working) -> Key:
    instrument = book.instruments[row.instrument]
    name = f"asset {instrument.base}" if instrument.is_spot else instrument.id
    return row.account, name


def _place(book: Book, key: Key, low: Decimal, high: Decimal) -> Place:
    account, name = key
    if name.startswith("asset "):
        asset = book.asset(name.removeprefix("asset "))
        value = exposure = asset.price
        underlying = asset.underlying
    else:
        value, exposure = book.notional(name), book.exposure(name)
        underlying = book.instruments[name].underlying
    ends = sorted((low * exposure, high * exposure))
    return Place(account, name, underlying, max(abs(low), abs(high)) * value, ends[0], ends[1])


Scope = tuple[Control, Control, Callable[[Account], object]]
SCOPES: tuple[Scope, ...] = (
    (table.GROSS_ACCOUNT, table.NET_ACCOUNT, lambda row: row.id),
    (table.GROSS_OWNER, table.NET_OWNER, lambda row: row.owner),
    (table.GROSS_VENUE, table.NET_VENUE, lambda row: row.venue),
    (table.GROSS_PORTFOLIO, table.NET_PORTFOLIO, lambda _row: "book"),
)


@lawful
def exposure_readings(change: Change) -> Iterator[Reading]:
    """Measure the book around every place that a request changes."""
    book = change.book
    before = places(book, change.before, change.working)
    now = places(book, change.before, [*change.working, *change.request])
    for row in change.request:
        key = _key(book, row)
        place, old = now[key], before.get(key)
        was = ZERO if old is None else old.gross
        yield Reading(table.POSITION_VALUE, place.gross, place.name, was)
        yield from _in_scopes(book, place, before, now)
        yield from _margins(change, row.account, before, now)


def _in_scopes(
    book: Book, place: Place, before: Mapping[Key, Place], now: Mapping[Key, Place]
) -> Iterator[Reading]:
    account = book.accounts[place.account]
    for gross, net, name in SCOPES:
        wanted = name(account)
        inside = {row.id for row in book.accounts.values() if name(row) == wanted}
        old = [row for row in before.values() if row.account in inside]
        new = [row for row in now.values() if row.account in inside]
        yield Reading(gross, _gross(new), str(wanted), _gross(old))
        value, was = _net(new, place.underlying), _net(old, place.underlying)
        yield Reading(net, value, f"{wanted} {place.underlying}", was)


def _gross(rows: Iterable[Place]) -> Decimal:
    return sum((row.gross for row in rows), ZERO)


def _net(rows: Iterable[Place], underlying: str | None) -> Decimal:
    mine = [row for row in rows if row.underlying == underlying]
    low = sum((row.low for row in mine), ZERO)
    high = sum((row.high for row in mine), ZERO)
    return max(abs(low), abs(high))


def _margins(
    change: Change, account: str, before: Mapping[Key, Place], now: Mapping[Key, Place]
) -> Iterator[Reading]:
    book = change.book
    own = max(equity(book, change.after, account), NO_EQUITY)
    lever, old = (
        _gross(row for row in rows.values() if row.account == account) / own
        for rows in (now, before)
    )
    yield Reading(table.LEVERAGE, lever, account, old)
    try:
        near, was = (_nearest(book, state, account) for state in (change.after, change.before))
    except SnapshotError:
        # No brackets for what it would hold: nobody can say, and that blocks.
        yield Reading(table.LIQUIDATION, None, account)
        return
    yield Reading(table.LIQUIDATION, near, account, was)


def _nearest(book: Book, state: State, account: str) -> Decimal:
    """Find the nearest liquidation; one where no move up to doubling leads to it."""
    found = liquidation_distances(book, state, account).values()
    return min((abs(row) for row in found if row is not None), default=ONE)


@lawful
def left_readings(book: Book, after: State, account: str) -> Iterator[Reading]:
    """Measure what a transfer leaves with its sender."""
    yield Reading(table.RESERVE, equity(book, after, account), account)
    ratio = margin_ratio(book, after, account)
    yield Reading(table.MARGIN_RATIO, NO_MARGIN if ratio is None else ratio, account)
