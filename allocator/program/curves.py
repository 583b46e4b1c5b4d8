"""Margin of one pair as a convex, piecewise linear function of its gross notional.

Marginal brackets are convex as they stand: the largest of ``rate_k N - deduction_k``. The bracket's
rate on the whole position jumps, so the plan stays inside a chosen bracket, where it is linear, and
the bound uses the convex hull from below.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from allocator.program.separable import Vector


@dataclass(frozen=True, slots=True)
class Curve:
    """A convex function on [0, top]: value at zero, and slopes from each start on.

    Attributes
    ----------
    starts, slopes
        Shape ``(n_segments,)``; the first start is 0 and slopes rise.
    """

    at_zero: float
    starts: Vector
    slopes: Vector

    def __call__(self, size: float) -> float:
        """Evaluate at a gross notional; zero costs nothing."""
        if size <= 0:
            return 0.0
        ends = np.append(self.starts[1:], np.inf)
        inside = np.clip(size - self.starts, 0.0, ends - self.starts)
        return float(self.at_zero + inside @ self.slopes)

    def at(self, sizes: Vector) -> Vector:
        """Evaluate at gross notionals above zero, to the last bit as one by one."""
        if self.starts.size == 1:
            return np.asarray(self.at_zero + sizes * self.slopes[0], dtype=np.float64)
        ends = np.append(self.starts[1:], np.inf)
        inside = np.clip(sizes[:, None] - self.starts, 0.0, ends - self.starts)
        return self.at_zero + np.array([row @ self.slopes for row in inside])

    def covers(self, other: Curve, factor: float, top: float) -> bool:
        """Tell whether the curve is at or above `factor` times another on all of [0, top]."""
        bends = np.unique(np.concatenate([self.starts, other.starts, [top]]))
        spots = bends[(bends > 0) & (bends <= top)]
        if self.at_zero < factor * other.at_zero:
            return False
        return bool(np.all(self.at(spots) >= factor * other.at(spots)))


def line(rate: float) -> Curve:
    """Build a straight line through zero."""
    return Curve(0.0, np.zeros(1), np.array([rate]))


def upper_envelope(rates: Sequence[float], deductions: Sequence[float]) -> Curve:
    """Take the largest of zero and of the lines ``rate N - deduction``."""
    lines = sorted({(0.0, 0.0), *zip(rates, deductions, strict=True)}, key=lambda r: (r[0], -r[1]))
    kept: list[tuple[float, float]] = []
    starts: list[float] = []
    for rate, deduction in lines:
        start = 0.0
        while kept:
            low_rate, low_deduction = kept[-1]
            if rate <= low_rate:
                start = 0.0 if deduction <= low_deduction else np.inf
            else:
                start = max(0.0, (deduction - low_deduction) / (rate - low_rate))
            if start > starts[-1]:
                break
            kept.pop()
            starts.pop()
            start = 0.0
        if np.isfinite(start):
            kept.append((rate, deduction))
            starts.append(start)
    return Curve(max(0.0, -kept[0][1]), np.array(starts), np.array([row[0] for row in kept]))


def step_value(caps: Sequence[float], rates: Sequence[float], size: float) -> float:
    """Evaluate the rate of the bracket that holds `size`, on all of it."""
    at = min(int(np.searchsorted(caps, size * (1 - 1e-12), side="left")), len(rates) - 1)
    return size * rates[at]


def lower_hull(caps: Sequence[float], rates: Sequence[float], top: float) -> Curve:
    """Take the convex hull from below of a bracket's rate on the whole position."""
    ends = [cap for cap in caps[:-1] if cap < top]
    points = [(0.0, 0.0)]
    for x in [*ends, top]:
        if x <= points[-1][0]:
            continue
        y = step_value(caps, rates, x)
        while len(points) > 1 and _above(points[-2], points[-1], (x, y)):
            points.pop()
        points.append((x, y))
    starts = [x for x, _ in points[:-1]]
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in pairwise(points)]
    return Curve(0.0, np.array(starts or [0.0]), np.array(slopes or [rates[0]]))


def _above(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> bool:
    """Whether b lies on or above the chord from a to c."""
    return (b[1] - a[1]) * (c[0] - a[0]) >= (c[1] - a[1]) * (b[0] - a[0])


def stretched(curve: Curve, scale: float) -> Curve:
    """Compose with a revaluation: the curve at ``scale`` times the notional."""
    if scale == 1.0:
        return curve
    return Curve(curve.at_zero, curve.starts / scale, curve.slopes * scale)
