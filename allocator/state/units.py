"""What one contract of an instrument is worth, exposes to and costs to cross, in numeraire."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import ROUND_CEILING, Decimal

from allocator.models.base import ONE, ZERO
from allocator.models.errors import Problem, SnapshotError
from allocator.models.mandate import Policy
from allocator.models.market import Asset, Assets, Instrument, Status
from allocator.models.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Units:
    """Unit values of an instrument at the snapshot's prices.

    Attributes
    ----------
    notional, exposure, half_spread
        Numeraire per contract.
    status
        The instrument's status; reduce_only if it expires within the horizon.
    settlements
        Funding settlements within the horizon, k.
    carry
        Cost of holding a long contract over the horizon, numeraire: funding less alpha.
    smallest
        Notional of the smallest order that the instrument takes, numeraire.
    """

    notional: Decimal
    exposure: Decimal
    half_spread: Decimal
    status: Status
    settlements: Decimal
    carry: Decimal
    smallest: Decimal


def asset_of(assets: Assets, name: str) -> Asset:
    """Look an asset up.

    Raises
    ------
    SnapshotError
        When it has no price.
    """
    if name not in assets:
        raise SnapshotError([Problem(("snapshot", "assets", name), "no price for this asset")])
    return assets[name]


def underlying_price(assets: Assets, name: str) -> Decimal:
    """Price an underlying: the asset of that name, else the only asset exposed to it.

    Raises
    ------
    SnapshotError
        When no asset, or several, could give the price.
    """
    if name in assets:
        return assets[name].price
    prices = [row.price for row in assets.values() if row.underlying == name]
    if len(prices) != 1:
        message = f"no single asset gives the price of the underlying {name}"
        raise SnapshotError([Problem(("snapshot", "assets"), message)])
    return prices[0]


def units_of(snapshot: Snapshot, policy: Policy, row: Instrument) -> Units:
    """Compute the unit values of one instrument."""
    notional = notional_per_contract(snapshot.assets, row)
    k = settlements(snapshot, policy, row)
    rate = ZERO if row.funding is None else row.funding.rate * k
    return Units(
        notional=notional,
        exposure=_exposure(row, notional),
        half_spread=_half_spread(snapshot.assets, row, notional),
        status=effective_status(snapshot, policy, row),
        settlements=k,
        carry=notional * (rate - policy.alpha.get(row.id, ZERO)),
        smallest=_smallest(row, notional),
    )


def notional_per_contract(assets: Assets, row: Instrument) -> Decimal:
    """Notional of one contract, n_i, numeraire."""
    if row.kind == "spot":
        return row.mark * asset_of(assets, row.cash).price
    if row.kind == "option":
        assert row.underlying is not None
        return row.size * underlying_price(assets, row.underlying)
    if row.payoff == "inverse":
        unpriced_usd = row.quote not in assets and row.quote in (None, "USD")
        return row.size * (ONE if unpriced_usd else asset_of(assets, str(row.quote)).price)
    return row.size * row.mark * asset_of(assets, row.cash).price


def _exposure(row: Instrument, notional: Decimal) -> Decimal:
    if row.kind == "spot":
        return ZERO
    if row.kind == "option":
        assert row.delta is not None
        return notional * row.delta
    return notional


def _half_spread(assets: Assets, row: Instrument, notional: Decimal) -> Decimal:
    bid = row.mark if row.bid is None else row.bid
    ask = row.mark if row.ask is None else row.ask
    if row.kind == "option":
        return (ask - bid) / 2 * row.size * asset_of(assets, row.cash).price
    return (ask - bid) * notional / (ask + bid) if ask + bid else ZERO


def _smallest(row: Instrument, notional: Decimal) -> Decimal:
    wanted = max(row.lot, row.min_quantity, row.min_notional / notional)
    lots = (wanted / row.lot).to_integral_value(ROUND_CEILING)
    return lots * row.lot * notional


def horizon(policy: Policy) -> timedelta:
    """Turn H into a duration, exact to the microsecond."""
    return timedelta(microseconds=int(policy.horizon_h * 3_600_000_000))


def effective_status(snapshot: Snapshot, policy: Policy, row: Instrument) -> Status:
    """Status of an instrument; one that expires within H may only be reduced."""
    expires = row.expiry is not None and row.expiry <= snapshot.as_of + horizon(policy)
    return "reduce_only" if expires and row.status == "open" else row.status


def settlements(snapshot: Snapshot, policy: Policy, row: Instrument) -> Decimal:
    """Count funding settlements in (as_of, as_of + H]; pro rata if the next one is unknown."""
    if row.kind != "perpetual" or row.funding is None:
        return ZERO
    every = int(row.funding.interval_h * 3_600_000_000)
    if row.funding.next_at is None or not every:  # within a microsecond there is no next one
        return policy.horizon_h / row.funding.interval_h
    tick = timedelta(microseconds=1)
    first = (row.funding.next_at - snapshot.as_of) // tick
    end = horizon(policy) // tick
    earliest = max(0, -first // every + 1)
    return Decimal(max(0, (end - first) // every - earliest + 1))
