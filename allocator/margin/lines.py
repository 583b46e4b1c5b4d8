"""Piecewise linear functions of an amount, exact: margin by notional, collateral by units."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from allocator.models.base import ONE, ZERO
from allocator.models.market import CollateralTier


@dataclass(frozen=True, slots=True)
class Lines:
    """A continuous function that is a straight line between bends.

    Attributes
    ----------
    bends
        Where one line ends and the next begins, ascending, shape ``(n - 1,)``.
    rates, extras
        Line k is ``rates[k] x + extras[k]``, shape ``(n,)``.
    """

    bends: tuple[Decimal, ...]
    rates: tuple[Decimal, ...]
    extras: tuple[Decimal, ...]

    def __call__(self, amount: Decimal) -> Decimal:
        """Evaluate at an amount."""
        at = bisect_right(self.bends, amount)
        return self.rates[at] * amount + self.extras[at]

    def line(self, amount: Decimal) -> tuple[Decimal, Decimal]:
        """Look up rate and extra of the line that holds an amount."""
        at = bisect_right(self.bends, amount)
        return self.rates[at], self.extras[at]


def largest(rows: Iterable[tuple[Decimal, Decimal]]) -> Lines:
    """Take the largest of zero and of the lines ``rate x + extra``, for amounts above zero."""
    best = {ZERO: ZERO}
    for rate, extra in rows:
        best[rate] = max(extra, best.get(rate, extra))
    bends, kept = list[Decimal](), list[tuple[Decimal, Decimal]]()
    for rate, extra in sorted(best.items()):
        while kept:
            bend = (kept[-1][1] - extra) / (rate - kept[-1][0])
            if bend > (bends[-1] if bends else ZERO):
                bends.append(bend)
                break
            kept.pop()
            if bends:
                bends.pop()
        kept.append((rate, extra))
    return Lines(tuple(bends), tuple(row[0] for row in kept), tuple(row[1] for row in kept))


def marginal(tiers: Sequence[CollateralTier]) -> Lines:
    """Value asset units by marginal ratios, in asset units; a negative amount counts in full."""
    bends, rates, extras = [ZERO], [ONE], [ZERO]
    value = ZERO
    for tier in tiers:
        below = bends[-1]
        rates.append(tier.ratio)
        extras.append(value - below * tier.ratio)
        if tier.upto is not None:
            value += (tier.upto - below) * tier.ratio
            bends.append(tier.upto)
    return Lines(tuple(bends[: len(rates) - 1]), tuple(rates), tuple(extras))
