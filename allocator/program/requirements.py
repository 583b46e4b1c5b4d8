"""Margin requirement of every pair as convex curves of its gross notional.

Column 0 is the initial margin, column 1 the maintenance margin, column 2 + s the maintenance
margin revalued in stress s. Pairs of one model, bracket table, leverage and revaluation share
their curves.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from allocator.margin import response
from allocator.models.market import Tier
from allocator.program.arrays import Arrays
from allocator.program.curves import Curve, line, lower_hull, step_value, stretched, upper_envelope
from allocator.program.separable import Index, Mask, Vector

Brackets = Mapping[int, float]
"""Ceiling of gross notional chosen for whole-position pairs, by pair number."""

NEVER = 1e-9
"""Smallest notional, in units, that a bracket is taken at."""

INITIAL, MAINTENANCE, STRESSED = 0, 1, 2
"""Columns of a requirement; stress s is in column ``STRESSED + s``."""


@dataclass(frozen=True, slots=True)
class Shock:
    """One stress case as factors.

    Attributes
    ----------
    id
        Name.
    asset
        Price factor of each asset.
    gain
        Profit of each pair per signed notional, at the settle asset's present price.
    scale
        Factor on each pair's gross notional.
    """

    id: str
    asset: Vector
    gain: Vector
    scale: Vector


def shocks_of(arrays: Arrays) -> tuple[Shock, ...]:
    """Cross the stress cases, by the law's own response of each instrument."""
    book, pairs = arrays.book, arrays.pairs
    rows = [book.instruments[name] for name in arrays.instruments]
    used = np.unique(pairs.instrument)
    out = list[Shock]()
    for stress in book.policy.stress:
        change = {name: 1.0 + float(value) for name, value in stress.prices.items()}
        factor = [change.get(book.asset(name).underlying or "", 1.0) for name in arrays.assets]
        gain, scale = np.zeros(len(rows)), np.ones(len(rows))
        for at in used:
            row = rows[at]
            answer = response(book, row, stress.prices)
            per = float(book.price(row.cash) / book.notional(row.id))
            gain[at], scale[at] = float(answer.gain) * per, float(answer.scale)
        out.append(
            Shock(stress.id, np.array(factor), gain[pairs.instrument], scale[pairs.instrument])
        )
    return tuple(out)


def ceilings(arrays: Arrays, gross: Vector) -> dict[int, float]:
    """Choose the bracket that holds each whole-position pair's gross notional; its cap."""
    out = dict[int, float]()
    for at, caps in jumps_of(arrays).items():
        fits = [cap for cap in caps if cap >= gross[at] * (1 - 1e-9)]
        out[at] = min(fits, default=float("inf"))
    return out


def jumps_of(arrays: Arrays) -> dict[int, tuple[float, ...]]:
    """List the notionals of today at which a whole-position pair's margin jumps, ascending.

    It does so at the caps of its brackets and where a stress carries its notional over one.
    """
    out = dict[int, tuple[float, ...]]()
    shocks = shocks_of(arrays)
    for at, key in enumerate(arrays.pairs.keys):
        account = arrays.book.accounts[key[0]]
        if account.margin.model == "whole_position":
            scales = {float(shock.scale[at]) for shock in shocks}
            caps = [float(tier.cap) / arrays.unit for tier in arrays.book.tiers[key]]
            reached = {cap / scale for cap in caps for scale in {1.0, *scales} if scale > 0}
            out[at] = tuple(sorted(cap for cap in reached if cap <= max(caps)))
    return out


@dataclass(frozen=True)
class Requirements:
    """What pairs require, as curves that are linear but for kinks where their slope rises.

    Attributes
    ----------
    start
        What they require now, by the true rule, shape ``(n_pairs, n_columns)``.
    fixed, rate
        Value just above zero and first slope of the curves, shape ``(n_pairs, n_columns)``.
    kink_pair, kink_column, kink_start, kink_rise
        Pair, column, gross notional and rise of the slope at each kink, shape ``(n_kinks,)``.
    below
        Pairs whose maintenance is nowhere above their initial margin, buffer included.
    """

    start: Vector
    fixed: Vector
    rate: Vector
    kink_pair: Index
    kink_column: Index
    kink_start: Vector
    kink_rise: Vector
    below: Mask


