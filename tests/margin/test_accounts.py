"""Collateral, ratios, stress, liquidation and shortfall of accounts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocator.margin import (
    Shocked,
    collateral,
    liquidation_distances,
    margin_ratio,
    margin_shortfalls,
    marginal_value,
    pools,
    requirements,
)
from allocator.models.market import CollateralTier
from allocator.state import Book, State, equity
from tests.law.desk import NORTH, Data, book_of, changed, desk, pair, perpetual, position

COIN_M = "north:BTC/USD:BTC"


def alone(data: Data, **account: Any) -> Book:
    """The book with `lead` only."""
    data["snapshot"]["accounts"] = [{**data["snapshot"]["accounts"][0], "spot": [], **account}]
    data["snapshot"]["routes"] = data["snapshot"]["moves"] = []
    return book_of(data)


def start(book: Book) -> State:
    return State.start(book)


def test_collateral_ratios_are_marginal() -> None:
    # 100 BTC at 60,000 count 5,785,500: 0.98 on the first 20, less on what is above
    tiers = [
        CollateralTier(upto=Decimal(20), ratio=Decimal("0.98")),
        CollateralTier(upto=None, ratio=Decimal("0.9603125")),
    ]
    assert marginal_value(tiers, Decimal(20)) == Decimal("19.6")
    assert marginal_value(tiers, Decimal(100)) * 60000 == 5_785_500


@given(st.integers(-100, 100), st.integers(-100, 100))
def test_collateral_is_concave_and_never_above_the_amount(one: int, other: int) -> None:
    tiers = [
        CollateralTier(upto=Decimal(20), ratio=Decimal("0.9")),
        CollateralTier(upto=None, ratio=Decimal("0.5")),
    ]
    middle = marginal_value(tiers, Decimal(one + other) / 2)
    ends = (marginal_value(tiers, Decimal(one)) + marginal_value(tiers, Decimal(other))) / 2
    assert middle >= ends
    assert middle <= Decimal(one + other) / 2


def test_debt_counts_in_full_and_coins_by_ratio() -> None:
    balances = {"BTC": {"wallet": "1"}, "USDT": {"wallet": "-5000"}}
    book = alone(desk(), balances=balances)
    assert collateral(book, start(book), "lead") == 36000 - 5000
    own = [{"upto": "0.5", "ratio": "0.8"}, {"upto": None, "ratio": "0.2"}]
    book = alone(desk(), balances=balances, collateral={"BTC": own})
    assert collateral(book, start(book), "lead") == 16000 + 4000 - 5000


def test_arrivals_are_collateral_for_the_shortfall_alone() -> None:
    flying = [{"asset": "BTC", "amount": "1", "direction": "in"}]
    book = alone(desk(), in_flight=flying)
    assert collateral(book, start(book), "lead") == 100000
    assert collateral(book, start(book), "lead", arrivals=True) == 136000


def test_isolated_pair_is_outside_collateral_and_margin_but_inside_equity() -> None:
    isolated = pair("100", entry_price="39000", isolated={"wallet": "5000"})
    book = alone(desk(), positions={NORTH: isolated})
    assert equity(book, start(book), "lead") == 101000
    assert collateral(book, start(book), "lead") == 95000
    assert requirements(book, start(book), "lead").maintenance == 0


def test_isolated_loss_beyond_its_wallet_is_the_accounts() -> None:
    isolated = pair("100", entry_price="46000", isolated={"wallet": "5000"})
    book = alone(desk(), positions={NORTH: isolated})
    assert collateral(book, start(book), "lead") == 94000


def test_single_asset_mode_keeps_a_pool_for_each_settle_asset() -> None:
    data = desk()
    row = perpetual(COIN_M, payoff="inverse", settle="BTC", quote="USD", contract_size="100")
    data["snapshot"]["instruments"].append(row)
    book = alone(
        data,
        margin={"asset_mode": "single"},
        balances={"BTC": {"wallet": "1"}, "USDT": {"wallet": "4100"}},
        positions={NORTH: pair("100"), COIN_M: pair("100")},
    )
    state = start(book)
    assert pools(book, "lead") == ("BTC", "USDT")
    assert collateral(book, state, "lead", "BTC") == 36000
    assert requirements(book, state, "lead", "BTC").initial == 1000
    assert requirements(book, state, "lead", "USDT").initial == 4000
    assert margin_ratio(book, state, "lead") == Decimal(4100) / 400
    assert [row.what for row in margin_shortfalls(book, state, "lead")] == [
        "margin lead BTC",
        "margin lead USDT",
    ]


def test_margin_ratio_is_none_without_maintenance_margin() -> None:
    book = book_of(desk())
    assert margin_ratio(book, start(book), "lead") is None


def test_worst_scenario_is_both_margins_and_never_negative() -> None:
    def needed(quantity: str) -> Decimal:
        scenarios = [{"pnl": {NORTH: "-40"}}, {"pnl": {NORTH: "60"}}]
        margin = {"model": "scenario", "scenarios": scenarios}
        book = alone(desk(), margin=margin, positions={NORTH: pair(quantity)})
        found = requirements(book, start(book), "lead")
        assert found.initial == found.maintenance
        return found.maintenance

    assert (needed("10"), needed("-10"), needed("0")) == (400, 600, 0)


def linear(wallet: str, quantity: str, entry: str) -> Book:
    """`lead` on Binance's first bracket of BTCUSDT with contracts of one BTC."""
    data = changed("snapshot/instruments/0/contract_size", "1")
    data["snapshot"]["instruments"][0] |= {"mark": entry, "bid": entry, "ask": entry}
    data["snapshot"]["instruments"][0]["tiers"] = [
        {"cap": "300000", "maintenance": "0.004", "max_leverage": "150"},
        {"cap": "800000", "maintenance": "0.005", "max_leverage": "100", "deduction": "300"},
    ]
    data["snapshot"]["assets"]["BTC"]["price"] = entry
    positions = {NORTH: pair(quantity, entry_price=entry)}
    return alone(data, positions=positions, balances={"USDT": {"wallet": wallet}})


