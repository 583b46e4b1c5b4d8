"""Limits that are exceeded: the limits' part of S in problem.md section 3."""

from __future__ import annotations

from allocator.limits.measures import Meter, is_of_plan
from allocator.margin import Missing
from allocator.models.base import ZERO
from allocator.state import Book, State, lawful


@lawful
def limit_shortfalls(book: Book, state: State) -> tuple[Missing, ...]:
    """Work out the excess over every limit on states, numeraire."""
    out = list[Missing]()
    for limit in book.mandate.limits:
        if is_of_plan(limit):
            continue
        meter = Meter(book, limit)
        for bound in meter.bounds:
            missing = max(ZERO, meter.excess(state, bound)) * meter.weight
            out.append(Missing(f"limit {limit.id}", missing, meter.frozen))
    return tuple(out)
