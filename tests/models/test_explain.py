"""A plan's headline says what it is worth."""

from __future__ import annotations

from decimal import Decimal

from allocator.models.explain import explain
from allocator.models.plan import Cost, Plan, Transfer


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
