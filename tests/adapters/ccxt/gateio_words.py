"""Gate by payload replay: the venue that answers, and what is asked of it in words."""

from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from allocator.adapters.emulator.testing import Emulator
from allocator.adapters.registry import Opened
from allocator.models.config import Config
from allocator.models.intents import OrderIntent, TransferIntent
from tests.adapters.ccxt import gateio_payloads as gate
from tests.adapters.ccxt.replay import Replay, replaying

D = Decimal


Run = Callable[[Config, Callable[[Opened], Awaitable[Any]]], Any]


BTC, ETH, ZTX = (f"gate:{coin}/USDT:USDT" for coin in ("BTC", "ETH", "ZTX"))


KEY = "0123456789abcdef0123456789abcdef"


ORDERS = f"POST {gate.FUTURES}/orders"


@pytest.fixture(name="venue")
def the_venue() -> Replay:
    return Replay(gate.HOST, gate.table())


@pytest.fixture(name="emulator")
def the_emulator(venue: Replay) -> Iterator[Emulator]:
    with replaying(venue) as running:
        yield running


@pytest.fixture(name="config")
def the_config(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setenv("GATE_KEY", "gate-key")
    monkeypatch.setenv("GATE_SECRET", "gate-secret")
    monkeypatch.setenv("GATE_SUB_KEY", "gate-sub-key")
    login = {"venue": "gate", "key": "env:GATE_KEY", "secret": "env:GATE_SECRET"}
    own = {"login": "main", "owner": "fund-one"}
    return Config.model_validate(
        {
            "mode": "loopback",
            "loopback_url": emulator.base_url,
            "logins": {
                "main": {**login, "member": "1666"},
                "sub": {**login, "key": "env:GATE_SUB_KEY", "member": "10002", "master": "main"},
            },
            "accounts": [
                {**own, "id": "futures", "wallet": "usdm",
                 "instruments": ["BTC/USDT:USDT", "ZTX/USDT:USDT"]},
                {**own, "id": "spot", "wallet": "spot"},
                {**own, "id": "sub-spot", "wallet": "spot", "login": "sub"},
            ],
            "assets": {"USDT": {"price": 1, "haircut": 0}, "PEPE": {"price": "0.00001"}},
        }
    )  # fmt: skip


def order(**other: Any) -> OrderIntent:
    return OrderIntent.model_validate(
        {"client_id": KEY, "account": "futures", "instrument": BTC, "side": "sell",
         "quantity": "12", "limit_price": "3780.1", **other}
    )  # fmt: skip


def transfer(source: str, target: str, amount: str = "0.1") -> TransferIntent:
    return TransferIntent(
        client_id=KEY, route="r", source=source, target=target, asset="USDT", amount=D(amount)
    )


def gathered(run: Run, config: Config) -> Any:
    return run(config, lambda opened: opened.market.gather())


def sent(run: Run, config: Config, intent: Any, account: str = "futures") -> Any:
    return run(config, lambda opened: opened.venues[account].submit(intent))


def found(run: Run, config: Config, intent: Any, account: str, venue_id: str | None = None) -> Any:
    since = datetime.fromtimestamp(1_790_000_000, UTC)
    return run(config, lambda opened: opened.venues[account].find(intent, since, venue_id))


FIXTURES = the_venue, the_emulator, the_config
"""To be named ``venue``, ``emulator`` and ``config`` in a module of tests."""
