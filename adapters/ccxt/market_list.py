"""A venue's list of markets, loaded once for all its logins.

An old list serves on while a new one cannot be had: what stands at the venue has to be read, looked
up and cancelled whatever becomes of a public endpoint. One that holds no markets, or none of a kind
that the old one held, is none that can be had, however well it was answered: every position and
order would be of an unknown market. A kind that a venue really gave up is gone once this process
has started anew.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from allocator.adapters.ccxt.values import JsonObject
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


class MarketsLostError(VenueError):
    """A list of markets lacks what no list lacks."""


@dataclass(slots=True)
class MarketList:
    """The list that all clients of one venue share.

    Attributes
    ----------
    version
        How often it was loaded; 0: never.
    late
        Of when it is, and why no newer one came; None: it is as new as it should be.
    """

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
            When it is empty, or has none of a kind that the older one has.
        """
        if self._source is None:
            if not told:
                raise MarketsLostError("the list of markets is empty")
            return
        if not told:
            raise MarketsLostError("the newer one is empty")
        older = self._source.markets.values()
        for kind in KINDS:
            if any(row.get(kind) for row in older) and not any(row.get(kind) for row in told):
                why = f"the newer one has no {kind} markets: start anew if the venue gave them up"
                raise MarketsLostError(why)

    def hand_to(self, client: Any) -> None:
        """Give a client what was loaded last; nothing where that was never done."""
        if self._source is not None and self._source is not client:
            client.set_markets_from_exchange(self._source)
