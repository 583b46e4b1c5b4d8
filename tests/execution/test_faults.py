"""Every fault of every call, alone and in pairs: nothing is doubled, nothing is lost.

What cannot be resolved goes to an operator, with its accounts frozen, and never out again. The
real client has the same faults from a proxy in `tests/adapters/ccxt/test_fault_matrix.py`.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine

from allocator.adapters.paper import Behaviour, Fault
from allocator.execution.database import connect
from allocator.execution.transitions import State
from tests.execution.book import ROUTES, order, snapshot, transfer
from tests.execution.crashes import fresh, lost
from tests.execution.databases import template
from tests.execution.desk import Desk

SENT = ("lost_before", "lost_after", "late", "rejected")
FAULTS: list[tuple[str, str, int]] = [
    *((call, how, times) for call in ("order", "transfer") for how in SENT for times in (1, 3)),
    ("order", "partial", 1),
    ("transfer", "returned", 1),
    ("transfer", "stuck", 1),
    *((call, "error", times) for call in ("find", "read", "quote", "time", "cancel")
      for times in (1, 4)),
    ("find", "error", 10_000),
    ("read", "error", 10_000),
]  # fmt: skip
LOOKS = (("find", "error", 3), ("read", "error", 2))


@pytest.fixture(scope="module")
def memory() -> tuple[Any, Engine]:
    return template(), connect("sqlite://")


def wrong(memory: tuple[Any, Engine], rows: list[tuple[str, str, int]], seed: int) -> list[str]:
    """Carry a plan out under faults; list what was doubled or lost, or left without an end."""
    rng = random.Random(seed)
    faults = [
        Fault(call, how, nth=rng.randint(1, 3), times=times,  # type: ignore[arg-type]
              delay_s=Decimal(rng.choice(("1", "4", "9"))))
        for call, how, times in rows
    ]  # fmt: skip
    routes = [{**row, "latency_s": "0.5"} for row in ROUTES]
    behaviour = Behaviour(deduplicates=bool(seed % 2))
    desk = Desk.open(
        fresh(*memory), faults=faults, behaviour=behaviour, start=snapshot(routes=routes)
    )
    pair = {"reduce_only": True, "group": "g", "after": [1]}
    plan = desk.plan(
        transfer(1, "1000"),
        order(2, "a", "sell", "0.5", **pair),
        order(3, "b", "buy", "0.5", **pair),
    )
    asyncio.run(desk.executor().run(plan, desk.start, desk.mandate))
    desk.resume()
    history, exchange = desk.journal().history, desk.exchange
    attempts = {row.client_id: row for row in history.attempts(plan.plan_hash)}
    out = [f"doubled {name}" for name, count in exchange.effects.items() if count > 1]
    out += [f"sent twice {name}" for name, count in exchange.received.items() if count > 1]
    manual = {name: row for name, row in attempts.items() if row.state is State.MANUAL}
    out += [row for row in lost(desk, attempts) if row.split()[1].rstrip(":") not in manual]
    under_way = [row for row in attempts.values() if not row.final and row.client_id not in manual]
    out += [f"stuck {row.client_id} {row.state}" for row in under_way]
    unfrozen = {name for row in manual.values() for name in accounts(row)} - {*history.frozen()}
    out += [f"not frozen {name}" for name in unfrozen]
    return out + [str(fault) for fault in history.verify()]


def accounts(attempt: Any) -> tuple[str, ...]:
    from allocator.execution.attempts import touched

    return touched(attempt.intent)


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_fault_doubles_and_loses_nothing(
    memory: tuple[Any, Engine], fault: tuple[str, str, int]
) -> None:
    assert wrong(memory, [fault], 1) == []


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "pair", [*itertools.product(FAULTS, LOOKS), *itertools.combinations(FAULTS[:8], 2)], ids=str
)
def test_two_faults_double_and_lose_nothing(
    memory: tuple[Any, Engine], pair: Any, seed: int
) -> None:
    assert wrong(memory, list(pair), seed) == []
