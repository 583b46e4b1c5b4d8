"""Prices of assets, each with the time it was told: an old one is not used in silence."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from allocator.adapters.sources import AssetPrices
from allocator.models.config import Config
from allocator.models.market import Instrument


@dataclass(frozen=True, slots=True)
class Seen:
    """Dollars a unit of an asset, and when a gather that read it began."""

    price: Decimal
    at: datetime


@dataclass(frozen=True, slots=True)
class Priced:
    """The price chosen for every asset that has one.

    Attributes
    ----------
    dollars
        By asset.
    old
        Ages in seconds, by asset, of prices beyond the age that is allowed.
    """

    dollars: Mapping[str, Decimal]
    old: Mapping[str, float]


def told_now(
    prices: Mapping[str, AssetPrices], instruments: Collection[Instrument]
) -> dict[str, Decimal]:
    """Join what venues tell of assets, and else a perpetual's mark of its underlying.

    What is not above zero is no price, nor is the mark of a market that is halted: nobody trades at
    it, and no venue tells since when it stands.
    """
    found = dict[str, Decimal]()
    for _, told in sorted(prices.items(), reverse=True):
        found |= {asset: price for asset, price in told.items() if price > 0}
    for row in instruments:
        marked = row.kind == "perpetual" and row.status != "halted"
        if marked and row.underlying and row.underlying not in found:
            found[row.underlying] = row.mark
    return found


def chosen(config: Config, seen: Mapping[str, Seen], as_of: datetime) -> Priced:
    """Choose each asset's price, the configured one before the last one told, and find old ones."""
    fixed = {name: row.price for name, row in config.assets.items() if row.price is not None}
    ages = {name: (as_of - row.at).total_seconds() for name, row in seen.items()}
    limit = float(config.gather.max_age_s)
    return Priced(
        dollars={name: row.price for name, row in seen.items()} | fixed,
        old={name: age for name, age in ages.items() if age > limit and name not in fixed},
    )
