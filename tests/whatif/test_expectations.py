"""What a scenario expects is compared figure by figure, and told in sentences."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from allocator.models.plan import Plan
from allocator.models.scenario import Expect
from allocator.whatif.difference import differences
from allocator.whatif.expectations import check_expect
from allocator.whatif.report import html, markdown

ORDER = {
    "seq": 1, "kind": "order", "account": "a", "instrument": "v:<B|C>", "side": "buy",
    "quantity": "3", "limit_price": "101",
}  # fmt: skip
TRANSFER = {
    "seq": 2, "kind": "transfer", "route": "r", "from": "a", "to": "b", "asset": "USDT",
    "amount": "10", "after": [1],
}  # fmt: skip


def plan(**more: Any) -> Plan:
    return Plan.model_validate(
        {
            "status": "act",
            "actions": [ORDER, TRANSFER],
            "cost": {"fees": "2", "carry": "-5", "total": "-3", "do_nothing": "7"},
            "exposure": {"BTC": {"before": "1", "after": "2.5", "target": "3", "band": "1"}},
            "accounts": {
                "a": {
                    "equity_before": "100", "equity_after": "98", "initial_margin_after": "20",
                    "maintenance_margin_after": "10", "margin_ratio_after": "9.8",
                    "liquidation_distance_after": {"BTC": "-0.4", "ETH": None},
                },
                "b": {
                    "equity_before": "1", "equity_after": "1", "initial_margin_after": "0",
                    "maintenance_margin_after": "0", "margin_ratio_after": None,
                },
            },
            "certificate": {
                "lower_bound": "-3.5", "gap": "0.5", "gap_relative": "0.25",
                "binding": [{"limit": "cap", "price": "0.1"}],
            },
            **more,
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    "expect",
    [
        {},
        {"feasible": True, "status": "act", "actions": {"min": 2, "max": 2}},
        {"orders": {"max": 1}, "transfers": {"min": 1}, "moves": {"max": 0}},
        {"total": {"max": "-3"}, "saving": {"min": 10, "max": 10}, "shortfall": {"max": 0}},
        {"worst_margin_ratio": {"min": "9.8", "max": "9.8"}, "gap_relative": {"max": "0.25"}},
        {"exposure": {"BTC": {"min": "2.5", "max": "2.5"}}, "binding": ["cap"]},
    ],
)
def test_what_is_met_is_not_mentioned(expect: dict[str, Any]) -> None:
    assert check_expect(Expect.model_validate(expect), plan()) == []


@pytest.mark.parametrize(
    ("expect", "message"),
    [
        ({"feasible": False}, "expected to be infeasible, but the status is act"),
        ({"status": "nothing"}, "status: expected nothing, got act"),
        ({"actions": {"max": 1}}, "actions: expected at most 1, got 2"),
        ({"moves": {"min": 1}}, "moves: expected at least 1, got 0"),
        ({"total": {"min": "-2.5"}}, "total: expected at least -2.5, got -3"),
        ({"worst_margin_ratio": {"min": 10}}, "worst_margin_ratio: expected at least 10, got 9.8"),
        ({"exposure": {"BTC": {"max": 2}}}, "exposure BTC: expected at most 2, got 2.5"),
        ({"exposure": {"ETH": {"max": 2}}}, "exposure ETH: the plan does not tell"),
        ({"binding": ["other"]}, "binding: expected other among cap"),
        ({"unrepairable": ["a"]}, "unrepairable: expected a to be named in nothing"),
        ({"infeasible": ["margin a"]}, "infeasible: expected margin a to be named in nothing"),
    ],
)
def test_what_is_missed_is_told(expect: dict[str, Any], message: str) -> None:
    assert check_expect(Expect.model_validate(expect), plan()) == [message]


def test_a_cause_may_be_named_by_what_is_missing_or_by_what_stands_against_it() -> None:
    broken = plan(
        status="infeasible",
        infeasible=[{"what": "margin a", "missing": "12", "conflicts": ["limit cap [owner=x]"]}],
    )
    expect = Expect.model_validate({"feasible": False, "infeasible": ["margin a", "cap"]})
    assert check_expect(expect, broken) == []


def test_plans_differ_by_what_they_act_on() -> None:
    other = plan(actions=[{**ORDER, "quantity": "4"}], cost={"fees": "2", "total": "1"})
    assert differences(plan(), plan()) == []
    assert differences(plan(), other) == [
        ("order a v:<B|C>", "buy 3 v:<B|C> in a, no worse than 101",
         "buy 4 v:<B|C> in a, no worse than 101"),
        ("transfer r", "send 10 USDT from a to b over r", ""),
        ("cost carry", "-5", "0"),
        ("cost total", "-3", "1"),
        ("cost do_nothing", "7", "0"),
    ]  # fmt: skip


def test_a_page_needs_nothing_beside_itself_and_escapes_what_it_shows() -> None:
    page = html(plan(), title="<x>")
    assert "<title>&lt;x&gt;</title>" in page
    assert "v:&lt;B|C&gt;" in page
    assert page.count('<div class="chart"') == page.count('<script type="application/json">') == 5


def test_markdown_tables_keep_their_columns() -> None:
    text = markdown(plan(), title="T")
    assert text.startswith("# T\n\nAct: 2 actions cost -3.00 USD in all, 10.00 USD better")
    rows = [line for line in text.splitlines() if "v:<B" in line]
    assert rows == ["| 1 | buy 3 v:<B\\|C> in a, no worse than 101 | - |  |"]
    assert "| a | 100.00 | 98.00 | 20.00 | 10.00 | - | 9.80 | -40.0% |" in text


def test_a_plan_without_figures_can_be_reported() -> None:
    empty = Plan(status="nothing")
    assert "Do nothing" in html(empty)
    assert "Do nothing" in markdown(empty)
    assert check_expect(Expect.model_validate({"worst_margin_ratio": {"min": Decimal(1)}}), empty)
