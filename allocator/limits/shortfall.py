"""Limits that are exceeded: the limits' part of S in problem.md section 3."""

from __future__ import annotations

from allocator.limits.measures import accounts_of, excesses, weight
from allocator.margin import Missing
from allocator.models.base import ZERO
from allocator.models.mandate import PLAN_MEASURES
from allocator.state import Book, State, lawful


@lawful
def limit_shortfalls(book: Book, state: State) -> tuple[Missing, ...]:
    """Work out the excess over every limit on states, numeraire."""
    out = list[Missing]()
    for limit in book.mandate.limits:
        if limit.measure in PLAN_MEASURES:
            continue
        frozen = all(book.accounts[name].state == "frozen" for name in accounts_of(book, limit))
        unit = weight(book, limit)
        for excess in excesses(book, limit, state, ()).values():
            out.append(Missing(f"limit {limit.id}", max(ZERO, excess) * unit, frozen))
    return tuple(out)
