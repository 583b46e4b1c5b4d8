"""Every kind of shock does what it says, and nothing else."""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from allocator.models.market import Instrument
from allocator.models.scenario import Scenario
from allocator.whatif.document import FileError
from allocator.whatif.reader import load_recipe, load_scenario
from allocator.whatif.shocks.options import Move, revalued

BOOK = Path(__file__).with_name("book.yaml").read_text()
LINEAR, INVERSE, SPOT = "binance:BTC/USDT:USDT", "bybit:BTC/USD:BTC", "binance:BTC/USDT"
AS_OF = load_scenario(Path(__file__).with_name("book.yaml")).snapshot.as_of
PUT = "deribit:BTC/USD:BTC-261225-60000-P"


def shocked(folder: Path, shock: str, book: str = BOOK) -> Scenario:
    path = folder / "x.yaml"
    path.write_text(f"{book}shock: {shock}\n")
    return load_scenario(path)


def option(name: str = PUT, **more: Any) -> Instrument:
    data = {
        "id": name,
        "kind": "option",
        "underlying": "BTC",
        "settle": "USDT",
        "contract_size": "1",
        "lot": "0.1",
        "tick": "5",
        "mark": "1800",
        "delta": "-0.3",
        "daily_volatility": "0.03",
        "expiry": "2026-12-25T08:00:00Z",
    }
    return Instrument.model_validate({**data, **more})


def move(after: str, volatility: str = "0.03") -> Move:
    one = Decimal(1)
    return Move(Decimal(64000), Decimal(after), one, one, Decimal("0.03"), Decimal(volatility))


def black(forward: float, strike: float, years: float, volatility: float) -> float:
    """Price a put by the textbook's formula, as an oracle."""
    root = volatility * math.sqrt(years)
    d1 = (math.log(forward / strike) + volatility**2 * years / 2) / root
    phi = [0.5 * (1 + math.erf(x / math.sqrt(2))) for x in (-(d1 - root), -d1)]
    return strike * phi[0] - forward * phi[1]


@pytest.mark.parametrize("after", ["64000", "50000", "70000"])
def test_an_option_is_worth_what_its_implied_volatility_says(after: str) -> None:
    years = 35 / 365
    mark = black(64000, 60000, years, 0.55)
    inst = option(mark=f"{mark:.10f}")
    premium, _ = revalued(inst, move(after), AS_OF)
    assert float(premium) == pytest.approx(black(float(after), 60000, years, 0.55), rel=1e-6)


def test_a_volatility_shock_moves_the_implied_volatility_alike() -> None:
    years = 35 / 365
    inst = option(mark=f"{black(64000, 60000, years, 0.55):.10f}")
    premium, delta = revalued(inst, move("64000", "0.06"), AS_OF)
    assert float(premium) == pytest.approx(black(64000, 60000, years, 1.1), rel=1e-6)
    assert delta != inst.delta


def test_the_delta_of_an_option_follows_the_price() -> None:
    inst = option(mark=f"{black(64000, 60000, 35 / 365, 0.55):.10f}")
    _, low = revalued(inst, move("45000"), AS_OF)
    _, high = revalued(inst, move("90000"), AS_OF)
    assert low < Decimal("-0.85")
    assert high > Decimal("-0.05")


@pytest.mark.parametrize(
    "inst",
    [
        option("x:BTC-P"),
        option("deribit:BTC/USD:BTC-261225-70000-P"),
        option(expiry="2026-11-20T07:00:00Z"),
    ],
    ids=["no strike", "no volatility gives its premium", "expired"],
)
def test_an_option_without_implied_volatility_moves_by_its_delta(inst: Instrument) -> None:
    premium, delta = revalued(inst, move("64100"), AS_OF)
    assert premium == max(inst.mark - 30, Decimal("1e-8"))
    assert delta == inst.delta


def test_a_coin_settled_option_keeps_its_delta_net_of_its_premium() -> None:
    inst = option(settle="BTC", mark="0.028", delta="-0.328")
    up = Move(*map(Decimal, ("64000", "67200", "64000", "67200", "0.03", "0.03")))
    premium, delta = revalued(inst, up, AS_OF)
    worth = inst.mark * 64000 + (Decimal("-0.328") + inst.mark) * 3200
    assert 0 < premium * 67200 - worth < 250, "gamma alone parts it from the line"
    assert delta > Decimal("-0.328")


