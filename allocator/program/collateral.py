"""Collateral of wallets as columns: the least of rising lines of equity, concave."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from allocator.program.affine import Affine, Draft
from allocator.program.core import Core
from allocator.program.separable import Index, Vector

Line = tuple[float, float]
"""Slope and constant."""


@dataclass(frozen=True)
class Cover:
    """Collateral by wallet key: an affine part, plus a column for each key that bends.

    Attributes
    ----------
    flat
        By wallet key; zero where there is a column.
    bent, columns
        Wallet keys with a column, and the columns.
    """

    flat: Affine
    bent: Index
    columns: Index


class Collateral:
    """Values and columns of collateral."""

    def __init__(self, core: Core, draft: Draft) -> None:
        self.core, self.draft = core, draft
        book, unit = core.arrays.book, core.arrays.unit
        self.lines = list[list[Line]]()
        for account, asset in core.arrays.wallets.keys:
            scale = float(book.price(asset)) / unit
            tiers = book.ratios(account, asset)
            ends = [None if tier.upto is None else float(tier.upto) * scale for tier in tiers]
            self.lines.append(lines_of(ends, [float(tier.ratio) for tier in tiers]))

    def value(self, equity: Vector) -> Vector:
        """Evaluate at given equities, shape ``(n_wallets,)``."""
        rows = zip(self.lines, equity, strict=True)
        return np.array([_least(lines, float(e)) for lines, e in rows], dtype=np.float64)

    def cover(self, equity: Affine, keep: Index, label: str) -> Cover:
        """Write collateral as an affine part plus columns.

        Parameters
        ----------
        equity
            By wallet key.
        keep
            Wallet keys that matter; the others count nothing.
        label
            Family of the rows.
        """
        low, high = equity.range(np.zeros(self.core.layout.count), self.core.top)
        slope, const = np.zeros(equity.const.size), np.zeros(equity.const.size)
        bent = list[int]()
        for at in keep:
            active = active_lines(self.lines[at], float(low[at]), float(high[at]))
            if len(active) == 1:
                slope[at], const[at] = active[0]
            else:
                bent.append(int(at))
        rows = np.array(bent, dtype=np.int64)
        columns = self._columns(equity, rows, low, high, label)
        return Cover(equity.scaled(slope).shifted(const), rows, columns)

    def _columns(self, equity: Affine, rows: Index, low: Vector, high: Vector, label: str) -> Index:
        """Add a column for each bent collateral, at or below each of its lines."""
        least = np.array([_least(self.lines[at], float(low[at])) for at in rows], dtype=np.float64)
        most = np.array([_least(self.lines[at], float(high[at])) for at in rows], dtype=np.float64)
        columns = self.draft.columns(least, most)
        picked = [
            (int(at), order, line)
            for order, at in enumerate(rows)
            for line in active_lines(self.lines[at], float(low[at]), float(high[at]))
        ]
        take = np.array([at for at, _, _ in picked], dtype=np.int64)
        owner = np.array([order for _, order, _ in picked], dtype=np.int64)
        slopes = np.array([line[0] for _, _, line in picked], dtype=np.float64)
        consts = np.array([line[1] for _, _, line in picked], dtype=np.float64)
        keys = self.core.arrays.wallets.keys
        rows = self.draft.rows(
            equity.take(take).scaled(slopes).shifted(consts),
            0.0,
            np.inf,
            [(label, *keys[at]) for at in take],
            (np.arange(take.size), columns[owner], -1.0),
        )
        self.draft.falls.append((rows, columns[owner]))
        return columns


def _least(lines: list[Line], at: float) -> float:
    return min(slope * at + const for slope, const in lines)


def lines_of(ends: list[float | None], ratios: list[float]) -> list[Line]:
    """Write marginal ratios as lines whose least is the collateral; steepest first."""
    out = {(1.0, 0.0)}
    below, value = 0.0, 0.0
    for end, ratio in zip(ends, ratios, strict=True):
        out.add((ratio, value - ratio * below))
        if end is not None:
            value += ratio * (end - below)
            below = end
    return sorted(out, reverse=True)


def active_lines(lines: list[Line], low: float, high: float) -> list[Line]:
    """Pick the lines that are least somewhere on [low, high]."""
    cuts = {low, high}
    for steep in lines:
        for flat in lines:
            if steep[0] > flat[0]:
                cross = (flat[1] - steep[1]) / (steep[0] - flat[0])
                if low < cross < high:
                    cuts.add(cross)
    spots = [(a + b) / 2 for a, b in pairwise(sorted(cuts))] or [low]
    best = {min((slope * x + const, (slope, const)) for slope, const in lines)[1] for x in spots}
    return sorted(best, reverse=True)
