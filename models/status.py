"""What a venue says of itself: whether it is open, and what its accounts can do if it is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import field_validator

from allocator.models.account import State
from allocator.models.base import Utc, Value, stamp

VenueState = Literal["open", "limited", "cancel_only", "maintenance", "unknown"]

LONGEST = 140
"""Characters of a note: a venue's words stand in causes, alerts and on pages."""

ACCOUNTS: Mapping[VenueState, State] = {
    "open": "open",
    "limited": "reduce_only",
    "cancel_only": "frozen",
    "maintenance": "frozen",
    "unknown": "open",
}
"""What a venue's accounts can do. One that is limited does not tell whether an order of ours is
concerned: what only reduces may still be tried. Where only cancels are taken, no order is."""


GRAVITY: Sequence[VenueState] = ("open", "limited", "cancel_only", "maintenance")
"""How much is closed; one that is unknown is at no place in it."""


class VenueStatus(Value):
    """A venue's own word on how it stands.

    Attributes
    ----------
    state
        ``limited``: in part, for some, or before it opens fully; ``cancel_only``: it takes no new
        order; ``unknown``: it publishes a status that could not be read.
    until
        When the venue expects it to end; None: not told.
    note
        The venue's words, or why it could not be read.
    before
        Of one that is unknown: what was told last, where that was not open. It stands until the
        venue is read again, past `until` as well.
    before_at
        When that was told.
    """

    state: VenueState
    until: Utc | None = None
    note: str = ""
    before: VenueState | None = None
    before_at: Utc | None = None

    @field_validator("note")
    @classmethod
    def _is_one_line(cls, told: str) -> str:
        return " ".join("".join(c if c.isprintable() else " " for c in told).split())[:LONGEST]

    @property
    def stands(self) -> VenueState:
        """How it stands, as far as that is known: what was told last where nothing is now."""
        return self.before or self.state

    @property
    def barred(self) -> bool | None:
        """Whether it cannot be used as usual; None: not known."""
        return None if self.gravity is None else self.gravity > 0

    @property
    def gravity(self) -> int | None:
        """How much of it is closed: 0 is open, 3 is maintenance; None: not known."""
        return None if self.stands == "unknown" else GRAVITY.index(self.stands)

    @property
    def accounts(self) -> State:
        """What its accounts can do at most."""
        return ACCOUNTS[self.stands]

    @property
    def words(self) -> str:
        """It in one line.

        >>> VenueStatus(state="cancel_only", note="upgrade match engine").words
        'cancel only: upgrade match engine'
        >>> VenueStatus(state="unknown", note="HTTP 503", before="maintenance").words
        'unknown, last told maintenance: HTTP 503'
        """
        said = self.state.replace("_", " ")
        if self.before is not None:
            said = f"{said}, last told {self.before.replace('_', ' ')}"
        if self.before_at is not None:
            said = f"{said} at {stamp(self.before_at.replace(microsecond=0))}"
        if self.until is not None:
            said = f"{said} until {stamp(self.until)}"
        return f"{said}: {self.note}" if self.note else said


class Told(Value):
    """What a venue said, and when."""

    status: VenueStatus
    at: Utc
