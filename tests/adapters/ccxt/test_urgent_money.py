"""What money that moves waits for is urgent: its look-ups, and what is read before it leaves."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from allocator.adapters.ccxt.budgets import Budget
from allocator.adapters.registry import Opened
from allocator.models.config import Config
from allocator.models.intents import Ack, Found, TransferIntent
from tests.adapters.ccxt import (
    bitget_payloads,
    gateio_payloads,
    kraken_payloads,
    kucoin_payloads,
)
from tests.adapters.ccxt.conftest import run_with
from tests.adapters.ccxt.recorded import Recorded, playing
from tests.adapters.ccxt.test_withdrawals import ROUTES, both, withdrawal
from tests.adapters.times import ago, now

__all__ = ["both"]

Run = Callable[[Config, Callable[[Opened], Awaitable[Any]]], Any]


@pytest.fixture
def urgent(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Write down of every budget that is drawn upon whether it is for what is urgent."""
    found, take = list[bool](), Budget.take

    async def heard(budget: Budget, cost: float, *, urgent: bool = False) -> None:
        found.append(urgent)
        await take(budget, cost, urgent=urgent)

    monkeypatch.setattr(Budget, "take", heard)
    return found


def transfer() -> TransferIntent:
    return withdrawal("out").model_copy(
        update={"route": "r", "source": "binance-spot", "target": "binance-usdm", "amount": 7}
    )


@pytest.mark.parametrize(
    "recorded",
    [bitget_payloads.RECORDED, gateio_payloads.RECORDED, kucoin_payloads.RECORDED,
     kraken_payloads.RECORDED],
    ids=lambda row: row.venue,
)  # fmt: skip
def test_look_ups_and_cancels_of_orders_wait_for_no_reads_though_they_name_none(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch, urgent: list[bool]
) -> None:
    intent = recorded.intent()

    async def work(opened: Opened) -> None:
        venue = opened.venues[intent.account]
        await venue.server_time()
        urgent.clear()
        await venue.find(intent, ago(60))
        await venue.cancel(intent)
        assert urgent
        assert all(urgent)
        await venue.read()
        assert not all(urgent)

    with playing(recorded, monkeypatch) as (_, _, config):
        run_with(config, work)


@pytest.mark.parametrize(
    "intent", [*map(withdrawal, ROUTES), transfer()], ids=lambda row: row.route
)
def test_money_that_moves_waits_for_no_reads(
    run: Run, both: Config, urgent: list[bool], intent: TransferIntent
) -> None:
    async def work(opened: Opened) -> None:
        source, target = opened.venues[intent.source], opened.venues[intent.target]
        for venue in (source, target):
            await venue.server_time()
        urgent.clear()
        since = now()
        outcome = await source.submit(intent)
        assert isinstance(outcome, Ack)
        assert isinstance(await source.find(intent, since, outcome.venue_id), Found)
        assert len(urgent) > 2
        assert all(urgent)
        await source.read()
        assert not all(urgent)

    run(both, work)
