"""What venues told of themselves last: it stands while they cannot be asked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from allocator.models.status import Told, VenueStatus


class Statuses:
    """Remembers the last status of each venue.

    Parameters
    ----------
    told
        What an earlier process was told, by venue: a restart makes nothing better known.
    """

    def __init__(self, told: Mapping[str, Told] | None = None) -> None:
        self._told = dict(told or {})

    def take(self, read: Mapping[str, VenueStatus | str], at: datetime) -> dict[str, VenueStatus]:
        """Take in what was read, by venue; where nothing was, why.

        A venue that said it is not open and cannot be asked now has not said that it is open
        again: that stands until it is read, past the end that it gave as well, which is only what
        it expected.
        """
        return {name: self._one(name, row, at) for name, row in read.items()}

    def _one(self, name: str, read: VenueStatus | str, at: datetime) -> VenueStatus:
        if isinstance(read, VenueStatus):
            self._told[name] = Told(status=read, at=at)
            return read
        last = self._told.get(name)
        if last is None or not last.status.barred:
            return VenueStatus(state="unknown", note=read)
        return VenueStatus(
            state="unknown",
            until=last.status.until,
            note=read,
            before=last.status.state,
            before_at=last.at,
        )
