"""A small book to run plans on: two accounts, one perpetual each, one route."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from allocator.execution.entries import Place
from allocator.execution.journal import Journal
from allocator.models.canonical import mandate_hash, snapshot_hash, with_hash
from allocator.models.intents import Intent, OrderIntent, TransferIntent
from allocator.models.mandate import Mandate
from allocator.models.plan import Plan
from allocator.models.snapshot import Snapshot

START = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
BTC_A, BTC_B = "alpha:BTC/USDT:USDT", "beta:BTC/USDT:USDT"


class JumpingClock:
    """A clock whose waits take no time."""

    def __init__(self, at: datetime = START) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=max(seconds, 0.001))
        await asyncio.sleep(0)


def instrument(name: str) -> dict[str, Any]:
    return {
        "id": name,
        "kind": "perpetual",
        "underlying": "BTC",
        "settle": "USDT",
        "contract_size": "1",
        "lot": "0.001",
        "tick": "0.1",
        "min_notional": "5",
        "bid": "49999.5",
        "ask": "50000.5",
        "mark": "50000",
        "daily_volume": "1000000000",
        "daily_volatility": "0.03",
        "funding": {"rate": "0.0001", "interval_h": 8},
        "tiers": [
            {"cap": "10000000", "maintenance": "0.005", "deduction": "0", "max_leverage": 50}
        ],
    }


def account(name: str, venue: str, quantity: str, wallet: str = "100000") -> dict[str, Any]:
    return {
        "id": name,
        "venue": venue,
        "owner": "desk",
        "fees": {"taker": "0.0005"},
        "balances": {"USDT": {"wallet": wallet, "withdrawable": "50000"}},
        "positions": {
            BTC_A: {"quantity": "0", "leverage": "10"},
            f"{venue}:BTC/USDT:USDT": {
                "quantity": quantity,
                "entry_price": "50000",
                "leverage": "10",
            },
        },
    }


ROUTES = [
    {"id": "a-b", "from": "a", "to": "b", "asset": "USDT", "fee": "1", "latency_s": "60"},
    {"id": "b-a", "from": "b", "to": "a", "asset": "USDT", "fee": "1", "latency_s": "60"},
]


def snapshot(**over: Any) -> Snapshot:
    data: dict[str, Any] = {
        "as_of": START,
        "assets": {"USDT": {"price": "1"}, "BTC": {"price": "50000", "underlying": "BTC"}},
        "instruments": [instrument(BTC_A), instrument(BTC_B)],
        "accounts": [account("a", "alpha", "1"), account("b", "beta", "-1")],
        "routes": ROUTES,
        "moves": [{"from": "a", "to": "b", "instrument": BTC_A}],
    }
    return Snapshot.model_validate(data | over)


MANDATE = Mandate.model_validate({"policy": {"max_slice": "20000"}})


WHOLE = Mandate.model_validate({"policy": {"max_slice": "1000000"}})
"""Orders are sent whole, so that a request is as large as its action."""

SLICED = Mandate.model_validate({"policy": {"max_slice": "10000"}})
"""They are sent in slices of 0.2 contracts."""


def order(seq: int, name: str, side: str, quantity: str, **over: Any) -> dict[str, Any]:
    venue = {"a": BTC_A, "b": BTC_B}[name]
    price = "50250" if side == "buy" else "49750"
    row = {
        "seq": seq,
        "kind": "order",
        "account": name,
        "instrument": venue,
        "side": side,
        "quantity": quantity,
        "limit_price": price,
    }
    return row | over


def transfer(seq: int, amount: str, route: str = "a-b", **over: Any) -> dict[str, Any]:
    source, target = route.split("-")
    row = {
        "seq": seq,
        "kind": "transfer",
        "route": route,
        "from": source,
        "to": target,
        "asset": "USDT",
        "amount": amount,
    }
    return row | over


SWITCH = (
    order(2, "a", "sell", "0.8", reduce_only=True, group="g"),
    order(3, "b", "buy", "0.8", reduce_only=True, group="g"),
)
FUNDED = tuple({**row, "after": [1]} for row in SWITCH)


def plan(
    *actions: dict[str, Any],
    at: Snapshot | None = None,
    status: str = "act",
    mandate: Mandate = MANDATE,
) -> Plan:
    at = snapshot() if at is None else at
    return with_hash(
        Plan.model_validate(
            {
                "status": status,
                "snapshot_hash": snapshot_hash(at),
                "mandate_hash": mandate_hash(mandate),
                "actions": actions,
            }
        )
    )


def order_intent(client_id: str = "1" * 32, quantity: str = "0.5", **over: Any) -> OrderIntent:
    row = {
        "client_id": client_id,
        "account": "a",
        "instrument": BTC_A,
        "side": "buy",
        "quantity": quantity,
        "limit_price": "50250",
    }
    return OrderIntent.model_validate(row | over)


def transfer_intent(client_id: str = "2" * 32, amount: str = "1000") -> TransferIntent:
    row = {
        "client_id": client_id,
        "route": "a-b",
        "source": "a",
        "target": "b",
        "asset": "USDT",
        "amount": amount,
    }
    return TransferIntent.model_validate(row)


def recorded(journal: Journal, *actions: dict[str, Any]) -> Plan:
    """Record a plan whose actions are CHECKED."""
    from allocator.execution.transitions import Stage

    made = plan(*actions)
    cycle = journal.open_cycle("desk", made.plan_hash)
    assert cycle is not None
    journal.record_plan(cycle, made, snapshot(), MANDATE, proposer="engine")
    journal.set_stage(made.plan_hash, [a.seq for a in made.actions], Stage.CHECKED)
    return made


def intend(journal: Journal, made: Plan, intent: Intent, seq: int = 1, number: int = 1) -> None:
    journal.intend(Place(made.plan_hash, seq, 1, number), intent, Decimal(5))
