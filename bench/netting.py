"""Greedy netting: the plan of a desk without an optimiser, to compare with.

Each underlying's gap is traded in its cheapest accounts first as far as their margin carries it;
then money moves from whoever has some to spare to whoever lacks it, over the cheapest route first.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_FLOOR, Decimal

from allocator.exposure import goals, present
from allocator.margin import bracket_cap, collateral, requirements
from allocator.models.base import ONE, ZERO
from allocator.plan.lots import Sizes, most_of, smallest, transfer_steps
from allocator.state import Book, Pair, State

SPARE = Decimal("0.5")
"""Share of an account's free margin that netting uses."""


def netted(book: Book) -> Sizes:
    """Net every underlying, then fund what lacks margin."""
    free = {name: _free(book, name) for name in book.accounts}
    orders: dict[Pair, Decimal] = {}
    for underlying in book.underlyings:
        gap = _gap(book, underlying)
        for key in _cheapest(book, underlying):
            size = _carried(book, key, gap, free)
            if size:
                orders[key] = size
                notional = abs(size) * book.notional(key[1])
                free[key[0]] -= notional * _rate(book, key)
                gap -= size * book.exposure(key[1])
    return Sizes(orders, _funding(book, free))


def _gap(book: Book, underlying: str) -> Decimal:
    """Measure what has to be traded to reach the nearest edge of the band, numeraire."""
    goal, now = goals(book)[underlying], present(book)[underlying]
    gap = goal.target - now
    return max(ZERO, abs(gap) - goal.band) * (1 if gap > 0 else -1)


def _free(book: Book, account: str) -> Decimal:
    """Collateral beyond the margin needed, numeraire; negative where it is missing."""
    start = State.start(book)
    if book.accounts[account].single:
        return ZERO
    needed = requirements(book, start, account)
    most = max(needed.initial, (ONE + book.policy.margin_buffer) * needed.maintenance)
    return collateral(book, start, account) - most


def _cheapest(book: Book, underlying: str) -> Iterator[Pair]:
    def cost(key: Pair) -> Decimal:
        return book.taker(*key) + book.half_spread(key[1]) / book.notional(key[1])

    rows = [key for key in book.pairs if _fits(book, key, underlying)]
    yield from sorted(rows, key=lambda key: (cost(key), key))


def _fits(book: Book, key: Pair, underlying: str) -> bool:
    row, account = book.instruments[key[1]], book.accounts[key[0]]
    usable = book.status(row.id) == "open" and account.state == "open" and row.bid is not None
    return usable and row.underlying == underlying and bool(book.exposure(row.id))


def _rate(book: Book, key: Pair) -> Decimal:
    place = book.position(*key)
    known = place is not None and place.leverage
    return ONE / place.leverage if known and place is not None and place.leverage else ONE


def _carried(book: Book, key: Pair, gap: Decimal, free: dict[str, Decimal]) -> Decimal:
    """Signed contracts that margin and brackets carry of a gap, whole lots, none if too few."""
    row, held = book.instruments[key[1]], book.quantity[key]
    notional = book.notional(row.id)
    wanted = gap / book.exposure(row.id)
    most = max(ZERO, free[key[0]]) * SPARE / _rate(book, key) / notional
    if held * wanted < 0:
        most += abs(held)
    cap = bracket_cap(book, *key)
    if cap is not None:
        most = min(most, max(ZERO, cap / notional - abs(held)))
    if row.max_quantity is not None:
        most = min(most, row.max_quantity)
    lots = (min(abs(wanted), most) / row.lot).to_integral_value(ROUND_FLOOR) * row.lot
    if lots < smallest(book, row):
        return ZERO
    return lots if wanted > 0 else -lots


def _funding(book: Book, free: dict[str, Decimal]) -> dict[str, Decimal]:
    """Fill every account that lacks margin, the cheapest route first."""
    out: dict[str, Decimal] = {}
    left: dict[Pair, Decimal] = {}
    rows = sorted(book.routes.values(), key=lambda row: (row.rate, row.fee, row.id))
    for account in sorted((name for name in free if free[name] < 0), key=lambda name: free[name]):
        for route in rows:
            lacking, price = -free[account], book.price(route.asset)
            key = (route.source, route.asset)
            spare = min(
                max(ZERO, free[route.source]), left.get(key, most_of(book, route.id) * price)
            )
            if route.target != account or lacking <= 0 or spare <= 0 or not route.enabled:
                continue
            amount = min(lacking * Decimal("1.01") + 1, spare) / price
            if amount < route.min:
                continue
            out[route.id] = transfer_steps(book, route.id, amount)
            moved = out[route.id] * price
            left[key] = left.get(key, most_of(book, route.id) * price) - moved - route.fee * price
            free[route.source] -= moved + route.fee * price
            free[account] += moved
    return {name: amount for name, amount in sorted(out.items()) if amount > 0}
