"""Measures of limits over scopes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocator.limits import Meter, limit_shortfalls, meters_of, plan_excess
from allocator.models.errors import SnapshotError
from allocator.models.plan import Plan
from allocator.state import Book, State, effect_of
from tests.law.desk import (
    COIN,
    NORTH,
    SOUTH,
    Data,
    book_of,
    changed,
    limited,
    order,
    pair,
    transfer,
)


def held(**more: Any) -> Data:
    """`lead` long 30, `aide` short 10, `far` long 5 contracts; one limit with these keys."""
    data = limited(max="0", **more)
    for account, quantity in zip(data["snapshot"]["accounts"], ("30", "-10", "5"), strict=True):
        for name in account["positions"]:
            account["positions"][name] = pair(quantity)
    return data


def measured(data: Data) -> Decimal:
    """The measure itself: the excess over a max of zero."""
    book = book_of(data)
    return Meter(book, book.mandate.limits[0]).excess(State.start(book))


@pytest.mark.parametrize(
    ("measure", "value"),
    [
        ("long_notional", 35 * 400),
        ("short_notional", 10 * 400),
        ("gross_notional", 45 * 400),
        ("net_notional", 25 * 400),
        ("quantity", 45),
        ("leverage", 45 * 400),
        ("equity", 162000),
    ],
)
def test_measure_of_a_portfolio(measure: str, value: int) -> None:
    assert measured(held(measure=measure)) == value


@pytest.mark.parametrize(
    ("scope", "value"),
    [
        ({"venue": "north"}, 40),
        ({"owner": "house", "venue": "south"}, 5),
        ({"control_group": "house"}, 45),
        ({"account": "aide"}, 10),
    ],
)
def test_scope_picks_its_accounts(scope: dict[str, str], value: int) -> None:
    assert measured(held(measure="quantity", scope=scope, source="desk")) == value


def test_scope_without_accounts_is_refused() -> None:
    with pytest.raises(SnapshotError, match="no account"):
        measured(held(measure="quantity", scope={"venue": "east"}))


@pytest.mark.parametrize(
    ("of", "value"),
    [
        ({"any": True}, 45),
        ({"underlying": "BTC"}, 45),
        ({"underlying": "ETH"}, 0),
        ({"instrument": SOUTH}, 5),
        ({"asset": "USDT"}, 45),
        ({"asset": "BTC"}, 0),
    ],
)
def test_selector_picks_its_instruments(of: dict[str, Any], value: int) -> None:
    assert measured(held(measure="quantity", of=of)) == value


def working(measure: str, *orders: tuple[str, str, bool], **more: Any) -> Decimal:
    data = held(measure=measure, scope={"account": "aide"}, source="desk", **more)
    data["snapshot"]["accounts"][1]["open_orders"] = [
        {"instrument": NORTH, "side": side, "quantity": quantity, "reduce_only": flag}
        for side, quantity, flag in orders
    ]
    return measured(data)


def test_standing_orders_count_on_the_worst_side() -> None:
    buys, sells = ("buy", "30", False), ("sell", "5", False)
    assert working("quantity", buys, sells) == 20
    assert working("quantity", sells) == 15
    assert working("long_notional", buys, sells) == 20 * 400
    assert working("short_notional", buys, sells) == 15 * 400
    assert working("net_notional", buys, sells) == 20 * 400


def test_standing_orders_that_only_reduce_do_not_count() -> None:
    assert working("quantity", ("buy", "30", True)) == 10


def test_limit_may_count_positions_alone() -> None:
    assert working("quantity", ("buy", "30", False), counts=["positions"]) == 10


def test_both_legs_of_a_hedged_pair_count() -> None:
    data = held(measure="quantity", scope={"account": "aide"}, source="desk")
    legs = {"legs": {"long": "30", "short": "10"}, "unrealised": "0", "leverage": "10"}
    data["snapshot"]["accounts"][1]["positions"][NORTH] = legs
    assert measured(data) == 40
    data["mandate"]["limits"][0]["measure"] = "short_notional"
    assert measured(data) == 4000
    data["mandate"]["limits"][0]["measure"] = "net_notional"
    assert measured(data) == 8000


def test_equity_counts_arrivals_unless_it_says_otherwise() -> None:
    data = held(measure="equity", scope={"account": "aide"}, source="desk")
    flying = [{"asset": "USDT", "amount": "500", "direction": "in"}]
    data["snapshot"]["accounts"][1]["in_flight"] = flying
    assert measured(data) == 2500
    data["mandate"]["limits"][0]["counts"] = ["positions"]
    assert measured(data) == 2000


def under_way(scope: dict[str, str]) -> tuple[Book, State]:
    book = book_of(held(measure="equity", scope=scope, source="desk"))
    action = Plan.model_validate({"status": "act", "actions": [transfer(1)]}).actions[0]
    return book, State.start(book).after([effect_of(book, action)], arrived=False)


@pytest.mark.parametrize(
    ("scope", "value"),
    [
        ({"venue": "north"}, 102000 - 1),
        ({"account": "lead"}, 100000 - 3000 - 1),
        ({"account": "aide"}, 2000),
    ],
)
def test_money_under_way_counts_where_both_ends_are_inside(
    scope: dict[str, str], value: int
) -> None:
    book, state = under_way(scope)
    assert Meter(book, book.mandate.limits[0]).equity(state) == value


def test_maximum_of_equity_is_not_met_by_spending() -> None:
    book, state = under_way({"account": "lead"})
    assert Meter(book, book.mandate.limits[0]).equity(state, "max") == 97000


@pytest.mark.parametrize(
    ("measure", "of", "value"),
    [
        ("orders", {}, 2),
        ("orders", {"instrument": COIN}, 1),
        ("turnover", {}, 44000),
        ("transfer_out", {}, 3000),
        ("transfer_out", {"asset": "BTC"}, 0),
    ],
)
def test_measures_of_the_plan(measure: str, of: dict[str, Any], value: int) -> None:
    book = book_of(limited(measure, "0", of=of))
    rows = [transfer(1), order(2, "10"), order(3, "1", account="lead", instrument=COIN)]
    actions = Plan.model_validate({"status": "act", "actions": rows}).actions
    effects = [effect_of(book, action) for action in actions]
    assert plan_excess(book, book.mandate.limits[0], effects) == value


def test_plan_is_measured_by_its_sender() -> None:
    book = book_of(limited("transfer_out", "0", scope={"account": "aide"}, source="desk"))
    action = Plan.model_validate({"status": "act", "actions": [transfer(1)]}).actions[0]
    assert plan_excess(book, book.mandate.limits[0], [effect_of(book, action)]) == 0


def test_shortfall_values_contracts_at_the_largest_notional_selected() -> None:
    data = held(measure="quantity")
    data["snapshot"]["instruments"][1]["contract_size"] = "0.02"
    book = book_of(data)
    rows = limit_shortfalls(meters_of(book), State.start(book))
    assert [(row.what, row.amount) for row in rows] == [("limit cap", 45 * 800)]


@given(st.integers(-200, 200), st.integers(-200, 200))
def test_splitting_an_account_gives_no_owner_scope_capacity(one: int, other: int) -> None:
    scope = {"owner": "house", "venue": "north"}
    for measure in ("quantity", "gross_notional", "net_notional"):
        data = limited(measure, "0", scope=scope)
        joined = changed("snapshot/accounts/0/positions", {NORTH: pair(str(one + other))}, data)
        split = changed("snapshot/accounts/0/positions", {NORTH: pair(str(one))}, data)
        split["snapshot"]["accounts"][1]["positions"] = {NORTH: pair(str(other))}
        assert measured(split) >= measured(joined)


@given(st.integers(0, 300), st.integers(0, 300))
def test_less_contracts_never_exceed_more(one: int, other: int) -> None:
    low, high = sorted((one, other))
    for measure in ("long_notional", "gross_notional", "quantity", "leverage"):
        data = limited(measure, "3", scope={"account": "lead"}, source="desk")
        small = changed("snapshot/accounts/0/positions", {NORTH: pair(str(low))}, data)
        large = changed("snapshot/accounts/0/positions", {NORTH: pair(str(high))}, data)
        assert measured(small) <= measured(large)
