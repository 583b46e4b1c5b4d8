"""A shadow price is what relaxing the limit a little saves per unit of it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from allocator.decide import decide
from allocator.minimise.prices import paid_for, used_of
from allocator.minimise.search import search
from allocator.models.account import Balance
from allocator.models.mandate import Limit, Mandate
from allocator.models.plan import Plan
from allocator.models.reasons import Binding
from allocator.models.scenario import Scenario
from allocator.models.snapshot import Snapshot
from allocator.plan.lots import Sizes
from allocator.program.build import build
from allocator.program.crossing import arrays_of
from allocator.program.solve import solve
from allocator.state import Book
from allocator.whatif.document import read
from allocator.whatif.reader import load_scenario
from tests.books import random_book
from tests.sizes import sizes_of

SCENARIOS = Path(__file__).resolve().parents[2] / "scenarios"
STEPS = {"USD": Decimal(500), "contracts": Decimal("0.005"), "x equity": Decimal("0.0005")}
"""By how much limits are relaxed, by unit."""


def value_of(snapshot: Snapshot, mandate: Mandate, sizes: Sizes, cap: float) -> float:
    """Least cost with the plan's own actions paid for, numeraire."""
    program = build(arrays_of(Book.of(snapshot, mandate)), None)
    form = paid_for(program.form, used_of(program.core, sizes))
    return solve(form.capped(cap).relaxed()).value * form.cost_unit


def relaxed(mandate: Mandate, row: Binding, by: Decimal) -> Mandate:
    limits = list[Limit]()
    for limit in mandate.limits:
        if limit.id == row.limit and row.bound == "max" and limit.max is not None:
            limits.append(limit.model_copy(update={"max": limit.max + by}))
        elif limit.id == row.limit and limit.min is not None:
            limits.append(limit.model_copy(update={"min": limit.min - by}))
        else:
            limits.append(limit)
    return mandate.model_copy(update={"limits": tuple(limits)})


def saved(snapshot: Snapshot, mandate: Mandate, plan: Plan, row: Binding, by: Decimal) -> float:
    """What relaxing a limit saves per unit."""
    cap = search(arrays_of(Book.of(snapshot, mandate))).cap
    before = value_of(snapshot, mandate, sizes_of(plan), cap)
    after = value_of(snapshot, relaxed(mandate, row, by), sizes_of(plan), cap)
    return (before - after) / float(by)


MEASURES: tuple[tuple[dict[str, Any], str], ...] = (
    ({"measure": "gross_notional", "max": "1000000"}, "USD"),
    ({"measure": "long_notional", "max": "1000000"}, "USD"),
    ({"measure": "quantity", "max": "15"}, "contracts"),
    ({"measure": "leverage", "of": {}, "max": "0.25"}, "x equity"),
    ({"measure": "turnover", "max": "900000"}, "USD"),
)


@pytest.mark.parametrize(("limit", "unit"), MEASURES, ids=[row[0]["measure"] for row in MEASURES])
def test_the_price_is_per_unit_of_the_limit(limit: dict[str, Any], unit: str) -> None:
    raw = read(SCENARIOS / "owner-cap-beats-splitting.yaml").data
    (old,) = raw["mandate"]["limits"]
    raw["mandate"]["limits"] = [{**old, "counts": ["positions"], **limit}]
    scenario = Scenario.model_validate({k: v for k, v in raw.items() if k != "expect"})
    plan = decide(scenario.snapshot, scenario.mandate)
    assert plan.certificate is not None
    (row,) = [row for row in plan.certificate.binding if row.limit == old["id"]]
    assert row.unit == unit
    assert row.declared == ("mandate", "limits", old["id"])
    assert row.source == old["source"]
    assert row.level == Decimal(limit["max"])
    gain = saved(scenario.snapshot, scenario.mandate, plan, row, STEPS[unit])
    assert float(row.price) == pytest.approx(gain, rel=0.02)
    if unit == "USD":  # and deciding anew saves it too
        eased = decide(scenario.snapshot, relaxed(scenario.mandate, row, Decimal(64000)))
        true = (plan.cost.total - eased.cost.total) / 64000
        assert float(true) == pytest.approx(float(row.price), rel=0.02)


