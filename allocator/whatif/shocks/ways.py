"""Ways out of venues and into them, over all shocks so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from allocator.models.snapshot import Route, Snapshot
from allocator.whatif.shock import Shock, VenueShock


@dataclass(frozen=True, slots=True)
class Ways:
    """What was said of venues' withdrawals and deposits.

    A way that shocks have closed opens when none of them holds any more. One that the book itself
    has closed opens as soon as either of its ends is said to be open: nobody knows which of them
    it was. Whatever is halted at the other end keeps it closed.

    Attributes
    ----------
    shut
        Routes that the book has closed before any shock.
    told
        By venue, the latest word on each part.
    """

    shut: frozenset[str]
    told: Mapping[str, VenueShock] = field(default_factory=dict[str, VenueShock])

    @classmethod
    def of(cls, snapshot: Snapshot) -> Ways:
        """Take a book before any shock."""
        return cls(frozenset(row.id for row in snapshot.routes if not row.enabled))

    def after(self, shock: Shock) -> Ways:
        """Take in what one more shock says."""
        told = dict(self.told)
        for name, row in shock.venues.items():
            said = {
                key: value
                for key in ("withdrawals", "deposits")
                if (value := getattr(row, key)) is not None
            }
            told[name] = told.get(name, VenueShock()).model_copy(update=said)
        return Ways(self.shut, told)

    def route(self, row: Route, snapshot: Snapshot) -> Route:
        """Open or close a way; one inside a venue stays as it is."""
        ends = (snapshot.account[row.source].venue, snapshot.account[row.target].venue)
        if row.kind == "internal" and ends[0] == ends[1]:
            return row
        out, into = (self.told.get(end, VenueShock()) for end in ends)
        said = {out.withdrawals, into.deposits}
        enabled = "halted" not in said and (row.id not in self.shut or "open" in said)
        return row if row.enabled == enabled else row.model_copy(update={"enabled": enabled})
