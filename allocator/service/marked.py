"""The latest marks that an instance can show, and of what they are."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from allocator.models.api import MarkSource
from allocator.models.errors import AllocatorError, InputError
from allocator.service.monitor.marks import Marks, marks_of
from allocator.service.snapshots import MissingError

if TYPE_CHECKING:
    from allocator.service.run import Service

log = logging.getLogger(__name__)


class Marked:
    """Marks of one instance: only the leader reads the accounts.

    Parameters
    ----------
    service
        The instance.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._known: tuple[tuple[str, int], Marks | None] | None = None

    def latest(self) -> tuple[Marks | None, MarkSource]:
        """Tell the marks of this instance, or of what a leader's cycle has gathered since.

        What was planned on is no source: a repair is planned on a book that was narrowed to it,
        with what is held for a target. The leader's own are of whatever was gathered, and prevail:
        what seems to be later was stamped by a clock that was ahead.
        """
        own = self._service.live.marks
        if own is not None and self._service.live.leads:
            return own, "own"
        newest = self._service.snapshots.newest()
        if own is not None and (newest is None or own.at >= newest.as_of):
            return own, "own"
        found = None if newest is None else self._gathered(newest.snapshot_hash)
        if found is None:
            return own, "none" if own is None else "own"
        told = self._service.lines.memory.told()
        statuses = {venue: row.status for venue, row in told.items()}
        return found.model_copy(update={"statuses": statuses}), "gathered"

    def _gathered(self, name: str) -> Marks | None:
        """Mark a snapshot by the mandate that holds; None where that cannot be done."""
        try:
            holds = self._service.mandates.published()
        except AllocatorError as error:
            # Figures of accounts need no mandate.
            log.warning("the mandate cannot be read: %s", error)
            version, mandate = 0, None
        else:
            if holds is None:
                return None
            version, mandate = holds.version, holds.mandate
        key = name, version
        if self._known is None or self._known[0] != key:
            try:
                found = marks_of(self._service.snapshots.read(name), mandate)
            except (InputError, MissingError) as error:
                # A mandate that was published since may need more than was gathered.
                log.warning("what was gathered last cannot be marked: %s", error)
                found = None
            self._known = key, found
        return self._known[1]
