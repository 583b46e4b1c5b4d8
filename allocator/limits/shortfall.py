"""Limits that are exceeded: the limits' part of S in problem.md section 3."""

from __future__ import annotations

from collections.abc import Iterable

from allocator.limits.measures import Meter, is_of_plan
from allocator.margin import Missing
from allocator.models.base import ZERO
from allocator.state import Book, State, lawful


def meters_of(book: Book) -> tuple[Meter, ...]:
    """Prepare every limit on states, once for a book."""
    limits = (limit for limit in book.mandate.limits if not is_of_plan(limit))
    return book.once("meters", lambda: tuple(Meter(book, limit) for limit in limits))


@lawful
def limit_shortfalls(meters: Iterable[Meter], state: State) -> tuple[Missing, ...]:
    """Work out the excess over limits on states, numeraire."""
    out = list[Missing]()
    for meter in meters:
        for bound in meter.bounds:
            missing = max(ZERO, meter.excess(state, bound)) * meter.weight
            out.append(Missing("limit", (meter.limit.id,), missing, meter.frozen))
    return tuple(out)
