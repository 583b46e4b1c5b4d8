"""The venues behind the ports that the numbered cases are put to, and the words for each."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from allocator.adapters.emulator.testing import Emulator, running_emulator
from allocator.adapters.paper import Fault, open_paper
from allocator.adapters.registry import open_venues
from allocator.models.config import Config
from allocator.models.intents import (
    OrderIntent,
    TransferIntent,
)
from allocator.models.snapshot import Snapshot
from allocator.ports import Venue
from tests.adapters.times import HastyClock

Venues = Mapping[str, Venue]


Work = Callable[[Venues], Awaitable[None]]


ID = "0123456789abcdef0123456789abcdef"


@dataclass(frozen=True)
class Subject:
    """A venue under test, the words for what is asked of it, and how to disturb it."""

    run: Callable[[Work], None]
    lose: Callable[[str, str], None]
    effects: Callable[[], int]
    instrument: str
    quantity: str
    source: str
    target: str

    def order(self, **changes: Any) -> OrderIntent:
        data = {
            "client_id": ID,
            "account": self.source,
            "instrument": self.instrument,
            "side": "buy",
            "quantity": self.quantity,
            "limit_price": "64100",
        }
        return OrderIntent.model_validate({**data, **changes})

    def resting(self, **changes: Any) -> OrderIntent:
        return self.order(limit_price="63000", style="post_only", **changes)

    def transfer(self, amount: str = "100.5") -> TransferIntent:
        return TransferIntent(
            client_id=ID,
            route="r",
            source=self.source,
            target=self.target,
            asset="USDT",
            amount=Decimal(amount),
        )


PAPER = {
    "as_of": "2026-11-20T08:00:00Z",
    "assets": {"USDT": {"price": 1}},
    "instruments": [
        {
            "id": "x:BTC/USDT:USDT",
            "kind": "perpetual",
            "settle": "USDT",
            "underlying": "BTC",
            "contract_size": 1,
            "lot": "0.001",
            "tick": "0.1",
            "bid": "63999",
            "ask": "64001",
            "mark": "64000",
            "funding": {"interval_h": 8},
        }
    ],
    "accounts": [
        {
            "id": name,
            "venue": "x",
            "owner": "o",
            "fees": {"taker": "0.0005"},
            "balances": {"USDT": {"wallet": 100000, "withdrawable": 90000}},
            "positions": {"x:BTC/USDT:USDT": {"quantity": 0, "leverage": 10}},
        }
        for name in ("a", "b")
    ],
    "routes": [{"id": "r", "from": "a", "to": "b", "asset": "USDT"}],
}


def paper(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> Subject:
    exchange, _, venues = open_paper(Snapshot.model_validate(PAPER), HastyClock())

    def lose(call: str, how: str) -> None:
        asked = "error" if call in ("find", "read") else f"lost_{how}"
        exchange.faults.add(Fault(call, asked))  # type: ignore[arg-type]

    return Subject(
        lambda work: asyncio.run(_awaited(work, venues)),
        lose,
        exchange.effects.total,
        "x:BTC/USDT:USDT",
        "0.003",
        "a",
        "b",
    )


async def _awaited(work: Work, venues: Venues) -> None:
    await work(venues)


def _login(venue: str, name: str, member: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    prefix = f"{venue}_{name}".upper()
    monkeypatch.setenv(f"{prefix}_KEY", f"{venue}-{name}-key")
    monkeypatch.setenv(f"{prefix}_SECRET", f"{venue}-{name}-secret")
    if venue == "okx":
        monkeypatch.setenv(f"{prefix}_PASSPHRASE", f"{venue}-{name}-passphrase")
    return {
        "venue": venue,
        "key": f"env:{prefix}_KEY",
        "secret": f"env:{prefix}_SECRET",
        "passphrase": f"env:{prefix}_PASSPHRASE" if venue == "okx" else None,
        "member": member,
    }


def _emulated(
    emulator: Emulator, data: dict[str, Any], paths: dict[str, str], words: dict[str, str]
) -> Subject:
    config = Config.model_validate({"mode": "loopback", "loopback_url": emulator.base_url, **data})

    def run(work: Work) -> None:
        async def whole() -> None:
            opened = open_venues(config, HastyClock())
            try:
                await opened.venues[words["source"]].server_time()
                await work(opened.venues)
            finally:
                await opened.close()

        asyncio.run(whole())

    def lose(call: str, how: str) -> None:
        """Twice for a read, because aiohttp itself repeats a GET whose connection broke."""
        times = 2 if call in ("find", "read") else 1
        emulator.fault({"kind": f"drop_{how}", "path": paths[call], "times": times})

    def effects() -> int:
        rows: Any = emulator.admin("GET", "effects")
        return sum(row["count"] for row in [*rows["orders"], *rows["transfers"]])

    return Subject(run, lose, effects, **words)


def bybit(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> Subject:
    emulator = stack.enter_context(running_emulator())
    instruments = ["BTC/USDT:USDT"]
    data = {
        "logins": {
            "main": _login("bybit", "main", "10000001", monkeypatch),
            "a": {**_login("bybit", "a", "10000002", monkeypatch), "master": "main"},
        },
        "accounts": [
            {"id": name, "login": name, "wallet": "unified", "owner": "o",
             "instruments": instruments}
            for name in ("main", "a")
        ],
    }  # fmt: skip
    paths = {
        "order": "/v5/order/create",
        "transfer": "/v5/asset/transfer/universal-transfer",
        "find": "/v5/order/realtime",
        "read": "/v5/position/list",
    }
    words = {
        "instrument": "bybit:BTC/USDT:USDT",
        "quantity": "0.003",
        "source": "main",
        "target": "a",
    }
    return _emulated(emulator, data, paths, words)


def binance(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> Subject:
    emulator = stack.enter_context(running_emulator())
    data = {
        "logins": {"main": _login("binance", "main", "main@x.example", monkeypatch)},
        "accounts": [
            {"id": "usdm", "login": "main", "wallet": "usdm", "owner": "o",
             "instruments": ["BTC/USDT:USDT"]},
            {"id": "spot", "login": "main", "wallet": "spot", "owner": "o",
             "instruments": ["BTC/USDT"]},
        ],
    }  # fmt: skip
    paths = {
        "order": "/fapi/v1/order",
        "transfer": "/sapi/v1/asset/transfer",
        "find": "/fapi/v1/order",
        "read": "/fapi/v3/positionRisk",
    }
    words = {
        "instrument": "binance:BTC/USDT:USDT",
        "quantity": "0.003",
        "source": "usdm",
        "target": "spot",
    }
    return _emulated(emulator, data, paths, words)


def deribit(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> Subject:
    emulator = stack.enter_context(running_emulator())
    data = {
        "logins": {
            "main": _login("deribit", "main", "5001", monkeypatch),
            "a": {**_login("deribit", "a", "5002", monkeypatch), "master": "main"},
        },
        "accounts": [
            {"id": name, "login": name, "wallet": "unified", "owner": "o",
             "instruments": ["BTC/USDC:USDC"]}
            for name in ("main", "a")
        ],
    }  # fmt: skip
    paths = {
        "order": "/api/v2/private/buy",
        "transfer": "/api/v2/private/submit_transfer_between_subaccounts",
        "find": "/api/v2/private/get_order_state_by_label",
        "read": "/api/v2/private/get_positions",
    }
    words = {
        "instrument": "deribit:BTC/USDC:USDC",
        "quantity": "3",
        "source": "main",
        "target": "a",
    }
    return _emulated(emulator, data, paths, words)


def okx(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> Subject:
    emulator = stack.enter_context(running_emulator())
    data = {
        "logins": {
            "main": _login("okx", "main", "okxmain", monkeypatch),
            "a": {**_login("okx", "a", "okxa", monkeypatch), "master": "main"},
        },
        "accounts": [
            {"id": name, "login": name, "wallet": "unified", "owner": "o",
             "instruments": ["BTC/USDT:USDT"]}
            for name in ("main", "a")
        ],
    }  # fmt: skip
    paths = {
        "order": "/api/v5/trade/order",
        "transfer": "/api/v5/asset/transfer",
        "find": "/api/v5/trade/order",
        "read": "/api/v5/account/positions",
    }
    words = {
        "instrument": "okx:BTC/USDT:USDT",
        "quantity": "0.03",
        "source": "main",
        "target": "a",
    }
    return _emulated(emulator, data, paths, words)


SUBJECTS = [paper, bybit, binance, deribit, okx]


PROOFS = {
    "paper": "paper",
    "bybit": "loopback",
    "binance": "loopback",
    "deribit": "loopback",
    "okx": "loopback",
}
"""Against what the cases are run: docs/contract.md says it of each venue."""
