"""Mend and improve whole lots by the exact law: one lot or step more or less at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

from allocator.models.base import ZERO
from allocator.plan.judge import EXACT, Verdict, judged
from allocator.plan.lots import Sizes, smallest, step_of
from allocator.state import Book, lawful

ROUNDS = 6
NEAR = Decimal("0.01")
"""Numeraire above the aim that is not worth a look."""

NEAR_SHARE = Decimal("0.00005")
"""The same as a share of the aim."""

LARGE = 60
"""Number of actions from which lots that break nothing are left as they are."""

FEW = 8
"""Number of actions up to which two lots are changed at once, even where nothing is amiss."""

LEAST_LOOKS = 16
WORK = 1600
"""Looks times actions: large plans are looked at less often, as each look costs more."""

LOOKS = 160
"""Most states that are judged for one plan."""

WORTH = Decimal("0.5")
"""Numeraire of a lot below which trying one more or less cannot pay."""


@lawful
def mended(book: Book, sizes: Sizes, aim: Decimal, floor: Decimal = EXACT) -> tuple[Sizes, Verdict]:
    """Change sizes by single lots while rules, S or total get better.

    Parameters
    ----------
    book
        The book.
    sizes
        Whole lots to begin with.
    aim
        Total without lots, numeraire: near it nothing is left to gain.
    floor
        S, numeraire, below which less of it is worth nothing.
    """
    best, verdict = sizes, judged(book, sizes)
    looks, near = 0, max(NEAR, abs(aim) * NEAR_SHARE)
    most = max(LEAST_LOOKS, min(LOOKS, WORK // max(1, sizes.count)))
    for _ in range(ROUNDS):
        before = verdict.rank_above(floor)
        short = verdict.shortfall > floor and sizes.count <= LARGE
        amiss = bool(verdict.broken) or short
        if not amiss and (verdict.total - aim <= near or sizes.count > LARGE):
            break
        for other in _neighbours(book, best, amiss):
            if looks >= most:
                return best, verdict
            looks += 1
            seen = judged(book, other)
            if seen.rank_above(floor) < verdict.rank_above(floor):
                best, verdict = other, seen
        if verdict.rank_above(floor) == before:
            break
    return best, verdict


def _neighbours(book: Book, sizes: Sizes, amiss: bool) -> Iterator[Sizes]:
    if amiss:
        yield from _other_amounts(book, sizes)
    yield from _other_orders(book, sizes, amiss)
    yield from _other_moves(book, sizes)
    if amiss or sizes.count <= FEW:
        for other in (*_other_orders(book, sizes, amiss), *_other_moves(book, sizes)):
            yield from _other_orders(book, other, amiss)
            yield from _other_moves(book, other)


def _other_amounts(book: Book, sizes: Sizes) -> Iterator[Sizes]:
    for name, amount in sizes.transfers.items():
        for by in (1, -1, 4, -4, 64):
            changed = amount + by * step_of(book, name)
            if changed > 0:
                yield replace(sizes, transfers={**sizes.transfers, name: changed})


def _other_orders(book: Book, sizes: Sizes, amiss: bool) -> Iterator[Sizes]:
    for key, size in sizes.orders.items():
        row = book.instruments[key[1]]
        if not amiss and row.lot * book.notional(row.id) < WORTH:
            continue
        for by in (row.lot, -row.lot):
            changed = size + by
            if changed * size > 0 and abs(changed) >= smallest(book, row):
                yield replace(sizes, orders={**sizes.orders, key: changed})


def _other_moves(book: Book, sizes: Sizes) -> Iterator[Sizes]:
    for rule, size in sizes.moves.items():
        for by in (1, -1):
            changed = size + by * book.instruments[rule[2]].lot
            if changed > ZERO:
                yield replace(sizes, moves={**sizes.moves, rule: changed})
