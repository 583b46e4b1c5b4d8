"""Takes a list or a row out of an answer, or says that there is none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from allocator.adapters.ccxt.failures import UnansweredError
from allocator.adapters.ccxt.place import text
from allocator.adapters.ccxt.values import JsonObject
from allocator.models.errors import VenueError


def within(reply: object, key: str | None) -> object:
    """Take what stands under a key; without a key the answer itself."""
    if key is None:
        return reply
    return reply.get(key) if isinstance(reply, dict) else None


def listed(reply: object, asked: str, key: str | None = None) -> list[Any]:
    """Take a list out of an answer.

    Raises
    ------
    UnansweredError
        When there is none.
    """
    found = within(reply, key)
    if not isinstance(found, list):
        raise UnansweredError(f"{asked}: no {key or 'list'}")
    return found


def rows(reply: object, key: str | None = None) -> list[Any]:
    """Take a list out of an answer of which no more is known.

    Raises
    ------
    UnansweredError
        When there is none.
    """
    return listed(reply, "the answer", key)


def distinct(found: Sequence[JsonObject], key: str) -> list[JsonObject]:
    """Hand on rows of which each has a name of its own: one of two would be left out in silence.

    Raises
    ------
    VenueError
        When two have the same, or one has none.
    """
    names = [text(row, key) for row in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise VenueError(f"two rows of {', '.join(twice)} in one answer")
    return list(found)


def single(reply: object, asked: str, key: str | None = None) -> JsonObject:
    """Take one row out of an answer.

    Raises
    ------
    UnansweredError
        When there is none.
    """
    found = within(reply, key)
    if not isinstance(found, dict):
        raise UnansweredError(f"{asked}: no {key or 'row'}")
    return found
