"""Requests that take long, few at a time: the others wait without a thread, or are refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from allocator.service.http.problems import ProblemError

MOST = 2
"""Who is worked for at once: each takes a thread, of which the server's loop has 40 for all."""

MOST_WAITING = 16
"""Who waits, each with a body of megabytes; more are refused, and told when to ask again."""

AGAIN_S = 10


class Few:
    """A lane for what takes long."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(MOST)
        self._here = 0

    @asynccontextmanager
    async def place(self) -> AsyncGenerator[None]:
        """Wait for a place and keep it for the block.

        Raises
        ------
        ProblemError
            429 where too many wait.
        """
        if self._here >= MOST + MOST_WAITING:
            detail = f"{self._here} plans, snapshots and drafts are under way: ask again later"
            raise ProblemError(429, "TOO_MANY", detail, {"Retry-After": str(AGAIN_S)})
        self._here += 1
        try:
            async with self._places:
                yield
        finally:
            self._here -= 1
