"""Figures of instruments that no venue states as the allocator needs them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from decimal import ROUND_FLOOR, Decimal

from allocator.adapters.exact import exactly
from allocator.models.base import ONE
from allocator.models.errors import VenueError
from allocator.models.market import Instrument, Tier

CENT = Decimal("0.01")


@exactly
def daily_range_volatility(high: Decimal | None, low: Decimal | None) -> Decimal | None:
    """Estimate a day's volatility from its range: ``ln(high/low) / (2 sqrt(ln 2))``.

    Source: Parkinson, Journal of Business 53(1), 1980. One day is a noisy sample, so gathering
    takes it only where it is above the mandate's own figure. None: no range is known.
    """
    if not high or not low or high < low:
        return None
    return ((high / low).ln() / (2 * Decimal(2).ln().sqrt())).quantize(Decimal("1e-8"))


@exactly
def rising(tiers: Iterable[Tier]) -> tuple[Tier, ...]:
    """Order brackets by cap and round their caps and deductions down, against us."""
    ordered = sorted(tiers, key=lambda tier: tier.cap)
    rounded = [
        tier.model_copy(
            update={
                "cap": tier.cap.quantize(CENT, ROUND_FLOOR),
                "deduction": tier.deduction.quantize(Decimal("1e-8"), ROUND_FLOOR),
                "initial_deduction": tier.initial_deduction.quantize(Decimal("1e-8"), ROUND_FLOOR),
            }
        )
        for tier in ordered
    ]
    if any(high.cap <= low.cap for low, high in itertools.pairwise(rounded)):
        raise VenueError("two brackets with the same cap")
    return tuple(rounded)


@exactly
def scaled(instrument: Instrument, price: Decimal) -> Instrument:
    """Turn figures given in the quote currency into dollars at its price, rounding against us."""
    if price == ONE or instrument.payoff == "inverse":
        return instrument
    volume = instrument.daily_volume
    tiers = rising(
        tier.model_copy(
            update={
                "cap": tier.cap * price,
                "deduction": tier.deduction * price,
                "initial_deduction": tier.initial_deduction * price,
            }
        )
        for tier in instrument.tiers
    )
    return instrument.model_copy(
        update={
            "min_notional": instrument.min_notional * price,
            "daily_volume": None if volume is None else volume * price,
            "tiers": tiers,
        }
    )
