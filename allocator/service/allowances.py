"""How much one name may leave in the database, and the refusals of what is more.

Whoever holds a token of scope `plan` may post books, drafts and requests without end: what waits
or is kept of one name is bounded, so that it fills no disk and crowds nobody else out. A stop or a
verdict is never refused by such a bound.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from itertools import accumulate
from typing import Any, Final, TypeVar

from sqlalchemy import ColumnElement, Engine, LargeBinary, cast, func

from allocator.models.errors import RefusedError

T = TypeVar("T")

MEGABYTE: Final = 1_000_000
SOONEST: Final = timedelta(minutes=1)
"""When whoever was refused may ask again at the earliest: what is too old goes now and then."""


class TooLongError(RefusedError):
    """It alone is longer than all that its name may keep."""

    code = "TOO_LONG"


class FullError(RefusedError):
    """As much of this name is kept as may be.

    Parameters
    ----------
    after
        When the oldest of it goes by itself, from now.
    """

    code = "FULL"

    def __init__(self, told: str, after: timedelta) -> None:
        super().__init__(told)
        self.again_s = int(max(after, SOONEST).total_seconds())


def octets(engine: Engine, text: Any) -> ColumnElement[int]:
    """Tell how many bytes a column's text has, in the database's own words."""
    if engine.dialect.name == "postgresql":
        return func.octet_length(text)
    return func.length(cast(text, LargeBinary))


def beyond(latest_first: Iterable[tuple[T, int]], most: int, most_bytes: int) -> list[T]:
    """Name what is too much of rows with their lengths: all behind the first that is.

    >>> beyond([("c", 4), ("b", 4), ("a", 4)], 2, 100), beyond([("b", 4), ("a", 4)], 9, 7)
    (['a'], ['a'])
    """
    rows = list(latest_first)
    lengths = accumulate(length for _, length in rows)
    stay = sum(number <= most and sum_ <= most_bytes for number, sum_ in enumerate(lengths, 1))
    return [name for name, _ in rows[stay:]]
