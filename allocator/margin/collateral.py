"""Collateral: what an account's equity is worth to its venue, numeraire.

A positive amount counts by marginal ratios, a negative one in full. What an isolated position has
set aside, with its profit, is no collateral of the account; in excess of what was set aside its
loss is.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from allocator.margin.terms import ratios_of
from allocator.models.base import ZERO
from allocator.models.market import CollateralTier
from allocator.state import Book, State, equity_units, held_assets, lawful


@lawful
def marginal_value(tiers: Sequence[CollateralTier], units: Decimal) -> Decimal:
    """Value asset units by marginal ratios, in asset units; concave in `units`.

    >>> tiers = [CollateralTier(upto="20", ratio="0.98"), CollateralTier(upto=None, ratio="0.9")]
    >>> marginal_value(tiers, Decimal(30)), marginal_value(tiers, Decimal(-3))
    (Decimal('28.60'), Decimal('-3'))
    """
    if units <= 0:
        return units
    value = below = ZERO
    for tier in tiers:
        top = units if tier.upto is None else min(units, tier.upto)
        if top > below:
            value += (top - below) * tier.ratio
            below = top
    return value


@lawful
def collateral_units(
    book: Book, state: State, account: str, asset: str, arrivals: bool = False
) -> Decimal:
    """Count the units of an asset that are collateral before any ratio.

    Parameters
    ----------
    arrivals
        Whether to count money that was on its way before the plan.
    """
    units = equity_units(book, state, account, asset) - book.set_aside.get((account, asset), ZERO)
    return units + book.arriving(account).get(asset, ZERO) if arrivals else units


def worth(book: Book, account: str, asset: str, units: Decimal) -> Decimal:
    """Value units that are collateral of an account, numeraire."""
    return ratios_of(book, account, asset)(units) * book.price(asset)


def pool_assets(
    book: Book, state: State, account: str, pool: str | None, arrivals: bool = False
) -> tuple[str, ...]:
    """Name the assets of a margin pool, sorted; a pool of one asset is that asset."""
    if pool is not None:
        return (pool,)
    names = set(held_assets(book, state, account))
    return tuple(sorted(names | set(book.arriving(account)) if arrivals else names))


@lawful
def collateral(
    book: Book, state: State, account: str, pool: str | None = None, arrivals: bool = False
) -> Decimal:
    """Value the collateral of an account, or of one pool of it in single-asset mode."""
    arrivals = arrivals and bool(book.arriving(account))

    def added_up() -> Decimal:
        total = ZERO
        for asset in pool_assets(book, state, account, pool, arrivals):
            units = collateral_units(book, state, account, asset, arrivals)
            total += worth(book, account, asset, units)
        return total

    return book.once(("collateral", account, pool, arrivals, state.holdings[account]), added_up)
