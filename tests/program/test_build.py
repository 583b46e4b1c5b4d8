"""Bounds on what a program may hold leave room for the best plan of books known by hand."""

from __future__ import annotations

from decimal import Decimal

from allocator.plan.lots import Sizes
from tests.by_hand import KEY, account, held, no_worse, scenario


def test_money_on_its_way_leaves_room_for_more_money_and_a_larger_position() -> None:
    flight = {"asset": "USD", "amount": "100000", "direction": "in"}
    a = account("a", "0", positions=held("10"), in_flight=[flight])
    route = {"id": "r", "from": "b", "to": "a", "asset": "USD", "kind": "internal"}
    case = scenario("2000000", [a, account("b", "30000")], routes=[route])
    no_worse(case, Sizes({KEY: Decimal("5.9")}, {"r": Decimal(30000)}))
