"""What the controls measure of one order. Pure: time and what was sent before are arguments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from allocator.models.account import OpenOrder
from allocator.models.base import ZERO
from allocator.models.intents import OrderIntent, Quote
from allocator.models.market import Instrument
from allocator.risk import table
from allocator.risk.control import Control, Reading, flag
from allocator.state import Book, lawful

BPS = Decimal(10000)
LONG_AGO = Decimal(10**9)
"""Seconds since something that never was."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What was sent before, as the controls count it.

    Attributes
    ----------
    since_equal_s
        Seconds since an equal order of another action; None: there was none.
    same_side
        Orders for this side of this instrument in this account within the window.
    messages
        Requests within the window by control.
    """

    since_equal_s: Decimal | None = None
    same_side: int = 0
    messages: dict[Control, int] = field(default_factory=dict[Control, int])


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """An order with all that its controls measure it by.

    Attributes
    ----------
    quote
        Fresh prices; None: there are none, which blocks.
    age_s
        How old they are.
    marks
        Marks seen within the window, the fresh one among them.
    held
        Signed contracts held; of spot, units of the base asset.
    resting
        Orders of the same control group that stand in this instrument's book.
    """

    book: Book
    intent: OrderIntent
    quote: Quote | None
    age_s: Decimal | None
    held: Decimal | None
    marks: Sequence[Decimal] = ()
    resting: Sequence[OpenOrder] = ()
    sent: Sent = field(default_factory=Sent)


@lawful
def units_of(row: Instrument, quantity: Decimal, mark: Decimal) -> Decimal:
    """Turn contracts into units of the underlying."""
    return quantity * row.size / mark if row.payoff == "inverse" else quantity * row.size


@lawful
def value_of(book: Book, name: str, quantity: Decimal, mark: Decimal) -> Decimal:
    """Value contracts at a fresh mark, numeraire."""
    row, value = book.instruments[name], quantity * book.notional(name)
    follows = row.kind != "option" and row.payoff != "inverse"
    return value * mark / row.mark if follows else value


@lawful
def order_readings(facts: OrderFacts) -> Iterator[Reading]:
    """Measure an order."""
    yield from _size(facts)
    yield from _price(facts)
    yield from _pace(facts)
    yield from _rules(facts)


def _size(facts: OrderFacts) -> Iterator[Reading]:
    book, intent = facts.book, facts.intent
    row = book.instruments[intent.instrument]
    name = row.underlying or row.base or row.id
    if facts.quote is None:
        yield Reading(table.ORDER_UNITS, None, name)
        yield Reading(table.ORDER_VALUE, None)
        return
    mark = facts.quote.mark if row.kind != "option" else row.mark
    yield Reading(table.ORDER_UNITS, units_of(row, intent.quantity, mark), name)
    yield Reading(table.ORDER_VALUE, value_of(book, row.id, intent.quantity, mark))


def _price(facts: OrderFacts) -> Iterator[Reading]:
    intent = facts.intent
    mark = None if facts.quote is None else facts.quote.mark
    best = None
    if facts.marks:
        best = min(facts.marks) if intent.side == "buy" else max(facts.marks)
    yield Reading(table.COLLAR, _worse_bps(intent, mark))
    yield Reading(table.WINDOW_COLLAR, _worse_bps(intent, best))
    yield Reading(table.REFERENCE_AGE, facts.age_s)


def _worse_bps(intent: OrderIntent, mark: Decimal | None) -> Decimal | None:
    """Tell by how much a price is worse than a mark; negative: better."""
    if mark is None:
        return None
    worse = intent.limit_price - mark if intent.side == "buy" else mark - intent.limit_price
    return worse / mark * BPS


def _pace(facts: OrderFacts) -> Iterator[Reading]:
    sent, intent = facts.sent, facts.intent
    equal = LONG_AGO if sent.since_equal_s is None else sent.since_equal_s
    yield Reading(table.DUPLICATE, equal)
    yield repeated_reading(sent.same_side, intent.account)


def repeated_reading(sent: int, account: str) -> Reading:
    """Measure how many orders for one side there are in the window, this one among them."""
    return Reading(table.REPEATED, Decimal(sent + 1), account)


def message_readings(counts: dict[Control, int]) -> Iterator[Reading]:
    """Measure how many requests there are in the window, this one among them."""
    for control in (table.MESSAGES_ACCOUNT, table.MESSAGES_LOGIN, table.MESSAGES_OWNER):
        found = counts.get(control)
        yield Reading(control, None if found is None else Decimal(found + 1))


def _rules(facts: OrderFacts) -> Iterator[Reading]:
    intent = facts.intent
    row = facts.book.instruments[intent.instrument]
    state = facts.book.accounts[intent.account].state
    closed = "halted" in (row.status, facts.book.status(row.id)) or state == "frozen"
    reduces = "reduce_only" in (row.status, facts.book.status(row.id), state)
    yield Reading(table.LOT, intent.quantity % row.lot, row.id)
    yield Reading(table.TICK, intent.limit_price % row.tick, row.id)
    yield Reading(table.SMALLEST, _short_of_least(facts, row), row.id)
    if row.max_quantity is not None:
        yield Reading(table.LARGEST, intent.quantity - row.max_quantity, row.id)
    yield flag(table.STATUS, closed or (reduces and not intent.reduce_only), row.id)
    if intent.reduce_only:
        yield Reading(table.REDUCE_ONLY, _beyond_held(facts), row.id)
    yield Reading(table.SELF_MATCH, would_meet(intent, facts.resting), row.id)


def _short_of_least(facts: OrderFacts, row: Instrument) -> Decimal | None:
    """Tell how much value is missing to the least order; what closes a position may be small."""
    if facts.held is None:
        return None
    if facts.intent.reduce_only and facts.intent.quantity == abs(facts.held):
        return ZERO
    least = max(row.min_quantity * facts.book.notional(row.id), row.min_notional)
    return least - facts.intent.quantity * facts.book.notional(row.id)


def _beyond_held(facts: OrderFacts) -> Decimal | None:
    if facts.held is None:
        return None
    against = -facts.held if facts.intent.side == "buy" else facts.held
    return facts.intent.quantity - max(against, ZERO)


def would_meet(intent: OrderIntent, resting: Sequence[OpenOrder]) -> Decimal:
    """Add up our own resting orders on the other side that the price reaches, contracts."""
    met = (row.quantity for row in resting if row.side != intent.side and _meets(intent, row))
    return sum(met, ZERO)


def _meets(intent: OrderIntent, row: OpenOrder) -> bool:
    if row.waits and intent.style == "ioc":
        return False  # it stands in no book, and ours will not stand in one when it fires
    if row.price is None:
        return True
    if intent.side == "buy":
        return intent.limit_price >= row.price
    return intent.limit_price <= row.price
