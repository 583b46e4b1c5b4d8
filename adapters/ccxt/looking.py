"""Accounts whose actions can be looked up and nothing else, by a process that sent none of them."""

from __future__ import annotations

from datetime import datetime

from allocator.adapters.ccxt.base import CcxtVenue
from allocator.models.intents import Capabilities, Finding, Found, Intent, Unsure


class Looking:
    """An account at a venue of which nothing is asked but what became of actions.

    Parameters
    ----------
    venue
        The account; nothing is sent through it.
    """

    def __init__(self, venue: CcxtVenue) -> None:
        self._venue = venue

    @property
    def capabilities(self) -> Capabilities:
        """What may be asked."""
        return self._venue.capabilities

    async def find(self, intent: Intent, since: datetime, venue_id: str | None = None) -> Finding:
        """Look an action up, as `Venue.find` does.

        What is found by its likeness alone may be another's: whoever has not sent it cannot say.
        """
        finding = await self._venue.find(intent, since, venue_id)
        if isinstance(finding, Found) and self._venue.is_likeness(intent, finding, venue_id):
            told = f"{finding.venue_id} ({finding.state}) looks like it, and may be another"
            return Unsure(why=told)
        return finding
