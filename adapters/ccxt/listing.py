"""Lists in pages by number or offset, of which rows may leave while they are read.

What ends on a page that has been read moves all that follows up by one: the first row of the next
page is then on none of both. So pages that could be asked to overlap must join, and a list whose
pages do not, or cannot, is read anew: here until two readings in a row tell of the same rows. One
that the first had missed stands on an earlier page in the second, unless rows came before it, which
the second tells of and the first does not. A row is told once, as it was told last.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from allocator.adapters.ccxt.answers import distinct
from allocator.adapters.ccxt.failures import UnansweredError
from allocator.adapters.ccxt.place import text
from allocator.adapters.ccxt.values import JsonObject

READINGS = 5


async def agreed(
    asked: str, read: Callable[[], Awaitable[tuple[list[JsonObject], bool]]], key: str
) -> list[JsonObject]:
    """Read a list until it holds still.

    Parameters
    ----------
    read
        Reads the list, and tells whether one answer held all of it.
    key
        What names a row.

    Raises
    ------
    UnansweredError
        When it does not, or a reading fails.
    """
    before: frozenset[str] | None = None
    for _ in range(READINGS):
        found, at_once = await read()
        if at_once:
            return found
        rows = {text(row, key): row for row in found}
        if rows.keys() == before:
            return list(rows.values())
        before = frozenset(rows)
    raise UnansweredError(f"{asked}: it changed while {READINGS} readings of its pages were made")


def by_name(page: Sequence[JsonObject], key: str) -> dict[str, JsonObject]:
    """Name the rows of one page, in their order.

    Raises
    ------
    VenueError
        When two have the same name, or one has none.
    """
    return {text(row, key): row for row in distinct(page, key)}
