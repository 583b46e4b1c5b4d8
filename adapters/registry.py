"""Opens what a configuration names: where snapshots come from, and what may trade.

In mode ``dry`` no object is handed out that could trade, and the HTTP session behind the readers
refuses everything but reads. In mode ``live`` only accounts marked ``live`` can trade.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from allocator.adapters.gather import Gatherer
from allocator.models.config import AccountConfig, Config
from allocator.models.errors import ConfigError
from allocator.models.status import Told
from allocator.ports import Clock, LookUps, MarketData, Venue

if TYPE_CHECKING:
    from allocator.adapters.ccxt.budgets import Budgets
    from allocator.adapters.ccxt.place import Place

FUTURES = frozenset({"usdm", "coinm"})
"""Wallets of which a venue may count the requests together."""


@dataclass(frozen=True, slots=True)
class Opened:
    """Open connections.

    Attributes
    ----------
    market
        Where snapshots come from.
    venues
        By account; empty in a dry run.
    look_ups
        By account, in a dry run as well.
    close
        Releases everything.
    """

    market: MarketData
    venues: Mapping[str, Venue]
    look_ups: Mapping[str, LookUps]
    close: Callable[[], Awaitable[None]]


def open_venues(
    config: Config,
    clock: Clock,
    *,
    budgets: dict[str, Budgets] | None = None,
    told: Mapping[str, Told] | None = None,
    learn: Callable[[str], None] = lambda _secret: None,
) -> Opened:
    """Open every account of a configuration.

    One whose secrets cannot be read is like one whose venue does not answer, until they can be.

    Parameters
    ----------
    budgets
        What may be asked of each venue, where other books of this process ask too; empty at first.
    told
        What venues said of themselves last, before this process began.
    learn
        Told every secret as it is read.

    Raises
    ------
    ConfigError
        When a pool would be counted twice, or a venue has no adapter.
    """
    from allocator.adapters.ccxt.base import CcxtVenue
    from allocator.adapters.ccxt.dialects import DIALECTS
    from allocator.adapters.ccxt.keyring import Keyring
    from allocator.adapters.ccxt.looking import Looking
    from allocator.adapters.ccxt.money import Directory
    from allocator.adapters.ccxt.place import Place
    from allocator.adapters.ccxt.sessions import Sessions

    if not config.accounts:
        raise ConfigError("no accounts are configured")
    keys = Keyring(config, learn)
    keys.check()
    dry = config.mode == "dry"
    sessions = Sessions(config, reads_only=dry, budgets=budgets, keys=keys)
    logins = sessions.logins
    places = {
        row.id: Place(
            row,
            logins[row.login],
            logins[config.logins[row.login].master or row.login],
            _markets_beside(config, row),
        )
        for row in config.accounts
    }
    directory = Directory(
        places, DIALECTS, config.addresses, routes={row.id: row for row in config.routes}
    )
    market = _gatherer(config, places.values(), clock, told)
    every = {name: CcxtVenue(place, directory, clock) for name, place in places.items()}
    venues: dict[str, Venue] = {
        name: every[name]
        for name, place in places.items()
        if config.mode == "loopback" or (config.mode == "live" and place.config.live)
    }
    look_ups = {name: Looking(venue) for name, venue in every.items()}
    return Opened(market, venues, look_ups, sessions.close)


def _gatherer(
    config: Config, places: Collection[Place], clock: Clock, told: Mapping[str, Told] | None
) -> Gatherer:
    """Gather public data by venue, and accounts one by one."""
    from allocator.adapters.ccxt.dialects import DIALECTS
    from allocator.adapters.ccxt.place import Place
    from allocator.adapters.ccxt.sources import CcxtAccount, CcxtMarkets

    by_venue = dict[str, list[Place]]()
    for place in places:
        by_venue.setdefault(place.venue, []).append(place)
    return Gatherer(
        config,
        [CcxtMarkets(rows, DIALECTS[venue]) for venue, rows in by_venue.items()],
        [CcxtAccount(place, DIALECTS[place.venue], config.logins) for place in places],
        clock,
        told,
    )


def _markets_beside(config: Config, mine: AccountConfig) -> int:
    """Count the markets of the other accounts of a venue whose wallets share its limits."""
    venue = config.logins[mine.login].venue
    kinds = FUTURES if mine.wallet in FUTURES else {mine.wallet}
    return sum(
        len(row.instruments) for row in config.accounts
        if row.id != mine.id and row.wallet in kinds
        and config.logins[row.login].venue == venue
    )  # fmt: skip
