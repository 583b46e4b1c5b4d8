"""A plan's headline says what it is worth."""

from __future__ import annotations

from decimal import Decimal

import pytest

from allocator.models.explain import binds, explain, lacks
from allocator.models.plan import Cost, Plan, Transfer
from allocator.models.reasons import Binding, Shortage


def plan(total: str, do_nothing: str) -> Plan:
    action = Transfer.model_validate(
        {"seq": 1, "route": "r", "from": "a", "to": "b", "asset": "USDT", "amount": "10"}
    )
    cost = Cost(total=Decimal(total), do_nothing=Decimal(do_nothing))
    return Plan(status="act", actions=(action,), cost=cost)


def test_plan_that_pays_tells_what_it_saves() -> None:
    head = explain(plan("3", "1003.5")).splitlines()[0]
    assert head == (
        "Act: 1 action costs 3.00 USD in all, 1,000.50 USD better than doing nothing "
        "(1,003.50 USD)."
    )


def test_repair_that_costs_is_not_called_better() -> None:
    head = explain(plan("3", "1")).splitlines()[0]
    assert head == (
        "Act: 1 action costs 3.00 USD in all, 2.00 USD more than doing nothing (1.00 USD): "
        "it repairs what is broken."
    )


@pytest.mark.parametrize(
    ("what", "account", "said"),
    [
        ("margin main desk", "main desk", "main desk misses 5.00 USD of initial margin"),
        ("margin a USD", "a USD", "a USD misses 5.00 USD of initial margin"),
        ("margin a USD", "a", "the USD pool of a misses 5.00 USD of initial margin"),
        ("wallet a/b/USD", "a/b", "a/b lacks 5.00 USD of USD"),
    ],
)
def test_what_is_short_is_told_by_its_account(what: str, account: str, said: str) -> None:
    sums = {"asked": Decimal(9), "held": Decimal(4), "missing": Decimal(5)}
    place = ("snapshot", "accounts", account)
    assert lacks(Shortage(what=what, rule="initial margin", place=place, **sums)) == said


def test_a_limit_may_be_called_as_other_rules_are() -> None:
    row = Binding(limit="margin a", price=Decimal(2), declared=("mandate", "limits", "margin a"))
    assert binds(row) == "limit margin a: 1 USD more would save 2.00 USD [mandate.limits.margin a]"


def test_collateral_is_told_by_its_account() -> None:
    place = ("snapshot", "accounts", "main desk", "positions", "v:BTC")
    row = Binding(limit="margin main desk", price=Decimal(2), declared=place)
    assert binds(row).startswith("1 USD more collateral in main desk would save 2.00 USD")
