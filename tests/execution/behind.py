"""A venue in front of another, which passes everything on: for those that change some of it."""

from __future__ import annotations

from datetime import datetime

from allocator.models.intents import (
    AccountReading,
    Capabilities,
    Finding,
    Intent,
    OrderIntent,
    Outcome,
    Quote,
)
from allocator.ports import Venue


class Behind:
    """Passes on whatever is asked."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    @property
    def account(self) -> str:
        return self._venue.account

    @property
    def capabilities(self) -> Capabilities:
        return self._venue.capabilities

    async def server_time(self) -> datetime:
        return await self._venue.server_time()

    async def submit(self, intent: Intent) -> Outcome:
        return await self._venue.submit(intent)

    async def find(self, intent: Intent, since: datetime, venue_id: str | None = None) -> Finding:
        return await self._venue.find(intent, since, venue_id)

    async def cancel(self, intent: OrderIntent) -> Outcome:
        return await self._venue.cancel(intent)

    async def read(self) -> AccountReading:
        return await self._venue.read()

    async def quote(self, instrument: str) -> Quote:
        return await self._venue.quote(instrument)

    async def close(self) -> None:
        await self._venue.close()
