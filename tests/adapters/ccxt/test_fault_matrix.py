"""Every fault against every write: the outcome is typed right and nothing is sent twice."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from allocator.adapters.emulator.testing import Emulator
from allocator.adapters.registry import Opened
from allocator.models.config import Config
from allocator.models.intents import (
    AbsentNow,
    Ack,
    Finding,
    Found,
    Intent,
    OrderIntent,
    Outcome,
    Unsure,
)
from allocator.ports import Venue
from tests.adapters.ccxt.fault_matrix import ROUTES, WRITES, Write, cases, expected
from tests.adapters.times import ago

Run = Callable[[Config, Callable[[Opened], Awaitable[Any]]], Any]
OTHER = {"bybit": "binance"}
"""The venue where withdrawals of another arrive."""


@pytest.fixture
def config(request: pytest.FixtureRequest, venue: str) -> Config:
    """The venue's accounts, and those where its withdrawals arrive."""
    mine = request.getfixturevalue(f"{venue}_data")
    theirs = request.getfixturevalue(f"{OTHER.get(venue, 'bybit')}_data")
    source, target, network, address = ROUTES[f"out:{venue}"]
    (end,) = (row for row in theirs["accounts"] if row["id"] == target)
    name = f"out:{venue}"
    return Config.model_validate(
        {
            **mine,
            "logins": mine["logins"] | {end["login"]: theirs["logins"][end["login"]]},
            "accounts": [*mine["accounts"], end],
            "routes": [
                {"id": name, "from": source, "to": target, "asset": "USDT", "kind": "onchain",
                 "latency_s": 600}
            ],
            "addresses": {name: {"network": network, "address": address}},
        }
    )  # fmt: skip


def rules(write: Write, fault: str) -> list[dict[str, Any]]:
    """Strike the write once; `stale` loses its answer and leaves every read as it was."""
    strike = {"kind": fault, "path": write.path, "method": write.method}
    if fault == "stale":
        return [{**strike, "kind": "drop_after"}, {"kind": "stale", "times": 1000}]
    if fault == "skew":
        return [{**strike, "delay_s": 90}]
    return [{**strike, "delay_s": 0.02}]


def arrived(emulator: Emulator, write: Write) -> int:
    """Count how often the write reached the exchange, by the exchange's own log."""
    rows: Any = emulator.admin("GET", "requests")
    return sum(row["path"] == write.path and row["method"] == write.method for row in rows)


def carried_out(emulator: Emulator, write: Write) -> int:
    """Count how often the exchange carried the write out."""
    if write.counted:
        rows: Any = emulator.admin("GET", "effects")
        return sum(row["count"] for row in rows[write.counted])
    state: Any = emulator.admin("GET", "state")
    if write.how == "cancel":
        return sum(row["status"] == "cancelled" for row in state["order"])
    log: Any = emulator.admin("GET", "requests")
    return sum(
        row["path"] == write.path and row["status"] == 200 and row["code"] in {"", "0"}
        for row in log
    )  # fmt: skip


async def looked_up(venue: Venue, intent: Intent) -> Finding:
    """Look until the pause that a throttle asked for is over."""
    while True:
        finding = await venue.find(intent, ago())
        if not (isinstance(finding, Unsure) and "pause" in finding.why):
            return finding


def assert_told(finding: Finding, intent: Intent, outcome: Outcome, carried_out: int) -> None:
    """Two of a kind that nothing tells apart may be unsure, never one that is picked."""
    if isinstance(intent, OrderIntent) and isinstance(finding, Found):
        assert finding.filled == intent.quantity
        assert carried_out > 1 or getattr(outcome, "venue_id", finding.venue_id) == finding.venue_id
    if carried_out == 2 and isinstance(finding, Unsure):
        assert "look the same" in finding.why
    else:
        assert isinstance(finding, Found if carried_out else AbsentNow), finding


@pytest.mark.parametrize(("venue", "write", "fault"), cases())
def test_a_write_under_a_fault_is_typed_right_and_sent_once(
    run: Run, config: Config, emulator: Emulator, venue: str, write: str, fault: str
) -> None:
    row, wanted = WRITES[venue][write], expected(venue, write, fault)

    async def work(opened: Opened) -> None:
        port = opened.venues[row.account]
        await port.server_time()
        if row.how in {"cancel", "dead_man"}:
            assert isinstance(await port.submit(row.intent), Ack)
        else:
            assert isinstance(await port.find(row.intent, ago()), AbsentNow)
        emulator.fault(*rules(row, fault))
        outcomes = await row.send(port)
        assert [type(told).__name__ for told in outcomes] == [wanted.outcome] * len(row.intents)
        if fault == "stale":
            await port.find(row.intent, ago())
            emulator.fault()
        if row.counted:
            for intent, outcome in zip(row.intents, outcomes, strict=True):
                finding = await looked_up(port, intent)
                assert_told(finding, intent, outcome, wanted.carried_out)

    run(config, work)
    assert carried_out(emulator, row) == wanted.carried_out * len(row.intents)
    never_sent = (venue, write, fault) == ("deribit", "cancel", "stale")
    assert arrived(emulator, row) == (2 if fault == "duplicate" else 1 - never_sent)