@pytest.mark.parametrize("told", ["-0.2", "-0.3", "-0.45"])
@pytest.mark.parametrize(("after", "ends"), [("15000", -1), ("200000", 0)])
def test_a_told_delta_that_is_not_the_formula_s_ends_where_every_delta_ends(
    told: str, after: str, ends: int
) -> None:
    inst = option(mark=f"{black(64000, 60000, 35 / 365, 0.55):.10f}", delta=told)
    _, delta = revalued(inst, move(after), AS_OF)
    assert float(delta) == pytest.approx(ends, abs=1e-3)
    _, near = revalued(inst, move("64000.0001"), AS_OF)
    assert float(near) == pytest.approx(float(told), abs=1e-6), "it begins at what was told"


def test_a_delta_that_no_option_has_stays_with_its_line() -> None:
    inst = option(mark=f"{black(64000, 60000, 35 / 365, 0.55):.10f}", delta="0.3")
    premium, delta = revalued(inst, move("64100"), AS_OF)
    assert delta == Decimal("0.3")
    assert premium == inst.mark + 30


def test_correlations_of_every_pair_can_be_set_and_a_bound_is_kept(tmp_path: Path) -> None:
    book = BOOK.replace(
        '    BTC: {price: "64000"',
        '    ETH: {price: 3200, underlying: ETH}\n    BTC: {price: "64000"',
    )
    after = shocked(tmp_path, "{correlation: {set: 0.95}}", book).mandate.policy.risk
    assert after.correlation == (("BTC", "ETH", Decimal("0.95")),)
    after = shocked(tmp_path, "{correlation: {add: 0.8}}", book).mandate.policy.risk
    assert after.correlation == (("BTC", "ETH", Decimal(1)),)


def test_brackets_are_cut_and_stay_continuous(tmp_path: Path) -> None:
    after = shocked(tmp_path, "{brackets: {multiply: 0.5, only: [binance]}}").snapshot
    tiers = after.instrument[LINEAR].tiers
    assert [(row.cap, row.deduction) for row in tiers] == [(150000, 0), (400000, 150)]
    assert after.instrument[INVERSE].tiers[0].cap == 10000000


def test_a_margin_change_of_one_account_is_its_own(tmp_path: Path) -> None:
    after = shocked(tmp_path, "{margin: {multiply: 2, only: [bybit-a]}}").snapshot
    assert after.instrument[INVERSE].tiers[0].maintenance == Decimal("0.005")
    assert after.account["bybit-a"].positions[INVERSE].tiers[0].maintenance == Decimal("0.01")
    assert after.account["bybit-b"].positions[INVERSE].tiers == ()


def test_a_selected_leverage_falls_to_what_brackets_still_allow(tmp_path: Path) -> None:
    after = shocked(tmp_path, "{margin: {multiply: 15}}").snapshot
    assert after.account["binance-main"].positions[LINEAR].leverage == 10


def test_haircuts_change_for_assets_for_all_or_at_one_venue(tmp_path: Path) -> None:
    everywhere = shocked(tmp_path, "{haircuts: {multiply: 3}}").snapshot
    assert everywhere.assets["BTC"].haircut == Decimal("0.15")
    assert everywhere.assets["USDT"].haircut == 0
    there = shocked(tmp_path, "{haircuts: {add: 0.2, only: [bybit, BTC]}}").snapshot
    assert there.assets["BTC"].haircut == Decimal("0.05")
    assert there.account["bybit-a"].collateral["BTC"][0].ratio == Decimal("0.75")
    assert "USDT" not in there.account["bybit-a"].collateral
    assert there.account["binance-main"].collateral == {}


def test_deposits_halted_close_the_ways_in(tmp_path: Path) -> None:
    after = shocked(tmp_path, "{venues: {bybit: {deposits: halted}}}").snapshot
    assert not after.route["out"].enabled
    assert after.route["b2b"].enabled


HALTED = "{venues: {binance: {withdrawals: halted}}}"
OPEN = "{venues: {binance: {withdrawals: open}}}"
SHUT = BOOK.replace('fee: "0.0005"}', 'fee: "0.0005", enabled: false}')


