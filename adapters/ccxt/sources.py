"""Accounts and venues as gathering asks for them, through a dialect."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from decimal import Decimal

from allocator.adapters.ccxt import statuses
from allocator.adapters.ccxt.dialect import Dialect, Holds, Permits, able, leads
from allocator.adapters.ccxt.failures import NotSentError, UnansweredError
from allocator.adapters.ccxt.place import Place
from allocator.adapters.sources import AssetPrices, NetworkTerms
from allocator.models.account import Account
from allocator.models.config import AccountConfig, LoginConfig
from allocator.models.intents import Capabilities
from allocator.models.market import Instrument
from allocator.models.status import VenueStatus

MARGINED_IN = {"usdm": "linear", "coinm": "inverse"}


class CcxtAccount:
    """One account, read through its dialect."""

    def __init__(self, place: Place, dialect: Dialect, logins: Mapping[str, LoginConfig]) -> None:
        self._place = place
        self._dialect = dialect
        self._logins = logins

    @property
    def config(self) -> AccountConfig:
        """The account as configured."""
        return self._place.config

    @property
    def venue(self) -> str:
        """The venue's name."""
        return self._place.venue

    @property
    def capabilities(self) -> Capabilities:
        """What may be sent from the account."""
        return able(self._dialect, self._place)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the last reading told that does not keep the account from being read."""
        place = self._place
        late, lacking = place.login.late, place.master.signs.lacking
        cut_off = f"no money goes to or from other logins: {lacking}" if lacking else None
        told = [row for row in (late, cut_off) if row is not None]
        return (*place.notes.values(), *told)

    @property
    def transfer_step(self) -> Decimal:
        """Asset units of which the amount of a transfer is a multiple."""
        return self._dialect.facts.transfer_step

    def reaches(self, target: AccountConfig) -> bool:
        """Tell whether money goes directly from this account to another of the same master."""
        place, other = self._place, self._logins.get(target.login)
        if other is None or (other.master or target.login) != place.master.name:
            return False
        if target.login != self.config.login and (
            place.login.config.member is None or other.member is None or place.master.signs.lacking
        ):
            return False
        dialect = self._dialect
        if isinstance(dialect, Permits) and not dialect.permits(place, target.login):
            return False
        return leads(dialect, self.config, target)

    def accepts(self, asset: str) -> bool:
        """Tell whether the wallet can hold an asset: a futures wallet holds settle assets."""
        if isinstance(self._dialect, Holds):
            return self._dialect.holds(self._place, asset)
        kind = MARGINED_IN.get(self.config.wallet)
        if kind is None:
            return True
        markets = (self._place.login.client.markets or {}).values()
        return any(row[kind] and row["settle"] == asset for row in markets)

    async def account(self) -> Account:
        """Read everything a snapshot says of the account."""
        place = self._place
        place.login.signs.check()
        if place.master.signs.lacking:
            with suppress(NotSentError):
                place.master.signs.check()
        await place.login.prepare()
        return await self._dialect.account(self._place)


class CcxtMarkets:
    """One venue's public data, read through the first login of it that is answered.

    Some of it is signed (brackets and networks at Binance), so a dead key must not stand for all,
    nor one that cannot be read.
    """

    def __init__(self, places: Sequence[Place], dialect: Dialect) -> None:
        self._places = tuple(places)
        self._dialect = dialect
        self._unread = dict[str, str]()

    @property
    def unread(self) -> Mapping[str, str]:
        """Markets asked for last that could not be read while others were, and why."""
        return self._unread

    @property
    def _place(self) -> Place:
        rows = [row for row in self._places if not row.login.signs.lacking] or self._places
        return next((row for row in rows if not row.login.silent), rows[0])

    @property
    def venue(self) -> str:
        """The venue's name."""
        return self._place.venue

    async def prepare(self) -> None:
        """Load markets and measure the clock's offset, once."""
        await self._place.login.prepare()

    async def server_time(self) -> datetime:
        """Read the venue's clock."""
        return await self._place.login.server_time()

    @property
    def tells_status(self) -> bool:
        """Whether the venue publishes how it stands, by its capability table."""
        return self._dialect.capabilities(self._place).tells_status

    async def status(self) -> VenueStatus:
        """Read how the venue says that it stands; what is down needs no markets for that."""
        return await statuses.status(self._place.login)

    async def instruments(self, wanted: Collection[str]) -> tuple[Instrument, ...]:
        """Read markets by instrument id; one whose figures are amiss does not cost the others.

        Raises
        ------
        VenueError
            When the venue does not answer, or no market at all can be read.
        """
        await self.prepare()
        self._unread = {}
        try:
            return await self._dialect.instruments(self._place, wanted)
        except Exception as error:
            unsent = isinstance(error, NotSentError)
            if unsent or (isinstance(error, UnansweredError) and error.silent):
                raise
            return await self._apart(wanted, error)

    async def _apart(self, wanted: Collection[str], why: Exception) -> tuple[Instrument, ...]:
        """Read every market by itself; tables that markets share were kept a moment ago.

        Raises
        ------
        Exception
            What all together failed with, when each of them fails.
        """
        ask, place, names = self._dialect.instruments, self._place, sorted(wanted)
        told = await asyncio.gather(
            *(ask(place, (name,)) for name in names), return_exceptions=True
        )
        unread, read = dict[str, str](), list[Instrument]()
        for name, row in zip(names, told, strict=True):
            if isinstance(row, BaseException):
                unread[name] = f"{type(row).__name__}: {row}"
            else:
                read.extend(row)
        if not read:
            raise why
        self._unread = unread
        return tuple(read)

    async def prices(self) -> AssetPrices:
        """Read prices of assets in dollars."""
        return await self._dialect.prices(self._place)

    async def networks(self, assets: Collection[str]) -> Mapping[str, NetworkTerms]:
        """Read the terms of withdrawals."""
        await self.prepare()
        return await self._dialect.networks(self._place, assets)
