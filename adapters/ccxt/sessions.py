"""The clients of every login; what can be shared between them is shared.

Shared: the HTTP session, a venue's budgets (limits by address), its markets, the offset of its
clock, a pause that it asked of the address. Not shared: keys, limits by user.
"""

from __future__ import annotations

import asyncio
from functools import partial

from allocator.adapters.ccxt.budgets import Budgets
from allocator.adapters.ccxt.clients import new_client, sign_with
from allocator.adapters.ccxt.gate import DirectSession, ReadsOnly, check_loopback
from allocator.adapters.ccxt.keyring import Keyring, Signs
from allocator.adapters.ccxt.loopback import LoopbackSession
from allocator.adapters.ccxt.market_list import MarketList, wanted_of
from allocator.adapters.ccxt.session import Login, VenueState
from allocator.models.config import Config, LoginConfig
from allocator.models.errors import ConfigError

TURNS = 3
"""Turns of the loop in which closed connections let go of their sockets; a loop that ends at once
would leave that to the garbage collector."""


class Sessions:
    """The clients of every login of a configuration.

    Parameters
    ----------
    config
        Logins, and whether requests go to a loopback exchange.
    reads_only
        Whether nothing but reads may leave.
    budgets
        Venues' budgets, by venue, where other sessions of this process draw on them too.
    keys
        What the logins sign with; None: what the configuration refers to.

    Raises
    ------
    ConfigError
        When the configuration cannot be used. A secret that cannot be read is told by its login
        alone, for as long as that is so.
    """

    def __init__(
        self,
        config: Config,
        *,
        reads_only: bool,
        budgets: dict[str, Budgets] | None = None,
        keys: Keyring | None = None,
    ) -> None:
        if config.mode == "live" and config.loopback_url:
            raise ConfigError("mode live and loopback_url exclude each other")
        base = check_loopback(config.loopback_url) if config.loopback_url else None
        # What is refused is told before any client is made: none is left open.
        self._keys = keys or Keyring(config)
        self._session = LoopbackSession(base) if base else DirectSession()
        self._reads_only = reads_only
        self._rates = config.rates
        self._budgets = {} if budgets is None else budgets
        self._owners = _owners(config)
        self._wanted = wanted_of(config)
        self._venues: dict[str, VenueState] = {}
        self.logins = {name: self._login(name, row) for name, row in config.logins.items()}

    async def close(self) -> None:
        """Close every client and the shared session."""
        await asyncio.gather(*(login.client.close() for login in self.logins.values()))
        await self._session.close()
        for _ in range(TURNS):
            await asyncio.sleep(0)

    def _login(self, name: str, row: LoginConfig) -> Login:
        session = ReadsOnly(self._session) if self._reads_only else self._session
        budgets = self._budgets.setdefault(row.venue, Budgets(row.venue, self._rates))
        markets = MarketList(self._wanted.get(row.venue, frozenset()))
        shared = self._venues.setdefault(row.venue, VenueState(budgets, markets))
        client = new_client(row.venue, session)
        shared.budgets.bind(client, self._owners.get(name, name), name)
        signs = Signs(lambda: sign_with(client, row.venue, self._keys.of(name)))
        login = Login(name, row, client, shared, signs)
        client.throttler = partial(login.take_turn, client.throttler)
        return login


def _owners(config: Config) -> dict[str, str]:
    """Name whom a venue counts each login to: the owner of its accounts, or of those it signs for.

    >>> from allocator.models.config import Config
    >>> _owners(Config())
    {}
    """
    found = dict[str, str]()
    for row in config.accounts:
        found.setdefault(config.logins[row.login].master or row.login, row.owner)
    return found | {row.login: row.owner for row in config.accounts}
