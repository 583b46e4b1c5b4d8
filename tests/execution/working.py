"""Plans worked in a style, and the orders that went for them."""

from __future__ import annotations

import asyncio
from typing import Any

from allocator.execution.attempts import Attempt
from allocator.execution.report import ExecutionReport
from allocator.models.intents import OrderIntent
from tests.execution.book import order
from tests.execution.desk import CONFIG, Desk

RESTING = CONFIG.model_copy(update={"style": "post_only", "post_only_tries": 2})
SINGLE = order(1, "a", "sell", "0.4", reduce_only=True)


def run(desk: Desk, *actions: dict[str, Any], config: Any = RESTING) -> ExecutionReport:
    executor = desk.executor()
    object.__setattr__(executor._shell, "config", config)
    return asyncio.run(executor.run(desk.plan(*actions), desk.start, desk.mandate))


def attempts(desk: Desk) -> list[tuple[OrderIntent, Attempt]]:
    history = desk.journal().history
    [hash_] = [row.plan_hash for row in history.cycles()]
    assert hash_ is not None
    rows = history.attempts(hash_)
    return [(row.intent, row) for row in rows if isinstance(row.intent, OrderIntent)]
