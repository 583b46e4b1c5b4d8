"""The axes of a grid: whether every value fits where it is put, and stands there once."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

from allocator.models.base import exact, plain
from allocator.models.errors import InputError, Problem, SnapshotError
from allocator.whatif.document import Where
from allocator.whatif.grid import told, too_many
from allocator.whatif.reading import Reading
from allocator.whatif.recipe import PathError, Recipe, Variants

LOG = logging.getLogger(__name__)


def check_axes(reading: Reading, recipe: Recipe, most_points: int | None) -> None:
    """Put every value of the grid in its place, the others as the file has them.

    Parameters
    ----------
    most_points
        How many points the grid may have; None: any number.
    """
    said = None if most_points is None else too_many(recipe.grid, most_points)
    if said is not None:
        reading.add([Problem(("grid",), said)])
        return
    variants = Variants(recipe)
    for path, values in recipe.grid.items():
        at: Where = ("grid", path)
        if not values:
            reading.add([Problem(at, "an axis has at least one value")])
        reading.add(_repeated(at, values))
        for i, value in enumerate(values):
            try:
                variants.book({path: value})
            except PathError as error:
                reading.add([Problem(at, error.problems[0].message)])
                break
            except SnapshotError as error:
                LOG.info("%s: %s", at, error)  # another value beside it may mend it
            except InputError as error:
                said = "; ".join(map(str, error.problems))
                reading.add([Problem((*at, i), f"cannot stand there: {said}")])


def _repeated(at: Where, values: Sequence[Any]) -> Iterator[Problem]:
    """Look for values that an axis has already: their points would be decided twice."""
    first = dict[str, int]()
    for i, value in enumerate(values):
        place = first.setdefault(_same(value), i)
        if place != i:
            yield Problem((*at, i), f"{told(value)} stands on this axis already, at [{place}]")


def _same(value: Any) -> str:
    """Write a value so that numbers and percentages written differently are the same."""
    text = told(value)
    try:
        return plain(exact(text[:-1]).scaleb(-2) if text.endswith("%") else exact(text))
    except ValueError:
        return text