def requirements_of(
    arrays: Arrays, shocks: tuple[Shock, ...], tops: Vector, brackets: Brackets | None
) -> Requirements:
    """Tabulate the curves of every pair on its reachable gross notional.

    Parameters
    ----------
    arrays
        The book.
    shocks
        Stress cases.
    tops
        Largest gross notional of each pair, units.
    brackets
        Ceilings of whole-position pairs for a plan; None: the hull from below, for a bound.
    """
    pairs = arrays.pairs
    count, width = len(pairs.keys), 2 + len(shocks)
    gross = np.where(pairs.legged, np.nan_to_num(pairs.fixed_gross), np.abs(pairs.start))
    start, fixed, rate = (np.zeros((count, width)) for _ in range(3))
    below = np.zeros(count, dtype=bool)
    kinks = list[tuple[Index, Index, Vector, Vector]]()
    buffered = 1.0 + float(arrays.book.policy.margin_buffer)
    for rule, members in _classes(arrays, shocks):
        start[members] = rule.now(gross[members])
        for part, ceiling in _parts(rule, members, brackets):
            curves = rule.curves(float(tops[part].max()), ceiling)
            fixed[part] = [curve.at_zero if brackets is not None else 0.0 for curve in curves]
            rate[part] = [curve.slopes[0] for curve in curves]
            kinks += _kinks(part, tops[part], curves)
            below[part] = curves[INITIAL].covers(curves[MAINTENANCE], buffered, tops[part].max())
    none = (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
    pair, column, at, rise = (np.concatenate(rows) for rows in zip(none, *kinks, strict=False))
    return Requirements(start, fixed, rate, pair, column, at, rise, below)


def _kinks(
    part: Index, tops: Vector, curves: list[Curve]
) -> list[tuple[Index, Index, Vector, Vector]]:
    """List the kinks of some pairs' curves that lie below the pairs' tops."""
    out = list[tuple[Index, Index, Vector, Vector]]()
    for column, curve in enumerate(curves):
        begin, rise = curve.starts[1:], np.diff(curve.slopes)
        kink, reached = np.nonzero(begin[:, None] < tops)
        columns = np.full(kink.size, column, dtype=np.int64)
        out.append((part[reached], columns, begin[kink], rise[kink]))
    return out


def _parts(
    rule: _Rule, members: Index, brackets: Brackets | None
) -> list[tuple[Index, float | None]]:
    """Split a class where its curves depend on the pair: on its top or its chosen bracket."""
    if rule.alike:
        return [(members, None)]
    single = members.reshape(-1, 1)
    if brackets is None or rule.model != "whole_position":
        return [(one, None) for one in single]
    return [(one, brackets.get(int(one[0]), float("inf"))) for one in single]


def _classes(arrays: Arrays, shocks: tuple[Shock, ...]) -> list[tuple[_Rule, Index]]:
    """Group pairs that share a rule."""
    book, pairs = arrays.book, arrays.pairs
    scales = np.stack([np.ones(len(pairs.keys)), *(shock.scale for shock in shocks)], axis=1)
    members: dict[Hashable, list[int]] = {}
    for at, key in enumerate(pairs.keys):
        place = book.position(*key)
        leverage = None if place is None else place.leverage
        model = book.accounts[key[0]].margin.model
        mark = (model, id(book.tiers.get(key)), leverage, scales[at].tobytes())
        members.setdefault(mark, []).append(at)
    return [
        (_Rule(arrays, at[0], scales[at[0]]), np.array(at, dtype=np.int64))
        for at in members.values()
    ]


class _Rule:
    """The requirement of the pairs of one class."""

    def __init__(self, arrays: Arrays, at: int, scales: Vector) -> None:
        key = arrays.pairs.keys[at]
        self.unit = arrays.unit
        self.model = arrays.book.accounts[key[0]].margin.model
        self.tiers: tuple[Tier, ...] = arrays.book.tiers.get(key, ())
        place = arrays.book.position(*key)
        picked = None if place is None else place.leverage
        self.leverage = None if picked is None else float(picked)
        self.scales = [float(scale) for scale in scales]
        self.idle = self.model == "scenario" or not self.tiers
        self.caps = [float(t.cap) / self.unit for t in self.tiers]
        self.rates = [float(t.maintenance) for t in self.tiers]

    @property
    def alike(self) -> bool:
        """Whether the curves are the same for every pair of the class."""
        known = self.leverage is not None or self.idle or self.tiers[0].initial is not None
        return known and (self.idle or self.model == "tiered")

    def now(self, gross: Vector) -> Vector:
        """Evaluate the true requirement at gross notionals, shape ``(n, n_columns)``."""
        out = np.zeros((gross.size, 1 + len(self.scales)))
        held = np.flatnonzero(gross > 0)
        if self.idle or not held.size:
            return out
        out[held, INITIAL] = self._initial_now(gross[held])
        for column, scale in enumerate(self.scales, MAINTENANCE):
            out[held, column] = self._maintenance_now(gross[held] * scale)
        return out

    def _initial_now(self, gross: Vector) -> Vector:
        if self._initial_alike is not None:
            return self._initial_alike.at(gross)
        return np.array([self._initial(size)(size) for size in gross.tolist()])

    def _maintenance_now(self, gross: Vector) -> Vector:
        if self.model != "whole_position":
            return self._marginal.at(gross)
        return np.array([step_value(self.caps, self.rates, size) for size in gross.tolist()])

    def curves(self, top: float, ceiling: float | None) -> list[Curve]:
        """Build initial, maintenance and stressed maintenance as convex curves on [0, top]."""
        if self.idle:
            return [line(0.0)] * (1 + len(self.scales))
        if self.model == "tiered":
            held = [stretched(self._marginal, scale) for scale in self.scales]
            return [self._initial(top), *held]
        if ceiling is None:
            held = [lower_hull(self.caps, self.rates, top * s) for s in self.scales]
            return [
                self._initial(top),
                *(stretched(h, s) for h, s in zip(held, self.scales, strict=True)),
            ]
        reach = max(min(top, ceiling), NEVER)
        rates = [step_value(self.caps, self.rates, reach * s) / (reach * s) for s in self.scales]
        return [
            self._initial(reach),
            *(line(r * s) for r, s in zip(rates, self.scales, strict=True)),
        ]

    @cached_property
    def _marginal(self) -> Curve:
        deductions = [float(t.deduction) / self.unit for t in self.tiers]
        return upper_envelope(self.rates, deductions)

    @cached_property
    def _initial_alike(self) -> Curve | None:
        """Initial margin where it does not depend on the bracket that a pair reaches."""
        if self.tiers[0].initial is not None:
            rows = [
                (float(t.initial), float(t.initial_deduction) / self.unit)
                for t in self.tiers
                if t.initial is not None
            ]
            return upper_envelope([row[0] for row in rows], [row[1] for row in rows])
        return None if self.leverage is None else line(1 / self.leverage)

    def _initial(self, gross: float) -> Curve:
        if self._initial_alike is not None:
            return self._initial_alike
        at = min(int(np.searchsorted(self.caps, gross * (1 - 1e-12))), len(self.tiers) - 1)
        return line(1 / float(self.tiers[at].max_leverage or 1))


def initial_rates(arrays: Arrays) -> Vector:
    """Least initial margin per gross notional of each pair; 0 where nothing is known."""
    out = np.zeros(len(arrays.pairs.keys))
    for rule, members in _classes(arrays, ()):
        if not rule.idle:
            out[members] = rule.curves(1.0, None)[INITIAL].slopes[0]
    return out
