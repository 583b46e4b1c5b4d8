"""A venue's own words as values: numbers exact, times in UTC, absence told from zero."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from allocator.models.errors import VenueError

JsonObject = dict[str, Any]


def moment(milliseconds: object) -> datetime:
    """Turn a venue's time, milliseconds since 1970 as a number or text, into UTC.

    Raises
    ------
    VenueError
        When it is none.
    """
    try:
        return datetime.fromtimestamp(int(str(milliseconds)) / 1000, UTC)
    except ValueError as error:
        raise VenueError(f"not a time: {milliseconds!r}") from error


def number(value: object) -> Decimal | None:
    """Read a venue's number; None: absent or empty, which is not zero.

    Raises
    ------
    VenueError
        When it is there and no number.
    """
    if value is None or value == "":
        return None
    try:
        found = Decimal(str(value))
    except ArithmeticError as error:
        raise VenueError(f"not a number: {value!r}") from error
    if isinstance(value, float | bool) or not found.is_finite():
        raise VenueError(f"not an exact number: {value!r}")
    return found
