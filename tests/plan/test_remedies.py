"""What an infeasible plan advises would really mend what is missing."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from allocator.decide import decide
from allocator.models.mandate import Mandate
from allocator.models.plan import Plan
from allocator.models.snapshot import Snapshot

STUCK = "binance:BTC/USDT:USDT"


def snapshot(wallet: str, asset_mode: str = "multi", entry: str = "64000") -> Snapshot:
    return Snapshot.model_validate(
        {
            "as_of": "2026-11-20T08:00:00Z",
            "numeraire": "USD",
            "assets": {"USDT": {"price": "1"}, "BTC": {"price": "64000", "underlying": "BTC"}},
            "instruments": [
                {
                    "id": STUCK,
                    "kind": "perpetual",
                    "underlying": "BTC",
                    "settle": "USDT",
                    "contract_size": "1",
                    "lot": "0.001",
                    "tick": "0.1",
                    "bid": "63999.9",
                    "ask": "64000.1",
                    "mark": "64000",
                    "daily_volume": "9000000000",
                    "daily_volatility": "0.03",
                    "funding": {"rate": "0", "interval_h": 8},
                    "status": "halted",
                    "tiers": [{"cap": "3000000", "maintenance": "0.005", "max_leverage": 100}],
                }
            ],
            "accounts": [
                {
                    "id": "a",
                    "venue": "binance",
                    "owner": "fund",
                    "fees": {"maker": "0", "taker": "0.0005"},
                    "margin": {"model": "tiered", "asset_mode": asset_mode},
                    "balances": {"USDT": {"wallet": wallet}},
                    "positions": {STUCK: {"quantity": "20", "entry_price": entry, "leverage": 10}},
                }
            ],
        }
    )


def stuck(book: Snapshot, **limit: Any) -> Plan:
    rows = [{"id": "rule", "scope": {"venue": "binance"}, **limit}] if limit else []
    mandate = Mandate.model_validate(
        {"targets": [{"underlying": "BTC", "delta": "20", "unit": "base"}], "limits": rows}
    )
    return decide(book, mandate)


CASES: tuple[tuple[dict[str, Any], str], ...] = (
    (
        {"measure": "equity", "of": {"any": True}, "min": "390000"},
        "lower the min of rule from 390,000 to 300,000",
    ),
    (
        {"measure": "equity", "of": {"any": True}, "max": "250000"},
        "raise the max of rule from 250,000 to 300,000",
    ),
    (
        {"measure": "leverage", "of": {"any": True}, "max": "3"},
        "raise the max of rule from 3 to 4.2667",
    ),
    (
        {"measure": "quantity", "of": {"instrument": STUCK}, "max": "15"},
        "raise the max of rule from 15 to 20",
    ),
    (
        {"measure": "long_notional", "of": {"underlying": "BTC"}, "max": "1000000"},
        "raise the max of rule from 1,000,000 to 1,280,000",
    ),
    (
        {"measure": "gross_notional", "of": {"any": True}, "max": "1000000"},
        "raise the max of rule from 1,000,000 to 1,280,000",
    ),
    (
        {"measure": "net_notional", "of": {"asset": "USDT"}, "max": "0"},
        "raise the max of rule from 0 to 1,280,000",
    ),
    (
        {"measure": "equity", "of": {"any": True}, "min": "390000", "max": "800000"},
        "lower the min of rule from 390,000 to 300,000",
    ),
    (
        {"measure": "equity", "of": {"any": True}, "min": "-5", "max": "250000"},
        "raise the max of rule from 250,000 to 300,000",
    ),
)


@pytest.mark.parametrize(("limit", "advice"), CASES)
def test_limit_is_relaxed_to_what_the_book_measures(limit: dict[str, Any], advice: str) -> None:
    plan = stuck(snapshot("300000"), **limit)
    (row,) = plan.infeasible
    assert row.smallest_relaxation == advice


@pytest.mark.parametrize(("limit", "advice"), CASES)
def test_limit_relaxed_as_advised_is_kept(limit: dict[str, Any], advice: str) -> None:
    words = advice.replace(",", "").split()
    relaxed = {**limit, words[2]: words[-1]}
    assert stuck(snapshot("300000"), **relaxed).status == "nothing"
    part = Decimal("1.0005") if words[0] == "lower" else Decimal("0.9995")
    tighter = {**limit, words[2]: str(Decimal(words[-1]) * part)}
    assert stuck(snapshot("300000"), **tighter).status == "infeasible"


def test_no_leverage_is_advised_to_a_scope_without_equity() -> None:
    book = snapshot("300000", entry="90000")
    plan = stuck(book, measure="leverage", of={"any": True}, max="4")
    advice = {row.what: row.smallest_relaxation for row in plan.infeasible}
    assert advice["limit rule"] == "add 540,000.00 USD of equity where rule measures"


def test_pool_of_one_asset_wants_that_asset() -> None:
    (row,) = stuck(snapshot("100000", "single")).infeasible
    assert row.missing == Decimal(28000)
    assert row.smallest_relaxation == "add 28,000.00 USD of collateral in USDT to a"
