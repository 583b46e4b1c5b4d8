"""Two legs of one account, by the real clock and the real client: one request carries both."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine

from allocator.adapters.emulator.testing import Emulator
from allocator.adapters.registry import open_venues
from allocator.execution.executor import Executor
from allocator.execution.journal import Journal
from allocator.execution.leader import next_epoch
from allocator.execution.report import ExecutionReport
from allocator.models.config import Config
from allocator.models.mandate import Mandate
from allocator.models.snapshot import Snapshot
from allocator.service.clock import SystemClock
from tests.adapters.ccxt.conftest import okx_config, patient
from tests.execution.book import plan
from tests.execution.desk import let_through
from tests.execution.limits import NOBODY, wide

WHOLE = Mandate.model_validate({"policy": {"max_slice": "1000000"}})


def leg(seq: int, instrument: str, side: str, snapshot: Snapshot) -> dict[str, Any]:
    market = next(row for row in snapshot.instruments if row.id == instrument)
    worst = market.mark * (Decimal("1.01") if side == "buy" else Decimal("0.99"))
    return {
        "seq": seq,
        "kind": "order",
        "account": "okx-main",
        "instrument": instrument,
        "side": side,
        "quantity": market.lot * 10,
        "limit_price": (worst / market.tick).to_integral_value() * market.tick,
        "group": "g",
    }


async def carried_out(config: Config, engine: Engine) -> ExecutionReport:
    clock = SystemClock()
    opened = open_venues(config, clock)
    try:
        snapshot = (await opened.market.gather()).snapshot
        names = sorted(row.id for row in snapshot.instruments if row.kind == "perpetual")[:2]
        legs = [leg(at, name, "buy", snapshot) for at, name in enumerate(names, 1)]
        lease = next_epoch(engine, "desk", "t", clock.now())
        executor = Executor(
            Journal(engine, lease, clock),
            opened.venues,
            clock,
            release=let_through,
            controls=wide(),
            approval=NOBODY,
        )
        return await executor.run(plan(*legs, at=snapshot, mandate=WHOLE), snapshot, WHOLE)
    finally:
        await opened.close()


def test_two_legs_of_one_account_go_in_one_request(
    lite: Engine, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = patient(Config.model_validate(okx_config(emulator.base_url, monkeypatch)))
    report = asyncio.run(carried_out(config, lite))
    assert report.status == "done", report
    log: Any = emulator.admin("GET", "requests")
    sent = [row["path"] for row in log if row["method"] == "POST" and "order" in row["path"]]
    assert sent == ["/api/v5/trade/batch-orders"]
