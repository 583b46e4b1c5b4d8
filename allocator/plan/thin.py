"""Waiting without a reason, taken out again: each need that stays keeps some prefix safe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from allocator.plan.fronts import Front, Needs, Unit
from allocator.plan.graph import ancestors, reduced

MOST_UNITS = 40
"""Units of one component up to which every need is tried to be left out."""


def safe(fronts: Iterable[Front], units: Sequence[Unit], before: Needs) -> bool:
    """Tell whether every prefix keeps the faces; `before` holds all that comes before a unit."""
    return all(front.breach(_touching(front, units), before) is None for front in fronts)


def _touching(front: Front, units: Sequence[Unit]) -> list[Unit]:
    return [unit for unit in units if any(at in front.changes for at in unit)]


def thinned(order: Sequence[Unit], needs: Needs, fronts: Sequence[Front]) -> Needs:
    """Leave out needs that others imply and, in small components, those that nothing asks for.

    Fewer needs only mean more prefixes, so a need that had to stay once has to stay.

    Parameters
    ----------
    order
        The units, each after what it needs.
    """
    kept = reduced(order, needs)
    if len(order) > MOST_UNITS:
        return kept
    touching = {front: _touching(front, order) for front in fronts}
    every = ancestors(order, kept)
    for unit in reversed(order):
        for other in sorted(kept[unit], reverse=True):
            trial = {**kept, unit: kept[unit] - {other}}
            before = ancestors(order, trial)
            moved = {row for row in order if before[row] != every[row]}
            asked = (f for f, rows in touching.items() if not moved.isdisjoint(rows))
            if all(front.breach(touching[front], before) is None for front in asked):
                kept, every = trial, before
    return kept
