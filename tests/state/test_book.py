"""Unit values, derived facts and effects, by hand."""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocator.cost import cost
from allocator.models.errors import InputError, SnapshotError
from allocator.models.plan import Plan
from allocator.state import Book, Effect, State, effect_of, equity, published
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

OPTION = perpetual(
    "north:BTC-CALL", kind="option", mark="1200", bid="1190", ask="1210", delta="0.5", funding=None
)
INVERSE = perpetual(
    "north:BTC/USD:BTC", payoff="inverse", settle="BTC", quote="USD", contract_size="100"
)
QUANTO = perpetual(
    "north:BTC/EUR:ETH", payoff="quanto", settle="ETH", contract_size="0.001", mark="37000"
)


def with_instrument(row: Data) -> Data:
    data = desk()
    data["snapshot"]["assets"]["ETH"] = {"price": "2000", "underlying": "ETH"}
    data["snapshot"]["instruments"].append(row)
    return data


def effects_of(book: Book, rows: list[Data]) -> list[Effect]:
    plan = Plan.model_validate({"status": "act", "actions": rows})
    return [effect_of(book, action) for action in plan.actions]


@pytest.mark.parametrize(
    ("row", "notional", "exposure", "half_spread"),
    [
        (perpetual("x"), "400", "400", "0.04"),
        (INVERSE, "100", "100", "0.01"),
        (QUANTO, "74000", "74000", "7.4"),
        (OPTION, "400", "200", "0.1"),
    ],
)
def test_unit_values_by_payoff(row: Data, notional: str, exposure: str, half_spread: str) -> None:
    book = book_of(with_instrument({**row, "id": "north:new"}))
    units = book.units["north:new"]
    assert units.notional == Decimal(notional)
    assert units.exposure == Decimal(exposure)
    assert abs(units.half_spread - Decimal(half_spread)) < Decimal("0.001")


def test_spot_has_notional_but_no_exposure_of_its_own() -> None:
    units = book_of(desk()).units[COIN]
    assert (units.notional, units.exposure, units.half_spread) == (40000, 0, 4)


def test_smallest_order_keeps_lot_quantity_and_notional() -> None:
    row = perpetual("north:new", lot="3", min_quantity="2", min_notional="1300")
    assert book_of(with_instrument(row)).units["north:new"].smallest == 6 * 400


@pytest.mark.parametrize(
    ("next_at", "interval", "count"),
    [
        (None, "4", "2"),
        (None, "3", "2.6667"),
        ("2026-11-20T08:00:00Z", "8", "1"),
        ("2026-11-20T12:00:00Z", "1", "5"),
        ("2026-11-20T16:00:00Z", "8", "1"),
        ("2026-11-20T16:00:01Z", "8", "0"),
        ("2026-11-19T08:00:00Z", "8", "1"),
        ("2026-11-20T12:00:00Z", "0.0000000001", "80000000000"),
    ],
)
def test_settlements_within_the_horizon(next_at: str | None, interval: str, count: str) -> None:
    funding = {"rate": "0.0001", "interval_h": interval, "next_at": next_at}
    book = book_of(changed("snapshot/instruments/0/funding", funding))
    assert abs(book.units[NORTH].settlements - Decimal(count)) < Decimal("0.0001")


def test_unrealised_is_computed_from_the_entry_price() -> None:
    data = with_instrument(INVERSE)
    data["snapshot"]["accounts"][0]["positions"] = {
        NORTH: pair("50", entry_price="38000"),
        INVERSE["id"]: pair("-100", entry_price="50000"),
    }
    book = book_of(data)
    assert book.unrealised["lead", NORTH] == 1000
    assert book.unrealised["lead", INVERSE["id"]] == Decimal("0.05")
    assert book.gains == {
        ("lead", "USDT"): 1000,
        ("lead", "BTC"): Decimal("0.05"),
        ("aide", "USDT"): 0,
        ("far", "USDT"): 0,
    }


