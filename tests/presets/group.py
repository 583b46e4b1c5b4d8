"""A group of accounts that trade one share-like perpetual, as the brokers' examples have it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from allocator.models.mandate import Mandate
from allocator.models.plan import Order, Plan
from allocator.models.snapshot import Snapshot
from allocator.presets import Rule, allocate
from allocator.verify import verify

Data = dict[str, Any]

XYZ, PRICE = "v:XYZ/USD:USD", 10
NAMES = "ABCDEFGH"


def share(name: str = XYZ, **more: Any) -> Data:
    row = {
        "id": name,
        "kind": "perpetual",
        "underlying": "XYZ",
        "settle": "USD",
        "contract_size": "1",
        "lot": "1",
        "tick": "0.01",
        "bid": "9.99",
        "ask": "10.01",
        "mark": "10",
        "daily_volume": "1000000000",
        "daily_volatility": "0.02",
        "funding": {"rate": "0", "interval_h": "8"},
        "tiers": [{"cap": "100000000", "maintenance": "0.005", "max_leverage": "50"}],
    }
    return {**row, **more}


def group(
    equities: Sequence[int],
    shares: str,
    held: Sequence[int] | None = None,
    **policy: Any,
) -> Data:
    """Accounts A, B, C, ... with these equities, which together want so many shares in all."""
    rows = list[Data]()
    for name, equity, quantity in zip(NAMES, equities, held or [0] * len(equities), strict=False):
        pair = {"quantity": str(quantity), "entry_price": "10", "leverage": "10"}
        rows.append(
            {
                "id": name,
                "venue": "v",
                "owner": f"client {name}",
                "fees": {"taker": "0.0001"},
                "balances": {"USD": {"wallet": str(equity)}},
                "positions": {XYZ: pair},
            }
        )
    return {
        "snapshot": {
            "as_of": "2026-11-20T08:00:00Z",
            "assets": {"USD": {"price": "1"}, "XYZ": {"price": "10", "underlying": "XYZ"}},
            "instruments": [share()],
            "accounts": rows,
        },
        "mandate": {
            "targets": [{"underlying": "XYZ", "delta": shares, "unit": "base"}],
            "policy": {"band_penalty": "0.5", **policy},
        },
    }


def edited(data: Data, *edits: Mapping[str, Any]) -> Data:
    """A copy with fields of accounts A, B, ... changed in turn."""
    out: Data = json.loads(json.dumps(data))
    for row, edit in zip(out["snapshot"]["accounts"], edits, strict=False):
        row.update(edit)
    return out


def plan_of(data: Data, rule: Rule) -> Plan:
    """The preset's plan, which must have passed the verifier."""
    snapshot = Snapshot.model_validate(data["snapshot"])
    mandate = Mandate.model_validate(data["mandate"])
    plan = allocate(snapshot, mandate, rule)
    assert plan.status != "refused", plan.refusals
    assert verify(snapshot, mandate, plan) == ()
    return plan


def traded(plan: Plan) -> dict[str, Decimal]:
    """Signed contracts by account; the plan has one order an account."""
    orders = [action for action in plan.actions if isinstance(action, Order)]
    assert len({order.account for order in orders}) == len(plan.actions)
    return {order.account: order.signed for order in orders}


def spread(data: Data, rule: Rule) -> dict[str, int]:
    return {name: int(size) for name, size in traded(plan_of(data, rule)).items()}