def test_money_that_is_sent_anyway_is_dear_by_its_way_and_not_by_its_fee() -> None:
    scenario = load_scenario(SCENARIOS / "margin-rescue-by-transfer.yaml")
    plan = decide(scenario.snapshot, scenario.mandate)
    assert plan.certificate is not None
    (row,) = plan.certificate.binding
    book = read(SCENARIOS / "margin-rescue-by-transfer.yaml").data
    for account in book["snapshot"]["accounts"]:
        if account["id"] == "bybit-a":
            wallet = Decimal(account["balances"]["USDT"]["wallet"])
            account["balances"]["USDT"]["wallet"] = str(wallet + 1000)
    richer = Scenario.model_validate({k: v for k, v in book.items() if k != "expect"})
    eased = decide(richer.snapshot, richer.mandate)
    assert float(row.price) == pytest.approx(
        float((plan.cost.total - eased.cost.total) / 1000), rel=0.01
    )
    assert row.leg == "bybit:BTC/USDT:USDT"
    assert row.bracket == "bracket 1 of 3 up to 2,000,000 USD, maintenance 0.5 %, at 20x"


@pytest.mark.parametrize("flavour", ["limits", "broken", "mixed"])
def test_relaxing_what_binds_saves_what_its_price_says(flavour: str) -> None:
    seen = 0
    for seed in range(10, 24):
        scenario = Scenario.model_validate(random_book(seed, flavour))
        plan = decide(scenario.snapshot, scenario.mandate)
        for row in plan.certificate.binding if plan.certificate is not None else ():
            if row.unit in STEPS and row.bound:
                gain = saved(scenario.snapshot, scenario.mandate, plan, row, STEPS[row.unit])
                assert gain > 0.3 * float(row.price) - 2e-6, (seed, row)
                seen += 1
    assert seen > 1


def test_collateral_of_an_account_that_holds_nothing_yet_has_its_full_price() -> None:
    """Sizes are bounded by today's room, which must not bound what more room would save."""
    path = Path(__file__).resolve().parents[1] / "data" / "collateral-short-of-carry.yaml"
    scenario = load_scenario(path)
    more = Decimal(100)
    rows = [
        row.model_copy(update={"balances": {"USDT": richer(row.balances["USDT"], more)}})
        if row.id == "d"
        else row
        for row in scenario.snapshot.accounts
    ]
    eased = scenario.snapshot.model_copy(update={"accounts": tuple(rows)})
    plan = decide(scenario.snapshot, scenario.mandate)
    saved = plan.cost.total - decide(eased, scenario.mandate).cost.total
    (told,) = [row for row in bound(plan) if row.limit == "margin d"]
    assert float(told.price) == pytest.approx(float(saved / more), rel=0.1)


def richer(balance: Balance, by: Decimal) -> Balance:
    return balance.model_copy(update={"wallet": balance.wallet + by})


def bound(plan: Plan) -> tuple[Binding, ...]:
    assert plan.certificate is not None
    return plan.certificate.binding


def test_no_limit_has_a_price_while_something_stays_missing() -> None:
    scenario = Scenario.model_validate(random_book(17, "limits"))
    plan = decide(scenario.snapshot, scenario.mandate)
    assert plan.status == "infeasible"
    assert plan.certificate is not None
    assert plan.certificate.binding == ()


def test_a_price_is_what_deciding_anew_with_a_little_more_saves() -> None:
    """The relaxation would buy and sell one instrument at once, and make room of its own so."""
    raw = random_book(81005, "broken")
    plans = list[Plan]()
    for most in ("32000", "32100"):
        raw["mandate"]["limits"][2]["max"] = most
        scenario = Scenario.model_validate(raw)
        plans.append(decide(scenario.snapshot, scenario.mandate))
    (row,) = [row for row in bound(plans[0]) if row.limit == "limit-2"]
    saved = (plans[0].cost.total - plans[1].cost.total) / 100
    assert float(row.price) == pytest.approx(float(saved), rel=0.01)
