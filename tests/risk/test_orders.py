"""What is measured of an order, by hand."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from allocator.models.account import OpenOrder
from allocator.models.intents import Quote
from allocator.risk import table
from allocator.risk.control import Control
from allocator.risk.orders import OrderFacts, Sent, message_readings, order_readings, units_of
from allocator.state import Book
from tests.execution.book import (
    BTC_A,
    BTC_B,
    MANDATE,
    START,
    account,
    instrument,
    order_intent,
    snapshot,
)

D = Decimal
QUOTE = Quote(instrument=BTC_A, bid=D(49999), ask=D(50001), mark=D(50000), at=START)


def facts(over: dict[str, Any] | None = None, **rest: Any) -> OrderFacts:
    rows = [instrument(BTC_A) | rest.pop("row", {}), instrument(BTC_B)]
    accounts = [account("a", "alpha", "1") | rest.pop("who", {}), account("b", "beta", "-1")]
    book = Book.of(snapshot(instruments=rows, accounts=accounts), MANDATE)
    given: dict[str, Any] = {"quote": QUOTE, "age_s": D(0), "held": D(1), "marks": (QUOTE.mark,)}
    return OrderFacts(book=book, intent=order_intent(**(over or {})), **(given | rest))


def measured(control: Control, row: OrderFacts) -> Decimal | None:
    [found] = [reading for reading in order_readings(row) if reading.control is control]
    return found.value


def test_size_is_measured_at_the_fresh_mark() -> None:
    dear = QUOTE.model_copy(update={"mark": D(60000)})
    assert measured(table.ORDER_UNITS, facts()) == D("0.5")
    assert measured(table.ORDER_VALUE, facts()) == 25000
    assert measured(table.ORDER_VALUE, facts(quote=dear)) == 30000


def test_units_of_an_inverse_contract_follow_the_mark() -> None:
    row = facts().book.instruments[BTC_A]
    inverse = row.model_copy(update={"payoff": "inverse", "contract_size": D(100)})
    assert units_of(inverse, D(1000), D(50000)) == 2
    assert units_of(row, D(3), D(50000)) == 3


@pytest.mark.parametrize(
    ("side", "price", "bps"), [("buy", "50250", 50), ("sell", "49750", 50), ("buy", "49750", -50)]
)
def test_collar_counts_what_is_worse_than_the_mark(side: str, price: str, bps: int) -> None:
    assert measured(table.COLLAR, facts({"side": side, "limit_price": price})) == bps


@pytest.mark.parametrize(("side", "bps"), [("buy", 255), ("sell", 148)])
def test_window_collar_counts_from_the_best_mark_seen(side: str, bps: int) -> None:
    marks = (D(49000), D(50000), D(51000))
    over = {"side": side, "limit_price": "50250"}
    found = measured(table.WINDOW_COLLAR, facts(over, marks=marks))
    assert found is not None
    assert abs(found - bps) < 1


def test_without_prices_nothing_about_them_is_known() -> None:
    row = facts(quote=None, age_s=None, marks=())
    wanted = (table.ORDER_UNITS, table.ORDER_VALUE, table.COLLAR, table.WINDOW_COLLAR)
    assert [measured(control, row) for control in wanted] == [None] * 4
    assert measured(table.REFERENCE_AGE, row) is None


@pytest.mark.parametrize(
    ("control", "over", "row", "value"),
    [
        (table.LOT, {"quantity": "0.5"}, {}, "0"),
        (table.LOT, {"quantity": "0.5004"}, {}, "0.0004"),
        (table.TICK, {"limit_price": "50000.1"}, {}, "0"),
        (table.TICK, {"limit_price": "50000.15"}, {}, "0.05"),
        (table.SMALLEST, {"quantity": "0.5"}, {"min_notional": "25000"}, "0"),
        (table.SMALLEST, {"quantity": "0.5"}, {"min_notional": "25001"}, "1"),
        (table.SMALLEST, {"quantity": "0.5"}, {"min_quantity": "0.6"}, "5000"),
        (table.LARGEST, {"quantity": "0.5"}, {"max_quantity": "0.5"}, "0"),
        (table.LARGEST, {"quantity": "0.5"}, {"max_quantity": "0.4"}, "0.1"),
    ],
)
def test_rules_of_the_instrument(
    control: Control, over: dict[str, Any], row: dict[str, Any], value: str
) -> None:
    assert measured(control, facts(over, row=row)) == D(value)


def test_what_closes_a_position_may_be_small() -> None:
    over = {"side": "sell", "reduce_only": True, "quantity": "1"}
    assert measured(table.SMALLEST, facts(over, row={"min_notional": "900000"})) == 0


@pytest.mark.parametrize(
    ("side", "quantity", "held", "beyond"),
    [
        ("sell", "0.5", 1, "-0.5"),
        ("sell", "1", 1, "0"),
        ("sell", "1.5", 1, "0.5"),
        ("buy", "0.5", 1, "0.5"),
        ("buy", "0.5", -1, "-0.5"),
    ],
)
def test_reduce_only_is_measured_against_what_is_held_the_other_way(
    side: str, quantity: str, held: int, beyond: str
) -> None:
    over = {"side": side, "quantity": quantity, "reduce_only": True}
    assert measured(table.REDUCE_ONLY, facts(over, held=D(held))) == D(beyond)


def test_what_is_held_has_to_be_known() -> None:
    assert measured(table.REDUCE_ONLY, facts({"reduce_only": True}, held=None)) is None
    assert measured(table.SMALLEST, facts(held=None)) is None


@pytest.mark.parametrize(
    ("row", "who", "reduce_only", "wrong"),
    [
        ({}, {}, False, 0),
        ({"status": "halted"}, {}, True, 1),
        ({"status": "reduce_only"}, {}, False, 1),
        ({"status": "reduce_only"}, {}, True, 0),
        ({}, {"state": "frozen"}, True, 1),
        ({}, {"state": "reduce_only"}, False, 1),
        ({}, {"state": "reduce_only"}, True, 0),
    ],
)
def test_status_of_instrument_and_account(
    row: dict[str, Any], who: dict[str, Any], reduce_only: bool, wrong: int
) -> None:
    found = measured(table.STATUS, facts({"reduce_only": reduce_only}, row=row, who=who))
    assert found == wrong


@pytest.mark.parametrize(
    ("side", "price", "meets"),
    [("sell", "50250", 1), ("sell", "50251", 0), ("sell", None, 1), ("buy", "50000", 0)],
)
def test_own_resting_orders_are_met_where_prices_cross(
    side: str, price: str | None, meets: int
) -> None:
    row = {"instrument": BTC_A, "side": side, "quantity": "1", "price": price}
    resting = (OpenOrder.model_validate(row),)
    assert measured(table.SELF_MATCH, facts(resting=resting)) == meets


def test_what_waits_for_a_trigger_is_met_only_by_an_order_that_rests() -> None:
    row = {"instrument": BTC_A, "side": "sell", "quantity": "3", "waits": True}
    resting = (OpenOrder.model_validate(row),)
    assert measured(table.SELF_MATCH, facts(resting=resting)) == 0
    assert measured(table.SELF_MATCH, facts({"style": "post_only"}, resting=resting)) == 3


def test_own_resting_buys_are_met_by_a_sale() -> None:
    row = {"instrument": BTC_A, "side": "buy", "quantity": "2", "price": "49750"}
    resting = (OpenOrder.model_validate(row),)
    over = {"side": "sell", "limit_price": "49750"}
    assert measured(table.SELF_MATCH, facts(over, resting=resting)) == 2
    over = {"side": "sell", "limit_price": "49750.1"}
    assert measured(table.SELF_MATCH, facts(over, resting=resting)) == 0


def test_pace_counts_the_order_itself() -> None:
    sent = Sent(since_equal_s=D(3), same_side=4)
    assert measured(table.DUPLICATE, facts(sent=sent)) == 3
    assert measured(table.REPEATED, facts(sent=sent)) == 5
    found = measured(table.DUPLICATE, facts())
    assert found is not None
    assert found > 10**8


def test_messages_count_the_request_itself_and_are_never_assumed() -> None:
    found = {r.control: r.value for r in message_readings({table.MESSAGES_ACCOUNT: 4})}
    assert found[table.MESSAGES_ACCOUNT] == 5
    assert found[table.MESSAGES_LOGIN] is None
