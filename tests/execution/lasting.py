"""A paper exchange that outlives the process: its log is on disk, its state is the log replayed."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import TypeAdapter

from allocator.adapters.paper import PaperExchange, PaperVenue
from allocator.models.base import json_value
from allocator.models.intents import Intent, Outcome
from allocator.models.snapshot import Snapshot
from allocator.ports import Venue
from tests.execution.book import JumpingClock

INTENT: TypeAdapter[Intent] = TypeAdapter(Intent)


class LastingVenue(PaperVenue):
    """Writes every request down as it reaches the exchange."""

    def __init__(self, exchange: PaperExchange, account: str, log: Path) -> None:
        super().__init__(exchange, account)
        self._log = log

    async def submit(self, intent: Intent) -> Outcome:
        row = {"at": self._exchange.clock.now().isoformat(), "intent": json_value(intent)}
        with self._log.open("a") as file:
            file.write(json.dumps(row) + "\n")
            file.flush()
            os.fsync(file.fileno())
        return await super().submit(intent)


def open_lasting(
    start: Snapshot, clock: JumpingClock, log: Path, now: datetime | None
) -> tuple[PaperExchange, Mapping[str, Venue]]:
    """Open the exchange as its log left it; the clock goes on from there, or from `now`."""
    exchange = PaperExchange(start, clock)
    for line in log.read_text().splitlines() if log.exists() else ():
        row = json.loads(line)
        clock.at = datetime.fromisoformat(row["at"])
        exchange.receive(INTENT.validate_python(row["intent"]))
    clock.at = max(clock.at, now or clock.at) + timedelta(seconds=1)
    exchange.now()
    return exchange, {name: LastingVenue(exchange, name, log) for name in exchange.accounts}
