"""Limits of a program on books whose best plan is known by hand."""

from __future__ import annotations

from decimal import Decimal

import pytest

from allocator.plan.lots import Sizes
from tests.by_hand import KEY, account, held, no_worse, scenario


@pytest.mark.parametrize("cap", ["0", "10000"])
def test_both_sides_of_a_net_limit_are_missing_once(cap: str) -> None:
    order = {"instrument": "v:BTC", "side": "sell", "quantity": "1", "price": "50000"}
    limit = {"id": "n", "measure": "net_notional", "scope": {"portfolio": True}, "max": cap}
    desk = account("a", "100000", positions=held("0"), open_orders=[order])
    no_worse(scenario("0", [desk], limits=[limit]), Sizes({KEY: Decimal("0.5")}))