def test_most_specific_fee_wins() -> None:
    by = {"perpetual": {"taker": "0.001"}, COIN: {"taker": "0.002"}, NORTH: {"maker": "0"}}
    book = book_of(changed("snapshot/accounts/0/fees", {"taker": "0.0005", "by": by}))
    assert book.taker("lead", NORTH) == Decimal("0.001")
    assert book.taker("lead", COIN) == Decimal("0.002")
    assert book.taker("aide", NORTH) == Decimal("0.0005")


@pytest.mark.parametrize(
    "path",
    ["snapshot/assets", "snapshot/instruments"],
)
def test_missing_references_are_refused(path: str) -> None:
    empty: Any = {} if path.endswith("assets") else []
    with pytest.raises(SnapshotError):
        book_of(changed(path, empty))


def test_correlations_for_some_pairs_only_are_refused() -> None:
    data = with_instrument(perpetual("north:SOL", underlying="SOL"))
    data["snapshot"]["assets"]["SOL"] = {"price": "100", "underlying": "SOL"}
    data["mandate"]["policy"]["risk"] = {"correlation": [["BTC", "ETH", "0.9"]]}
    with pytest.raises(SnapshotError, match="all or none"):
        book_of(data)


def test_unknown_references_of_actions_are_refused() -> None:
    book = book_of(desk())
    for row in (order(1, account="x"), order(1, instrument="x"), {**transfer(1), "route": "x"}):
        with pytest.raises(InputError):
            effects_of(book, [row])


def test_order_moves_contracts_and_pays_fee_and_spread() -> None:
    effect = effects_of(book_of(desk()), [order(1)])[0]
    assert effect.contracts == {("aide", NORTH): 100}
    assert (effect.fees, effect.spread, effect.notional) == (20, 4, 40000)
    assert effect.at_once == {("aide", "USDT"): -24} == {k: -v for k, v in effect.spent.items()}


def test_transfer_arrives_as_its_amount_with_charges_on_top() -> None:
    effect = effects_of(book_of(desk()), [transfer(1, "1000", "wide")])[0]
    assert effect.at_once == {("far", "USDT"): -1001}
    assert effect.on_arrival == {("aide", "USDT"): 1000}


def test_move_turns_its_part_of_the_profit_into_wallet() -> None:
    data = changed(position("lead"), pair("100", entry_price="39000"))
    book = book_of(data)
    start = State.start(book)
    after = start.after(effects_of(book, [move(1, "40")]))
    assert after.holdings["lead"].quantity[NORTH] == 60
    assert after.holdings["aide"].quantity[NORTH] == 40
    assert after.holdings["lead"].wallet["USDT"] == 100400
    assert [equity(book, after, n) for n in book.accounts] == [
        equity(book, start, n) for n in book.accounts
    ]


sizes = st.integers(1, 400)


@given(sizes, sizes, st.booleans(), st.sampled_from(["0", "0.3", "1"]))
def test_nothing_is_lost_but_what_is_spent(
    amount: int, contracts: int, arrived: bool, share: str
) -> None:
    book = book_of(desk())
    rows = [
        transfer(1, str(amount + 10)),
        order(2, str(contracts)),
        order(3, "1", account="lead", instrument=COIN),
    ]
    effects = effects_of(book, rows)
    start = State.start(book)
    after = start.after(effects, share=Decimal(share), arrived=arrived)
    held = sum(equity(book, after, name) for name in book.accounts)
    under_way = sum(row.amount * book.price(row.asset) for row in after.transit)
    spent = sum(v * book.price(c) for h in after.holdings.values() for c, v in h.spent.items())
    assert held + under_way + spent == sum(equity(book, start, name) for name in book.accounts)


def test_states_are_not_changed_by_what_comes_after() -> None:
    book = book_of(desk())
    start = State.start(book)
    start.after(effects_of(book, GOOD))
    assert start.holdings["aide"].wallet["USDT"] == 2000
    assert start.holdings["aide"].quantity[NORTH] == 0


def test_law_does_not_depend_on_the_callers_arithmetic() -> None:
    book = book_of(desk())
    plain = cost(book, effects_of(book, GOOD))
    with localcontext() as context:
        context.prec = 5
        again = book_of(desk())
        assert cost(again, effects_of(again, GOOD)) == plain
        assert published(Decimal("1.23456789")) == Decimal("1.23456789")