@pytest.mark.parametrize(
    ("book", "shock", "open_"),
    [
        (BOOK, f"[{HALTED}, {OPEN}]", True),
        (BOOK, f"[{OPEN}, {HALTED}]", False),
        (BOOK, f"[{HALTED}, {{venues: {{bybit: {{deposits: open}}}}}}]", False),
        (BOOK, f"[{HALTED}, {{venues: {{binance: {{outage: false}}}}}}]", False),
        (BOOK, f"[{{venues: {{bybit: {{deposits: halted}}}}}}, {OPEN}]", False),
        (SHUT, "{note: nothing}", False),
        (SHUT, OPEN, True),
        (SHUT, "{venues: {bybit: {deposits: open}}}", True),
        (SHUT, "{venues: {bybit: {withdrawals: open}}}", False),
        (SHUT, "{venues: {binance: {withdrawals: open}, bybit: {deposits: halted}}}", False),
        (SHUT, f"[{OPEN}, {HALTED}]", False),
        (SHUT, f"[{HALTED}, {OPEN}]", True),
    ],
)
def test_open_withdrawals_reopen_what_is_halted_at_no_end(
    tmp_path: Path, book: str, shock: str, open_: bool
) -> None:
    assert shocked(tmp_path, shock, book).snapshot.route["out"].enabled is open_


def test_funding_may_turn_its_sign(tmp_path: Path) -> None:
    after = shocked(tmp_path, "{funding: {multiply: -1}}").snapshot.instrument[LINEAR]
    assert after.funding is not None
    assert after.funding.rate == Decimal("-0.0001")


def test_a_maker_fee_may_become_a_rebate_and_a_taker_fee_ends_at_zero(tmp_path: Path) -> None:
    fees = shocked(tmp_path, '{fees: {add: "-0.0003"}}').snapshot.account["binance-main"].fees
    assert (fees.maker, fees.taker) == (Decimal("-0.0001"), Decimal("0.0002"))
    fees = shocked(tmp_path, '{fees: {add: "-1", only: [bybit]}}').snapshot.account["bybit-a"].fees
    assert (fees.maker, fees.taker) == (None, 0)


def test_what_a_book_has_of_senseless_fees_is_not_a_shock_s_doing(tmp_path: Path) -> None:
    book = BOOK.replace('{maker: "0.0002", taker: "0.0005"}', '{maker: "-0.002", taker: "0.0005"}')
    fees = shocked(tmp_path, "{fees: {multiply: 2}}", book).snapshot.account["binance-main"].fees
    assert fees.maker == Decimal("-0.004")


def test_money_comes_and_goes(tmp_path: Path) -> None:
    after = shocked(
        tmp_path,
        "{deposits: [{account: bybit-a, asset: USDT, amount: 500}],"
        " withdrawals: [{account: binance-main, asset: USDT, amount: 60000}]}",
    ).snapshot
    new = after.account["bybit-a"].balances["USDT"]
    assert (new.wallet, new.withdrawable) == (500, 500)
    old = after.account["binance-main"].balances["USDT"]
    assert (old.wallet, old.withdrawable) == (40000, 0)


def test_a_hand_trade_adds_to_a_position_at_its_price(tmp_path: Path) -> None:
    trade = f"{{account: binance-main, instrument: '{LINEAR}', quantity: -1, price: 63000}}"
    row = shocked(tmp_path, f"{{positions: [{trade}]}}").snapshot.account["binance-main"]
    place = row.positions[LINEAR]
    assert place.quantity == Decimal("-4.5")
    assert place.unrealised == Decimal("-3.5") * (64000 - 63200) - (64000 - 63000)
    assert place.leverage == 20


def test_a_hand_trade_that_closes_pays_out(tmp_path: Path) -> None:
    trade = f"{{account: bybit-a, instrument: '{INVERSE}', quantity: -1000}}"
    row = shocked(tmp_path, f"{{positions: [{trade}]}}").snapshot.account["bybit-a"]
    assert row.positions[INVERSE].quantity == 0
    assert row.balances["BTC"].wallet == Decimal("2.01")


def test_a_hand_trade_of_spot_moves_both_balances(tmp_path: Path) -> None:
    trade = f"{{account: binance-main, instrument: '{SPOT}', quantity: 0.5}}"
    row = shocked(tmp_path, f"{{positions: [{trade}]}}").snapshot.account["binance-main"]
    assert row.balances["BTC"].wallet == Decimal("1.5")
    assert row.balances["USDT"].wallet == 68000
    assert row.balances["USDT"].withdrawable == 18000


def test_targets_and_limits_change_or_are_lifted(tmp_path: Path) -> None:
    after = shocked(tmp_path, "{targets: {BTC: {add: -2}}, limits: {cap: {multiply: 0.5}}}")
    assert after.mandate.targets[0].delta == Decimal("10.5")
    assert after.mandate.limits[0].max == 500000
    assert shocked(tmp_path, "{limits: {cap: {lifted: true}}}").mandate.limits == ()


