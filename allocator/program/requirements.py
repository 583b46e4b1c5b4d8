"""Margin requirement of every pair as arrays: initial, maintenance, and maintenance under stress.

Column 0 is the initial margin, column 1 the maintenance margin, column 2 + s the maintenance
margin revalued in stress s. Gross notional is cut into segments whose slopes rise, so a program
that pays for margin fills them in order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from allocator.margin import response
from allocator.models.market import Tier
from allocator.program.affine import WIDER, Draft, every
from allocator.program.arrays import Arrays
from allocator.program.core import Core
from allocator.program.curves import (
    Curve,
    line,
    lower_hull,
    merged,
    step_value,
    stretched,
    upper_envelope,
)
from allocator.program.form import Index, Vector

Brackets = Mapping[int, float]
"""Ceiling of gross notional chosen for whole-position pairs, by pair number."""

NEVER = 1e-9
"""Smallest width of a box, in units, that is worth a column."""


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


@dataclass(frozen=True)
class Positions:
    """Gross notional of every pair and what it requires.

    Attributes
    ----------
    seg_pair, seg_column
        Pair and program column of each segment.
    seg_slope
        Shape ``(n_segments, 2 + n_shocks)``.
    seg_fill
        How far present positions fill each segment.
    base
        What pairs require outside segments, shape ``(n_pairs, 2 + n_shocks)``.
    start
        What they require now, by the true rule.
    """

    shocks: tuple[Shock, ...]
    seg_pair: Index
    seg_column: Index
    seg_slope: Vector
    seg_fill: Vector
    base: Vector
    start: Vector
    gross_base: Vector


def shocks_of(arrays: Arrays) -> tuple[Shock, ...]:
    """Cross the stress cases, by the law's own response of each instrument."""
    book = arrays.book
    rows = [book.instruments[i] for _, i in arrays.pairs.keys]
    per = [float(book.price(row.cash) / book.notional(row.id)) for row in rows]
    out = list[Shock]()
    for stress in book.policy.stress:
        change = {name: 1.0 + float(value) for name, value in stress.prices.items()}
        factor = [change.get(book.asset(name).underlying or "", 1.0) for name in arrays.assets]
        answers = [response(book, row, stress.prices) for row in rows]
        gains = [float(a.gain) * worth for a, worth in zip(answers, per, strict=True)]
        scales = [float(answer.scale) for answer in answers]
        out.append(Shock(stress.id, np.array(factor), np.array(gains), np.array(scales)))
    return tuple(out)


def ceilings(arrays: Arrays, gross: Vector) -> dict[int, float]:
    """Choose the bracket that holds each whole-position pair's gross notional; its cap."""
    out = dict[int, float]()
    for at, key in enumerate(arrays.pairs.keys):
        if arrays.book.accounts[key[0]].margin.model == "whole_position":
            caps = [float(t.cap) / arrays.unit for t in arrays.book.tiers[key]]
            fits = [cap for cap in caps if cap >= gross[at] * (1 - 1e-9)]
            out[at] = min(fits, default=float("inf"))
    return out


def positions_of(core: Core, draft: Draft, brackets: Brackets | None) -> Positions:
    """Add segments for every live pair and tabulate the rest.

    Parameters
    ----------
    core
        The actions.
    draft
        The program; gets the segment columns and their rows.
    brackets
        Ceilings of whole-position pairs for a plan; None: the hull from below, for a bound.
    """
    arrays, shocks = core.arrays, shocks_of(core.arrays)
    pairs = arrays.pairs
    width = 2 + len(shocks)
    count = len(pairs.keys)
    start, base = np.zeros((count, width)), np.zeros((count, width))
    gross = np.where(pairs.legged, np.nan_to_num(pairs.fixed_gross), np.abs(pairs.start))
    gross_base = np.where(core.live, 0.0, gross)
    tops = np.maximum(np.abs(core.box[0]), np.abs(core.box[1])) * WIDER
    seg_pair, widths, slopes = list[int](), list[Vector](), list[Vector]()
    fills = list[Vector]()
    for at in range(count):
        rule = _Rule(arrays, at, shocks)
        start[at] = rule.now(float(gross[at]))
        if not core.live[at]:
            base[at] = start[at]
            continue
        ceiling = None if brackets is None else brackets.get(at, float("inf"))
        curves = rule.curves(float(tops[at]), ceiling)
        base[at] = [curve.at_zero if brackets is not None else 0.0 for curve in curves]
        cut, slope = merged(curves, float(tops[at]))
        seg_pair += [at] * cut.size
        widths.append(cut)
        fills.append(np.clip(gross[at] - (np.cumsum(cut) - cut), 0.0, cut))
        slopes.append(slope)
    flat = np.concatenate(widths) if widths else np.zeros(0)
    columns = draft.columns(np.zeros(flat.size), flat)
    owner = np.array(seg_pair, dtype=np.int64)
    _gross_rows(core, draft, owner, columns)
    return Positions(
        shocks=shocks,
        seg_pair=owner,
        seg_column=columns,
        seg_slope=np.concatenate(slopes) if slopes else np.zeros((0, width)),
        seg_fill=np.concatenate(fills) if fills else np.zeros(0),
        base=base,
        start=start,
        gross_base=gross_base,
    )


