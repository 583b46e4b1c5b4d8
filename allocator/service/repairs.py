"""What an urgent trigger may plan: repairs of what is broken, and nothing else. Pure."""

from __future__ import annotations

from allocator.models.mandate import Mandate
from allocator.models.snapshot import Snapshot
from allocator.state import Book, State
from allocator.verify import shortfall

NOTHING_BROKEN = "nothing is broken: nothing to repair"
"""Note of a slot that had nothing to repair."""


def repairing(snapshot: Snapshot, mandate: Mandate) -> tuple[Snapshot, Mandate] | None:
    """Narrow a decision to repairs; None when nothing is broken.

    Targets are what is held now, no gain is sought (no alpha, no counterparty cost), and every
    instrument is reduce-only: money may move and positions may shrink, until margin, limits and
    stresses hold.

    Raises
    ------
    InputError
        When snapshot and mandate make no sensible problem.
    """
    if not broken(snapshot, mandate):
        return None
    instruments = tuple(
        row if row.status == "halted" else row.model_copy(update={"status": "reduce_only"})
        for row in snapshot.instruments
    )
    policy = mandate.policy.model_copy(update={"alpha": {}, "venue_risk": {}})
    update = {"targets": (), "targets_default": "hold", "policy": policy}
    return (
        snapshot.model_copy(update={"instruments": instruments}),
        mandate.model_copy(update=update),
    )


def broken(snapshot: Snapshot, mandate: Mandate) -> bool:
    """Tell whether margin, a limit or a stress does not hold.

    Raises
    ------
    InputError
        When snapshot and mandate make no sensible problem.
    """
    book = Book.of(snapshot, mandate)
    return bool(shortfall(book, State.start(book)).total)
