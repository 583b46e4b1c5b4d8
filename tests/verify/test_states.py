"""Margin, brackets, limits, order of steps and corridor: broken ones are refused."""

from __future__ import annotations

import pytest

from tests.law.desk import (
    GOOD,
    NORTH,
    SOUTH,
    Data,
    changed,
    desk,
    judged,
    limited,
    order,
    pair,
    position,
    transfer,
)


def leveraged(leverage: str, **policy: str) -> Data:
    data = changed(position("aide"), pair(leverage=leverage))
    data["mandate"]["policy"].update(policy)
    return data


def modelled(**margin: object) -> Data:
    return changed("snapshot/accounts/1/margin", margin)


def shocked(change: str) -> Data:
    return changed("mandate/policy/stress", [{"id": "crash", "prices": {"BTC": change}}])


def test_initial_margin_must_be_covered() -> None:
    short = [transfer(1, "2023.99"), order(2, after=[1])]
    assert "margin_initial" in judged(desk(), short, status="act")
    assert judged(desk(), [transfer(1, "2024"), order(2, after=[1])]) == set()


def test_maintenance_margin_must_be_covered_with_the_buffer() -> None:
    data = leveraged("50", margin_buffer="9")
    assert "margin_maintenance" in judged(data, [order(1)])
    assert judged(leveraged("50", margin_buffer="3.9"), [order(1)]) == set()


def test_notional_stays_within_the_bracket_of_the_leverage() -> None:
    data = leveraged("50")
    data["mandate"]["targets"][0]["delta"] = "3"
    assert "bracket" in judged(data, [transfer(1), order(2, "251", after=[1])])
    assert "bracket" not in judged(data, [transfer(1), order(2, "250", after=[1])])


def test_whole_position_rate_holds_on_all_of_it() -> None:
    data = modelled(model="whole_position")
    data["snapshot"]["accounts"][1]["positions"][NORTH]["leverage"] = "25"
    data["mandate"]["targets"][0]["delta"] = "3"
    data["mandate"]["policy"]["margin_buffer"] = "1"
    # 251 contracts: 100,400 x 2 % x 2 = 4,016; 250: 100,000 x 1 % x 2 = 2,000, IM 4,000
    plan = [transfer(1, "2076"), order(2, "251", after=[1])]
    assert "margin_maintenance" not in judged(
        data, [transfer(1, "2076"), order(2, "250", after=[1])]
    )
    data["snapshot"]["accounts"][1]["positions"][NORTH]["leverage"] = "50"
    data["snapshot"]["instruments"][0]["tiers"][1]["max_leverage"] = "50"
    assert "margin_maintenance" in judged(data, plan)


def test_coin_does_not_help_another_pool_in_single_asset_mode() -> None:
    data = modelled(asset_mode="single")
    data["snapshot"]["accounts"][1]["balances"]["BTC"] = {"wallet": "1"}
    data["mandate"]["targets"][0]["delta"] = "2"
    assert "margin_initial" in judged(data, [order(1)])
    data["snapshot"]["accounts"][1]["margin"]["asset_mode"] = "multi"
    assert judged(data, [order(1)]) == set()


def test_worst_scenario_must_be_covered() -> None:
    def scenario(loss: str) -> Data:
        return modelled(model="scenario", scenarios=[{"pnl": {NORTH: loss}}, {"pnl": {NORTH: "5"}}])

    # collateral 4,976, buffer a quarter
    assert judged(scenario("-39.8"), GOOD) == set()
    assert judged(scenario("-39.9"), GOOD, status="act") == {"margin_maintenance", "not_repaired"}
    assert {"margin_initial", "margin_maintenance"} <= judged(scenario("-50"), GOOD)


@pytest.mark.parametrize(("cap", "expected"), [("40000", set[str]()), ("39999", {"bracket"})])
def test_caps_of_brackets_bound_a_pair_under_scenario_margin(cap: str, expected: set[str]) -> None:
    data = modelled(model="scenario", scenarios=[{"pnl": {NORTH: "-1"}}])
    tier = {"cap": cap, "maintenance": "0.02", "max_leverage": "20"}
    data["snapshot"]["accounts"][1]["positions"][NORTH]["tiers"] = [tier]
    assert judged(data, GOOD) == expected


