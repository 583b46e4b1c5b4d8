"""What an adapter cannot send is not offered to whoever plans."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from allocator.adapters.emulator.testing import running_emulator
from allocator.adapters.registry import open_venues
from allocator.models.config import Config
from allocator.models.snapshot import Snapshot
from tests.adapters.ccxt.conftest import RealClock, okx_config

MOVE = {"from": "okx-main", "to": "okx-a", "instrument": "okx:BTC/USDT:USDT"}
ROUTE = {
    "id": "out",
    "from": "okx-a",
    "to": "okx-main",
    "asset": "USDT",
    "kind": "onchain",
    "latency_s": 600,
}


def gathered(more: dict[str, Any], patch: pytest.MonkeyPatch) -> tuple[Snapshot, dict[str, str]]:
    """Gather from a loopback exchange with more in the configuration."""
    with running_emulator() as emulator:
        config = Config.model_validate(okx_config(emulator.base_url, patch) | more)

        async def read() -> tuple[Snapshot, dict[str, str]]:
            opened = open_venues(config, RealClock())
            try:
                found = await opened.market.gather()
            finally:
                await opened.close()
            return found.snapshot, {row.account: row.what for row in found.missing}

        return asyncio.run(read())


def test_a_withdrawal_that_no_adapter_sends_is_off_and_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    addresses = {"out": {"network": "USDT-TRC20", "address": "registered"}}
    snapshot, missing = gathered({"routes": [ROUTE], "addresses": addresses}, monkeypatch)
    assert [row.enabled for row in snapshot.routes if row.id == "out"] == [False]
    assert missing == {"okx-a": "route out: nothing is withdrawn from here"}


def test_a_position_move_that_no_adapter_sends_is_left_out_and_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    snapshot, missing = gathered({"moves": [MOVE]}, monkeypatch)
    assert snapshot.moves == ()
    told = "move of okx:BTC/USDT:USDT to okx-a: no position is moved from here"
    assert missing == {"okx-main": told}
