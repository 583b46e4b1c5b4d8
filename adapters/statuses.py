"""What venues told of themselves last: it stands while they cannot be asked."""

from __future__ import annotations

from collections.abc import Mapping

from allocator.models.status import VenueStatus


class Statuses:
    """Remembers the last status of each venue."""

    def __init__(self) -> None:
        self._told = dict[str, VenueStatus]()

    def take(self, read: Mapping[str, VenueStatus | str]) -> dict[str, VenueStatus]:
        """Take in what was read, by venue; where nothing was, why.

        A venue that said it is not open and cannot be asked now has not said that it is open
        again: that stands until it is read, past the end that it gave as well, which is only what
        it expected.
        """
        return {name: self._one(name, row) for name, row in read.items()}

    def _one(self, name: str, read: VenueStatus | str) -> VenueStatus:
        if isinstance(read, VenueStatus):
            self._told[name] = read
            return read
        last = self._told.get(name)
        if last is None or not last.barred:
            return VenueStatus(state="unknown", note=read)
        return VenueStatus(state="unknown", until=last.until, note=read, before=last.state)
