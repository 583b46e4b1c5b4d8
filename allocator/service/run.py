"""The service: every instance serves and ticks, one of them leads and acts.

::

    instance   timer -> slots            HTTP API, dashboard, metrics
    leader     slots -> cycles           monitor -> marks, triggers -> slots       outbox -> alerts

An instance that does not lead tries again every `retry_s`. One that has been followed by another
leader, or lost its database, stops acting at once and goes back to trying.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine

from allocator.execution.leader import FencedError, NotLeaderError
from allocator.execution.office import Office
from allocator.models.config import Config
from allocator.ports import Clock
from allocator.risk.triggers import Firing
from allocator.service.agreeing import Agreeing
from allocator.service.beats import Beats
from allocator.service.bootstrap import Desk, open_desk
from allocator.service.clock import Leaps, SystemClock, steady_s
from allocator.service.cycles import Cycles, Ports
from allocator.service.holding import Holding
from allocator.service.live import Live, new_holder
from allocator.service.mandates import Mandates
from allocator.service.metrics import Metrics
from allocator.service.monitor.base import Bases
from allocator.service.monitor.flows import Ledger
from allocator.service.monitor.history import MarkStore
from allocator.service.monitor.lines import Lines
from allocator.service.monitor.monitor import Monitor
from allocator.service.monitor.outcomes import Outcomes
from allocator.service.notify import Notifier, Send
from allocator.service.outage import Outage
from allocator.service.outbox import Outbox
from allocator.service.retention import Retention
from allocator.service.scheduler.slot import Slot, counted
from allocator.service.scheduler.slots import Slots
from allocator.service.scheduler.timer import Timer
from allocator.service.scheduler.worker import Worker
from allocator.service.snapshots import Snapshots
from allocator.service.telemetry import Redactor
from allocator.service.telling import Telling
from allocator.service.threads import to_its_end
from allocator.service.tidying import Tidying
from allocator.service.trying import Trying
from allocator.service.vigil import Vigil, longest_wait_s
from allocator.service.words import Words

if TYPE_CHECKING:
    from allocator.adapters.ccxt.budgets import Budgets

TIDY_S = 3600.0
TIDY_STEPS = 3
"""How much faster than time goes by tidying may catch up after a pause."""

log = logging.getLogger(__name__)


class Service:
    """One instance.

    Parameters
    ----------
    engine
        A database at this release's schema.
    send
        Sends alerts; None: they are only logged.
    budgets
        What may be asked of venues, where other books of this process ask too.

    Attributes
    ----------
    address
        Where it serves; empty: nowhere.
    steady
        Tells seconds of a clock that nobody sets.
    enter
        Makes a path that logs a browser in as somebody, once.
    """

    def __init__(  # noqa: PLR0913 - its ports
        self,
        config: Config,
        engine: Engine,
        *,
        clock: Clock | None = None,
        send: Send | None = None,
        redactor: Redactor | None = None,
        budgets: dict[str, Budgets] | None = None,
    ) -> None:
        self.config = config
        self.engine = engine
        self.clock = clock or SystemClock()
        # A clock that is given is believed: it has no other to be held against.
        self._leaps = Leaps(steady_s, self.clock.now()) if clock is None else None
        self.steady = time.monotonic if clock is None else lambda: clock.now().timestamp()
        self.trying = Trying(self.steady)
        self.outage = Outage(config.database, self.clock.now, config.service.retry_s)
        self._budgets = budgets
        self._redactor = redactor or Redactor()
        self.portfolio = config.installation
        self.live = Live(new_holder())
        self.metrics = Metrics((row.id for row in config.service.triggers), self.portfolio)
        self.slots = Slots(engine, self.portfolio)
        self.office = Office(engine, self.portfolio, self.clock)
        self.mandates = Mandates(engine, self.portfolio, config)
        self.snapshots = Snapshots(engine, self.portfolio, config.service.keep)
        self.beats = Beats(engine, self.portfolio)
        self.lines = Lines(engine, self.portfolio)
        self.words = Words(self.lines.memory, config.gather)
        self.store = MarkStore(Path(config.service.history.folder))
        self.address = ""
        self.enter: Callable[[str], str] = lambda _name: "/login"
        self.stopping = asyncio.Event()
        self._wake = asyncio.Event()
        self._tidying = Tidying(
            self.store.folder / "database.tidied", TIDY_STEPS * timedelta(seconds=TIDY_S)
        )
        self.retention = Retention(
            engine, self.office, self.portfolio, config.service.keep, config.approval
        )
        self.holding = Holding(self.mandates, config.service.triggers, self._tell)
        self.vigil = Vigil(
            self.live,
            longest_wait_s(config),
            self._tell,
            steady=self.steady,
        )
        self.outbox = Outbox(engine, self.office)
        self.telling = Telling(
            self,
            Notifier(self.outbox, config.service.alerts, send, self._redactor, self.portfolio),
        )

    def stop(self) -> None:
        """Ask to stop: the slot under way is parked or ended, then everything closes."""
        self.stopping.set()
        self._wake.set()

    def wake(self) -> None:
        """Tell the worker that something fell due; from any thread."""
        self._loop.call_soon_threadsafe(self._wake.set)

    async def run(self, beside: Sequence[Beside] = ()) -> None:
        """Run until asked to stop.

        Parameters
        ----------
        beside
            What runs with it, such as the HTTP server, as context managers' generators.
        """
        self._loop = asyncio.get_running_loop()
        self._take_mandate()
        timer = self.timer()
        async with AsyncExitStack() as stack:
            stack.callback(self.beats.leave, self.live.holder)
            stack.enter_context(timer.running())
            for part in beside:
                await stack.enter_async_context(asynccontextmanager(part)(self))
            notifying = asyncio.create_task(self.telling.run())
            stack.push_async_callback(_end, notifying)
            await self._lead_when_possible()

    def timer(self) -> Timer:
        """Make what writes down the slots of the schedules as they fall due."""
        return Timer(
            self.config.service.schedules,
            self.slots,
            self.clock,
            wake=self.wake,
            beat=self._beat,
            missed=self._missed,
            leaps=self._leaps,
            leapt=self._clock_set,
        )

    def _clock_set(self, by_s: float) -> None:
        self._tell("clock_set", {"by_s": f"{by_s:.0f}", "host": self.live.holder})

    def _take_mandate(self) -> None:
        self.holding.take_in(self.config.mandate, self.clock.now())

    def _beat(self, now: datetime) -> None:
        self.live.ticked_at = now
        leads = self.live.leads and not self.trying.unproven
        self.beats.beat(self.live.holder, leads=leads, at=now)

    def _stepped(self) -> None:
        """Leave a leader's sign at the first step: one that breaks off before is no leader."""
        first = self.trying.unproven
        self.trying.worked()
        if first:
            self._beat(self.clock.now())

    def believes_time(self) -> bool:
        """Tell whether the clock is believed, or was set of late.

        While it is not, the book is read and marked, and nothing is begun, dropped or said to be
        late, but for a repair where the venues' clocks agree with it.
        """
        return self._leaps is None or self._leaps.believes(self.clock.now())

    async def _lead_when_possible(self) -> None:
        while not self.stopping.is_set():
            self.trying.begins()
            try:
                async with open_desk(
                    self.config,
                    self.portfolio,
                    holder=self.live.holder,
                    watch=self.live.step,
                    budgets=self._budgets,
                    learn=self._redactor.learn,
                ) as desk:
                    await self._lead(desk)
            except NotLeaderError:
                self._reached()
                self.trying.follows()
                log.debug("another instance leads")
            except FencedError as error:
                log.warning("no longer the leader", extra={"why": str(error)})
                self.trying.failed(error)
            except Exception as error:
                # Whatever it is, an instance that has ended serves, watches and alerts no more,
                # and takes the other books of its process with it.
                away = self.outage.take(error)
                if not away:
                    log.exception("cannot lead now; trying again")
                elif self.outage.is_news(away):
                    log.exception("cannot lead now: %s", away)
                self.trying.failed(error, away)
            finally:
                self.live.follow()
            with suppress(TimeoutError):
                retry_s = float(self.config.service.retry_s)
                await asyncio.wait_for(self.stopping.wait(), retry_s)

    def _reached(self) -> None:
        """Note that the database answers."""
        if told := self.outage.over():
            log.warning(told)

    async def _lead(self, desk: Desk) -> None:
        self._reached()
        self.live.leads, self.live.epoch = True, desk.lease.epoch
        self.live.led_at = self.clock.now()
        self.trying.leads()
        log.info("leads", extra={"epoch": desk.lease.epoch})
        cycles = Cycles(self._ports(desk), self._monitor(desk), self.metrics.observe)
        worker = Worker(
            self.slots,
            desk.lease,
            self.clock,
            graces={row.id: row.grace_s for row in self.config.service.schedules},
            work=cycles.work,
            ended=self._ended,
            settle=cycles.settle,
            wake=self._wake,
            believed=self.believes_time,
            agreed=self._agreeing(desk).ask,
            stepped=self._stepped,
        )
        parking = asyncio.create_task(self._park(desk))
        looking = asyncio.create_task(self._look(cycles))
        working = asyncio.create_task(worker.run(self.stopping))
        tidying = asyncio.create_task(self._tidy())
        try:
            done, _ = await asyncio.wait({looking, working}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (parking, looking, working, tidying):
                await _end(task)

    def _ports(self, desk: Desk) -> Ports:
        return Ports(
            market=desk.market,
            executor=desk.executor,
            office=self.office,
            slots=self.slots,
            snapshots=self.snapshots,
            mandates=self.mandates,
            approval=self.config.approval,
            clock=self.clock,
            live=self.live,
            dry=not desk.venues,
            words=desk.words,
        )

    def _venues(self) -> dict[str, str]:
        """Name the venue of each account."""
        return {row.id: self.config.logins[row.login].venue for row in self.config.accounts}

    def _agreeing(self, desk: Desk) -> Agreeing:
        most_s = self.config.gather.max_clock_skew_s
        return Agreeing(desk.venues, self._venues(), self.clock, most_s)

    def _monitor(self, desk: Desk) -> Monitor:
        return Monitor(
            self.store,
            Ledger(self.engine),
            self.lines,
            desk.lease,
            self.config.service.triggers,
            bases=Bases(self.engine, self.portfolio, self.store.folder),
            venues=self._venues(),
            keep_days=self.config.service.history.keep_days,
            fired=self._fired,
            tell=self._tell,
            outcomes=Outcomes(
                self.slots, self.office.history, self.config.approval, dry=not desk.venues
            ),
            believed=self.believes_time,
        )

    def _tell(self, topic: str, facts: Mapping[str, Any]) -> None:
        with self.office.write() as entry:
            entry.alert(topic, **facts)

    def _fired(self, firings: Sequence[Firing]) -> None:
        for firing in firings:
            self.metrics.fired(firing.rule.id)
        self.wake()

    def _ended(self, name: str, _cause: str, status: str, note: str) -> None:
        self.metrics.slot(status)
        log.info("slot ended", extra={"slot": name, "status": status, "note": note})

    def _missed(self, rows: Sequence[Slot]) -> None:
        """Count slots that fell due while nothing ran them, once they are told."""
        self.metrics.slot("missed", counted(row.note for row in rows))

    async def _park(self, desk: Desk) -> None:
        await self.stopping.wait()
        desk.executor.stop()

    async def _look(self, cycles: Cycles) -> None:
        """Mark the book every so many seconds; ends when asked to stop, or when fenced."""
        poll_s = float(self.config.service.poll_s)
        while not self.stopping.is_set():
            if poll_s:
                try:
                    await cycles.look()
                    self.holding.look(self.live.unreadable)
                    self.vigil.looked()
                except FencedError:
                    raise
                except Exception as error:
                    # A look that fails must not end the watch over the margins.
                    log.exception("the book could not be marked")
                    self.vigil.looked(error)
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), poll_s or None)
        await asyncio.Event().wait()

    async def _tidy(self) -> None:
        """Drop what the database keeps no longer, as the leader, now and then.

        Not at once: a machine may start with a wrong clock.
        """
        while True:
            await asyncio.sleep(TIDY_S)
            try:
                await to_its_end(self._drop_old)
            except Exception:
                log.exception("the database could not be tidied")

    def _drop_old(self) -> None:
        """Drop what is too old, not far beyond the last time, and only by a clock believed."""
        if not self.believes_time():
            return
        now = self.clock.now()
        until = self._tidying.until(now)
        dropped = None if until is None else self.retention.tidy(until)
        self._tidying.keep(until or self.retention.first(now))
        if dropped:
            log.info("database tidied", extra={"dropped": str(dropped)})


async def _end(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait until it has ended."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


Beside = Callable[[Service], AsyncGenerator[None]]
"""Something that runs with a service, as the generator of a context manager."""
