"""What is measured of the book around a request, by hand."""

from __future__ import annotations

from decimal import Decimal

from allocator.models.plan import Order
from allocator.risk import table
from allocator.risk.control import Reading
from allocator.risk.exposure import Change, Working, exposure_readings, left_readings, places
from allocator.risk.volume import Volume, volume_readings, worth
from allocator.state import Book, State, effect_of
from tests.execution.book import BTC_A, BTC_B, MANDATE, account, order, snapshot

D = Decimal
BOOK = Book.of(snapshot(), MANDATE)
START = State.start(BOOK)


def change(side: str, quantity: str, *working: Working) -> dict[str, Reading]:
    action = Order.model_validate(order(1, "a", side, quantity))
    after = START.after([effect_of(BOOK, action)])
    request = (Working("a", BTC_A, action.signed),)
    rows = exposure_readings(Change(BOOK, START, after, working, request))
    return {row.control.id: row for row in rows}


def test_a_request_is_measured_with_all_of_it_filled() -> None:
    found = change("buy", "2")
    assert found[table.POSITION_VALUE.id].value == 150000
    assert found[table.POSITION_VALUE.id].before == 50000
    assert found[table.GROSS_PORTFOLIO.id].value == 200000
    assert found[table.NET_PORTFOLIO.id].value == 100000


def test_working_orders_count_at_their_worst() -> None:
    found = change("buy", "1", Working("a", BTC_A, D(1)), Working("a", BTC_A, D(-4)))
    assert found[table.POSITION_VALUE.id].value == 150000
    assert found[table.NET_ACCOUNT.id].value == 150000
    low = change("sell", "1", Working("a", BTC_A, D(1)), Working("a", BTC_A, D(-4)))
    assert low[table.POSITION_VALUE.id].value == 200000


def test_a_reduction_is_no_worse_by_any_figure() -> None:
    for id_, row in change("sell", "0.5").items():
        assert row.value is not None
        assert row.before is not None
        if row.control is table.LIQUIDATION:
            assert row.value >= row.before, id_
        elif row.control not in (table.NET_PORTFOLIO, table.NET_OWNER):
            assert row.value <= row.before, id_


def test_netting_is_by_underlying_and_scope() -> None:
    found = change("sell", "1")
    assert found[table.NET_ACCOUNT.id].subject == "a BTC"
    assert found[table.NET_OWNER.id].value == 50000
    assert found[table.NET_VENUE.id].subject == "alpha BTC"


def test_coins_are_exposure_and_cash_is_none() -> None:
    rich = account("a", "alpha", "1")
    rich["balances"]["BTC"] = {"wallet": "2"}
    book = Book.of(snapshot(accounts=[rich, account("b", "beta", "-1")]), MANDATE)
    found = places(book, State.start(book), ())
    assert found["a", "asset BTC"].gross == 100000
    assert ("a", "asset USDT") not in found
    assert found["b", BTC_B].low == found["b", BTC_B].high == -50000


def test_leverage_without_equity_is_beyond_every_limit() -> None:
    poor = account("a", "alpha", "1", wallet="-10")
    book = Book.of(snapshot(accounts=[poor, account("b", "beta", "-1")]), MANDATE)
    start = State.start(book)
    request = (Working("a", BTC_A, D(1)),)
    rows = exposure_readings(Change(book, start, start, (), request))
    [found] = [row for row in rows if row.control is table.LEVERAGE]
    assert found.value is not None
    assert found.value > D("1e12")


def test_what_needs_no_margin_keeps_any_ratio() -> None:
    flat = account("a", "alpha", "0")
    book = Book.of(snapshot(accounts=[flat, account("b", "beta", "-1")]), MANDATE)
    found = {row.control.id: row.value for row in left_readings(book, State.start(book), "a")}
    assert found == {table.RESERVE.id: 100000, table.MARGIN_RATIO.id: 10**6}


def test_volume_adds_the_request_to_every_window() -> None:
    hour = Volume(D(100), D(0), 3)
    found = {r.control.id: r.value for r in volume_readings(D(5), Volume(), hour, hour)}
    assert found[table.TURNOVER_CYCLE.id] == 5
    assert found[table.TURNOVER_HOUR.id] == 105
    assert found[table.ACTIONS_DAY.id] == 4
    unknown = {r.control.id: r.value for r in volume_readings(None, Volume(), hour, hour)}
    assert unknown[table.TURNOVER_DAY.id] is None


def test_the_worth_of_a_book_counts_what_is_on_its_way() -> None:
    coming = account("a", "alpha", "1")
    coming["in_flight"] = [{"asset": "USDT", "amount": "500", "direction": "in"}]
    book = Book.of(snapshot(accounts=[coming, account("b", "beta", "-1")]), MANDATE)
    assert worth(BOOK) == 200000
    assert worth(book) == 200500
