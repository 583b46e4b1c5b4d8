"""A position move that Bybit takes and then rejects, carried out on the loopback exchange."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from allocator.adapters.emulator.testing import Emulator
from allocator.adapters.registry import Opened
from allocator.execution.executor import Executor
from allocator.execution.history import History
from allocator.execution.journal import Journal
from allocator.execution.leader import next_epoch
from allocator.execution.report import ExecutionReport
from allocator.execution.transitions import State
from allocator.models.config import Config
from tests.adapters.times import HastyClock
from tests.execution.book import MANDATE, plan
from tests.execution.databases import lite_at
from tests.execution.desk import CONFIG, let_through
from tests.execution.limits import NOBODY, wide

Run = Callable[[Config, Callable[[Opened], Awaitable[Any]]], Any]
ETHER = "bybit:ETH/USDT:USDT"


def test_a_move_that_the_receiver_has_no_margin_for_fails_and_freezes_nothing(
    run: Run, bybit: Config, emulator: Emulator, tmp_path: Path
) -> None:
    engine = lite_at(tmp_path / "journal.db")
    clock = HastyClock()
    move = {"seq": 1, "kind": "move", "from": "bybit-b", "to": "bybit-a", "instrument": ETHER,
            "quantity": "40"}  # fmt: skip

    async def work(opened: Opened) -> tuple[ExecutionReport, list[Decimal]]:
        start = (await opened.market.gather()).snapshot
        journal = Journal(engine, next_epoch(engine, "desk", "t", clock.now()), clock)
        executor = Executor(
            journal, opened.venues, clock, release=let_through, config=CONFIG, controls=wide(),
            approval=NOBODY,
        )  # fmt: skip
        report = await executor.run(plan(move, at=start), start, MANDATE)
        held = [
            (await opened.venues[name].read()).position(ETHER) for name in ("bybit-b", "bybit-a")
        ]
        return report, held

    report, held = run(bybit, work)
    (action,) = report.actions
    assert action.stage == "failed"
    assert action.reason == "110007: ab not enough for new order: rejected by Maker"
    assert (report.frozen, report.breaks) == ({}, ())
    assert held == [40, 0]
    history = History(engine)
    (attempt,) = history.attempts(report.plan_hash)
    assert (attempt.state, attempt.filled) == (State.REJECTED, 0)
    assert attempt.venue_id is not None
    assert history.with_state(State.MANUAL) == ()
    assert history.verify() == ()
    effects: Any = emulator.admin("GET", "effects")
    assert [row["count"] for row in effects["moves"]] == [1]
    engine.dispose()