def test_liquidation_price_of_a_linear_long() -> None:
    book = linear("20000", "5", "60000")
    move = liquidation_distances(book, start(book), "lead")["BTC"]
    assert move is not None
    assert abs(60000 * (1 + move) - Decimal("56224.8996")) < Decimal("0.0001")


@pytest.mark.parametrize(("quantity", "price"), [("-1000", "70714.2857"), ("1000", "38846.1538")])
def test_liquidation_price_of_an_inverse_contract(quantity: str, price: str) -> None:
    data = changed("snapshot/assets/BTC", {"price": "50000", "underlying": "BTC"})
    row = perpetual(COIN_M, payoff="inverse", settle="BTC", quote="USD", contract_size="100")
    row |= {"mark": "50000", "bid": "50000", "ask": "50000"}
    row["tiers"] = [{"cap": "1000000", "maintenance": "0.01", "max_leverage": "50"}]
    data["snapshot"]["instruments"].append(row)
    book = alone(
        data,
        positions={COIN_M: pair(quantity, entry_price="50000")},
        balances={"BTC": {"wallet": "0.6"}},
    )
    move = liquidation_distances(book, start(book), "lead")["BTC"]
    assert move is not None
    assert abs(50000 * (1 + move) - Decimal(price)) < Decimal("0.0001")


def test_account_that_no_move_can_break_has_no_distance() -> None:
    book = alone(desk(), positions={NORTH: pair("10")})
    assert liquidation_distances(book, start(book), "lead") == {"BTC": None}


def test_account_that_is_broken_already_has_distance_zero() -> None:
    book = linear("1000", "5", "60000")
    assert liquidation_distances(book, start(book), "lead") == {"BTC": 0}


@given(
    st.integers(-800, 800).filter(bool),
    st.integers(3000, 60000),
    st.sampled_from(["tiered", "whole_position"]),
)
def test_collateral_meets_maintenance_margin_at_the_distance(
    quantity: int, wallet: int, model: str
) -> None:
    book = alone(
        desk(),
        positions={NORTH: pair(str(quantity))},
        balances={"USDT": {"wallet": str(wallet)}, "BTC": {"wallet": "0.2"}},
        margin={"model": model},
    )
    shocked = Shocked(book, start(book), "lead")
    move = liquidation_distances(book, start(book), "lead")["BTC"]
    if move:
        beyond, before = move * Decimal("1.001"), move * Decimal("0.999")
        assert shocked.gap({"BTC": before}) <= 0
        assert shocked.gap({"BTC": beyond}) >= 0 or beyond > 1


def test_stress_revalues_balances_profits_and_notionals() -> None:
    # wallet 20,000 + 1 BTC at 0.9; long 100 contracts; BTC falls by a tenth
    book = alone(
        desk(),
        positions={NORTH: pair("100")},
        balances={"USDT": {"wallet": "20000"}, "BTC": {"wallet": "1"}},
    )
    gap = Shocked(book, start(book), "lead").gap({"BTC": Decimal("-0.1")})
    assert gap == 360 - (20000 - 4000 + 36000 * Decimal("0.9"))


def test_options_are_stressed_by_delta() -> None:
    data = changed(
        "snapshot/instruments/0",
        perpetual(NORTH, kind="option", mark="1200", delta="0.5", funding=None),
    )
    book = alone(data, positions={NORTH: pair("100", entry_price="1200")})
    gap = Shocked(book, start(book), "lead").gap({"BTC": Decimal("-0.1")})
    assert gap == 360 - (100000 - 2000)


def test_shortfall_is_the_largest_of_initial_maintenance_and_stress() -> None:
    def missing(**policy: Any) -> Decimal:
        data = changed(position("aide"), pair("100"))
        data["mandate"]["policy"].update(policy)
        book = book_of(data)
        return margin_shortfalls(book, start(book), "aide")[0].amount

    assert missing() == 2000
    assert missing(margin_buffer="9") == 2000
    assert missing(margin_buffer="11") == 2800
    assert missing(stress=[{"id": "s", "prices": {"BTC": "-0.2"}}]) == 6320
