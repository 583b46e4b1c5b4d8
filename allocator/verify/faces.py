"""Rules as sums of one-dimensional curves, so that prefixes can be bounded without enumeration.

A rule on states is ``excess(x) = base + sum_k (f_k(x_k) - f_k(start_k))`` over coordinates k:
contracts of a pair, units of an asset, equity of a scope, exposure to an underlying. Every f_k is
convex, except margin under whole_position, which rises with |q| and jumps. A maximum of several
such sums (scenarios, both signs of a net limit) is a rule with several faces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from allocator.models.base import ZERO
from allocator.state import Effect, State

Key = tuple[str, ...]
Changes = dict[Key, Decimal]
NOISE = Decimal("0.000001")
"""Excess that rounding of divisions may leave; not a licence."""

ChangeOf = Callable[[Effect], tuple[Changes, Changes]]
"""What an action changes at once (orders: in proportion), and when it has arrived."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A function of one coordinate.

    Attributes
    ----------
    function
        The function.
    start
        The coordinate before the plan.
    jumps
        Empty for a convex function; else where it jumps or bends, ascending: between two of
        these coordinates it is proportional to their size.
    slope
        What each unit adds, if that is the same everywhere.
    """

    function: Callable[[Decimal], Decimal]
    start: Decimal
    jumps: tuple[Decimal, ...] = ()
    slope: Decimal | None = None
    known: dict[Decimal, Decimal] = field(default_factory=dict[Decimal, Decimal], repr=False)

    def at(self, change: Decimal) -> Decimal:
        """Evaluate the function at the start moved by a change."""
        if change not in self.known:
            self.known[change] = self.function(self.start + change)
        return self.known[change]

    def peak(self, low: Decimal, high: Decimal) -> Decimal:
        """Bound the function from above between two changes."""
        inside = [x - self.start for x in self.jumps if low < x - self.start < high]
        return max(self.at(change) for change in (low, high, *inside))

    def fractions(self, change: Decimal) -> list[Decimal]:
        """Name the fractions of a change at which the function jumps or bends."""
        shares = [(x - self.start) / change for x in self.jumps] if change else []
        return [share for share in shares if 0 < share < 1]

    def towards(self, change: Decimal, inside: Decimal) -> Decimal:
        """Evaluate the limit at a change, coming from another one in the same piece."""
        there = abs(self.start + inside)
        return self.at(inside) * abs(self.start + change) / there if there else self.at(change)


@dataclass(frozen=True, slots=True)
class Face:
    """One sum of curves.

    Attributes
    ----------
    base
        Excess before the plan.
    curve
        Makes the curve of a coordinate that the plan changes.
    changes
        What an action changes.
    """

    base: Decimal
    curve: Callable[[Key], Curve]
    changes: ChangeOf


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule on states: ``excess <= max(0, excess before the plan)``.

    Attributes
    ----------
    code, name
        For messages; prefixes report ``step_<code>``.
    effects
        Actions that may change it.
    before
        Excess before the plan.
    excess
        The law's excess of a state.
    faces
        The same as curves; called only if actions touch the rule.
    width
        By how much prefixes may stand out further.
    """

    code: str
    name: str
    effects: Sequence[Effect]
    before: Decimal
    excess: Callable[[State], Decimal]
    faces: Callable[[], Sequence[Face]]
    width: Decimal = ZERO

    @property
    def allowed(self) -> Decimal:
        """Largest excess after the plan."""
        return max(ZERO, self.before) + NOISE


def sum_changes(effects: Iterable[Effect], face: Face) -> tuple[Changes, Changes]:
    """Add up what actions change at once and on arrival; zeros left out."""
    now: Changes = {}
    later: Changes = {}
    for effect in effects:
        for total, part in zip((now, later), face.changes(effect), strict=True):
            for key, value in part.items():
                total[key] = total.get(key, ZERO) + value
    return {k: v for k, v in now.items() if v}, {k: v for k, v in later.items() if v}


def linear(start: Decimal, slope: Decimal) -> Curve:
    """Make a straight line."""
    return Curve(lambda x: slope * x, start, slope=slope)
