"""Which deposit a transfer arrived as: each settles one, whoever asks and whenever.

A venue tells of every deposit that may be a transfer's; two equal transfers in one transaction may
each have arrived as either of two. The record keeps which one settled which, and the database lets
none be kept twice, so that neither a restart nor another leader takes one for two.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session, col, select

from allocator.models.base import ZERO
from allocator.models.intents import Found
from allocator.models.records import AttemptRow


def unclaimed(session: Session, client_id: str, arrivals: Sequence[str]) -> tuple[str, ...]:
    """Leave out deposits that settled another transfer."""
    if not arrivals:
        return ()
    query = select(AttemptRow.settled_by).where(
        col(AttemptRow.settled_by).in_(arrivals), AttemptRow.client_id != client_id
    )
    taken = set(session.exec(query))
    return tuple(name for name in arrivals if name not in taken)


def arrived(session: Session, client_id: str, found: Found) -> Found:
    """Tell what a venue says of a transfer by deposits that are its own.

    Where it may have arrived only as what settled others, it is still on its way.
    """
    if found.state != "settled" or not found.arrivals:
        return found
    own = unclaimed(session, client_id, found.arrivals)
    if own:
        return found.model_copy(update={"arrivals": own})
    return found.model_copy(update={"arrivals": (), "state": "in_transit", "filled": ZERO})
