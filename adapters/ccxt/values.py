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


def step_of(digits: object, otherwise: int) -> Decimal:
    """Tell the step of an amount by the digits behind its point, of which there may be none.

    >>> step_of("2", 8), step_of("0", 8), step_of(None, 8)
    (Decimal('0.01'), Decimal('1'), Decimal('1E-8'))
    """
    told = number(digits)
    return Decimal(1).scaleb(-(otherwise if told is None else int(told)))
