"""Whether the venues' clocks tell the time that ours does: a witness where ours was set."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from decimal import Decimal

from allocator.models.errors import RefusedError, VenueError
from allocator.ports import Clock, Venue

PATIENCE_S = 5.0
"""Seconds that a venue may take to tell its time."""

REST_S = 10.0
"""Seconds between two times that venues are asked."""

log = logging.getLogger(__name__)


class Agreeing:
    """Asks one account of each venue for its time.

    Parameters
    ----------
    venues
        By account; without any nothing is sent, and nobody agrees.
    names
        The venue of each account.
    most_s
        Seconds by which a clock may differ.
    """

    def __init__(
        self, venues: Mapping[str, Venue], names: Mapping[str, str], clock: Clock, most_s: Decimal
    ) -> None:
        self._venues = tuple({names[row]: venues[row] for row in sorted(venues)}.values())
        self._clock = clock
        self._most_s = float(most_s)
        self._again_s = float("-inf")

    async def ask(self) -> bool:
        """Tell whether every venue that answers surely agrees, and one does; asked now and then."""
        now_s = asyncio.get_running_loop().time()
        if now_s < self._again_s:
            return False
        self._again_s = now_s + REST_S
        apart = await asyncio.gather(*(self._apart_s(venue) for venue in self._venues))
        told = [row for row in apart if row is not None]
        log.info("venues' clocks were asked for", extra={"apart_s": str(apart)})
        return bool(told) and max(told) <= self._most_s

    async def _apart_s(self, venue: Venue) -> float | None:
        """Tell by how much a venue's clock may differ at most, seconds; None: it was not told."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        try:
            async with asyncio.timeout(PATIENCE_S):
                told = await venue.server_time()
        except (VenueError, RefusedError, TimeoutError):
            return None
        half_s = (loop.time() - began_s) / 2
        return abs((self._clock.now() - told).total_seconds() - half_s) + half_s
