"""What a shock does to accounts: revaluation, states, fees, brackets, haircuts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from allocator.models.account import Account, Margin, MarginScenario, Position
from allocator.models.market import CollateralTier, Instrument, Tier
from allocator.models.snapshot import Snapshot
from allocator.whatif.shock import Shock
from allocator.whatif.shocks.fees import changed
from allocator.whatif.shocks.market import brackets, cut
from allocator.whatif.shocks.names import named
from allocator.whatif.shocks.prices import Prices, gain


@dataclass(frozen=True, slots=True)
class Accounts:
    """Accounts of a book under a shock.

    Attributes
    ----------
    before
        The book as it was.
    after
        Instruments as they are now.
    """

    before: Snapshot
    after: Mapping[str, Instrument]
    prices: Prices
    shock: Shock

    def account(self, row: Account) -> Account:
        """Revalue positions; change state, fees, brackets and haircuts."""
        out: dict[str, object] = {
            "positions": {
                name: self._position(name, place, row) for name, place in row.positions.items()
            },
            "margin": self._scenarios(row),
            "collateral": self._collateral(row),
        }
        if row.id in self.shock.accounts:
            out["state"] = self.shock.accounts[row.id].state
        venue = self.shock.venues.get(row.venue)
        if venue is not None and venue.outage:
            out["state"] = "frozen"
        fees = self.shock.fees
        if fees is not None and named(fees.only, row.id, row.venue):
            out["fees"] = changed(row.fees, fees)
        return row.model_copy(update=out)

    def _position(self, name: str, row: Position, account: Account) -> Position:
        """Let a given unrealised profit follow the mark; an entry price needs nothing."""
        before, after = self.before.instrument[name], self.after[name]
        out = dict[str, object]()
        if row.unrealised is not None:
            out["unrealised"] = row.unrealised + row.net * gain(before, after.mark)
        names = (before.id, before.underlying, before.venue, account.id)
        own = brackets(names, row.tiers or before.tiers, self.shock)
        if own != (row.tiers or after.tiers):
            out["tiers"] = own
        if row.leverage is not None:
            out["leverage"] = min(row.leverage, _most(own, row.leverage))
        return row.model_copy(update=out)

    def _scenarios(self, account: Account) -> Margin:
        """Let scenario losses follow notional, as venues state moves in %, and margin rates."""
        margin = account.margin
        if not margin.scenarios:
            return margin
        scale = self.shock.margin

        def scaled(name: str, pnl: Decimal) -> Decimal:
            inst = self.before.instrument[name]
            out = pnl if inst.payoff == "inverse" else pnl * self.prices.underlying(inst.underlying)
            names = (inst.id, inst.underlying, inst.venue, account.id)
            if scale is not None and named(scale.only, *names):
                out *= scale.multiply
            return out

        rows = tuple(
            MarginScenario(pnl={name: scaled(name, pnl) for name, pnl in row.pnl.items()})
            for row in margin.scenarios
        )
        return margin.model_copy(update={"scenarios": rows})

    def _collateral(self, account: Account) -> Mapping[str, tuple[CollateralTier, ...]]:
        """Change haircuts of the account's own, and of all it holds if it is named."""
        change = self.shock.haircuts
        if change is None:
            return account.collateral
        assets = set(self.before.assets) & set(change.only)
        places = set(change.only) - assets
        if places and not {account.id, account.venue} & places:
            return account.collateral
        own = dict(account.collateral)
        for name in sorted((assets or set(self.before.assets)) if places else own):
            if not assets or name in assets:
                own[name] = cut(own.get(name, self.before.assets[name].ratios), change)
        return own


def _most(tiers: tuple[Tier, ...], asked: Decimal) -> Decimal:
    """Give the largest leverage that brackets allow, or what is asked where they name none."""
    known = [tier.max_leverage for tier in tiers if tier.max_leverage is not None]
    return max(known, default=asked)
