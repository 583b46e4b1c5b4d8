"""Waiting without a reason, taken out again: each need that stays keeps some prefix safe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from allocator.plan.fronts import Front, Needs, Steps, Unit
from allocator.plan.graph import ancestors, reduced
from allocator.state import Effect

MOST_UNITS = 40
"""Units of one component up to which every need is tried to be left out."""


def safe(
    effects: Sequence[Effect], order: Sequence[Unit], before: Needs, fronts: Iterable[Front]
) -> bool:
    """Tell whether every prefix keeps the faces; `before` holds all that comes before a unit."""
    steps = Steps(effects, order, before)
    return all(front.ladder(steps).breach(front.rule) is None for front in fronts)


def thinned(
    effects: Sequence[Effect], order: Sequence[Unit], needs: Needs, fronts: Sequence[Front]
) -> Needs:
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
    steps = Steps(effects, order)
    touching = [(front, steps.touching(front)) for front in fronts]
    every = ancestors(order, kept)
    for unit in reversed(order):
        for other in sorted(kept[unit], reverse=True):
            trial = {**kept, unit: kept[unit] - {other}}
            before = ancestors(order, trial)
            moved = {row for row in order if before[row] != every[row]}
            asked = [front for front, rows in touching if not moved.isdisjoint(rows)]
            if safe(effects, order, before, asked):
                kept, every = trial, before
    return kept