def _gross_rows(core: Core, draft: Draft, owner: Index, columns: Index) -> None:
    """Keep the segments of a pair at or above its notional, long and short; cap it by its box."""
    pairs, (low, high) = core.arrays.pairs, core.box
    names = ["/".join(key) for key in pairs.keys]
    live = np.flatnonzero(core.live)
    row_of = np.full(core.live.size, -1)
    for sign, reach in ((1.0, high), (-1.0, -low)):
        chosen = live[reach[live] > NEVER]
        row_of[:] = -1
        row_of[chosen] = np.arange(chosen.size)
        used = np.flatnonzero(row_of[owner] >= 0)
        draft.rows(
            core.position.take(chosen).scaled(-sign),
            0.0,
            np.inf,
            every([names[at] for at in chosen], "gross"),
            (row_of[owner[used]], columns[used], 1.0),
        )
    moved = np.unique(np.concatenate([core.arrays.moves.source, core.arrays.moves.target]))
    moved = moved[core.live[moved]]
    draft.rows(
        core.position.take(moved),
        low[moved],
        high[moved],
        every([names[at] for at in moved], "bracket"),
    )


class _Rule:
    """The requirement of one pair."""

    def __init__(self, arrays: Arrays, at: int, shocks: tuple[Shock, ...]) -> None:
        key = arrays.pairs.keys[at]
        self.unit = arrays.unit
        self.model = arrays.book.accounts[key[0]].margin.model
        self.tiers: tuple[Tier, ...] = arrays.book.tiers.get(key, ())
        place = arrays.book.position(*key)
        picked = None if place is None else place.leverage
        self.leverage = None if picked is None else float(picked)
        self.scales = [1.0, *(float(shock.scale[at]) for shock in shocks)]
        self.count = 1 + len(self.scales)
        self.idle = self.model == "scenario" or not self.tiers
        self.caps = [float(t.cap) / self.unit for t in self.tiers]
        self.rates = [float(t.maintenance) for t in self.tiers]

    def now(self, gross: float) -> Vector:
        """Evaluate the true requirement at a gross notional."""
        if self.idle or gross <= 0:
            return np.zeros(self.count)
        if self.model == "whole_position":
            held = [step_value(self.caps, self.rates, gross * s) for s in self.scales]
        else:
            marginal = self._marginal()
            held = [marginal(gross * s) for s in self.scales]
        return np.array([self._initial(gross)(gross), *held])

    def curves(self, top: float, ceiling: float | None) -> list[Curve]:
        """Build initial, maintenance and stressed maintenance as convex curves on [0, top]."""
        if self.idle:
            return [line(0.0)] * self.count
        if self.model == "tiered":
            marginal = self._marginal()
            return [self._initial(top), *(stretched(marginal, s) for s in self.scales)]
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

    def _marginal(self) -> Curve:
        deductions = [float(t.deduction) / self.unit for t in self.tiers]
        return upper_envelope(self.rates, deductions)

    def _initial(self, gross: float) -> Curve:
        first = self.tiers[0]
        if first.initial is not None:
            rows = [
                (float(t.initial), float(t.initial_deduction) / self.unit)
                for t in self.tiers
                if t.initial is not None
            ]
            return upper_envelope([row[0] for row in rows], [row[1] for row in rows])
        if self.leverage is not None:
            return line(1 / self.leverage)
        at = min(int(np.searchsorted(self.caps, gross * (1 - 1e-12))), len(self.tiers) - 1)
        return line(1 / float(self.tiers[at].max_leverage or 1))


def initial_rates(arrays: Arrays) -> Vector:
    """Least initial margin per gross notional of each pair; 0 where nothing is known."""
    out = np.zeros(len(arrays.pairs.keys))
    for at in range(out.size):
        rule = _Rule(arrays, at, ())
        if not rule.idle:
            out[at] = rule.curves(1.0, None)[0].slopes[0]
    return out
