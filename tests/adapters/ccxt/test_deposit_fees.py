"""What Bybit keeps of a deposit has not arrived."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from allocator.adapters.emulator.testing import Emulator, running_emulator
from allocator.adapters.emulator.world import demo_world
from allocator.adapters.registry import Opened
from allocator.models.config import Config
from allocator.models.intents import Ack, Finding, TransferIntent
from tests.adapters.times import now

Run = Callable[[Config, Callable[[Opened], Awaitable[Any]]], Any]


@pytest.fixture(params=["0", "0.3"])
def fee(request: pytest.FixtureRequest) -> Decimal:
    return Decimal(request.param)


@pytest.fixture
def emulator(fee: Decimal) -> Iterator[Emulator]:
    """An exchange that keeps a part of what arrives at Bybit over a network."""
    world = demo_world()
    chains = tuple(
        replace(row, deposit_fee=fee) if (row.venue, row.name) == ("bybit", "TRX") else row
        for row in world.chains
    )
    with running_emulator(world=replace(world, chains=chains)) as running:
        yield running


@pytest.fixture
def config(both_data: dict[str, Any]) -> Config:
    route = {"id": "out", "from": "binance-spot", "to": "bybit-fund", "asset": "USDT",
             "kind": "onchain", "latency_s": 600}  # fmt: skip
    end = {"network": "TRX", "address": "TBybitFundOne1111111111111111111111"}
    return Config.model_validate({**both_data, "routes": [route], "addresses": {"out": end}})


def test_a_withdrawal_has_arrived_once_all_of_it_is_credited(
    run: Run, config: Config, emulator: Emulator, fee: Decimal
) -> None:
    sent = TransferIntent(
        client_id="1" * 32, route="out", source="binance-spot", target="bybit-fund",
        asset="USDT", amount=Decimal(5000),
    )  # fmt: skip

    async def work(opened: Opened) -> tuple[Finding, Decimal]:
        source, target = opened.venues[sent.source], opened.venues[sent.target]
        before = (await target.read()).wallets["USDT"]
        assert isinstance(await source.submit(sent), Ack)
        emulator.admin("POST", "clock", advance_ms=1600)
        found = await source.find(sent, now() - timedelta(minutes=1))
        return found, (await target.read()).wallets["USDT"] - before

    found, credited = run(config, work)
    assert credited == sent.amount - fee
    if not fee:
        assert (found.state, found.filled) == ("settled", sent.amount)
    else:
        assert found.finding == "unsure"
        assert "was credited as 4999.7 USDT" in found.why
        assert "5000 USDT" in found.why
