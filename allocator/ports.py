"""Interfaces between the engine and the outside world.

The service's bootstrap is the one place that picks what stands behind them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from allocator.models.intents import (
    AccountReading,
    Capabilities,
    Finding,
    Intent,
    OrderIntent,
    Outcome,
    Quote,
)
from allocator.models.snapshot import Snapshot
from allocator.models.status import VenueStatus


class Clock(Protocol):
    """Time as an argument: the real one waits, a test's jumps."""

    def now(self) -> datetime:
        """Tell the time, UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class Venue(Protocol):
    """Everything the executor asks of the venue of one account.

    No method raises for what a venue says or fails to say: outcomes are values. Nothing here
    repeats a write.
    """

    @property
    def account(self) -> str:
        """The account's id."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What may be asked."""
        ...

    async def server_time(self) -> datetime:
        """Read the venue's clock, UTC.

        Raises
        ------
        VenueError
            When it cannot be read.
        """
        ...

    async def submit(self, intent: Intent) -> Outcome:
        """Send one action; a transfer or move is sent by its source account."""
        ...

    async def find(self, intent: Intent, since: datetime, venue_id: str | None = None) -> Finding:
        """Look an action up by its client id, in open and past records since a time.

        Where the venue keeps no client id of that kind of action, it is found by the `venue_id`
        of its `Ack`, else by what was sent, of which no two may be under way.
        """
        ...

    async def cancel(self, intent: OrderIntent) -> Outcome:
        """Cancel what is left of an order; `Rejected` when it had already ended."""
        ...

    async def read(self) -> AccountReading:
        """Read wallets, positions and open orders, these with the client ids that they bear."""
        ...

    async def quote(self, instrument: str) -> Quote:
        """Read best prices.

        Raises
        ------
        VenueError
            When they cannot be read.
        """
        ...

    async def close(self) -> None:
        """Release connections."""
        ...


class LookUps(Protocol):
    """The part of `Venue` by which actions are looked up: nothing can be sent through it."""

    @property
    def capabilities(self) -> Capabilities:
        """What may be asked."""
        ...

    async def find(self, intent: Intent, since: datetime, venue_id: str | None = None) -> Finding:
        """Look an action up; what may be another's is `Unsure`."""
        ...


@runtime_checkable
class Batching(Protocol):
    """A venue whose capabilities offer several orders in one request."""

    async def submit_together(self, intents: Sequence[OrderIntent]) -> Sequence[Outcome]:
        """Send orders in one request, once; each has an outcome of its own.

        They are of this account and stamped alike, and no more than the capabilities let in; else
        none is sent, and every one is `Rejected`.
        """
        ...


@runtime_checkable
class DeadMan(Protocol):
    """A venue whose capabilities offer to cancel every order after a silence."""

    async def cancel_after(self, seconds: int) -> Outcome:
        """Have every order cancelled unless this is called again within so many seconds."""
        ...


class Missing(Protocol):
    """Something a gather could not read."""

    @property
    def account(self) -> str:
        """The account's id."""
        ...

    @property
    def what(self) -> str:
        """What was not read, and why."""
        ...


class Gathered(Protocol):
    """A snapshot with a list of what is missing; missing accounts stand frozen in it."""

    @property
    def snapshot(self) -> Snapshot:
        """The snapshot."""
        ...

    @property
    def missing(self) -> Sequence[Missing]:
        """What was not read."""
        ...

    @property
    def notes(self) -> Sequence[Missing]:
        """What was left out or not counted and is worth knowing."""
        ...

    @property
    def statuses(self) -> Mapping[str, VenueStatus]:
        """How venues say that they stand; a venue that publishes nothing is not in it."""
        ...


class MarketData(Protocol):
    """Where snapshots come from."""

    async def gather(self) -> Gathered:
        """Read every account, concurrently and within a deadline."""
        ...
