"""What an adapter cannot send is not offered to whoever plans, and never leaves."""

from __future__ import annotations

from typing import Any

import pytest

from allocator.adapters.emulator.testing import Emulator
from allocator.models.config import Config
from allocator.models.intents import OrderIntent
from tests.adapters.ccxt.unable import Attempt, refused_and_named

SUBJECTS = {
    "bybit": ("bybit_data", "bybit-a", "bybit-b", "BTC/USDT:USDT", "0.003", "USDT"),
    "binance": ("binance_data", "sub1-usdm", "sub1-spot", "BTC/USDT:USDT", "0.003", "USDT"),
    "okx": ("okx_data", "okx-a", "okx-main", "BTC/USDT:USDT", "1", "USDT"),
    "deribit": ("deribit_data", "deribit-a", "deribit-b", "BTC/USD:BTC", "10", "BTC"),
}
UNABLE = {
    "bybit": {"withdrawals", "dead_man_s"},
    "binance": {"withdrawals", "sees_deposits", "transfer_key"},
    "okx": {"withdrawals", "sees_deposits", "moves"},
    "deribit": {"withdrawals", "batch_orders", "dead_man_s"},
}


@pytest.mark.parametrize("venue", list(SUBJECTS))
def test_what_a_member_cannot_do_is_off_named_and_never_leaves(
    request: pytest.FixtureRequest, emulator: Emulator, venue: str
) -> None:
    data, mine, other, symbol, quantity, asset = SUBJECTS[venue]
    order = OrderIntent.model_validate(
        {"client_id": "0123456789abcdef0123456789abcdef", "account": mine, "side": "buy",
         "instrument": f"{venue}:{symbol}", "quantity": quantity, "limit_price": "63000"}
    )  # fmt: skip

    def requests() -> int:
        rows: Any = emulator.admin("GET", "requests")
        return len(rows)

    config = Config.model_validate(request.getfixturevalue(data))
    told = refused_and_named(config, Attempt(order, other, asset), requests)
    assert told == UNABLE[venue]
