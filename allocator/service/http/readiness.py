"""Whether an instance is of use, told within a time: its database may not answer at all."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from threading import Lock, Thread

from allocator import __version__
from allocator.models.api import Health
from allocator.service.outage import words_of

PATIENCE_S = 3.0
"""Seconds after which a database has not answered."""

SILENT = "the database does not answer"

log = logging.getLogger(__name__)


class Readiness:
    """Asks in a thread of its own, one at a time, whoever else waits for the database.

    Parameters
    ----------
    check
        Finds out, for as long as that takes.
    """

    def __init__(self, check: Callable[[], Health], patience_s: float = PATIENCE_S) -> None:
        self._check = check
        self._patience_s = patience_s
        self._lock = Lock()
        self._asked: Future[Health] | None = None

    async def ask(self) -> Health:
        """Tell whether the instance is of use; a check that is under way is waited for."""
        found = asyncio.wrap_future(self._under_way())
        await asyncio.wait({found}, timeout=self._patience_s)
        return found.result() if found.done() else _silent()

    def _under_way(self) -> Future[Health]:
        with self._lock:
            if self._asked is None or self._asked.done():
                self._asked = Future()
                self._asked.set_running_or_notify_cancel()
                # A daemon: the end of the process does not wait for the database.
                run = copy_context().run
                Thread(
                    target=run, args=(self._run, self._asked), name="readiness", daemon=True
                ).start()
            return self._asked

    def _run(self, asked: Future[Health]) -> None:
        try:
            found = self._check()
        except Exception as error:  # noqa: BLE001 - whatever a driver raises is the finding
            log.warning("readiness: the database cannot be used: %s", words_of(error))
            found = _silent()
        asked.set_result(found)


def _silent() -> Health:
    return Health(ok=False, version=__version__, faults=(SILENT,))
