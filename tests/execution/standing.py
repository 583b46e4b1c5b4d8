"""A venue that leaves every order standing."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from allocator.models.intents import (
    Ack,
    Finding,
    Found,
    Intent,
    OrderIntent,
    Outcome,
)
from allocator.ports import Venue
from tests.execution.behind import Behind
from tests.execution.desk import Desk


class Standing(Behind):
    """Leaves every order standing until it is cancelled; fills some of it before."""

    def __init__(self, venue: Venue, filled: str = "0", ends: bool = True) -> None:
        super().__init__(venue)
        self._filled, self._ends = Decimal(filled), ends
        self.cancels = 0

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


def standing(desk: Desk, **how: object) -> Standing:
    venue = Standing(desk.venues["a"], **how)  # type: ignore[arg-type]
    desk.venues = {**desk.venues, "a": venue}
    return venue
