"""What the paper exchange's accounts hold, and how a fill changes it.

A position is kept as quantity q and basis B, from which unrealised profit follows at any mark M
(contract size m): linear and quanto ``q m M - B``, inverse ``B - q m / M``, in settle units.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from allocator.adapters.exact import exactly
from allocator.models.account import Account, Position
from allocator.models.base import ZERO
from allocator.models.market import Instrument

LAST_PLACE = Decimal("1e-24")


def worth(instrument: Instrument, quantity: Decimal, price: Decimal) -> Decimal:
    """Value contracts at a price, in the asset that pays, signed as the quantity."""
    if instrument.payoff == "inverse":
        return quantity * instrument.size / price
    return quantity * instrument.size * price


def gain(instrument: Instrument, before: Decimal, after: Decimal) -> Decimal:
    """Tell the profit of a value that went from `before` to `after`."""
    return before - after if instrument.payoff == "inverse" else after - before


def booked(amount: Decimal) -> Decimal:
    """Round an amount to 24 places, as a ledger does to some: a division has no last digit."""
    return amount.quantize(LAST_PLACE)


@dataclass(slots=True)
class Holding:
    """A position: signed contracts, and what they were worth when they came, settle units."""

    quantity: Decimal = ZERO
    basis: Decimal = ZERO

    @classmethod
    @exactly
    def of(cls, position: Position, instrument: Instrument) -> Holding:
        """Take a position over from a snapshot."""
        quantity = position.net
        if position.unrealised is not None:
            now = worth(instrument, quantity, instrument.mark)
            sign = 1 if instrument.payoff == "inverse" else -1
            return cls(quantity, now + sign * position.unrealised)
        if position.entry_price is None:
            return cls(quantity, ZERO)
        return cls(quantity, worth(instrument, quantity, position.entry_price))

    @exactly
    def unrealised(self, instrument: Instrument) -> Decimal:
        """Tell the unrealised profit at the instrument's mark, settle units."""
        return gain(instrument, self.basis, worth(instrument, self.quantity, instrument.mark))

    @exactly
    def trade(self, instrument: Instrument, signed: Decimal, price: Decimal) -> Decimal:
        """Add contracts at a price and tell the profit that this realises, settle units."""
        closed = ZERO
        if self.quantity * signed < 0:
            closed = min(abs(signed), abs(self.quantity)).copy_sign(self.quantity)
        out = booked(self.basis * closed / self.quantity) if closed else ZERO
        realised = booked(gain(instrument, out, worth(instrument, closed, price)))
        opened = signed + closed
        self.basis += worth(instrument, opened, price) - out
        self.quantity += signed
        return realised


@dataclass(slots=True)
class Wallet:
    """Units of one asset: all of them, and those that may leave."""

    units: Decimal = ZERO
    free: Decimal = ZERO

    def add(self, units: Decimal) -> None:
        """Change both numbers; what may leave is never negative nor more than there is."""
        self.units += units
        self.free = max(ZERO, min(self.free + units, self.units))


@dataclass(slots=True)
class Holdings:
    """Everything one account holds."""

    wallets: dict[str, Wallet] = field(default_factory=dict[str, Wallet])
    positions: dict[str, Holding] = field(default_factory=dict[str, Holding])

    @classmethod
    def of(cls, account: Account, instruments: dict[str, Instrument]) -> Holdings:
        """Take an account over from a snapshot."""
        return cls(
            {
                asset: Wallet(row.wallet, row.withdrawable or ZERO)
                for asset, row in account.balances.items()
            },
            {
                name: Holding.of(row, instruments[name])
                for name, row in account.positions.items()
                if row.legs is None
            },
        )

    def wallet(self, asset: str) -> Wallet:
        """Find a wallet; one that was never used is empty."""
        return self.wallets.setdefault(asset, Wallet())

    def holding(self, instrument: str) -> Holding:
        """Find a position; one that was never held is flat."""
        return self.positions.setdefault(instrument, Holding())

    @exactly
    def apply(
        self, instrument: Instrument, signed: Decimal, price: Decimal, fee_rate: Decimal
    ) -> Decimal:
        """Apply a fill and tell its fee, in the asset that pays."""
        value = worth(instrument, signed, price)
        fee = booked(abs(value) * fee_rate)
        cash = self.wallet(instrument.cash)
        if instrument.is_spot:
            assert instrument.base is not None
            cash.add(-value - fee)
            self.wallet(instrument.base).add(signed)
        else:
            cash.add(self.holding(instrument.id).trade(instrument, signed, price) - fee)
        return fee
