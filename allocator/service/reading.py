"""One reading of the whole book: what the venues show and what the record knows, of one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from allocator.execution.executor import Executor
from allocator.execution.history import History
from allocator.execution.whereabouts import exposed
from allocator.models.snapshot import Snapshot
from allocator.ports import Gathered, MarketData
from allocator.service.overlay import coming, overlaid

READINGS = 3
"""How often accounts are read at most because money arrived while they were."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The book as it stands.

    Attributes
    ----------
    gathered
        As the venues told it.
    snapshot
        With what the record knows.
    unclear
        Money that may be anywhere and makes an exposure unclear, in words; empty: none.
    places
        Where transfers without an end in the record are for these wallets, by client id:
        ``in_transit``, in flight in the snapshot and in no wallet; ``settled`` or ``returned``, in
        one. Of those that are not in it nobody can say.
    """

    gathered: Gathered
    snapshot: Snapshot
    unclear: str
    places: Mapping[str, str] = field(default_factory=dict[str, str])


async def read_book(market: MarketData, executor: Executor, history: History) -> Reading:
    """Read every account, then ask after the money under way.

    Money that was still on its way after the reading was in no wallet; where some has ended by
    then, a wallet may or may not have had it, and everything is read again.
    """
    gathered, money = await market.gather(), await executor.whereabouts()
    fresh = over = money.over
    for _ in range(READINGS - 1):
        if not fresh:
            break
        gathered, money = await market.gather(), await executor.whereabouts()
        fresh, over = money.over - over, over | money.over
    late = [row for row in (*money.arrived, *money.returned) if row.client_id in fresh]
    under_way = coming(history, money)
    snapshot = overlaid(gathered.snapshot, history.frozen(), under_way)
    places = {name: how for name, how in money.ends.items() if name not in fresh}
    places |= {row.client_id: "in_transit" for row in under_way}
    return Reading(gathered, snapshot, exposed(snapshot.assets, (*money.unclear, *late)), places)
