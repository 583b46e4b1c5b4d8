"""Figures arrive digit for digit through the real client, at every venue."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from allocator.adapters.emulator.crowd import KINDS, crowd, secrets
from allocator.adapters.emulator.testing import running_emulator
from allocator.adapters.registry import Opened
from allocator.models.config import Config
from bench.gather import configuration

Run = Callable[[Config, Callable[[Opened], Awaitable[Any]]], Any]
AMOUNTS = ["0.1", "0.3", "123456789012.34567891", "0.00000001"]


@pytest.mark.parametrize("venue", list(KINDS))
@pytest.mark.parametrize("amount", AMOUNTS)
def test_a_balance_arrives_digit_for_digit(
    run: Run, monkeypatch: pytest.MonkeyPatch, venue: str, amount: str
) -> None:
    world = crowd(1)
    user = next(row.user for row in world.keys if row.key == secrets(venue, 0)["key"])
    balances = tuple(
        replace(row, amount=Decimal(amount)) if row.user == user else row for row in world.balances
    )
    positions = tuple(row for row in world.positions if row.user != user)
    for word, value in secrets(venue, 0).items():
        monkeypatch.setenv(f"CROWD_{venue}_0_{word}".upper(), value)
    started = replace(world, balances=balances, positions=positions)
    with running_emulator(world=started) as emulator:
        data = configuration(1, emulator.base_url, 20)
        mine = f"{venue}-000"
        data["logins"] = {mine: data["logins"][mine]}
        data["accounts"] = [row for row in data["accounts"] if row["id"] == mine]

        async def work(opened: Opened) -> None:
            book = await opened.market.gather()
            assert book.missing == ()
            wallet = book.snapshot.account[mine].balances[KINDS[venue].coin].wallet
            assert wallet == Decimal(amount)
            reading = await opened.venues[mine].read()
            assert reading.wallets[KINDS[venue].coin] == Decimal(amount)

        run(Config.model_validate(data), work)
