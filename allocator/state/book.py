"""A snapshot and a mandate with everything derived from them, computed once.

Symbols: a account, i instrument, c asset, u underlying; n notional and e exposure per contract.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeVar

from allocator.models.account import Account, Position
from allocator.models.base import ZERO
from allocator.models.canonical import mandate_hash, snapshot_hash
from allocator.models.errors import Problem, SnapshotError
from allocator.models.mandate import Mandate, Policy
from allocator.models.market import Asset, CollateralTier, Instrument, Status, Tier
from allocator.models.snapshot import MoveRule, Route, Snapshot
from allocator.state.arithmetic import lawful
from allocator.state.covariance import Covariance
from allocator.state.units import Units, asset_of, underlying_price, units_of

T = TypeVar("T")

Pair = tuple[str, str]
"""An account's id and an instrument's (or an asset's)."""

NOTHING: Mapping[str, Decimal] = {}

MOST_KEPT = 200_000
"""Results that a book keeps; beyond, they are computed anew."""


@dataclass(frozen=True, eq=False)
class Book:
    """Every fact about a book that does not depend on a plan.

    Attributes
    ----------
    snapshot, mandate
        Where the facts come from.
    accounts, instruments, routes
        By id.
    units
        Unit values by instrument; `notional`, `exposure`, `half_spread` and `status` read them.
    quantity
        Signed contracts by (account, instrument), every listed pair.
    wallet
        Asset units by (account, asset).
    unrealised
        Settle units by (account, instrument).
    gains
        The same added up by (account, settle asset).
    set_aside
        Settle units that isolated pairs keep from collateral, wallet and profit, by (account,
        asset); a pair whose loss exceeds its wallet keeps nothing.
    assets
        By account, every asset that its equity may hold before the plan, sorted.
    tiers
        Brackets by (account, instrument): the account's own, else the instrument's.
    pairs
        Derivatives that may be traded, sorted (account, instrument).
    spot_pairs
        Spot instruments that may be traded, sorted (account, instrument).
    moves
        Allowed moves by (from, to, instrument).
    underlyings
        Every underlying that an instrument, asset or target names, sorted.
    covariance
        Daily covariance of returns by (underlying, underlying).
    memo
        What follows from the book alone, kept by `once`.
    """

    snapshot: Snapshot
    mandate: Mandate
    accounts: Mapping[str, Account]
    instruments: Mapping[str, Instrument]
    routes: Mapping[str, Route]
    units: Mapping[str, Units]
    quantity: Mapping[Pair, Decimal]
    wallet: Mapping[Pair, Decimal]
    unrealised: Mapping[Pair, Decimal]
    gains: Mapping[Pair, Decimal]
    set_aside: Mapping[Pair, Decimal]
    assets: Mapping[str, tuple[str, ...]]
    tiers: Mapping[Pair, tuple[Tier, ...]]
    pairs: tuple[Pair, ...]
    spot_pairs: tuple[Pair, ...]
    moves: Mapping[tuple[str, str, str], MoveRule]
    underlyings: tuple[str, ...]
    covariance: Covariance = field(repr=False)
    memo: dict[Hashable, Any] = field(default_factory=dict[Hashable, Any], repr=False)

    @classmethod
    @lawful
    def of(cls, snapshot: Snapshot, mandate: Mandate) -> Book:
        """Derive the book.

        Raises
        ------
        SnapshotError
            When a price or a referenced instrument is missing.
        """
        instruments = snapshot.instrument
        units = {row.id: units_of(snapshot, mandate.policy, row) for row in snapshot.instruments}
        quantity, unrealised = dict[Pair, Decimal](), dict[Pair, Decimal]()
        gains = dict[Pair, Decimal]()
        tiers, pairs = dict[Pair, tuple[Tier, ...]](), list[Pair]()
        for account in snapshot.accounts:
            for name, place in account.positions.items():
                row, key = _instrument(instruments, account, name), (account.id, name)
                quantity[key] = place.net
                tiers[key] = place.tiers or row.tiers
                unrealised[key] = gain = unrealised_of(row, place)
                cash = (account.id, row.cash)
                gains[cash] = gains.get(cash, ZERO) + gain
                if place.may_trade:
                    pairs.append(key)
        underlyings = _underlyings(snapshot, mandate)
        return cls(
            snapshot=snapshot,
            mandate=mandate,
            accounts=snapshot.account,
            instruments=instruments,
            routes=snapshot.route,
            units=units,
            quantity=quantity,
            wallet=_wallets(snapshot),
            unrealised=unrealised,
            gains=gains,
            set_aside=_set_aside(snapshot, unrealised),
            assets={row.id: _assets(snapshot, row) for row in snapshot.accounts},
            tiers=tiers,
            pairs=tuple(sorted(pairs)),
            spot_pairs=_spot_pairs(snapshot),
            moves={(m.source, m.target, m.instrument): m for m in snapshot.moves},
            underlyings=underlyings,
            covariance=Covariance.of(underlyings, mandate.policy.risk),
        )

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """Compute what follows from the book and the key alone, the first time it is asked for."""
        if key in self.memo:
            found: T = self.memo[key]
            return found
        made = make()
        if len(self.memo) < MOST_KEPT:
            self.memo[key] = made
        return made

    @property
    def snapshot_hash(self) -> str:
        """Hash of the snapshot (sha256, hex)."""
        return self.once("snapshot hash", lambda: snapshot_hash(self.snapshot))

    @property
    def mandate_hash(self) -> str:
        """Hash of the mandate (sha256, hex)."""
        return self.once("mandate hash", lambda: mandate_hash(self.mandate))

    @property
    def policy(self) -> Policy:
        """The mandate's policy."""
        return self.mandate.policy

    def asset(self, name: str) -> Asset:
        """Look an asset up; refused when it has no price."""
        return asset_of(self.snapshot.assets, name)

    def price(self, asset: str) -> Decimal:
        """Numeraire per unit of an asset."""
        return self.asset(asset).price

    def underlying_price(self, name: str) -> Decimal:
        """Numeraire per unit of an underlying."""
        return underlying_price(self.snapshot.assets, name)

    def notional(self, instrument: str) -> Decimal:
        """Notional per contract n_i, numeraire."""
        return self.units[instrument].notional

    def exposure(self, instrument: str) -> Decimal:
        """Exposure per contract e_i, numeraire."""
        return self.units[instrument].exposure

    def half_spread(self, instrument: str) -> Decimal:
        """Half the spread per contract, numeraire."""
        return self.units[instrument].half_spread

    def status(self, instrument: str) -> Status:
        """Status of an instrument, its expiry within the horizon considered."""
        return self.units[instrument].status

    def taker(self, account: str, instrument: str) -> Decimal:
        """Taker fee as a fraction of notional: the instrument's, the kind's, the account's."""
        fees = self.accounts[account].fees
        for key in (instrument, self.instruments[instrument].kind):
            special = fees.by.get(key)
            if special is not None and special.taker is not None:
                return special.taker
        return fees.taker

    def position(self, account: str, instrument: str) -> Position | None:
        """Look a pair up; None if the account does not list it."""
        return self.accounts[account].positions.get(instrument)

    def may_trade(self, account: str, instrument: str) -> bool:
        """Whether orders of the account in the instrument are allowed at all."""
        place = self.position(account, instrument)
        if place is not None:
            return place.may_trade
        return instrument in self.accounts[account].spot

    def ratios(self, account: str, asset: str) -> tuple[CollateralTier, ...]:
        """Collateral tiers of an asset in an account: the account's own, else the asset's."""
        return self.accounts[account].collateral.get(asset) or self.asset(asset).ratios

    def ring_fenced(self, account: str, asset: str) -> Decimal:
        """Asset units that are left alone."""
        return self.accounts[account].ring_fenced.get(asset, ZERO)

    def withdrawable(self, account: str, asset: str) -> Decimal:
        """Asset units that may leave; zero where nothing is known."""
        row = self.accounts[account].balances.get(asset)
        return ZERO if row is None or row.withdrawable is None else row.withdrawable

    def arriving(self, account: str) -> Mapping[str, Decimal]:
        """Asset units on their way to an account since before the plan."""
        return self.once("arriving", lambda: _arriving(self.snapshot)).get(account, NOTHING)


def unrealised_of(row: Instrument, place: Position) -> Decimal:
    """Unrealised profit of a pair in settle units, computed from the entry price if not given."""
    if place.unrealised is not None:
        return place.unrealised
    if place.entry_price is None or not place.net:
        return ZERO
    if row.payoff == "inverse":
        return place.net * row.size * (1 / place.entry_price - 1 / row.mark)
    return place.net * row.size * (row.mark - place.entry_price)


def _arriving(snapshot: Snapshot) -> dict[str, Mapping[str, Decimal]]:
    out: dict[str, Mapping[str, Decimal]] = {}
    for account in snapshot.accounts:
        units: dict[str, Decimal] = {}
        for row in account.in_flight:
            if row.direction == "in":
                units[row.asset] = units.get(row.asset, ZERO) + row.amount
        if units:
            out[account.id] = units
    return out


def _set_aside(snapshot: Snapshot, unrealised: Mapping[Pair, Decimal]) -> dict[Pair, Decimal]:
    out: dict[Pair, Decimal] = {}
    for account in snapshot.accounts:
        for name, place in account.positions.items():
            if place.isolated is not None:
                key = (account.id, snapshot.instrument[name].cash)
                kept = max(ZERO, place.isolated.wallet + unrealised[account.id, name])
                out[key] = out.get(key, ZERO) + kept
    return out


def _assets(snapshot: Snapshot, account: Account) -> tuple[str, ...]:
    names = set(account.balances) | set(account.ring_fenced)
    return tuple(sorted(names | {snapshot.instrument[i].cash for i in account.positions}))


def _instrument(instruments: Mapping[str, Instrument], account: Account, name: str) -> Instrument:
    if name not in instruments or instruments[name].is_spot:
        path = ("snapshot", "accounts", account.id, "positions", name)
        raise SnapshotError([Problem(path, "a position needs a derivative of the snapshot")])
    return instruments[name]


def _wallets(snapshot: Snapshot) -> dict[Pair, Decimal]:
    out: dict[Pair, Decimal] = {}
    for account in snapshot.accounts:
        for asset, balance in account.balances.items():
            asset_of(snapshot.assets, asset)
            out[account.id, asset] = balance.wallet
    return out


def _spot_pairs(snapshot: Snapshot) -> tuple[Pair, ...]:
    out = list[Pair]()
    for account in snapshot.accounts:
        for name in account.spot:
            row = snapshot.instrument.get(name)
            if row is None or not row.is_spot:
                path = ("snapshot", "accounts", account.id, "spot")
                raise SnapshotError([Problem(path, f"{name} is no spot instrument")])
            out.append((account.id, name))
    return tuple(sorted(out))


def _underlyings(snapshot: Snapshot, mandate: Mandate) -> tuple[str, ...]:
    names = {row.underlying for row in snapshot.instruments}
    names |= {row.underlying for row in snapshot.assets.values()}
    names |= {row.underlying for row in mandate.targets}
    return tuple(sorted(name for name in names if name is not None))
