"""Work in a thread that is waited for to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

Found = TypeVar("Found")
Given = TypeVarTuple("Given")


async def to_its_end(work: Callable[[*Given], Found], *given: *Given) -> Found:
    """Do something in a thread, and wait for its end even when cancelled.

    A thread cannot be broken off: left alone it would use the database after that is closed, or
    write beside the leader that follows.
    """
    under_way = asyncio.ensure_future(asyncio.to_thread(work, *given))
    try:
        return await asyncio.shield(under_way)
    except asyncio.CancelledError:
        await asyncio.wait([under_way])
        raise
