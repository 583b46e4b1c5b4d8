"""A venue's list of markets, loaded once for all its logins.

An old list serves on while a new one cannot be had: what stands at the venue has to be read, looked
up and cancelled whatever becomes of a public endpoint. One that holds no markets, less than half of
a kind that the old one held, or not each configured market that it held, is none that can be had,
however well it was answered: positions and orders would be of an unknown market. What a venue
really gave up is gone once this process has started anew.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from allocator.adapters.ccxt.values import JsonObject
from allocator.models.config import Config
from allocator.models.errors import VenueError

MARKETS_AGE_S = 300.0
"""Seconds that a list serves: where nothing else tells whether a market trades, one that was shut
stays open for as long. Every gather would be too often, for such a list is megabytes long, and
weighs 20 at Binance."""

RETRY_S = 60.0
"""Seconds after a list that did not come until it is asked for again: each try may take as long as
a client waits for an answer, and all logins of the venue wait with it."""


KINDS = ("spot", "linear", "inverse", "option")
"""Kinds of market, each of which a venue may list by itself."""

GIVEN_UP = "start anew if the venue gave them up"
"""What to do where a list is right to lack something."""


class MarketsLostError(VenueError):
    """A list of markets lacks what no list lacks."""


@dataclass(slots=True)
class MarketList:
    """The list that all clients of one venue share.

    Attributes
    ----------
    wanted
        Symbols of the configured markets.
    version
        How often it was loaded; 0: never.
    late
        Of when it is, and why no newer one came; None: it is as new as it should be.
    """

    wanted: frozenset[str] = frozenset()
    version: int = 0
    late: str | None = None
    _source: Any = None
    _loaded: datetime | None = None
    _loaded_at: float = 0.0
    _failed_at: float = -RETRY_S

    async def load(self, client: Any) -> None:
        """Load it through a client, when due.

        Raises
        ------
        Exception
            What it failed with, where none was ever loaded.
        """
        now = time.monotonic()
        fresh = self.version and now - self._loaded_at < MARKETS_AGE_S
        if fresh or now - self._failed_at < RETRY_S:
            return
        try:
            told = client.to_array(await client.fetch_markets())
            self._check(told)
            client.set_markets(told)
        except BaseException as error:
            # A try that is cancelled, for it took too long, has failed as well.
            if self._loaded is None:
                raise
            # Without another's words: they may hold an address, and differ from try to try.
            why = str(error) if isinstance(error, MarketsLostError) else type(error).__name__
            self.late = f"the list of markets is of {self._loaded:%Y-%m-%d %H:%M} UTC: {why}"
            self._failed_at = time.monotonic()
            if not isinstance(error, Exception):
                raise
        else:
            self._source, self._loaded, self.late = client, datetime.now(UTC), None
            self._loaded_at = time.monotonic()
            self.version += 1

    def _check(self, told: Sequence[JsonObject]) -> None:
        """Refuse a list that lost its markets.

        Raises
        ------
        MarketsLostError
            When it is empty, or lacks more than half of a kind, or a configured market, of what the
            older one has.
        """
        if self._source is None:
            if not told:
                raise MarketsLostError("the list of markets is empty")
            return
        if not told:
            raise MarketsLostError("the newer one is empty")
        older = self._source.markets
        for kind in KINDS:
            had = sum(bool(row.get(kind)) for row in older.values())
            has = sum(bool(row.get(kind)) for row in told)
            if 2 * has < had:
                lost = f"{has} {kind} markets of {had}" if has else f"no {kind} markets"
                raise MarketsLostError(f"the newer one has {lost}: {GIVEN_UP}")
        lacking = sorted((self.wanted & older.keys()) - {str(row["symbol"]) for row in told})
        if lacking:
            raise MarketsLostError(f"the newer one has no {', '.join(lacking)}: {GIVEN_UP}")

    def hand_to(self, client: Any) -> None:
        """Give a client what was loaded last; nothing where that was never done."""
        if self._source is not None and self._source is not client:
            client.set_markets_from_exchange(self._source)


def wanted_of(config: Config) -> dict[str, frozenset[str]]:
    """List the symbols of the configured markets by venue."""
    found = dict[str, frozenset[str]]()
    for row in config.accounts:
        venue = config.logins[row.login].venue
        found[venue] = found.get(venue, frozenset()) | frozenset(row.instruments)
    return found
