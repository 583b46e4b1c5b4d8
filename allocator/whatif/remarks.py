"""What a change of a book leaves behind that no plan shows: caps exceeded, orders overtaken."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from allocator.margin import bracket_cap
from allocator.margin.terms import terms_of
from allocator.models.account import OpenOrder
from allocator.models.base import plain
from allocator.models.explain import amount, money
from allocator.models.market import Instrument
from allocator.state import Book, lawful
from allocator.whatif.recipe import Book as Halves

Pair = tuple[str, str]
"""Account and instrument."""


def remarks(before: Halves, after: Halves) -> tuple[str, ...]:
    """Tell what the book after a change has that it did not have before.

    Positions above the cap of their brackets, ways that the book had closed and that are open,
    open orders whose limit the price has crossed, and those that wait for a price that has moved:
    nobody can say how much of them would have been filled on the way, so open orders are left as
    they are.
    """
    if before is after:
        return ()
    exceeding, reopened = _exceeding(before, after), _reopened(before, after)
    return (*exceeding, *reopened, *_crossed(before, after), *_waiting(before, after))


def _exceeding(before: Halves, after: Halves) -> Iterator[str]:
    known = _beyond(Book.of(*before))
    for (account, name), (held, notional, cap) in _beyond(Book.of(*after)).items():
        if (account, name) not in known:
            yield (
                f"position of {amount(held)} {name} in {account}, {money(notional)} USD, exceeds "
                f"the new cap of its brackets, {money(cap)} USD"
            )


@lawful
def _beyond(book: Book) -> dict[Pair, tuple[Decimal, Decimal, Decimal]]:
    """Find positions beyond the cap of their brackets: contracts, notional and cap."""
    out = dict[Pair, tuple[Decimal, Decimal, Decimal]]()
    for (account, name), held in book.quantity.items():
        cap = bracket_cap(book, account, name) if held else None
        if cap is not None:
            notional = terms_of(book, account)[name].notional(held)
            if notional > cap:
                out[account, name] = held, notional, cap
    return out


def _reopened(before: Halves, after: Halves) -> Iterator[str]:
    shut = {row.id for row in before[0].routes if not row.enabled}
    for row in after[0].routes:
        if row.enabled and row.id in shut:
            yield f"route {row.id}, which the book has closed, is open"


def _crossed(before: Halves, after: Halves) -> Iterator[str]:
    for account in after[0].accounts:
        old = before[0].account.get(account.id)
        for row in account.open_orders:
            now = _against(row, after[0].instrument[row.instrument])
            was = before[0].instrument.get(row.instrument)
            if now is None or row.waits:
                continue
            stood = old is not None and row in old.open_orders and was is not None
            if stood and was is not None and _against(row, was) is not None:
                continue
            what = f"{row.side} {amount(row.quantity)} {row.instrument}"
            yield (
                f"open order in {account.id} to {what} at {plain(row.price or now)} is crossed by "
                f"the price, {plain(now)}: open orders are left as they are"
            )


def _waiting(before: Halves, after: Halves) -> Iterator[str]:
    """Tell of orders that wait for a trigger, which a book does not hold, where the mark moved."""
    for account in after[0].accounts:
        for row in account.open_orders:
            was, now = before[0].instrument.get(row.instrument), after[0].instrument[row.instrument]
            if row.waits and was is not None and was.mark != now.mark:
                yield (
                    f"order in {account.id} to {row.side} {amount(row.quantity)} {row.instrument} "
                    f"waits for a trigger that the mark, moved from {plain(was.mark)} to "
                    f"{plain(now.mark)}, may have fired: open orders are left as they are"
                )


def _against(row: OpenOrder, inst: Instrument) -> Decimal | None:
    """Give the quote that an order would trade at; None: its limit is not reached."""
    if row.price is None:
        return None
    if row.side == "buy":
        quote = inst.ask if inst.ask is not None else inst.mark
        return quote if quote <= row.price else None
    quote = inst.bid if inst.bid is not None else inst.mark
    return quote if quote >= row.price else None
