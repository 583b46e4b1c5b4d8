"""A venue that leaves every order standing."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from allocator.models.intents import (
    AccountReading,
    Ack,
    Capabilities,
    Finding,
    Found,
    Intent,
    OrderIntent,
    Outcome,
    Quote,
)
from allocator.ports import Venue
from tests.execution.desk import Desk


class Standing:
    """Leaves every order standing until it is cancelled; fills some of it before."""

    def __init__(self, venue: Venue, filled: str = "0", ends: bool = True) -> None:
        self._venue, self._filled, self._ends = venue, Decimal(filled), ends
        self.cancels = 0

    @property
    def account(self) -> str:
        return self._venue.account

    @property
    def capabilities(self) -> Capabilities:
        return self._venue.capabilities

    async def server_time(self) -> datetime:
        return await self._venue.server_time()

    async def submit(self, intent: Intent) -> Outcome:
        return Ack(venue_id="s1")

    async def find(self, intent: Intent, since: datetime, venue_id: str | None = None) -> Finding:
        assert venue_id == "s1"
        state = "partial" if self._filled else "open"
        if self.cancels and self._ends:
            state = "cancelled"
        return Found.model_validate({"venue_id": "s1", "state": state, "filled": self._filled})

    async def cancel(self, intent: OrderIntent) -> Outcome:
        self.cancels += 1
        return Ack(venue_id="s1")

    async def read(self) -> AccountReading:
        return await self._venue.read()

    async def quote(self, instrument: str) -> Quote:
        return await self._venue.quote(instrument)

    async def close(self) -> None:
        await self._venue.close()


def standing(desk: Desk, **how: object) -> Standing:
    venue = Standing(desk.venues["a"], **how)  # type: ignore[arg-type]
    desk.venues = {**desk.venues, "a": venue}
    return venue
