"""Desks that want their positions elsewhere and must send the margin after them.

Each account stands at its own venue on little more margin than it needs; expected returns differ
between venues, so the best plan carries positions, hedged, from one account to another. Small
slices leave the corridor no room for one leg before the other, and what funds the second leg is
margin of the first: many of the best plans have no safe order of steps.
"""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

from allocator.models.mandate import Mandate
from allocator.models.snapshot import Snapshot

PRICE = {"BTC": Decimal(40000), "ETH": Decimal(2500)}
Data = dict[str, Any]


def shift(seed: int) -> tuple[Snapshot, Mandate]:
    """Make a desk of two to four accounts."""
    data = _Shift(random.Random(f"shift-{seed}")).made()
    return Snapshot.model_validate(data["snapshot"]), Mandate.model_validate(data["mandate"])


class _Shift:
    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.names = [f"v{at}" for at in range(rng.choice((2, 3, 3, 4)))]
        self.coins = list(PRICE)[: rng.choice((1, 2))]

    def made(self) -> Data:
        instruments = [self.instrument(name, coin) for name in self.names for coin in self.coins]
        alpha = {row["id"]: f"{self.rng.uniform(-0.004, 0.004):.5f}" for row in instruments}
        routes = [self.route(a, b) for a in self.names for b in self.names if a != b]
        return {
            "snapshot": {
                "as_of": "2026-11-20T08:00:00Z",
                "assets": {"USDT": {"price": "1"}},
                "instruments": instruments,
                "accounts": [self.account(name) for name in self.names],
                "routes": [row for row in routes if self.rng.random() < 0.8],
            },
            "mandate": {
                "targets_default": "hold",
                "policy": {
                    "risk_aversion": "0.001",
                    "band_penalty": "0.01",
                    "max_slice": self.rng.choice(("500", "5000", "30000")),
                    "order_cost": "0.2",
                    "transfer_cost": "1",
                    "alpha": alpha,
                },
            },
        }

    def instrument(self, name: str, coin: str) -> Data:
        price = PRICE[coin]
        return {
            "id": f"{name}:{coin}",
            "kind": "perpetual",
            "underlying": coin,
            "settle": "USDT",
            "contract_size": "1",
            "lot": "0.001",
            "tick": "0.01",
            "bid": str(price - 1),
            "ask": str(price + 1),
            "mark": str(price),
            "daily_volume": "10000000000",
            "daily_volatility": "0.02",
            "funding": {"rate": "0.0001", "interval_h": "8"},
            "tiers": [{"cap": "10000000", "maintenance": "0.05", "max_leverage": "20"}],
        }

    def account(self, name: str) -> Data:
        positions = dict[str, Data]()
        need = Decimal(0)
        for coin in self.coins:
            worth = Decimal(self.rng.choice((0, 40_000, 100_000, -60_000)))
            positions[f"{name}:{coin}"] = {
                "quantity": str((worth / PRICE[coin]).quantize(Decimal("0.001"))),
                "unrealised": "0",
                "leverage": "5",
            }
            need += abs(worth) / 5
        wallet = need * Decimal(self.rng.choice(("1.01", "1.1", "1.5"))) + 200
        return {
            "id": name,
            "venue": name,
            "owner": "house",
            "fees": {"taker": "0.0003"},
            "balances": {"USDT": {"wallet": str(wallet), "withdrawable": str(wallet)}},
            "positions": positions,
        }

    @staticmethod
    def route(source: str, target: str) -> Data:
        ends = {"id": f"{source}-{target}", "from": source, "to": target, "asset": "USDT"}
        return {**ends, "kind": "internal", "min": "10", "step": "0.01"}
