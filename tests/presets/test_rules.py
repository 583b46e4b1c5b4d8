"""Each rule against the worked examples of Interactive Brokers' guide, and its words.

The figures: https://interactivebrokers.github.io/tws-api/financial_advisor.html.
"""

from __future__ import annotations

from decimal import Decimal

import pytest

from allocator.models.errors import InputError
from allocator.presets import (
    AvailableEquity,
    Equal,
    Lots,
    NetLiquidation,
    PercentChange,
    Ratio,
    Rule,
    label,
    parsed,
)
from tests.presets.group import XYZ, edited, group, plan_of, share, spread, traded

RICH = 1_000_000
THREE = [25_000, 50_000, 100_000]


def test_four_accounts_of_400_shares_get_100_each() -> None:
    assert spread(group([RICH] * 4, "400"), Equal()) == dict.fromkeys("ABCD", 100)


def test_six_accounts_of_400_shares_get_66_and_then_one_more_each_until_all_are_gone() -> None:
    found = spread(group([RICH] * 6, "400"), Equal())
    assert found == {**dict.fromkeys("ABCD", 67), **dict.fromkeys("EF", 66)}


def test_net_liquidation_of_1_2_4_divides_700_shares_so() -> None:
    assert spread(group(THREE, "700"), NetLiquidation()) == {"A": 100, "B": 200, "C": 400}


def test_available_equity_is_what_initial_margin_leaves_and_divides_700_shares_so() -> None:
    # 25,000 shares at 10 with leverage 10 bind 25,000
    data = group([50_000, 50_000, 125_000], "50700", held=[25_000, 0, 25_000])
    assert spread(data, AvailableEquity()) == {"A": 100, "B": 200, "C": 400}


def test_a_ratio_of_1_to_2_divides_300_shares_so() -> None:
    rule = Ratio(weights={"A": Decimal(1), "B": Decimal(2)})
    assert spread(group([RICH] * 3, "300"), rule) == {"A": 100, "B": 200}


def test_percentages_of_60_and_40_divide_300_shares_so() -> None:
    rule = Ratio(weights={"A": Decimal("60.0"), "B": Decimal("40.0")})
    assert spread(group([RICH] * 2, "300"), rule) == {"A": 180, "B": 120}


def test_lots_are_the_absolute_numbers_that_were_given() -> None:
    rule = Lots(lots={"A": 100, "B": 200})
    assert spread(group([RICH] * 3, "300"), rule) == {"A": 100, "B": 200}
    plan = plan_of(group([RICH] * 3, "900"), rule)
    assert traded(plan) == {"A": 100, "B": 200}
    assert "6,000.00 USD of XYZ stay untraded" in plan.note


def test_lots_are_cut_in_proportion_where_the_book_has_less_to_trade() -> None:
    rule = Lots(lots={"A": 100, "B": 200})
    assert spread(group([RICH] * 2, "30"), rule) == {"A": 10, "B": 20}


def test_a_change_of_50_percent_adds_half_of_each_long_position() -> None:
    data = group([RICH] * 6, "1050", held=[100, 400, 200, 0, 0, 0])
    assert spread(data, PercentChange(percent=Decimal(50))) == {"A": 50, "B": 200, "C": 100}


def test_a_change_of_minus_100_percent_closes_every_long_position() -> None:
    plan = plan_of(
        group([RICH] * 4, "0", held=[100, 400, 200, 0]), PercentChange(percent=Decimal(-100))
    )
    assert traded(plan) == {"A": -100, "B": -400, "C": -200}
    assert all(action.reduce_only for action in plan.actions if action.kind == "order")


