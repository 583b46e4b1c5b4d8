"""Where the best plan has no safe order of steps, the next best one follows from the reason."""

from __future__ import annotations

from decimal import Decimal

from allocator.minimise import search
from allocator.minimise.choose import choose, wishes
from allocator.minimise.search import Search
from allocator.plan.judge import judged
from allocator.plan.lots import Sizes
from allocator.plan.lots_search import mended
from allocator.plan.sequence import Ordered, Tangle, sequenced
from allocator.program.crossing import arrays_of
from allocator.state import Book
from tests.shifts import shift

SEEDS = (26, 59)
"""Desks whose best plan is tangled."""


def best_ordered(book: Book, found: Search) -> Decimal:
    """Least total of the plans of a search that have a safe order."""
    totals = [judged(book, Sizes()).total]
    for wish in wishes(book, found):
        sizes, verdict = mended(book, *wish)
        if not verdict.broken and isinstance(sequenced(book, sizes), Ordered):
            totals.append(verdict.total)
    return min(totals)


def test_a_cut_of_the_tangle_costs_no_more_than_one_of_everything() -> None:
    better = 0
    for seed in SEEDS:
        book = Book.of(*shift(seed))
        found = search(arrays_of(book))
        sizes, _ = mended(book, *wishes(book, found)[0])
        assert isinstance(sequenced(book, sizes), Tangle)
        chosen = judged(book, choose(book, found).sizes).total
        blanket = best_ordered(book, found.funded_first())
        assert chosen <= blanket + Decimal("0.01")
        better += chosen < blanket - 1
    assert better > 0


def test_capped_orders_stay_below_their_cap() -> None:
    book = Book.of(*shift(26))
    found = search(arrays_of(book))
    free = max(abs(size) for w, _ in wishes(book, found) for size in w.orders.values())
    cap = {pair: free / 4 for pair in book.pairs}
    small = wishes(book, found.funded_first((), (), cap))
    sizes = [abs(size) for w, _ in small for size in w.orders.values()]
    assert sizes
    assert max(sizes) <= free / 4 + Decimal("0.001")


def test_barred_routes_are_not_used() -> None:
    book = Book.of(*shift(26))
    found = search(arrays_of(book))
    assert any(w.transfers for w, _ in wishes(book, found))
    barred = wishes(book, found.funded_first(barred=tuple(book.routes)))
    assert barred
    assert not any(w.transfers for w, _ in barred)
