"""A small desk for the tests of the law: three accounts, two venues, figures easy by hand.

BTC costs 40,000; a contract of 0.01 BTC has a notional of 400. `aide` must be funded by `lead`
before it can hold the 100 contracts that the mandate wants.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from allocator.models.canonical import mandate_hash, snapshot_hash, with_hash
from allocator.models.mandate import Mandate
from allocator.models.plan import Plan
from allocator.models.snapshot import Snapshot
from allocator.state import Book
from allocator.verify import plan_blocks, verify

Data = dict[str, Any]

TIERS = [
    {"cap": "100000", "maintenance": "0.01", "max_leverage": "50"},
    {"cap": "1000000", "maintenance": "0.02", "deduction": "1000", "max_leverage": "25"},
]
NORTH, SOUTH, COIN = "north:BTC/USDT:USDT", "south:BTC/USDT:USDT", "north:BTC/USDT"


def perpetual(name: str, **more: Any) -> Data:
    row = {
        "id": name,
        "kind": "perpetual",
        "underlying": "BTC",
        "settle": "USDT",
        "contract_size": "0.01",
        "lot": "1",
        "tick": "0.5",
        "min_quantity": "2",
        "min_notional": "1000",
        "max_quantity": "500",
        "bid": "39996",
        "ask": "40004",
        "mark": "40000",
        "daily_volume": "1000000000",
        "daily_volatility": "0.02",
        "funding": {"rate": "0.0001", "interval_h": "8"},
        "tiers": TIERS,
    }
    return {**row, **more}


def pair(quantity: str = "0", **more: Any) -> Data:
    return {"quantity": quantity, "entry_price": "40000", "leverage": "10", **more}


def account(name: str, venue: str, wallet: str, withdrawable: str, **more: Any) -> Data:
    row = {
        "id": name,
        "venue": venue,
        "owner": "house",
        "fees": {"taker": "0.0005"},
        "balances": {"USDT": {"wallet": wallet, "withdrawable": withdrawable}},
        "positions": {f"{venue}:BTC/USDT:USDT": pair()},
    }
    return {**row, **more}


def desk() -> Data:
    """The desk as plain data."""
    spot = {
        "id": COIN,
        "kind": "spot",
        "base": "BTC",
        "quote": "USDT",
        "lot": "0.001",
        "tick": "0.5",
        "bid": "39996",
        "ask": "40004",
        "mark": "40000",
        "daily_volume": "1000000000",
        "daily_volatility": "0.02",
    }
    route = {"asset": "USDT", "step": "0.01", "min": "10", "max": "20000"}
    return {
        "snapshot": {
            "as_of": "2026-11-20T08:00:00Z",
            "assets": {
                "USDT": {"price": "1"},
                "BTC": {"price": "40000", "underlying": "BTC", "haircut": "0.1"},
            },
            "instruments": [perpetual(NORTH), perpetual(SOUTH), spot],
            "accounts": [
                account("lead", "north", "100000", "50000", spot=[COIN]),
                account("aide", "north", "2000", "0"),
                account("far", "south", "60000", "20000"),
            ],
            "routes": [
                {"id": "near", "from": "lead", "to": "aide", "fee": "1", **route},
                {"id": "wide", "from": "far", "to": "aide", "rate": "0.001", **route},
            ],
            "moves": [{"from": "lead", "to": "aide", "instrument": NORTH, "max_notional": "60000"}],
        },
        "mandate": {
            "targets": [{"underlying": "BTC", "delta": "1", "unit": "base", "band": "0.01"}],
            "limits": [],
            "policy": {"margin_buffer": "0.25", "order_cost": "1", "transfer_cost": "2"},
        },
    }


def changed(path: str, value: Any, data: Data | None = None) -> Data:
    """Set one value; a path like ``snapshot/accounts/0/state`` (`~` stands for `/` in a key)."""
    out = copy.deepcopy(desk() if data is None else data)
    node: Any = out
    *parents, last = [part.replace("~", "/") for part in path.split("/")]
    for part in parents:
        node = node[int(part)] if isinstance(node, list) else node.setdefault(part, {})
    node[int(last) if isinstance(node, list) else last] = value
    return out


def position(name: str, instrument: str = NORTH) -> str:
    """The path of a pair of `lead`, `aide` or `far`."""
    index = ["lead", "aide", "far"].index(name)
    return f"snapshot/accounts/{index}/positions/{instrument.replace('/', '~')}"


def limited(measure: str, max: str, **more: Any) -> Data:
    """The desk with one limit, by default on the portfolio."""
    row = {"id": "cap", "measure": measure, "max": max, "scope": {"portfolio": True}, **more}
    return changed("mandate/limits", [row])


def book_of(data: Mapping[str, Any]) -> Book:
    return Book.of(
        Snapshot.model_validate(data["snapshot"]), Mandate.model_validate(data["mandate"])
    )


def transfer(seq: int, amount: str = "3000", route: str = "near", **more: Any) -> Data:
    source = {"near": "lead", "wide": "far", "back": "aide"}[route]
    target = {"near": "aide", "wide": "aide", "back": "lead"}[route]
    row = {"seq": seq, "kind": "transfer", "route": route, "from": source, "to": target}
    return {**row, "asset": "USDT", "amount": amount, **more}


def order(seq: int, quantity: str = "100", side: str = "buy", **more: Any) -> Data:
    row = {
        "seq": seq,
        "kind": "order",
        "account": "aide",
        "instrument": NORTH,
        "side": side,
        "quantity": quantity,
        "limit_price": "40004" if side == "buy" else "39996",
    }
    return {**row, **more}


def move(seq: int, quantity: str = "100", **more: Any) -> Data:
    row = {"seq": seq, "kind": "move", "from": "lead", "to": "aide", "instrument": NORTH}
    return {**row, "quantity": quantity, **more}


GOOD = [transfer(1), order(2, after=[1])]


def honest(data: Mapping[str, Any], actions: Sequence[Data], status: str | None = None) -> Plan:
    """A plan whose figures, status and hashes are right, so that only its actions can be wrong."""
    book = book_of(data)
    plan = Plan.model_validate({"status": "nothing", "actions": actions})
    blocks = plan_blocks(book, plan.actions)
    missing = blocks.after.total
    fitting = "infeasible" if missing > Decimal("0.01") else "act" if actions else "nothing"
    bound = min(Decimal(0), blocks.cost.total)
    gap = blocks.cost.total - bound
    raw = {
        "status": status or fitting,
        "actions": actions,
        "snapshot_hash": snapshot_hash(book.snapshot),
        "mandate_hash": mandate_hash(book.mandate),
        "certificate": {
            "lower_bound": bound,
            "gap": gap,
            "gap_relative": round(gap / max(Decimal(1), blocks.cost.worked), 12),
            "shortfall": round(missing, 12),
        },
        "infeasible": [
            {"what": row.what, "missing": round(row.amount, 12)} for row in blocks.after.parts
        ],
        "unrepairable": blocks.after.unrepairable,
    }
    plan = Plan.model_validate(raw).model_copy(
        update={"cost": blocks.cost, "exposure": blocks.exposure, "accounts": blocks.accounts}
    )
    return with_hash(plan)


def codes(data: Mapping[str, Any], plan: Plan) -> set[str]:
    """Codes of the violations that `verify` finds."""
    book = book_of(data)
    return {row.code for row in verify(book.snapshot, book.mandate, plan)}


def judged(data: Mapping[str, Any], actions: Sequence[Data], status: str | None = None) -> set[str]:
    """Codes of an otherwise honest plan made of these actions."""
    return codes(data, honest(data, actions, status))
