"""Who may take part of a trade, in which instrument, with what weight and up to how many lots."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import assert_never

from allocator.margin import collateral, requirements
from allocator.models.base import ONE, ZERO
from allocator.plan.lots import smallest
from allocator.presets.rules import (
    AvailableEquity,
    Equal,
    Lots,
    NetLiquidation,
    PercentChange,
    Ratio,
    Rule,
)
from allocator.state import Book, Pair, State, equity, lawful

PERCENT = Decimal(100)


@dataclass(frozen=True)
class Slot:
    """A pair that may take part of a trade.

    Attributes
    ----------
    pair
        Account and instrument.
    weight
        Its share against the others'.
    unit
        Exposure of one lot, numeraire, unsigned.
    signed
        Contracts of one lot, with the sign of the order.
    least
        Lots of the smallest order.
    most
        Lots of the largest order; None: the instrument names none.
    closing
        Lots that close the position whole, for which no minimum holds; zero: none do.
    """

    pair: Pair
    weight: Decimal
    unit: Decimal
    signed: Decimal
    least: int
    most: int | None
    closing: int

    def takes(self, lots: int) -> bool:
        """Tell whether an order of so many lots has the size that the instrument asks for."""
        return lots == 0 or lots >= self.least or lots == self.closing

    def at_most(self, lots: int) -> Slot:
        """Bound the lots."""
        return replace(self, most=lots if self.most is None else min(self.most, lots))


@lawful
def slots_of(book: Book, rule: Rule, underlying: str, sign: int) -> tuple[Slot, ...]:
    """List who may trade an underlying, sorted by pair.

    An account trades its cheapest tradable derivative of the underlying: taker fee and half
    spread per exposure, those that may only be reduced last, equals by id. A percentage changes
    every position that is held.

    Parameters
    ----------
    underlying
        What is traded.
    sign
        1 to add exposure, -1 to take it off.
    """
    if isinstance(rule, PercentChange):
        rows = [_changed(book, slot, rule) for slot in _open(book, underlying, sign)]
    else:
        best: dict[str, Slot] = {}
        for slot in _open(book, underlying, sign):
            account = slot.pair[0]
            if account not in best or _rank(book, slot) < _rank(book, best[account]):
                best[account] = slot
        rows = [_weighed(book, slot, rule) for slot in best.values()]
    kept = [slot for slot in rows if slot.weight > 0 and slot.most != 0]
    return tuple(sorted(kept, key=lambda slot: slot.pair))


def _open(book: Book, underlying: str, sign: int) -> Iterator[Slot]:
    """List pairs of an underlying that may be ordered in the direction at all."""
    for account, name in book.pairs:
        row = book.instruments[name]
        if row.underlying != underlying or not _may_order(book, account, name):
            continue
        unit = row.lot * book.exposure(name)
        held = book.quantity[account, name]
        signed = row.lot if unit * sign > 0 else -row.lot
        against = abs(held) if held * signed < 0 else ZERO
        most = None if row.max_quantity is None else int(row.max_quantity // row.lot)
        slot = Slot(
            pair=(account, name),
            weight=ONE,
            unit=abs(unit),
            signed=signed,
            least=int(smallest(book, row) / row.lot),
            most=most,
            closing=0 if against % row.lot else int(against / row.lot),
        )
        yield slot.at_most(int(against // row.lot)) if _reduce_only(book, slot.pair) else slot


def _may_order(book: Book, account: str, name: str) -> bool:
    row, place = book.instruments[name], book.accounts[account]
    known = None not in (row.bid, row.ask, row.daily_volatility) and bool(row.daily_volume)
    reachable = place.state != "frozen" and row.venue == place.venue
    return known and reachable and row.status != "halted" and bool(book.exposure(name))


def _reduce_only(book: Book, pair: Pair) -> bool:
    return "reduce_only" in (book.accounts[pair[0]].state, book.status(pair[1]))


def _rank(book: Book, slot: Slot) -> tuple[bool, bool, Decimal, str]:
    account, name = slot.pair
    paid = book.taker(account, name) * book.notional(name) + book.half_spread(name)
    return slot.most == 0, _reduce_only(book, slot.pair), paid / abs(book.exposure(name)), name


def _changed(book: Book, slot: Slot, rule: PercentChange) -> Slot:
    """Bound a slot by the percentage of its position, or bar it where that leads elsewhere."""
    change = book.quantity[slot.pair] * rule.percent / PERCENT
    if change * slot.signed <= 0:
        return replace(slot, weight=ZERO)
    lots = int(change / slot.signed)
    return replace(slot.at_most(lots), weight=lots * slot.unit)


def _weighed(
    book: Book, slot: Slot, rule: Equal | NetLiquidation | AvailableEquity | Ratio | Lots
) -> Slot:
    account = slot.pair[0]
    match rule:
        case Equal():
            return slot
        case NetLiquidation():
            return replace(slot, weight=equity(book, State.start(book), account))
        case AvailableEquity():
            return replace(slot, weight=_available(book, slot.pair))
        case Ratio():
            return replace(slot, weight=rule.weights.get(account, ZERO))
        case Lots():
            lots = rule.lots.get(account, 0)
            return replace(slot.at_most(lots), weight=lots * slot.unit)
        case _:
            assert_never(rule)


def _available(book: Book, pair: Pair) -> Decimal:
    account, start = pair[0], State.start(book)
    pool = book.instruments[pair[1]].cash if book.accounts[account].single else None
    needed = requirements(book, start, account, pool)
    return collateral(book, start, account, pool) - needed.initial
