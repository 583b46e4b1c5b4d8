"""Leaders that were paused and leaders that start twice: one acts, the other cannot."""

from __future__ import annotations

import asyncio
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine

from allocator.execution.database import connect
from allocator.execution.leader import FencedError, next_epoch
from allocator.models.intents import Intent, OrderIntent, Outcome
from tests.execution.book import START, order, transfer
from tests.execution.crashes import Story, faults_found, fresh
from tests.execution.databases import template
from tests.execution.desk import Desk
from tests.execution.test_kills import ask_to_lead

PLAN = [
    transfer(1, "1000"),
    order(2, "a", "sell", "0.5", reduce_only=True, group="g"),
    order(3, "b", "buy", "0.5", reduce_only=True, group="g"),
]


def taken_over(engine: Engine, seed: int) -> list[str]:
    """Pause a leader in the middle of a request; another one leads before it goes on.

    The paused leader's request may still be on its way, with the stamp of its intent.
    """
    desk = Story(seed, quiet=True).desk(engine)
    paused_at, late = 1 + seed % 5, seed % 2 == 1
    first, count = desk.executor(), 0
    for name, venue in desk.venues.items():
        submit = venue.submit

        async def paused(intent: Intent, submit: object = submit, name: str = name) -> Outcome:
            nonlocal count
            count += 1
            if count == paused_at:
                other = Desk(engine, desk.clock, desk.exchange, desk.venues, desk.start)
                desk.clock.at = desk.clock.at.replace(microsecond=0)
                if late:
                    await desk.clock.sleep(6)
                # Nothing else runs meanwhile, so that however long it takes no answer is late.
                with ThreadPoolExecutor(1) as pool:
                    pool.submit(asyncio.run, other.executor().resume()).result()
            return await submit(intent)  # type: ignore[operator]

        venue.submit = paused  # type: ignore[method-assign]
    plan = desk.plan(*PLAN)
    try:
        asyncio.run(first.run(plan, desk.start, desk.mandate))
    except FencedError:
        pass
    else:
        return ["the paused leader was not fenced"]
    asyncio.run(desk.clock.sleep(20))
    desk.resume()
    return faults_found(desk, plan)


@pytest.fixture(scope="module")
def memory() -> tuple[object, Engine]:
    return template(), connect("sqlite://")


@pytest.mark.parametrize("seed", range(5))
def test_a_paused_leader_has_no_effect_of_its_stale_epoch(
    memory: tuple[object, Engine], seed: int
) -> None:
    assert taken_over(fresh(*memory), seed) == []  # type: ignore[arg-type]


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(200))
def test_paused_leaders(memory: tuple[object, Engine], seed: int) -> None:
    assert taken_over(fresh(*memory), seed) == []  # type: ignore[arg-type]


def started_together(engine: Engine, tries: int) -> None:
    """Start several processes at once; as long as one leads, no other does."""
    url = engine.url.render_as_string(hide_password=False)
    engine.dispose()
    for _ in range(tries):
        gate_read, gate_write = os.pipe()
        children = list[int]()
        for _ in range(2):
            child = os.fork()
            if child == 0:
                os.read(gate_read, 1)
                hold_and_ask(url)
            children.append(child)
        os.write(gate_write, b"xx")
        codes = sorted(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)
        os.close(gate_read)
        os.close(gate_write)
        assert codes == [0, 0], codes


def hold_and_ask(url: str) -> None:
    """Lead if nobody does, and see that no child of ours can lead meanwhile."""
    from allocator.execution.leader import NotLeaderError, lead

    code = 1
    try:
        with lead(connect(url), "kill-test", "child", START):
            child = os.fork()
            if child == 0:
                ask_to_lead(url)
            code = 0 if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3 else 1
    except NotLeaderError:
        code = 0
    finally:
        os._exit(code)


def test_of_processes_that_start_together_one_leads(engine: Engine) -> None:
    started_together(engine, 5)


@pytest.mark.soak
def test_processes_that_start_together(engine: Engine) -> None:
    started_together(engine, 250)


def test_a_process_that_was_stopped_and_goes_on_is_fenced(lite: Engine, tmp_path: Path) -> None:
    """A real SIGSTOP: what it wakes up to write is refused, and what it wakes up to send is not."""
    url = lite.url.render_as_string(hide_password=False)
    lite.dispose()
    told_read, told_write = os.pipe()
    child = os.fork()
    if child == 0:
        stopped_in_the_middle(url, told_write)
    assert os.read(told_read, 1) == b"r"
    os.kill(child, signal.SIGSTOP)
    engine = connect(url)
    next_epoch(engine, "desk", "second", START)
    engine.dispose()
    os.kill(child, signal.SIGCONT)
    os.kill(child, signal.SIGUSR1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def stopped_in_the_middle(url: str, told: int) -> None:
    code = 1
    try:
        signal.signal(signal.SIGUSR1, lambda *_: None)
        desk = Desk.open(connect(url))
        journal = desk.journal()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
        os.write(told, b"r")
        signal.sigwait({signal.SIGUSR1})
        journal.note("x", "woken up")
    except FencedError:
        code = 7
    finally:
        os._exit(code)


def test_the_stamp_of_a_paused_leaders_request_is_refused_by_the_venue(lite: Engine) -> None:
    desk = Desk.open(lite)
    intent = OrderIntent.model_validate(
        {"client_id": "1" * 32, "account": "a", "instrument": "alpha:BTC/USDT:USDT",
         "side": "buy", "quantity": "0.1", "limit_price": "50250", "stamped_at": desk.clock.now()}
    )  # fmt: skip
    asyncio.run(desk.clock.sleep(6))
    outcome = asyncio.run(desk.venues["a"].submit(intent))
    assert outcome.outcome == "rejected"
    assert not desk.exchange.effects
