"""Orders and transfers at OKX in words, and what the loopback exchange counts of them."""

from collections.abc import Awaitable, Callable
from typing import Any

from allocator.adapters.emulator.testing import Emulator
from allocator.adapters.registry import Opened
from allocator.models.config import Config
from allocator.models.intents import (
    OrderIntent,
    TransferIntent,
    Unsure,
)
from tests.adapters.times import ago

Run = Callable[[Config, Callable[[Opened], Awaitable[Any]]], Any]


Ask = Callable[..., Any]


ID = "0123456789abcdef0123456789abcdef"


LINEAR, INVERSE, SPOT = "okx:BTC/USDT:USDT", "okx:BTC/USD:BTC", "okx:BTC/USDT"


ORDER, BATCH = "trade/order", "trade/batch-orders"


EVERY_FAULT = [
    ("drop_before", False), ("drop_after", True), ("http_500_after", True), ("truncate", True),
    ("html", True), ("429", False),
]  # fmt: skip


def order(**changes: Any) -> OrderIntent:
    data = {
        "client_id": ID,
        "account": "okx-main",
        "instrument": LINEAR,
        "side": "buy",
        "quantity": "0.35",
        "limit_price": "64100",
    }
    return OrderIntent.model_validate({**data, **changes})


def resting(**changes: Any) -> OrderIntent:
    return order(limit_price="62000", style="post_only", **changes)


def transfer(**changes: Any) -> TransferIntent:
    data = {
        "client_id": ID,
        "route": "internal:okx-main>okx-a:USDT",
        "source": "okx-main",
        "target": "okx-a",
        "asset": "USDT",
        "amount": "1000.1",
    }
    return TransferIntent.model_validate({**data, **changes})


def effects(emulator: Emulator, kind: str) -> list[int]:
    rows: Any = emulator.admin("GET", "effects")
    return [row["count"] for row in rows[kind]]


def sent(emulator: Emulator, path: str) -> int:
    rows: Any = emulator.admin("GET", "requests")
    return sum(row["path"] == f"/api/v5/{path}" and row["method"] == "POST" for row in rows)


def fault(emulator: Emulator, kind: str, path: str, method: str = "POST", times: int = 1) -> None:
    emulator.fault({"kind": kind, "path": f"/api/v5/{path}", "method": method, "times": times})


async def found_at_last(venue: Any, intent: Any) -> Any:
    """Look until the pause that a throttle asked for is over."""
    finding = await venue.find(intent, ago())
    while isinstance(finding, Unsure) and "pause" in finding.why:
        finding = await venue.find(intent, ago())
    return finding
