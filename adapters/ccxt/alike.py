"""Actions that a venue's records tell apart by what they moved and when, by no key of ours.

Two that are equal look the same there. What this process sent is remembered, so that the record of
one is not taken for the other's. A process before this one is not: its actions were stamped earlier
than what is looked up now, save those of the last moments before it ended.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from allocator.models.intents import Ack, Found, MoveIntent, Outcome, Rejected, TransferIntent

AROUND = timedelta(seconds=2)
"""How much before an action was sent its record may be dated: some are told to the second."""

KEPT = timedelta(days=1)
"""How long an action is remembered: none is looked up for longer."""


@dataclass(slots=True)
class Sent:
    """An action: when it was sent, and the id it has at the venue once one is known.

    Attributes
    ----------
    recorded
        Whether that is the name of its record, by which it is told from every other.
    """

    what: Hashable
    at: datetime
    venue_id: str | None = None
    recorded: bool = False


@dataclass(slots=True)
class Alike:
    """What was sent without a key, by client id; what a venue refused is not among it."""

    sent: dict[str, Sent] = field(default_factory=dict[str, Sent])

    def send(self, venue: str, intent: TransferIntent | MoveIntent, at: datetime) -> None:
        """Remember an action before it leaves."""
        self.sent = {k: row for k, row in self.sent.items() if row.at >= at - KEPT}
        self.sent[intent.client_id] = Sent(what_of(venue, intent), at)

    def end(self, client_id: str, outcome: Outcome) -> None:
        """Remember the id of one that was taken, and forget one that was refused."""
        if isinstance(outcome, Ack) and client_id in self.sent:
            self.sent[client_id].venue_id = outcome.venue_id
        if isinstance(outcome, Rejected):
            self.sent.pop(client_id, None)

    def name(self, client_id: str, venue_id: str) -> None:
        """Remember what an action was found as; a name that we gave it ourselves is no record's."""
        if client_id in self.sent:
            self.sent[client_id].venue_id = venue_id
            self.sent[client_id].recorded = client_id not in venue_id

    def has(self, client_id: str, found: Found) -> bool:
        """Tell whether a record is known to be an action's."""
        row = self.sent.get(client_id)
        return row is not None and row.recorded and row.venue_id == found.venue_id

    def taken(self, client_id: str) -> frozenset[str]:
        """List the ids at the venue that are known to be other actions'."""
        others = (row.venue_id for name, row in self.sent.items() if name != client_id)
        return frozenset(name for name in others if name is not None)

    def rivals(self, venue: str, intent: TransferIntent | MoveIntent, since: datetime) -> bool:
        """Tell whether another that looks the same was sent since then, its record not known."""
        what = what_of(venue, intent)
        return any(
            row.what == what and row.at >= since - AROUND and not row.recorded
            for name, row in self.sent.items() if name != intent.client_id
        )  # fmt: skip


def what_of(venue: str, intent: TransferIntent | MoveIntent) -> Hashable:
    """Name what looks the same: between which accounts it went is not told by every record."""
    if isinstance(intent, MoveIntent):
        return venue, intent.instrument, intent.quantity
    return venue, intent.asset, intent.amount
