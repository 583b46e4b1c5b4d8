"""Columns, rows and convex curves of a mixed-integer model."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

INFINITE = float("inf")

UNIT = 1000.0
"""Numeraire per unit of money."""


@dataclass(slots=True)
class Line:
    """An affine expression: coefficients by column, and a constant."""

    of: dict[int, float] = field(default_factory=dict[int, float])
    constant: float = 0.0

    def plus(self, other: Line, times: float = 1.0) -> Line:
        """Add another expression, in place."""
        for column, value in other.of.items():
            self.of[column] = self.of.get(column, 0.0) + times * value
        self.constant += times * other.constant
        return self

    def add(self, column: int, value: float) -> Line:
        """Add a column, in place."""
        self.of[column] = self.of.get(column, 0.0) + value
        return self

    def times(self, factor: float, shift: float = 0.0) -> Line:
        """Scale and shift into a new expression."""
        scaled = {column: factor * value for column, value in self.of.items()}
        return Line(scaled, factor * self.constant + shift)

    def value(self, x: list[float]) -> float:
        """Evaluate at a point."""
        return self.constant + sum(value * x[column] for column, value in self.of.items())


def total(lines: Iterable[Line]) -> Line:
    """Add expressions up."""
    out = Line()
    for line in lines:
        out.plus(line)
    return out


@dataclass(frozen=True, slots=True)
class Row:
    """``low <= line <= high``; the line's constant is part of it."""

    line: Line
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Curve:
    """A column that lies above a convex function of another column."""

    at: int
    above: int
    value: Callable[[float], float]
    slope: Callable[[float], float]


@dataclass
class Model:
    """A convex mixed-integer model: minimise ``cost``, an expression.

    Attributes
    ----------
    low, high, whole
        Bounds and integrality by column.
    """

    low: list[float] = field(default_factory=list[float])
    high: list[float] = field(default_factory=list[float])
    whole: list[bool] = field(default_factory=list[bool])
    rows: list[Row] = field(default_factory=list[Row])
    curves: list[Curve] = field(default_factory=list[Curve])
    cost: Line = field(default_factory=Line)

    def column(self, low: float, high: float, *, whole: bool = False) -> int:
        """Add a column."""
        self.low.append(low)
        self.high.append(max(low, high))
        self.whole.append(whole)
        return len(self.low) - 1

    def binary(self) -> int:
        """Add a column that is zero or one."""
        return self.column(0.0, 1.0, whole=True)

    def row(self, line: Line, low: float = -INFINITE, high: float = INFINITE) -> None:
        """Add a row."""
        self.rows.append(Row(line, low, high))

    def above(self, lines: Iterable[Line], low: float = 0.0) -> Line:
        """Add a column above every line and above `low`; a line that is constant adds none."""
        rows = list(lines)
        if not any(line.of for line in rows):
            return Line(constant=max([low, *(line.constant for line in rows)]))
        column = self.column(low, INFINITE)
        for line in rows:
            self.row(line.times(-1.0).add(column, 1.0), low=0.0)
        return Line({column: 1.0})

    def held(self, line: Line, low: float = -INFINITE, high: float = INFINITE) -> int:
        """Add a column equal to a line."""
        column = self.column(low, high)
        self.row(line.times(-1.0).add(column, 1.0), low=0.0, high=0.0)
        return column

    def curve(
        self, at: int, value: Callable[[float], float], slope: Callable[[float], float]
    ) -> Line:
        """Add a column above a convex function, at least zero, of a column."""
        above = self.column(0.0, INFINITE)
        self.curves.append(Curve(at, above, value, slope))
        return Line({above: 1.0})