def test_stress_must_be_survived() -> None:
    # 4,976 - 4,000 = 976 against 360; at -12 %: 176 against 352
    assert judged(shocked("-0.1"), GOOD) == set()
    assert "margin_stress" in judged(shocked("-0.12"), GOOD)


LIMITS = {
    "long_notional": "39999",
    "gross_notional": "39999",
    "net_notional": "39999",
    "turnover": "39999",
    "quantity": "99",
    "orders": "0",
    "transfer_out": "2999",
}


@pytest.mark.parametrize("measure", LIMITS)
def test_limit_is_kept(measure: str) -> None:
    one_more = {"orders": "1", "transfer_out": "3000", "quantity": "100"}.get(measure, "40000")
    assert "limit" in judged(limited(measure, LIMITS[measure]), GOOD)
    assert judged(limited(measure, one_more), GOOD) == set()


def test_short_limit_is_kept() -> None:
    data = limited("short_notional", "39999")
    data["mandate"]["targets"][0]["delta"] = "-1"
    assert "limit" in judged(data, [transfer(1), order(2, side="sell", after=[1])])


def test_leverage_limit_is_kept_by_the_equity_of_the_scope() -> None:
    scope = {"scope": {"account": "aide"}, "source": "desk"}
    assert "limit" in judged(limited("leverage", "8", **scope), GOOD)
    assert judged(limited("leverage", "8.04", **scope), GOOD) == set()


def equity_limit(bound: str, value: str, name: str) -> Data:
    data = limited("equity", "1", scope={"account": name}, source="desk")
    row = data["mandate"]["limits"][0]
    del row["max"]
    row[bound] = value
    return data


def test_equity_limits_are_kept() -> None:
    assert "limit" in judged(equity_limit("min", "97000", "lead"), GOOD)
    assert judged(equity_limit("min", "96999", "lead"), GOOD) == set()
    assert "limit" in judged(equity_limit("max", "4999", "aide"), GOOD)
    assert judged(equity_limit("max", "5000", "aide"), GOOD) == set()


def test_money_is_not_burned_to_meet_a_maximum_of_equity() -> None:
    data = equity_limit("max", "1990", "aide")
    assert "not_repaired" in judged(data, [order(1, "49")], status="act")


def test_breach_may_not_grow() -> None:
    data = limited("quantity", "50")
    data["snapshot"]["accounts"][1]["positions"][NORTH] = pair("60")
    data["snapshot"]["accounts"][1]["balances"]["USDT"]["wallet"] = "30000"
    assert "limit" in judged(data, [order(1, "10")])
    assert "limit" not in judged(data, [order(1, "5", "sell")])


def test_transfer_precedes_the_order_it_funds() -> None:
    assert "step_margin_initial" in judged(desk(), [transfer(1), order(2)])
    assert "step_margin_initial" in judged(desk(), [order(1), transfer(2, after=[1])])
    assert judged(desk(), GOOD) == set()


def test_money_does_not_leave_before_the_order_that_frees_it() -> None:
    data = changed(position("aide"), pair("100"))
    data["snapshot"]["accounts"][1]["balances"]["USDT"] = {"wallet": "4100", "withdrawable": "4100"}
    data["snapshot"]["routes"].append(
        {"id": "back", "from": "aide", "to": "lead", "asset": "USDT", "step": "0.01"}
    )
    data["mandate"]["targets"] = [{"underlying": "BTC", "delta": "0"}]
    sale = order(1, "80", "sell", reduce_only=True)
    away = transfer(2, "2000", route="back")
    assert "step_margin_initial" in judged(data, [sale, away])
    assert judged(data, [sale, {**away, "after": [1]}]) == set()


