"""The least amount of relaxation at which nothing is missing."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from allocator.minimise.least import NOTHING

MOST = 40
"""Most amounts that are looked at."""

CLOSE = 1e-5
"""Relative width of the bracket that is narrow enough."""

FALLS = 1e-3
"""Relative fall from which a secant is drawn; a solver's noise is far below."""

CHECKED = 1e-3
"""Part of the bracket below a first secant's zero: whether it began before the fall shows there."""

GROWS = 4.0
"""Factor of the next amount where one lessened nothing."""


def least_amount(
    missing_at: Callable[[float], float | None],
    first: float,
    missing: float,
    *,
    start: float = 0.0,
    convex: bool = True,
) -> float | None:
    """Close in on the least amount at which nothing is missing.

    What is missing never grows with the amount. Of a relaxed program it is convex as soon as it
    falls, and secants of two points of the fall meet its zero from below; before it falls, as
    where a limit was broken so far that less of a breach changes nothing, amounts grow; with
    whole actions it steps down, and the bracket is halved.

    Parameters
    ----------
    missing_at
        What is missing at an amount; None where that is not known.
    first
        Amount to begin with, more than `start`.
    missing
        What is missing at `start`.
    start
        An amount that is not enough.
    convex
        Whether a secant never goes beyond the least amount.

    Returns
    -------
    The amount, at most `CLOSE` above the least; None if none was found.
    """
    low, at, high = (start, missing), first, inf
    falling, aimed, sure = False, False, False
    for _ in range(MOST):
        now = missing_at(at)
        if now is None:
            break
        if now <= NOTHING:
            high = at
            if sure:
                break
            part = CHECKED if aimed else 0.5
            at, aimed = high - part * (high - low[0]), False
        else:
            fall = low[1] - now
            fell = convex and fall > FALLS * low[1]
            wanted = at + now * (at - low[0]) / fall if fell else inf
            low = (at, now)
            aimed, sure, falling = wanted < high, fell and falling and wanted < high, fell
            at = wanted if aimed else at * GROWS if high == inf else 0.5 * (at + high)
        if high < inf and high - low[0] <= CLOSE * high:
            break
    return high if high < inf else None
