"""What is said and done of a record that was just put back from a backup."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from allocator.models.errors import AllocatorError, JournalError

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from allocator.execution.audit import Fault
    from allocator.execution.office import Office
    from allocator.service.anchors import Kept

LOST = "halts, freezes, requests and money told of after it are not in it"
LOOK = "look at the venues for orders and transfers, then `allocator resume`"


@dataclass(frozen=True, slots=True)
class Compared:
    """What heads that were kept outside a database tell of the backup that was put there.

    Attributes
    ----------
    last
        The event that the backup ended with.
    kept_to
        The last event of which a head was kept; no more than `last` if nothing is known to be lost.
    faults
        Where the backup is not what was kept, up to its end.
    """

    last: int
    kept_to: int
    faults: tuple[Fault, ...]

    @property
    def lost(self) -> int:
        """How many lines are known to be lost; what came after the last head nobody can tell."""
        return max(self.kept_to - self.last, 0)


def take_over(url: str, last: int, config: Path | None) -> None:
    """Halt everything on a restored record, then hold it against the heads kept outside it.

    Raises
    ------
    JournalError
        When it does not hold heads of events that it has.
    AllocatorError
        When the heads cannot be read; everything is halted all the same.
    """
    from allocator.execution.database import connect

    engine = connect(url)
    try:
        office = _halt(engine)
        if config is None:
            remedy = "`history -c CONFIG verify` does that"
            print(f"not held against heads kept outside the database: {remedy}", file=sys.stderr)
            return
        kept = _heads(engine, config)
        found = _compare(engine, kept, last)
        if office is not None and (found.lost or found.faults):
            facts = {"last": last, "kept_to": found.kept_to, "differ": len(found.faults)}
            office.note("record", "restored", **facts)
    finally:
        engine.dispose()
    _tell(found, kept)


def _halt(engine: Engine) -> Office | None:
    """Let nothing act on a record that lacks what came after its backup; None: it is too old."""
    from allocator.execution import schema
    from allocator.execution.office import Office
    from allocator.risk.breaker import GLOBAL, Breaker
    from allocator.service.binding import bound_to
    from allocator.service.clock import SystemClock

    if schema.current(engine) != schema.head():
        print(f"{LOST}: `allocator db upgrade`, then `allocator halt`: {LOOK}", file=sys.stderr)
        return None
    office = Office(engine, bound_to(engine) or "", SystemClock())
    office.trip(GLOBAL, Breaker.HALTED, f"restored from a backup: {LOST}", "db restore")
    print(f"global: halted, since {LOST}: {LOOK}", file=sys.stderr)
    return office


def _heads(engine: Engine, config: Path) -> Kept:
    from allocator.execution.history import History
    from allocator.service.anchors import known_heads
    from allocator.service.bootstrap import read_config

    try:
        return known_heads(read_config(config).service.history, History(engine))
    except AllocatorError:
        print("not held against heads kept outside the database", file=sys.stderr)
        raise


def _compare(engine: Engine, kept: Kept, last: int) -> Compared:
    """Hold a record against heads; those after its end were written by the one that is lost."""
    from allocator.execution.history import History

    within = [row for row in kept.heads if row.seq <= last]
    faults = (*kept.faults, *History(engine).verify(within, private=True))
    return Compared(last, max((row.seq for row in kept.heads), default=0), faults)


def _tell(found: Compared, kept: Kept) -> None:
    """Say what the heads tell of a backup, what this means and how to be right again.

    Raises
    ------
    JournalError
        When it does not hold heads of events that it has.
    """
    for fault in found.faults:
        place = "" if fault.seq is None else f"event {fault.seq}: "
        print(f"{place}{fault.what}", file=sys.stderr)
    if found.lost:
        print(
            f"{found.lost} lines at least are lost, from event {found.last + 1} on: their heads "
            f"are kept in {kept.path}, and what was done after the backup is unknown. "
            "`history verify` tells so until that file is put aside: before the service starts "
            f"again move {kept.path} away, and keep it with the database that was lost; the next "
            "cycle begins another",
            file=sys.stderr,
        )
    if found.faults:
        raise JournalError(
            f"HEADS_DIFFER: the backup is put back, and differs in {len(found.faults)} places from "
            "what was kept of it outside the database: it may be of another record, or rewritten; "
            "put it aside and restore another, unless you know why"
        )
    if not found.lost and kept.path is not None:
        print(f"it lacks none of the {len(kept.heads)} heads of {kept.path}", file=sys.stderr)
