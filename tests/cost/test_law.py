"""Each part of the cost law by hand."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest

from allocator.cost import cost
from allocator.models.errors import SnapshotError
from allocator.models.plan import Cost, Plan
from allocator.state import effect_of
from tests.law.desk import (
    COIN,
    GOOD,
    NORTH,
    Data,
    book_of,
    changed,
    desk,
    move,
    order,
    pair,
    perpetual,
    position,
    transfer,
)

CLOSE = Decimal("1e-9")


def cost_of(data: Data, rows: list[Data]) -> Cost:
    book = book_of(data)
    actions = Plan.model_validate({"status": "act", "actions": rows}).actions
    return cost(book, [effect_of(book, action) for action in actions])


def test_good_plan_by_hand() -> None:
    found = cost_of(desk(), GOOD)
    # impact: 2/3 x 0.02 x 40,000 x sqrt(40,000 / 1e9)
    hand = {
        "tracking": "0",
        "fees": "20",
        "spread": "4",
        "impact": "3.373096170",
        "transfers": "1",
        "carry": "4",
        "concentration": "0",
        "actions": "3",
        "total": "35.373096170",
        "do_nothing": "396",
    }
    for part, value in hand.items():
        assert abs(getattr(found, part) - Decimal(value)) < CLOSE, part


def test_total_is_the_sum_of_its_parts() -> None:
    found = cost_of(desk(), GOOD)
    parts = found.model_dump(exclude={"total", "do_nothing"})
    assert abs(sum(parts.values()) - found.total) < CLOSE


def test_tracking_weighs_gaps_by_covariance_and_bands() -> None:
    data = desk()
    data["snapshot"]["assets"]["ETH"] = {"price": "2000", "underlying": "ETH"}
    data["mandate"]["targets"].append({"underlying": "ETH", "delta": "-30000", "band": "1000"})
    data["mandate"]["policy"] |= {
        "risk_aversion": "0.000002",
        "risk": {
            "daily_volatility": {"BTC": "0.03", "ETH": "0.04"},
            "correlation": [["ETH", "BTC", "0.8"]],
        },
    }
    # gaps -40,000 and 30,000: (1,200^2 + 1,200^2 - 1.6 x 1,200^2) x 1e-6 / 3
    quadratic = Decimal("0.4") * 1200**2 * Decimal("0.000001") / 3
    bands = Decimal("0.01") * (39600 + 29000)
    assert abs(cost_of(data, []).tracking - quadratic - bands) < CLOSE


def test_volatility_and_correlation_have_defaults() -> None:
    data = desk()
    data["snapshot"]["assets"]["ETH"] = {"price": "2000", "underlying": "ETH"}
    data["mandate"]["targets"] = [
        {"underlying": "BTC", "delta": "1000"},
        {"underlying": "ETH", "delta": "1000"},
    ]
    data["mandate"]["policy"] |= {"risk_aversion": "1", "band_penalty": "0"}
    # (30^2 + 30^2 + 2 x 0.5 x 30^2) / 2 / 3
    assert abs(cost_of(data, []).tracking - 450) < CLOSE


def test_accounts_share_one_book_in_the_impact() -> None:
    together = cost_of(desk(), [order(1, "100"), order(2, "100", account="lead")])
    alone = cost_of(desk(), [order(1, "200")])
    assert together.impact == alone.impact
    assert alone.impact > 2 * cost_of(desk(), [order(1, "100")]).impact


def test_spread_of_an_option_is_on_its_premium() -> None:
    row = perpetual(NORTH, kind="option", mark="1200", bid="1190", ask="1210", delta="0.5")
    data = changed("snapshot/instruments/0", {**row, "funding": None})
    found = cost_of(data, [order(1, "10")])
    assert (found.spread, found.fees) == (1, 2)


def test_transfer_pays_charges_and_capital_under_way() -> None:
    data = changed("snapshot/routes/1/latency_s", "3600")
    found = cost_of(data, [transfer(1, "10000", "wide")]).transfers
    assert abs(found - 10 - Decimal(10000) * Decimal("0.05") * 3600 / 31536000) < CLOSE


def test_fee_of_a_move_is_a_transfer_cost() -> None:
    data = changed(position("lead"), pair("100"))
    data["snapshot"]["moves"][0]["fee"] = "7"
    data["mandate"]["policy"]["move_cost"] = "3"
    found = cost_of(data, [move(1)])
    assert (found.transfers, found.actions, found.fees) == (7, 3, 0)


def test_carry_is_funding_less_alpha_and_interest() -> None:
    data = changed(position("lead"), pair("100"))
    data["mandate"]["policy"]["alpha"] = {NORTH: "0.0003"}
    assert cost_of(data, []).carry == Decimal("-8")
    debt = changed("snapshot/assets/USDT", {"price": "1", "borrow_rate": "0.0876"})
    debt["snapshot"]["accounts"][2]["balances"]["USDT"]["wallet"] = "-1000"
    assert cost_of(debt, []).carry == Decimal("0.08")


def test_concentration_charges_positive_equity_by_venue() -> None:
    data = desk()
    data["mandate"]["policy"]["venue_risk"] = {"south": "0.0876", "north": "0"}
    assert cost_of(data, []).concentration == Decimal("4.8")
    data["snapshot"]["accounts"][2]["balances"]["USDT"]["wallet"] = "-60000"
    assert cost_of(data, []).concentration == 0


def test_what_is_traded_needs_volume() -> None:
    with pytest.raises(SnapshotError, match="volume"):
        cost_of(changed("snapshot/instruments/0/daily_volume", None), [order(1)])


def shuffled(data: Data, seed: int) -> Data:
    dice = random.Random(seed)
    rows: Any = data["snapshot"]
    for key in ("instruments", "accounts", "routes"):
        dice.shuffle(rows[key])
    return data


@pytest.mark.parametrize("seed", range(5))
def test_order_of_accounts_and_instruments_changes_nothing(seed: int) -> None:
    rows = [*GOOD, order(3, "1", account="lead", instrument=COIN)]
    data = desk()
    data["mandate"]["policy"]["venue_risk"] = {"north": "0.01", "south": "0.02"}
    before = cost_of(data, rows)
    assert cost_of(shuffled(data, seed), rows) == before
