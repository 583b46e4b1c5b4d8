"""Which modules of a venue read its accounts and its markets."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from allocator.adapters.ccxt.place import Place
from allocator.adapters.sources import AssetPrices, NetworkTerms
from allocator.models.account import Account
from allocator.models.intents import AccountReading, Quote
from allocator.models.market import Instrument


class Accounts(Protocol):
    """What reads accounts."""

    async def reading(self, place: Place) -> AccountReading:
        """Read wallets, positions and open orders."""
        ...

    async def account(self, place: Place) -> Account:
        """Read everything a snapshot says of an account."""
        ...


class Markets(Protocol):
    """What reads markets."""

    async def quote(self, place: Place, instrument: str) -> Quote:
        """Read best prices."""
        ...

    async def instruments(self, place: Place, wanted: Collection[str]) -> tuple[Instrument, ...]:
        """Read markets by id."""
        ...

    async def prices(self, place: Place) -> AssetPrices:
        """Read prices of assets in dollars."""
        ...


class Networks(Protocol):
    """What reads the terms of withdrawals."""

    async def networks(self, place: Place, assets: Collection[str]) -> Mapping[str, NetworkTerms]:
        """Read the terms of withdrawals."""
        ...


class ReadsAccounts:
    """Reads accounts by one module, or by what suits an account's wallet."""

    accounts: Accounts

    def reader(self, place: Place) -> Accounts:
        """Choose what reads an account."""
        del place
        return self.accounts

    async def reading(self, place: Place) -> AccountReading:
        """Read wallets, positions and open orders."""
        return await self.reader(place).reading(place)

    async def account(self, place: Place) -> Account:
        """Read everything a snapshot says of an account."""
        return await self.reader(place).account(place)


class ReadsMarkets:
    """Reads markets by one module."""

    markets: Markets

    async def quote(self, place: Place, instrument: str) -> Quote:
        """Read best prices."""
        return await self.markets.quote(place, instrument)

    async def instruments(self, place: Place, wanted: Collection[str]) -> tuple[Instrument, ...]:
        """Read markets by id."""
        return await self.markets.instruments(place, wanted)

    async def prices(self, place: Place) -> AssetPrices:
        """Read prices of assets in dollars."""
        return await self.markets.prices(place)


class ReadsNetworks:
    """Reads the terms of withdrawals by one module."""

    terms: Networks

    async def networks(self, place: Place, assets: Collection[str]) -> Mapping[str, NetworkTerms]:
        """Read the terms of withdrawals."""
        return await self.terms.networks(place, assets)
