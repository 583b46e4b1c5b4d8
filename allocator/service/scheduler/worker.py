"""Carries slots out, one at a time, as the leader of a portfolio."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from allocator.execution.leader import FencedError, Lease
from allocator.models.errors import AllocatorError, JournalError
from allocator.ports import Clock
from allocator.service.scheduler.due import GONE, PAUSED, choose
from allocator.service.scheduler.slot import Slot, Status
from allocator.service.scheduler.slots import Slots

IDLE_S = 1.0
"""Seconds after which the worker looks again although nobody woke it."""

BACKOFF_S = 1.0, 60.0
"""Seconds between tries at settling what a slot has left open: doubled each time up to the most."""

WANTED_SO = (PAUSED, GONE)
"""Why slots are not run that people wanted none of: nothing was missed."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Result:
    """What a slot came to."""

    status: Status
    note: str = ""
    plan_hash: str | None = None


Work = Callable[[Slot], Awaitable[Result]]
Settle = Callable[[], Awaitable[None]]
Ended = Callable[[str, str, str, str], None]
"""Is told name, cause, status and note of a slot that has ended."""


class Worker:
    """Takes waiting slots in turn.

    Parameters
    ----------
    graces
        Seconds a slot may be late, by schedule.
    work
        Carries one slot out.
    wake
        Set when something fell due.
    ended
        Told of every slot that ended, was missed or set aside.
    settle
        Settles what a slot that broke off has left open in the market; raises while it cannot.
    believed
        Tells whether the clock is believed: while it is not, no slot is begun or set aside, but
        for a repair.
    agreed
        Tells whether others' clocks agree with one that is not believed: a repair begins then.
        None: it waits as the others do.
    stepped
        Told after each step, whether there was a slot or not.
    """

    def __init__(  # noqa: PLR0913 - its ports
        self,
        slots: Slots,
        lease: Lease,
        clock: Clock,
        *,
        graces: Mapping[str, Decimal],
        work: Work,
        wake: asyncio.Event,
        ended: Ended = lambda _name, _cause, _status, _note: None,
        settle: Settle | None = None,
        believed: Callable[[], bool] = lambda: True,
        agreed: Callable[[], Awaitable[bool]] | None = None,
        stepped: Callable[[], None] = lambda: None,
    ) -> None:
        self._slots = slots
        self._lease = lease
        self._clock = clock
        self._graces = dict(graces)
        self._work = work
        self._wake = wake
        self._ended = ended
        self._settle = settle
        self._believed = believed
        self._agreed = agreed
        self._stepped = stepped
        self._settle_at: datetime | None = None
        self._wait_s = BACKOFF_S[0]
        self._fresh = True

    async def step(self) -> bool:
        """Carry out the slot that comes next; False: there was none.

        Raises
        ------
        FencedError
            When another leads by now.
        """
        await self._settle_rest()
        slot = self._next() if self._believed() else await self._urgent()
        if slot is None:
            await self._settle_first()
            return False
        await self._run(slot)
        return True

    def _next(self) -> Slot | None:
        """Choose what comes next, and set aside what does not any more."""
        now = self._clock.now()
        waiting = self._slots.with_status("due")
        left = [r for r in self._slots.with_status("running") if r.epoch != self._lease.epoch]
        choice = choose((*left, *waiting), self._graces, now, self._slots.paused())
        for row, why in choice.aside:
            status: Status = "missed" if row.status == "due" else "failed"
            if row.status == "due" and why in WANTED_SO:
                status = "skipped"
            self._slots.finish(self._lease, row, status, now, note=why)
            self._ended(row.name, row.cause, status, why)
        return choice.run

    async def _urgent(self) -> Slot | None:
        """Choose a repair that need not wait until the clock has stood: the oldest."""
        if self._agreed is None:
            return None
        rows = [row for row in self._slots.with_status("due") if row.kind == "repair"]
        try:
            return rows[0] if rows and await self._agreed() else None
        except Exception:
            log.exception("whether others' clocks agree cannot be told")
            return None

    async def _run(self, slot: Slot) -> None:
        now = self._clock.now()
        try:
            self._slots.claim(self._lease, slot, now)
        except FencedError:
            raise
        except JournalError as error:
            # Somebody called it back since it was chosen: that costs nobody the lead.
            log.info("slot is not begun", extra={"slot": slot.name, "why": str(error)})
            return
        self._fresh = False
        # Whatever breaks off from here on may leave a request open or legs apart.
        self._settle_at, self._wait_s = now, BACKOFF_S[0]
        result = await self._carry_out(slot)
        if result.status != "failed":
            self._settle_at = None
        self._slots.finish(
            self._lease,
            slot,
            result.status,
            self._clock.now(),
            note=result.note,
            plan_hash=result.plan_hash,
        )
        self._ended(slot.name, slot.cause, result.status, result.note)

    async def _settle_first(self) -> None:
        """Settle what an earlier leader left open, where no slot does so at once.

        Its slot may be too late by now to be carried on, and the next may be a day away.

        Raises
        ------
        FencedError
            When another leads by now.
        """
        if self._fresh:
            self._fresh = False
            self._settle_at = self._clock.now()
            await self._settle_rest()

    async def _settle_rest(self) -> None:
        """Settle what a slot that broke off has left open: the next slot may be an hour away.

        Raises
        ------
        FencedError
            When another leads by now.
        """
        now = self._clock.now()
        if self._settle is None or self._settle_at is None:
            return
        # A wait that is longer than any was reckoned by a clock that was ahead.
        if timedelta() < self._settle_at - now <= timedelta(seconds=BACKOFF_S[1]):
            return
        try:
            await self._settle()
        except FencedError:
            raise
        except Exception:
            log.exception("what a slot left open is not settled", extra={"again_s": self._wait_s})
            self._settle_at = self._clock.now() + timedelta(seconds=self._wait_s)
            self._wait_s = min(2 * self._wait_s, BACKOFF_S[1])
        else:
            self._settle_at = None

    async def _carry_out(self, slot: Slot) -> Result:
        log.info("slot begins", extra={"slot": slot.name, "cause": slot.cause})
        try:
            return await self._work(slot)
        except FencedError:
            raise
        except AllocatorError as error:
            log.warning("slot failed", extra={"slot": slot.name, "why": str(error)})
            return Result("failed", str(error))
        except Exception as error:
            # A bug in one cycle must not end the service that watches margins.
            log.exception("slot failed", extra={"slot": slot.name})
            return Result("failed", f"INTERNAL: {type(error).__name__}")

    async def run(self, stopping: asyncio.Event) -> None:
        """Take slots until asked to stop; the one under way is ended first.

        Raises
        ------
        FencedError
            When another leads by now.
        """
        while not stopping.is_set():
            self._wake.clear()
            did = await self.step()
            self._stepped()
            if not did:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), IDLE_S)
