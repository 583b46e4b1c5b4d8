"""Exposure of every payoff, checked against prices that move."""

from __future__ import annotations

from decimal import Decimal

import pytest

from allocator.exposure import Goal, exposure_change, exposures, goals
from allocator.models.errors import SnapshotError
from allocator.models.plan import Plan
from allocator.state import Book, State, effect_of, equity
from tests.law.desk import Data, book_of, changed, desk, order, pair, perpetual, position, transfer

INVERSE = "north:BTC/USD:BTC"


def coin_margined(price: str = "43000") -> Book:
    """Short 1,000 contracts of 100 USD from 50,000 with 1.7 BTC (venue sheet's vector)."""
    data = desk()
    data["snapshot"]["assets"]["BTC"]["price"] = price
    row = perpetual(INVERSE, payoff="inverse", settle="BTC", quote="USD", contract_size="100")
    row |= {"mark": price, "bid": price, "ask": price}
    data["snapshot"]["instruments"].append(row)
    data["snapshot"]["accounts"] = data["snapshot"]["accounts"][:1]
    data["snapshot"]["accounts"][0] |= {
        "balances": {"BTC": {"wallet": "1.7"}},
        "positions": {INVERSE: pair("-1000", entry_price="50000")},
        "spot": [],
    }
    data["snapshot"]["routes"] = data["snapshot"]["moves"] = []
    return book_of(data)


def test_inverse_exposure_is_that_of_the_coin_and_of_the_contract() -> None:
    book = coin_margined()
    found = exposures(book, State.start(book))["BTC"]
    assert abs(found - Decimal("-0.3") * 43000) < Decimal("1e-30")


def test_inverse_exposure_is_the_slope_of_equity() -> None:
    def worth(price: str) -> Decimal:
        book = coin_margined(price)
        return equity(book, State.start(book), "lead")

    slope = (worth("43000.1") - worth("42999.9")) / Decimal("0.2")
    book = coin_margined()
    exposure = exposures(book, State.start(book))["BTC"]
    assert abs(slope * 43000 - exposure) < Decimal("0.000001")


def test_coins_count_whole_whatever_their_haircut() -> None:
    data = changed("snapshot/accounts/0/balances/BTC", {"wallet": "2"})
    book = book_of(data)
    assert exposures(book, State.start(book)) == {"BTC": 80000}


def test_arrivals_are_exposure_and_departures_are_not() -> None:
    rows = [
        {"asset": "BTC", "amount": "1", "direction": "in"},
        {"asset": "BTC", "amount": "5", "direction": "out"},
    ]
    book = book_of(changed("snapshot/accounts/0/in_flight", rows))
    assert exposures(book, State.start(book)) == {"BTC": 40000}


def test_ring_fenced_coins_are_no_exposure() -> None:
    data = changed("snapshot/accounts/0/balances/BTC", {"wallet": "2"})
    data["snapshot"]["accounts"][0]["ring_fenced"] = {"BTC": "0.5"}
    book = book_of(data)
    assert exposures(book, State.start(book)) == {"BTC": 60000}


def test_options_count_by_delta() -> None:
    row = perpetual("north:CALL", kind="option", mark="1200", delta="-0.25", funding=None)
    data = changed("snapshot/instruments/1", row)
    data["snapshot"]["accounts"] = data["snapshot"]["accounts"][:1]
    data["snapshot"]["accounts"][0]["positions"] = {"north:CALL": pair("10", entry_price="1200")}
    data["snapshot"]["routes"] = data["snapshot"]["moves"] = []
    book = book_of(data)
    assert exposures(book, State.start(book)) == {"BTC": -1000}


def coin_transfer() -> tuple[Book, State, State]:
    data = changed("snapshot/accounts/0/balances/BTC", {"wallet": "2", "withdrawable": "2"})
    data["snapshot"]["routes"][0] |= {"asset": "BTC", "fee": "0.01", "min": "0"}
    book = book_of(data)
    row = {**transfer(1, "0.5"), "asset": "BTC"}
    action = Plan.model_validate({"status": "act", "actions": [row]}).actions[0]
    effect = effect_of(book, action)
    start = State.start(book)
    assert exposure_change(book, effect) == {"BTC": -400}
    return book, start.after([effect], arrived=False), start.after([effect])


def test_money_under_way_counts_as_held() -> None:
    book, left, arrived = coin_transfer()
    assert exposures(book, left) == exposures(book, arrived) == {"BTC": 80000 - 400}


def test_change_of_an_action_is_the_difference_of_states() -> None:
    book = book_of(desk())
    rows = [order(1, "7"), order(2, "0.5", account="lead", instrument="north:BTC/USDT")]
    for action in Plan.model_validate({"status": "act", "actions": rows}).actions:
        effect = effect_of(book, action)
        start = State.start(book)
        after = exposures(book, start.after([effect]))["BTC"]
        change = exposure_change(book, effect).get("BTC", Decimal(0))
        assert after - exposures(book, start)["BTC"] == change


def test_targets_in_base_units_are_priced() -> None:
    assert goals(book_of(desk())) == {"BTC": Goal(Decimal(40000), Decimal(400))}


def test_underlying_without_target_holds_or_goes_to_zero() -> None:
    data = changed(position("lead"), pair("10"))
    data["mandate"]["targets"] = []
    assert goals(book_of(data)) == {"BTC": Goal(Decimal(4000), Decimal(0))}
    data["mandate"]["targets_default"] = "zero"
    assert goals(book_of(data)) == {"BTC": Goal(Decimal(0), Decimal(0))}


def test_target_without_a_single_price_is_refused() -> None:
    def wrapped(*names: str) -> Data:
        data = desk()
        del data["snapshot"]["assets"]["BTC"]
        data["snapshot"]["instruments"] = data["snapshot"]["instruments"][:2]
        data["snapshot"]["accounts"][0]["spot"] = []
        for name in names:
            data["snapshot"]["assets"][name] = {"price": "39990", "underlying": "BTC"}
        return data

    assert goals(book_of(wrapped("WBTC")))["BTC"].target == 39990
    for names in ((), ("WBTC", "CBBTC")):
        with pytest.raises(SnapshotError, match="no single asset"):
            goals(book_of(wrapped(*names)))
