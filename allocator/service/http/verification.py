"""The check of the audit's chain, one at a time: it reads all of the record, in a copy of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from threading import Lock, Thread

from allocator.models.api import AuditCheck
from allocator.service.http.problems import ProblemError

KEPT_S = 30.0
"""Seconds for which a finding is told again, at least; and so many times as long as it took:"""

TIMES = 3.0

MOST_WAITING = 4
"""Who waits for one check; more are refused, and told when to ask again."""

Clock = Callable[[], float]


class Verification:
    """Checks in a thread of its own, whoever asks how often.

    Parameters
    ----------
    check
        Finds out, for as long as that takes.
    """

    def __init__(self, check: Callable[[], AuditCheck], clock: Clock = time.monotonic) -> None:
        self._check = check
        self._clock = clock
        self._lock = Lock()
        self._asked: Future[AuditCheck] | None = None
        self._good_until = float("-inf")
        self._waiting = 0

    async def ask(self) -> AuditCheck:
        """Tell what a check that is under way, or not long over, finds; else begin one.

        Raises
        ------
        ProblemError
            429 where too many wait for it already.
        """
        found = self._under_way()
        if found.done():
            return found.result()
        if self._waiting >= MOST_WAITING:
            headers = {"Retry-After": str(round(KEPT_S))}
            raise ProblemError(429, "TOO_MANY_CHECKS", "a check of the audit is under way", headers)
        self._waiting += 1
        try:
            return await asyncio.shield(asyncio.wrap_future(found))
        finally:
            self._waiting -= 1

    def _under_way(self) -> Future[AuditCheck]:
        with self._lock:
            if self._asked is None or (
                self._asked.done()
                and (self._asked.exception() is not None or self._clock() >= self._good_until)
            ):
                self._asked = Future()
                self._asked.set_running_or_notify_cancel()
                run = copy_context().run
                # A daemon: the end of the process does not wait for the database.
                Thread(target=run, args=(self._run, self._asked), name="audit", daemon=True).start()
            return self._asked

    def _run(self, asked: Future[AuditCheck]) -> None:
        began = self._clock()
        try:
            found = self._check()
        except BaseException as error:  # noqa: BLE001 - told to everybody who waits for it
            asked.set_exception(error)
            return
        took = self._clock() - began
        self._good_until = self._clock() + max(KEPT_S, TIMES * took)
        asked.set_result(found)
