"""Connections that say nothing take no place for long, and never all of what a process may open.

Each is an open file, of which the database and the venues need some as well: whoever could open
them without end would stop the leader without any token.
"""

from __future__ import annotations

import asyncio
import resource
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

HEAD_S = 20.0
"""Seconds in which a connection has to bring the head of its first request."""

MOST_OPEN = 400
"""Connections at once; and no more than half of the files that a process may open."""

if TYPE_CHECKING:
    Base: Any = asyncio.Protocol
else:
    Base = AutoHTTPProtocol


def most_open() -> int:
    """Tell how many connections there may be in this process."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_OPEN if files < 0 else max(1, min(MOST_OPEN, files // 2))


def bounded(most: int, head_s: float = HEAD_S) -> type[asyncio.Protocol]:
    """Make a protocol of the server under which so many connections are open at most.

    For one more, the oldest of those that ask nothing is closed; where all ask, the new one is.
    """
    silent = dict[Any, None]()
    count = 0

    class Bounded(Base):  # type: ignore[misc]
        """One connection."""

        def connection_made(self, transport: asyncio.Transport) -> None:
            """Take it in, if there is a place for it."""
            nonlocal count
            super().connection_made(transport)
            count += 1
            silent[self] = None
            self.late = asyncio.get_running_loop().call_later(head_s, self.close_silent)
            if count > most:
                for other in tuple(silent):
                    if other.close_silent():
                        return

        def close_silent(self) -> bool:
            """Close it if nothing is asked by it; tells whether that is so."""
            silent.pop(self, None)
            if self.cycle is not None or self.transport.is_closing():
                return False
            self.transport.abort()
            return True

        def connection_lost(self, exc: Exception | None) -> None:
            """Give its place back."""
            nonlocal count
            count -= 1
            silent.pop(self, None)
            self.late.cancel()
            super().connection_lost(exc)

    return Bounded
