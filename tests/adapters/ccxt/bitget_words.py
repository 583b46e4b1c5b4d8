"""Bitget by payload replay: the venue that answers, and what is asked of it in words."""

from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from allocator.adapters.emulator.testing import Emulator
from allocator.adapters.registry import Opened
from allocator.models.config import Config
from allocator.models.intents import OrderIntent, TransferIntent
from tests.adapters.ccxt import bitget_payloads as bitget
from tests.adapters.ccxt.replay import Replay, replaying

D = Decimal


Run = Callable[[Config, Callable[[Opened], Awaitable[Any]]], Any]


BTC, ETH = "bitget:BTC/USDT:USDT", "bitget:ETH/USDT:USDT"


KEY = "0123456789abcdef0123456789abcdef"


PLACE = f"POST {bitget.MIX}/order/place-order"


POSITIONS = f"GET {bitget.MIX}/position/all-position"


ACCOUNTS = f"GET {bitget.MIX}/account/accounts"


SETTING = f"GET {bitget.MIX}/account/account"


MOVED = "POST /api/v2/spot/wallet/transfer"


RECORDS = "GET /api/v2/spot/account/transferRecords"


@pytest.fixture(name="venue")
def the_venue() -> Replay:
    return Replay(bitget.HOST, bitget.table())


@pytest.fixture(name="emulator")
def the_emulator(venue: Replay) -> Iterator[Emulator]:
    with replaying(venue) as running:
        yield running


@pytest.fixture(name="config")
def the_config(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Config:
    login = {"venue": "bitget"}
    for field in ("key", "secret", "passphrase"):
        monkeypatch.setenv(f"BITGET_{field.upper()}", f"bitget-{field}")
        login[field] = f"env:BITGET_{field.upper()}"
    own = {"login": "main", "owner": "fund-one"}
    return Config.model_validate(
        {
            "mode": "loopback",
            "loopback_url": emulator.base_url,
            "logins": {"main": login},
            "accounts": [
                {**own, "id": "futures", "wallet": "usdm",
                 "instruments": ["BTC/USDT:USDT", "ETH/USDT:USDT"]},
                {**own, "id": "spot", "wallet": "spot"},
                {**own, "id": "coins", "wallet": "coinm"},
            ],
            "assets": {"USDT": {"price": 1, "haircut": 0}, "PEPE": {"price": "0.00001"}},
        }
    )  # fmt: skip


def order(**other: Any) -> OrderIntent:
    return OrderIntent.model_validate(
        {"client_id": KEY, "account": "futures", "instrument": BTC, "side": "sell",
         "quantity": "0.012", "limit_price": "25099.5", **other}
    )  # fmt: skip


def transfer() -> TransferIntent:
    return TransferIntent(
        client_id=KEY, route="r", source="futures", target="spot", asset="USDT", amount=D("0.1")
    )


def gathered(run: Run, config: Config) -> Any:
    return run(config, lambda opened: opened.market.gather())


def sent(run: Run, config: Config, intent: Any) -> Any:
    return run(config, lambda opened: opened.venues["futures"].submit(intent))


def found(run: Run, config: Config, intent: Any) -> Any:
    since = datetime.fromtimestamp(1_790_000_000, UTC)
    return run(config, lambda opened: opened.venues["futures"].find(intent, since))


FIXTURES = the_venue, the_emulator, the_config
"""To be named ``venue``, ``emulator`` and ``config`` in a module of tests."""
