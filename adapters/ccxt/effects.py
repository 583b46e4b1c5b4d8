"""What a look-up found, held against what was sent."""

from __future__ import annotations

from typing import TypeGuard

from allocator.models.errors import VenueError
from allocator.models.intents import AbsentNow, Found, OrderIntent


def had_effect(found: Found | AbsentNow) -> TypeGuard[Found]:
    """Tell whether an action was carried out: what ended unfilled was not."""
    ended = ("cancelled", "rejected")
    return isinstance(found, Found) and (found.state not in ended or found.filled > 0)


def fitting(intent: OrderIntent, found: Found | None) -> Found | None:
    """Hold what is told of an order's fills against what it was for.

    Raises
    ------
    VenueError
        When it is told as filled by another quantity, or by more than it was for.
    """
    if found is not None:
        whole = found.state == "filled"
        if found.filled > intent.quantity or (whole and found.filled != intent.quantity):
            told = f"{found.state} by {found.filled}"
            raise VenueError(f"an order for {intent.quantity} is told as {told}")
    return found
