"""What gathering needs of an account and of a venue, whatever stands behind it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol, runtime_checkable

from allocator.models.account import Account
from allocator.models.base import ZERO
from allocator.models.config import AccountConfig
from allocator.models.intents import Capabilities
from allocator.models.market import Instrument
from allocator.models.status import VenueStatus

AssetPrices = Mapping[str, Decimal]
"""Dollars a unit, by asset."""


@dataclass(frozen=True, slots=True)
class NetworkTerms:
    """What a withdrawal of one asset over one network costs.

    Attributes
    ----------
    fee
        Asset units on top of the amount.
    minimum, step
        Bounds of the amount, asset units.
    open
        Whether the venue sends now.
    """

    fee: Decimal
    minimum: Decimal = ZERO
    step: Decimal = ZERO
    open: bool = True


class AccountSource(Protocol):
    """One account, read whole or not at all.

    All methods raise `VenueError` when the venue does not give a usable answer.
    """

    @property
    def config(self) -> AccountConfig:
        """The account as configured."""
        ...

    @property
    def venue(self) -> str:
        """The venue's name."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What may be sent from the account."""
        ...

    @property
    def transfer_step(self) -> Decimal:
        """Asset units of which the amount of a transfer from the account is a multiple."""
        ...

    def reaches(self, target: AccountConfig) -> bool:
        """Tell whether money goes directly from this account to another."""
        ...

    def accepts(self, asset: str) -> bool:
        """Tell whether the wallet can hold an asset; asked after `account` was read."""
        ...

    async def account(self) -> Account:
        """Read everything a snapshot says of the account."""
        ...


class VenueSource(Protocol):
    """One venue's public data, and what all its accounts share."""

    @property
    def venue(self) -> str:
        """The venue's name."""
        ...

    async def prepare(self) -> None:
        """Load markets and measure the clock's offset, once."""
        ...

    async def server_time(self) -> datetime:
        """Read the venue's clock."""
        ...

    async def instruments(self, wanted: Collection[str]) -> tuple[Instrument, ...]:
        """Read markets by instrument id."""
        ...

    async def prices(self) -> AssetPrices:
        """Read prices of assets in dollars."""
        ...

    async def networks(self, assets: Collection[str]) -> Mapping[str, NetworkTerms]:
        """Read the terms of withdrawals, by ``asset:network``."""
        ...


@runtime_checkable
class NamesUnread(Protocol):
    """A venue's public data, of which single markets may fail."""

    @property
    def unread(self) -> Mapping[str, str]:
        """Markets asked for last that could not be read while others were, and why."""
        ...


@runtime_checkable
class TellsStatus(Protocol):
    """A venue's public data, of a venue that may publish how it stands."""

    @property
    def tells_status(self) -> bool:
        """Whether it publishes it, by its capability table."""
        ...

    async def status(self) -> VenueStatus:
        """Read it; asks for nothing else first."""
        ...


@runtime_checkable
class Notes(Protocol):
    """An account whose reading may tell more than a snapshot has room for."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the last reading told that does not keep the account from being read."""
        ...
