"""The points of a sweep: every combination of the values of a grid, each with a hash of its own."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from typing import Any

from allocator import __version__
from allocator.models.base import json_value, plain
from allocator.models.canonical import canonical_json
from allocator.models.errors import InputError
from allocator.models.scenario import Depth, Expect
from allocator.whatif.recipe import Recipe

MOST_POINTS = 100_000
"""Points of a grid that are decided without having been told how many there may be: about a day
and a half of one core at one point a second."""

FORMAT = 2
"""Of the rows; another one makes other hashes, so that old rows are not taken for new."""


@dataclass(frozen=True, slots=True)
class Study:
    """What a worker needs to decide about any point of a sweep: plain data.

    Attributes
    ----------
    hash
        Of everything below, and of the release: equal studies have equal results.
    """

    hash: str
    recipe: Recipe
    axes: Mapping[str, tuple[Any, ...]]
    expect: Expect | None
    depth: Depth

    @classmethod
    def of(cls, recipe: Recipe, depth: Depth, most_points: int = MOST_POINTS) -> Study:
        """Take a scenario's grid for a sweep.

        Parameters
        ----------
        most_points
            How many points there may be.

        Raises
        ------
        InputError
            When it has no grid, or one of too many points.
        """
        if not recipe.grid:
            raise InputError(f"{recipe.name}: has no grid to sweep over")
        said = too_many(recipe.grid, most_points)
        if said is not None:
            raise InputError(f"{recipe.name}: {said}")
        data = {
            "format": FORMAT,
            "release": __version__,
            "depth": depth,
            "tree": exact_data(recipe.tree),
            "override": exact_data(recipe.override),
            "grid": [[path, exact_data(list(values))] for path, values in recipe.grid.items()],
            "expect": None if recipe.expect is None else json_value(recipe.expect),
        }
        return cls(_digest(data), recipe, recipe.grid, recipe.expect, depth)

    @property
    def count(self) -> int:
        """Number of points."""
        return count_of(self.axes)

    def points(self) -> Iterator[Point]:
        """Make the points; the last axis turns fastest."""
        names = tuple(self.axes)
        for index, values in enumerate(itertools.product(*self.axes.values())):
            point = dict(zip(names, values, strict=True))
            yield Point(index, _digest([self.hash, exact_data(list(values))]), point)

    def in_order(self) -> list[Point]:
        """List the points so that those of one mandate follow each other.

        Engines keep what their mandate's programs have in common.
        """
        wishes = [path for path in self.axes if not path.startswith("snapshot.")]
        place = {
            path: {told(value): i for i, value in enumerate(values)}
            for path, values in self.axes.items()
            if path in wishes and not path.startswith("shock")
        }
        rows = list(self.points())
        rows.sort(key=lambda p: [place[path][told(p.values[path])] for path in place])
        return rows


@dataclass(frozen=True, slots=True)
class Point:
    """One combination.

    Attributes
    ----------
    index
        Place in the grid.
    key
        Hash of study and values: what a row is found by.
    values
        By path.
    """

    index: int
    key: str
    values: Mapping[str, Any]


def count_of(axes: Mapping[str, Sequence[Any]]) -> int:
    """Count the points of a grid; 0: there is none."""
    return math.prod(map(len, axes.values())) if axes else 0


def too_many(axes: Mapping[str, Sequence[Any]], most: int) -> str | None:
    """Say so when a grid has more points than there may be."""
    count = count_of(axes)
    if count <= most:
        return None
    return f"a grid of {count:,} points, {most:,} at most; --most-points {count} if it is meant"


def exact_data(value: Any) -> Any:
    """Turn plain data with exact numbers into JSON data: numbers as text."""
    match value:
        case Mapping():
            return {str(key): exact_data(row) for key, row in value.items()}
        case list() | tuple():
            return [exact_data(row) for row in value]
        case bool() | None | str():
            return value
        case int() | Decimal():
            return plain(Decimal(value))
        case _:
            return str(value)


def told(value: Any) -> str:
    """Write a value of a grid."""
    data = exact_data(value)
    return data if isinstance(data, str) else json.dumps(data, sort_keys=True, ensure_ascii=False)


def _digest(data: Any) -> str:
    return sha256(canonical_json(data).encode()).hexdigest()
