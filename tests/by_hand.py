"""Small books whose best plan is known by hand, and decisions held against it, for tests."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from allocator.decide import decide
from allocator.models.plan import Plan
from allocator.models.scenario import Scenario
from allocator.plan.judge import judged
from allocator.plan.lots import Sizes
from allocator.plan.sequence import Ordered, sequenced
from allocator.state import Book
from allocator.verify import verify
from tests.random_plans import honest

COIN = {"price": "50000", "underlying": "BTC", "haircut": "0"}
KEY = ("a", "v:BTC")
SPOT = ("a", "v:BTC/USD")


def perpetual(**changes: Any) -> dict[str, Any]:
    row = {
        "id": "v:BTC",
        "kind": "perpetual",
        "underlying": "BTC",
        "settle": "USD",
        "contract_size": "1",
        "lot": "0.001",
        "tick": "1",
        "mark": "50000",
        "bid": "49999",
        "ask": "50001",
        "daily_volume": "1000000000",
        "daily_volatility": "0.03",
        "funding": {"rate": "0", "interval_h": "8"},
        "tiers": [{"cap": "100000000", "maintenance": "0.02", "max_leverage": "20"}],
    }
    return {**row, **changes}


def spot(mark: int) -> dict[str, Any]:
    return {
        "id": "v:BTC/USD",
        "kind": "spot",
        "base": "BTC",
        "quote": "USD",
        "lot": "0.001",
        "tick": "1",
        "mark": str(mark),
        "bid": str(mark - 1),
        "ask": str(mark + 1),
        "daily_volume": "1000000000",
        "daily_volatility": "0.03",
    }


def held(quantity: str, unrealised: str = "0") -> dict[str, Any]:
    return {"v:BTC": {"quantity": quantity, "leverage": "10", "unrealised": unrealised}}


def account(name: str, wallet: str, **rest: Any) -> dict[str, Any]:
    out = {"id": name, "venue": "v", "owner": "fund", "fees": {"taker": "0.0002"}}
    return {**out, "balances": {"USD": {"wallet": wallet, "withdrawable": wallet}}, **rest}


def scenario(target: str, accounts: list[dict[str, Any]], **rest: Any) -> Scenario:
    limits = rest.pop("limits", [])
    snapshot: dict[str, Any] = {
        "as_of": "2026-11-20T06:30:00Z",
        "assets": {"USD": {"price": "1"}, **rest.pop("assets", {})},
        "instruments": [perpetual()],
        "accounts": accounts,
    }
    mandate = {
        "targets": [{"underlying": "BTC", "delta": target}],
        "limits": limits,
        "policy": {"band_penalty": "0.05", "max_slice": "20000000"},
    }
    both = {"snapshot": {**snapshot, **rest}, "mandate": mandate}
    return Scenario.model_validate({"version": 1, "name": "by hand", **both})


def no_worse(case: Scenario, sizes: Sizes) -> Plan:
    """Hold a decision against sizes that verify in some order of steps."""
    book = Book.of(case.snapshot, case.mandate)
    steps, known = sequenced(book, sizes), judged(book, sizes)
    assert isinstance(steps, Ordered)
    assert verify(case.snapshot, case.mandate, honest(book, steps.actions)) == ()
    plan = decide(case.snapshot, case.mandate)
    assert plan.certificate is not None
    assert plan.certificate.shortfall_lower_bound <= known.shortfall + Decimal("0.01")
    assert plan.certificate.shortfall <= known.shortfall + 1
    if known.shortfall <= plan.certificate.shortfall:
        assert plan.certificate.lower_bound <= known.total + Decimal("0.01")
        assert plan.cost.total <= known.total + Decimal("0.05")
    return plan
