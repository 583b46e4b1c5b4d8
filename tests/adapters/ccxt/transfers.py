"""What tests of transfers by payload replay share: two logins with the same wallets each."""

from collections.abc import Mapping
from typing import Any

import pytest

from allocator.adapters.emulator.testing import Emulator
from allocator.models.config import Config
from allocator.models.intents import TransferIntent
from tests.adapters.ccxt.conftest import run_with
from tests.adapters.ccxt.replay import Replay
from tests.adapters.times import ago

Played = tuple[Replay, Emulator, Config]


def with_sub(config: Config, logins: Mapping[str, Mapping[str, Any]]) -> Config:
    """Give each account of ``main`` its like of ``sub``; the coin-margined wallet has none."""
    told = config.model_dump(mode="json", exclude_unset=True)
    told["logins"] = logins
    told["accounts"] = [
        {**row, "id": f"{prefix}{row['id']}", "login": login}
        for prefix, login in (("", "main"), ("sub-", "sub"))
        for row in told["accounts"] if row["wallet"] != "coinm"
    ]  # fmt: skip
    return Config.model_validate(told)


@pytest.fixture
def venue(played: Played) -> Replay:
    return played[0]


@pytest.fixture
def config(played: Played) -> Config:
    return played[2]


def sent(config: Config, one: TransferIntent) -> Any:
    return run_with(config, lambda opened: opened.venues[one.source].submit(one))


def found(config: Config, one: TransferIntent, venue_id: str | None = None) -> Any:
    return run_with(config, lambda opened: opened.venues[one.source].find(one, ago(60), venue_id))
