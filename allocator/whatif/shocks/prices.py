"""Prices after a shock: they move together and without arbitrage.

An asset moves by its own change (else that of its underlying), a mark by the change of the
underlying over that of the currency it is quoted in, an option by `revalued`.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from allocator.models.base import ONE, ZERO
from allocator.models.market import Asset, Instrument
from allocator.models.snapshot import Snapshot
from allocator.whatif.shock import Shock
from allocator.whatif.shocks.names import named
from allocator.whatif.shocks.options import Move, revalued


@dataclass(frozen=True)
class Prices:
    """Price factors of assets, underlyings and marks."""

    snapshot: Snapshot
    shock: Shock

    def underlying(self, name: str | None) -> Decimal:
        """Factor on the price of an underlying."""
        return ONE + self.shock.prices.get(name, ZERO) if name is not None else ONE

    def factor(self, name: str | None) -> Decimal:
        """Factor on the price of an asset; one for the numeraire and what is no asset."""
        asset = self.snapshot.assets.get(name) if name is not None else None
        if name is None or asset is None:
            return ONE
        if name in self.shock.prices:
            return ONE + self.shock.prices[name]
        return self.underlying(asset.underlying)

    def asset(self, name: str) -> Asset:
        """Give the asset its new price."""
        asset = self.snapshot.assets[name]
        return asset.model_copy(update={"price": asset.price * self.factor(name)})

    def instrument(self, inst: Instrument) -> Instrument:
        """Give the instrument its new quotes, and an option its new delta."""
        if inst.kind == "option":
            premium, delta = revalued(inst, self._move(inst), self.snapshot.as_of)
            factor, more = premium / inst.mark, {"delta": delta}
        else:
            factor, more = self._mark(inst), {}
        quotes = {key: getattr(inst, key) for key in ("bid", "ask", "mark")}
        moved = {key: value * factor for key, value in quotes.items() if value is not None}
        return inst.model_copy(update={**moved, **more})

    def _mark(self, inst: Instrument) -> Decimal:
        """Factor on the quotes of what is no option."""
        if inst.is_spot:
            return self.factor(inst.base) / self.factor(inst.quote)
        quote = inst.settle if inst.payoff == "linear" and inst.quote is None else inst.quote
        return self.underlying(inst.underlying) / self.factor(quote)

    def _move(self, inst: Instrument) -> Move:
        assert inst.underlying is not None
        forward, settle = self._price(inst.underlying), self.snapshot.assets[inst.cash].price
        volatility = inst.daily_volatility or ZERO
        change, after = self.shock.volatility, volatility
        if change is not None and named(change.only, inst.id, inst.underlying, inst.venue):
            after = max(change.of(volatility), ZERO)
        return Move(
            forward,
            forward * self.underlying(inst.underlying),
            settle,
            settle * self.factor(inst.cash),
            volatility,
            after,
        )

    def _price(self, underlying: str) -> Decimal:
        assets = self.snapshot.assets
        if underlying in assets:
            return assets[underlying].price
        return self._by_underlying[underlying]

    @cached_property
    def _by_underlying(self) -> dict[str, Decimal]:
        rows = reversed(list(self.snapshot.assets.values()))
        return {row.underlying: row.price for row in rows if row.underlying is not None}


def gain(inst: Instrument, mark: Decimal) -> Decimal:
    """Settle units that one long contract gains when its mark goes to another."""
    if inst.payoff == "inverse":
        return inst.size * (ONE / inst.mark - ONE / mark)
    return inst.size * (mark - inst.mark)
