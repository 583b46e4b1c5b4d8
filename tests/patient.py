"""A loop for tests of deadlines, which a loaded machine must not break."""

import asyncio
from typing import Any


class Patient(asyncio.SelectorEventLoop):
    """A loop whose clock runs only while nothing happens.

    A busy machine that answers late stops it, so that no account is late but one that never
    answers: the deadline comes once everybody else is done.
    """

    def __init__(self) -> None:
        super().__init__()
        self.at = 0.0
        select = self._selector.select  # type: ignore[attr-defined]

        def wait(timeout: float | None = None) -> Any:
            events = select(timeout)
            if not events and timeout:
                self.at += timeout
            return events

        self._selector.select = wait  # type: ignore[attr-defined]

    def time(self) -> float:
        return self.at
