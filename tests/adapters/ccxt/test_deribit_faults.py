"""Look-ups at Deribit that fail: never an absence, and no order without the one before it."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from allocator.adapters.emulator.testing import Emulator
from allocator.adapters.registry import Opened
from allocator.models.config import Config
from allocator.models.intents import AbsentNow, Rejected, Unsure
from tests.adapters.ccxt.deribit_words import (
    PRIVATE,
    WRITES,
    arrived,
    order,
)
from tests.adapters.times import ago

Run = Callable[[Config, Callable[[Opened], Awaitable[Any]]], Any]


@pytest.mark.parametrize("kind", ["drop_after", "truncate", "html", "http_500_after"])
@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("order", "private/get_order_state_by_label"),
        ("order", "private/get_order_history_by_instrument"),
        ("order", "public/get_time"),
        ("transfer", "private/get_transfers"),
        ("withdrawal", "private/get_withdrawals"),
        ("move", "private/get_transaction_log"),
    ],
)
def test_a_lookup_that_fails_is_never_an_absence(
    run: Run, deribit_out: Config, emulator: Emulator, kind: str, name: str, path: str
) -> None:
    """Twice, because aiohttp itself repeats a GET whose connection broke."""
    intent = WRITES[name].intent

    async def work(opened: Opened) -> None:
        venue = opened.venues["deribit-main"]
        await venue.server_time()
        emulator.fault({"kind": kind, "path": f"/api/v2/{path}", "times": 2})
        assert isinstance(await venue.find(intent, ago()), Unsure)
        emulator.fault()
        assert isinstance(await venue.find(intent, ago()), AbsentNow)

    run(deribit_out, work)


@pytest.mark.parametrize("kind", ["drop_after", "html", "http_500_after"])
def test_an_order_whose_label_cannot_be_looked_up_first_is_not_sent(
    run: Run, deribit_out: Config, emulator: Emulator, kind: str
) -> None:
    async def work(opened: Opened) -> None:
        venue = opened.venues["deribit-main"]
        await venue.server_time()
        path = f"{PRIVATE}get_order_state_by_label"
        emulator.fault({"kind": kind, "path": path, "times": 2})
        outcome = await venue.submit(order())
        assert isinstance(outcome, Rejected)
        assert outcome.code == "NOT_SENT"

    run(deribit_out, work)
    assert arrived(emulator, f"{PRIVATE}buy") == 0
