"""Which modules of a venue read its accounts and its markets."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from allocator.adapters.ccxt.place import Place
from allocator.adapters.sources import AssetPrices, NetworkTerms
from allocator.models.account import Account
from allocator.models.errors import VenueError
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
    """Reads accounts by one module, or by what suits an account's wallet.

    Attributes
    ----------
    wallets
        The wallets of a user that are read, each a pool of its own.
    """

    accounts: Accounts
    wallets: Sequence[str]

    def reader(self, place: Place) -> Accounts:
        """Choose what reads an account."""
        del place
        return self.accounts

    async def reading(self, place: Place) -> AccountReading:
        """Read wallets, positions and open orders."""
        return await self._checked(place).reading(place)

    async def account(self, place: Place) -> Account:
        """Read everything a snapshot says of an account."""
        return await self._checked(place).account(place)

    def _checked(self, place: Place) -> Accounts:
        """Choose what reads an account.

        Raises
        ------
        VenueError
            When the venue has no such wallet: another one's pool would be taken for it.
        """
        wallet = place.config.wallet
        if wallet not in self.wallets:
            known = ", ".join(self.wallets)
            raise VenueError(f"wallet {wallet} of {place.venue} is not read: choose one of {known}")
        return self.reader(place)


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