def test_shocks_of_a_list_happen_one_after_the_other(tmp_path: Path) -> None:
    twice = shocked(tmp_path, "[{prices: {BTC: -50%}}, {prices: {BTC: 50%}}]").snapshot
    assert twice.assets["BTC"].price == 48000
    fees = "{fees: {set: 0.001}}"
    more = "{fees: {add: 0.001}}"
    one = shocked(tmp_path, f"[{fees}, {more}]").snapshot.account["bybit-a"].fees.taker
    other = shocked(tmp_path, f"[{more}, {fees}]").snapshot.account["bybit-a"].fees.taker
    assert (one, other) == (Decimal("0.002"), Decimal("0.001"))


def test_a_shock_may_stand_in_a_file_of_its_own_or_in_another_scenario(tmp_path: Path) -> None:
    (tmp_path / "fall.yaml").write_text("prices: {BTC: -50%}\n")
    (tmp_path / "two.yaml").write_text("- prices: {BTC: -50%}\n- fees: {set: 0}\n")
    (tmp_path / "other.yaml").write_text(f"{BOOK}shock: [{{prices: {{BTC: 25%}}}}]\n")
    rows = "[{file: fall.yaml}, {file: two.yaml}, {file: other.yaml}]"
    after = shocked(tmp_path, rows).snapshot
    assert after.assets["BTC"].price == 20000
    assert after.account["bybit-a"].fees.taker == 0


def test_what_is_wrong_in_a_file_of_shocks_is_told_with_its_own_line(tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_text("- prices: {BTC: -50%}\n- prices: {BTX: -5%}\n")
    with pytest.raises(FileError) as caught:
        shocked(tmp_path, "{file: two.yaml}")
    told = f"{tmp_path / 'two.yaml'}:2:17: [1].prices.BTX: unknown asset or underlying 'BTX'"
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("shock", "message"),
    [
        ("{volume: {multiply: 2, only: [bybit-a]}}",
         "volume.only[0]: 'bybit-a' is an account; instrument, underlying or venue is wanted"),
        ("{targets: {ETH: {set: 1}}}", "shock.targets.ETH: unknown target 'ETH'"),
        ("{limits: {cab: {set: 1}}}", "unknown limit 'cab' - did you mean 'cap'?"),
        ("{limits: {cap: {add: -2000000}}}", "shock.limits.cap: max must not be negative"),
        ("{limits: {cap: {set: 1, lifted: true}}}", "exactly one of multiply, add, set and lifted"),
        ("{withdrawals: [{account: bybit-a, asset: USDT, amount: 1}]}",
         "shock.withdrawals[0].amount: 1 USDT cannot leave bybit-a, which holds 0"),
        ("{positions: [{account: bybit-a, instrument: 'binance:BTC/USDT', quantity: 1}]}",
         "shock.positions[0].instrument: bybit-a is at bybit, not at binance"),
        ("{positions: [{account: bybit-a, instrument: 'bybit:BTC/USD:BTC', quantity: 0}]}",
         "a trade of nothing is none"),
        ("{fees: {add: -1}}", "shock.fees: leaves binance-main with maker -0.9998 and taker 0: a "
         "rebate is no larger than the fee of the taker"),
        ("{fees: {set: 2, only: [bybit]}}", "shock.fees: leaves bybit-a with maker 2 and taker 2: "
         "a fee is no larger than the trade"),
        ("[{prices: {BTC: -1%}}, {venues: {binance: {withdrawal: halted}}}]",
         "shock[1].venues.binance.withdrawal: unknown key 'withdrawal' - did you mean"),
        ("[{prices: {BTC: -1%}}, {file: none.yaml}]", "shock[1].file: there is no file "),
        ("{file: x.yaml, note: x}", "is a reference: nothing else may stand beside it"),
        ("[5]", "shock[0]: a mapping is wanted"),
    ],
)  # fmt: skip
def test_a_shock_that_cannot_be_is_told_where_it_stands(
    tmp_path: Path, shock: str, message: str
) -> None:
    with pytest.raises(FileError) as caught:
        shocked(tmp_path, shock)
    assert message in str(caught.value)


def test_a_shock_does_nothing_that_it_does_not_say(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(f"{BOOK}shock: {{note: nothing}}\n")
    recipe = load_recipe(path)
    assert recipe.book == recipe.base