def test_wallet_is_not_overdrawn_on_the_way() -> None:
    data = changed("snapshot/accounts/0/balances/USDT", {"wallet": "2500", "withdrawable": "90000"})
    wide = {"id": "gift", "from": "far", "to": "lead", "asset": "USDT", "step": "0.01"}
    data["snapshot"]["routes"].append(wide)
    gift = {"seq": 1, "kind": "transfer", "route": "gift", "from": "far", "to": "lead"}
    first = {**gift, "asset": "USDT", "amount": "1000"}
    second = transfer(2)
    assert "step_balance" in judged(data, [first, second, order(3, after=[2])])
    assert judged(data, [first, {**second, "after": [1]}, order(3, after=[2])]) == set()


def test_limit_is_kept_on_the_way() -> None:
    data = limited("gross_notional", "60000")
    data["snapshot"]["accounts"][2]["positions"][SOUTH] = pair("100")
    sale = order(1, "100", "sell", account="far", instrument=SOUTH)
    assert "step_limit" in judged(
        data, [sale, *[{**a, "seq": a["seq"] + 1, "after": []} for a in GOOD]]
    )
    ordered = [transfer(2), order(3, after=[1, 2])]
    assert "step_limit" not in judged(data, [sale, *ordered])


def hedged() -> Data:
    """`aide` is to be long what `far` is to be short: together nothing changes."""
    data = changed("snapshot/accounts/1/balances/USDT/wallet", "30000")
    data["mandate"]["targets"] = [{"underlying": "BTC", "delta": "0", "unit": "base"}]
    data["mandate"]["policy"]["alpha"] = {NORTH: "0.01"}
    return data


LEGS = [order(1, "100"), order(2, "100", "sell", account="far", instrument=SOUTH)]


def grouped(actions: list[Data]) -> list[Data]:
    return [{**row, "group": "g"} for row in actions]


def test_exposure_stays_in_the_corridor() -> None:
    assert "corridor" in judged(hedged(), LEGS)
    assert judged(hedged(), grouped(LEGS)) == set()


def test_slices_may_leave_the_corridor_by_their_width() -> None:
    wide = changed("mandate/policy/max_slice", "40000", hedged())
    assert judged(wide, LEGS) == set()
    assert "corridor" in judged(changed("mandate/policy/max_slice", "39999", hedged()), LEGS)


def test_net_limit_is_widened_between_steps_alone() -> None:
    data = changed("mandate/policy/max_slice", "40000", hedged())
    row = {"id": "flat", "measure": "net_notional", "max": "100", "scope": {"portfolio": True}}
    data["mandate"]["limits"] = [row]
    assert judged(data, LEGS) == set()
    assert "step_limit" in judged(changed("mandate/policy/max_slice", "39000", data), LEGS)
    assert "limit" in judged(data, LEGS[:1])


def test_whole_position_margin_is_checked_within_an_order() -> None:
    data = modelled(model="whole_position")
    data["snapshot"]["accounts"][1]["positions"][NORTH] = pair("-260", leverage="25")
    data["snapshot"]["accounts"][1]["balances"]["USDT"]["wallet"] = "5000"
    data["mandate"]["targets"][0]["delta"] = "-2.6"
    data["mandate"]["policy"]["alpha"] = {NORTH: "0.5"}
    # -260 needs 104,000 x 2 % x 1.25 = 2,600; on the way to +250 nothing more is needed
    assert "step_margin_maintenance" not in judged(data, [order(1, "260", reduce_only=True)])


def test_after_names_earlier_actions() -> None:
    assert "after" in judged(desk(), [transfer(1, after=[2]), order(2)])
    assert "after" in judged(desk(), [transfer(1), order(2, after=[9])])
    assert "after" in judged(desk(), [transfer(1), order(1, after=[1])])


def test_group_does_not_wait_for_itself() -> None:
    first, second = grouped(LEGS)
    assert "group" in judged(hedged(), [first, {**second, "after": [1]}])
    between = transfer(2, "10", after=[1])
    late = {**second, "seq": 3, "after": [2]}
    assert "group" in judged(hedged(), [first, between, late])
