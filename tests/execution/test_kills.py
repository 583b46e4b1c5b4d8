"""Real processes, really killed, on both databases."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy import Engine

from allocator.execution.database import connect
from allocator.execution.history import History
from allocator.execution.leader import Lease, NotLeaderError, lead
from allocator.models.plan import Plan
from tests.execution.book import ROUTES, START, JumpingClock, order, snapshot, transfer
from tests.execution.crashes import Fuse, executor_of, faults_found
from tests.execution.desk import Desk
from tests.execution.lasting import open_lasting

pytestmark = pytest.mark.usefixtures("in_earnest")

KILLS = int(os.environ.get("ALLOCATOR_KILLS", "150"))
"""Kills on each database; the soak has 300 on both together."""

POINTS = 90
"""Points that a whole run of the plan passes, about."""


class Killing(Fuse):
    """Kills the process, as the operating system would."""

    def point(self) -> None:
        self.passed += 1
        if self.passed == self.at:
            os.kill(os.getpid(), signal.SIGKILL)


def open_desk(engine: Engine, log: Path) -> tuple[Desk, Plan]:
    start = snapshot(routes=[{**row, "latency_s": "0.5"} for row in ROUTES])
    clock = JumpingClock()
    exchange, venues = open_lasting(start, clock, log, History(engine).last_event_at())
    desk = Desk(engine, clock, exchange, venues, start)
    rows = [
        transfer(1, "1000"),
        order(2, "a", "sell", "0.8", reduce_only=True, group="g", after=[1]),
        order(3, "b", "buy", "0.8", reduce_only=True, group="g", after=[1]),
    ]
    return desk, desk.plan(*rows)


@contextmanager
def lead_soon(engine: Engine) -> Iterator[Lease]:
    """Lead as soon as the database has noticed that the one before is dead."""
    with ExitStack() as stack:
        lease: Lease | None = None
        for left in reversed(range(500)):
            try:
                lease = stack.enter_context(lead(engine, "kill-test", "child", START))
                break
            except NotLeaderError:
                assert left, "the dead leader still leads"
        assert lease is not None
        yield lease


def live(url: str, log: Path, at: int) -> int:
    """Be a process: lead, recover, and carry the plan out if that was not begun."""
    engine = connect(url)
    desk, plan = open_desk(engine, log)
    fuse = Killing(at)
    with lead_soon(engine):
        executor = executor_of(desk, fuse)
        asyncio.run(executor.resume())
        if desk.journal().history.plan(plan.plan_hash) is None:
            executor = executor_of(desk, fuse)
            asyncio.run(executor.run(plan, desk.start, desk.mandate, slot=str(at)))
    engine.dispose()
    return fuse.passed


def in_a_process(url: str, log: Path, at: int) -> int:
    """Run it in a child; tell the signal that ended it, or zero."""
    child = os.fork()
    if child == 0:
        code = 1
        with suppress(BaseException):
            live(url, log, at)
            code = 0
        os._exit(code)
    status = os.waitpid(child, 0)[1]
    assert os.waitstatus_to_exitcode(status) in (0, -signal.SIGKILL)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def check(url: str, log: Path, at: int) -> bool:
    """Kill a process at a point, let others finish; tell whether the point was reached."""
    killed = in_a_process(url, log, at) == signal.SIGKILL
    in_a_process(url, log, max(1, at // 2) if at % 3 == 0 else 0)
    assert in_a_process(url, log, 0) == 0
    engine = connect(url)
    desk, plan = open_desk(engine, log)
    assert faults_found(desk, plan) == []
    engine.dispose()
    return killed


@pytest.mark.parametrize("at", [6, 13, 19, 24, 31, 38, 44, 52, 59, 66])
def test_killed_process_loses_and_doubles_nothing(engine: Engine, tmp_path: Path, at: int) -> None:
    url = engine.url.render_as_string(hide_password=False)
    engine.dispose()
    assert check(url, tmp_path / "exchange.log", at)


@pytest.mark.soak
@pytest.mark.parametrize("number", range(KILLS))
def test_killed_processes_lose_and_double_nothing(
    engine: Engine, tmp_path: Path, number: int
) -> None:
    """Kills spread evenly over the points that a whole run passes."""
    url = engine.url.render_as_string(hide_password=False)
    engine.dispose()
    check(url, tmp_path / "exchange.log", 1 + number * POINTS // KILLS)


def test_killed_leader_lets_go_of_the_lead(engine: Engine, tmp_path: Path) -> None:
    url = engine.url.render_as_string(hide_password=False)
    engine.dispose()
    assert in_a_process(url, tmp_path / "exchange.log", 9) == signal.SIGKILL
    with lead_soon(engine) as lease:
        assert lease.epoch == 2


def test_process_beside_the_leader_is_refused(engine: Engine) -> None:
    url = engine.url.render_as_string(hide_password=False)
    engine.dispose()
    child = os.fork()
    if child == 0:
        ask_to_lead(url)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    with lead(engine, "kill-test", "parent", START):
        child = os.fork()
        if child == 0:
            ask_to_lead(url)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3


def ask_to_lead(url: str) -> None:
    """End this process with 0 if it could lead, with 3 if another one does."""
    code = 1
    try:
        with lead(connect(url), "kill-test", "child", START):
            code = 0
    except NotLeaderError:
        code = 3
    finally:
        os._exit(code)
