"""What a shock does to instruments, assets and routes beside their prices."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal

from allocator.models.base import ONE, ZERO
from allocator.models.market import Asset, CollateralTier, Instrument, Tier
from allocator.whatif.shock import Adjust, Shock
from allocator.whatif.shocks.names import named

Brackets = Callable[[Iterable[str | None], tuple[Tier, ...]], tuple[Tier, ...]]
"""Brackets after a shock, of what is called by some names."""


def market(inst: Instrument, shock: Shock) -> Instrument:
    """Change volume, volatility, spread, funding and brackets of an instrument."""
    names = (inst.id, inst.underlying, inst.venue)
    out: dict[str, object] = {"tiers": brackets(names, inst.tiers, shock)}
    for key, change in (("daily_volatility", shock.volatility), ("daily_volume", shock.volume)):
        value = getattr(inst, key)
        if change is not None and value is not None and named(change.only, *names):
            out[key] = max(change.of(value), ZERO)
    if shock.spreads is not None and named(shock.spreads.only, *names):
        out.update(_spread(inst, shock.spreads.multiply))
    funding = shock.funding
    if funding is not None and inst.funding is not None and named(funding.only, *names):
        rate = funding.of(inst.funding.rate)
        out["funding"] = inst.funding.model_copy(update={"rate": rate})
    return inst.model_copy(update=out)


def _spread(inst: Instrument, factor: Decimal) -> dict[str, Decimal]:
    if inst.bid is None or inst.ask is None:
        return {}
    middle, half = (inst.bid + inst.ask) / 2, (inst.ask - inst.bid) / 2 * factor
    return {"bid": max(middle - half, inst.tick), "ask": middle + half}


def brackets(
    names: Iterable[str | None], tiers: tuple[Tier, ...], shock: Shock
) -> tuple[Tier, ...]:
    """Scale rates and caps; brackets stay continuous because deductions scale with both."""
    rate = shock.margin.multiply if _covers(shock.margin, names) and shock.margin else ONE
    cap = shock.brackets.multiply if _covers(shock.brackets, names) and shock.brackets else ONE
    if not tiers or (rate == ONE and cap == ONE):
        return tiers
    return tuple(_tier(tier, rate, cap) for tier in tiers)


def _covers(change: object, names: Iterable[str | None]) -> bool:
    return change is not None and named(getattr(change, "only", ()), *names)


def _tier(tier: Tier, rate: Decimal, cap: Decimal) -> Tier:
    initial = tier.initial
    return tier.model_copy(
        update={
            "cap": tier.cap * cap,
            "maintenance": tier.maintenance * rate,
            "deduction": tier.deduction * rate * cap,
            "initial": None if initial is None else initial * rate,
            "initial_deduction": tier.initial_deduction * rate * cap,
            "max_leverage": tier.max_leverage and tier.max_leverage / rate,
        }
    )


def asset(name: str, row: Asset, shock: Shock, places: Iterable[str]) -> Asset:
    """Change an asset's haircut, unless the change is limited to accounts or venues.

    Parameters
    ----------
    places
        Names of the accounts and venues of the book.
    """
    change = shock.haircuts
    if change is None or set(change.only) & set(places) or not named(change.only, name):
        return row
    if row.collateral:
        return row.model_copy(update={"collateral": cut(row.collateral, change)})
    return row.model_copy(update={"haircut": min(max(change.of(row.haircut), ZERO), ONE)})


def cut(rows: tuple[CollateralTier, ...], change: Adjust) -> tuple[CollateralTier, ...]:
    """Change the haircut of every step: one less its collateral ratio."""
    return tuple(
        row.model_copy(update={"ratio": ONE - min(max(change.of(ONE - row.ratio), ZERO), ONE)})
        for row in rows
    )