@pytest.mark.parametrize(
    ("shares", "percent", "changed"),
    [
        ("1300", 50, {"A": 100}),  # buying lets longs grow
        ("1300", -50, {"B": 200}),  # and shorts shrink
        ("-1300", 50, {"B": -200}),  # selling lets shorts grow
        ("-1300", -50, {"A": -100}),  # and longs shrink
    ],
)
def test_a_percentage_changes_only_positions_for_which_it_leads_to_the_target(
    shares: str, percent: int, changed: dict[str, int]
) -> None:
    data = group([RICH] * 3, shares, held=[200, -400, 0])
    assert spread(data, PercentChange(percent=Decimal(percent))) == changed


def test_a_percentage_never_trades_beyond_the_target() -> None:
    data = group([RICH] * 3, "770", held=[100, 400, 200])
    assert spread(data, PercentChange(percent=Decimal(50))) == {"A": 10, "B": 40, "C": 20}


def test_equal_means_equal_exposure_where_contracts_differ() -> None:
    data = group([RICH] * 2, "400")
    big = "v:XYZ-BIG"
    data["snapshot"]["instruments"].append(share(big, contract_size="5"))
    pair = data["snapshot"]["accounts"][1]["positions"].pop(XYZ)
    data["snapshot"]["accounts"][1]["positions"][big] = pair
    assert spread(data, Equal()) == {"A": 200, "B": 40}


def test_an_account_trades_its_cheapest_instrument_and_of_equals_the_first() -> None:
    data = group([RICH], "100")
    rows, pairs = data["snapshot"]["instruments"], data["snapshot"]["accounts"][0]["positions"]
    for name, bid in (("v:XYZ-1", "9.99"), ("v:XYZ-2", "9.995"), ("v:XYZ-3", "9.995")):
        rows.append(share(name, bid=bid, tick="0.001"))
        pairs[name] = pairs[XYZ]
    orders = [action for action in plan_of(data, Equal()).actions if action.kind == "order"]
    assert [order.instrument for order in orders] == ["v:XYZ-2"]


def test_a_rule_reads_back_what_it_writes() -> None:
    rules: list[Rule] = [
        Equal(),
        NetLiquidation(),
        AvailableEquity(),
        PercentChange(percent=Decimal("-12.5")),
        Ratio(weights={"a:b": Decimal(2), "c": Decimal("0.5")}),
        Lots(lots={"x": 3, "y": 0}),
    ]
    assert [parsed(label(rule)) for rule in rules] == rules
    assert parsed(" pct_change=10% ") == PercentChange(percent=Decimal(10))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("even", "no preset 'even': there are equal, net_liq"),
        ("pct_change", "pct_change needs a value"),
        ("equal=1", "equal takes no value"),
        ("pct_change=ten", "not a number: 'ten'"),
        ("pct_change=0", "changes nothing"),
        ("pct_change=-101", "greater than or equal to -100"),
        ("ratio=a", "ACCOUNT:NUMBER is wanted, not 'a'"),
        ("ratio=a:0,b:0", "needs a positive weight"),
        ("ratio=a:-1", "greater than or equal to 0"),
        ("ratio=a:1,a:2", "account a is named twice"),
        ("lots=a:1.5", "lots are whole, not 1.5"),
        ("lots=a:-1", "not negative"),
        ("lots=a:0", "at least one account needs a lot"),
        ("", "no preset ''"),
    ],
)
def test_text_that_is_no_rule_is_refused_with_the_reason(text: str, told: str) -> None:
    with pytest.raises(InputError) as caught:
        parsed(text)
    assert told in str(caught.value)


def test_an_account_that_is_not_there_is_an_error_even_if_nothing_is_to_be_traded() -> None:
    with pytest.raises(InputError, match="no account Z: there are A, B"):
        plan_of(group([RICH] * 2, "0"), Ratio(weights={"Z": Decimal(1)}))


def test_accounts_without_equity_get_nothing_by_equity() -> None:
    data = edited(group([RICH] * 3, "90"), {}, {"ring_fenced": {"USD": str(2 * RICH)}})
    assert spread(data, NetLiquidation()) == {"A": 45, "C": 45}
