"""A reading that everybody who waits for it shares, for venues that let little be asked.

Whoever looks is told what a reading says that began after the look did, so nothing is ever taken
for absent by an older one. Readings keep apart from each other: of three that follow one another
the first and the last by twice the spacing, so that a look and the one that confirms it need not
wait.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from allocator.adapters.ccxt.failures import NotSentError
from allocator.adapters.deadline import deadline
from allocator.models.errors import VenueError

Wish = TypeVar("Wish")
Told = TypeVar("Told")


class Joined(Generic[Wish, Told]):
    """One reading after another, each for all who wait when it begins.

    Parameters
    ----------
    ask
        Asks for what all of them wish for.
    spacing_s
        Tells how far apart readings are by now.
    what
        What is read, for whoever cannot be served in time.
    gather_s
        For how long a reading that could begin waits for others who ask nearly at once.
    """

    def __init__(
        self,
        ask: Callable[[Sequence[Wish]], Awaitable[Told]],
        spacing_s: Callable[[], float],
        what: str,
        gather_s: float = 0.01,
    ) -> None:
        self._ask = ask
        self._spacing_s = spacing_s
        self._what = what
        self._gather_s = gather_s
        self._turn = asyncio.Lock()
        self._wishes = dict[object, Wish]()
        self._begun_at = deque[float](maxlen=2)
        self._begun = 0
        self._ended = 0
        self._outcome: Told | VenueError | None = None

    async def read(self, wish: Wish, wait_s: float) -> Told:
        """Take part in the next reading that begins.

        Parameters
        ----------
        wait_s
            For how long its beginning may be waited for.

        Raises
        ------
        NotSentError
            At once, when it cannot begin by then.
        VenueError
            What the reading failed with.
        """
        until = asyncio.get_running_loop().time() + wait_s
        before, mine = self._begun, object()
        self._wishes[mine] = wish
        try:
            async with self._turn:
                if self._ended <= before:
                    await self._next(until)
                if isinstance(self._outcome, VenueError):
                    raise self._outcome
                return self._outcome  # type: ignore[return-value] # one has ended
        finally:
            del self._wishes[mine]

    async def _next(self, until: float) -> None:
        clock = asyncio.get_running_loop().time
        wait_s = 0.0
        if len(self._begun_at) == self._begun_at.maxlen:
            wait_s = max(0.0, self._begun_at[0] + 2 * self._spacing_s() - clock())
        if clock() + wait_s > until:
            raise NotSentError(f"BUDGET: the next reading of {self._what} is {wait_s:.0f} s off")
        await asyncio.sleep(max(wait_s, self._gather_s))
        self._begun += 1
        number = self._begun
        self._begun_at.append(clock())
        known = deadline.set(until)
        try:
            self._outcome = await self._ask(tuple(self._wishes.values()))
        except VenueError as error:
            self._outcome = error
        finally:
            deadline.reset(known)
        self._ended = number
