"""Takes a list or a row out of an answer, or says that there is none."""

from __future__ import annotations

from typing import Any

from allocator.adapters.ccxt.failures import UnansweredError
from allocator.adapters.ccxt.values import JsonObject


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
