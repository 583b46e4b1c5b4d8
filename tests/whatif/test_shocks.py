"""A shock leaves the book as it would stand a moment later."""

from __future__ import annotations

from decimal import Decimal, localcontext
from pathlib import Path

import pytest

from allocator.models.scenario import Scenario
from allocator.whatif.document import FileError
from allocator.whatif.reader import load_scenario
from allocator.whatif.resolution import resolve, yaml_text

BOOK = Path(__file__).with_name("book.yaml").read_text()
LINEAR, INVERSE, SPOT = "binance:BTC/USDT:USDT", "bybit:BTC/USD:BTC", "binance:BTC/USDT"


def shocked(folder: Path, shock: str, book: str = BOOK) -> Scenario:
    path = folder / "x.yaml"
    path.write_text(f"{book}shock: {shock}\n")
    return load_scenario(path)


def test_prices_move_assets_and_quotes_together(tmp_path: Path) -> None:
    after = shocked(tmp_path, "{prices: {BTC: -20%}}").snapshot
    assert after.assets["BTC"].price == 51200
    assert after.assets["USDT"].price == 1
    for name in (LINEAR, INVERSE, SPOT):
        assert after.instrument[name].mark == 51200
    linear = after.instrument[LINEAR]
    assert (linear.bid, linear.ask) == (Decimal("51199.92"), Decimal("51200.08"))


def test_a_percentage_and_a_fraction_are_the_same(tmp_path: Path) -> None:
    one = shocked(tmp_path, "{prices: {BTC: -20%}}").snapshot
    assert one == shocked(tmp_path, "{prices: {BTC: -0.2}}").snapshot


def test_an_entry_price_is_kept_and_a_given_profit_follows_the_mark(tmp_path: Path) -> None:
    after = shocked(tmp_path, "{prices: {BTC: -20%}}").snapshot
    assert after.account["binance-main"].positions[LINEAR].entry_price == 63200
    assert after.account["binance-main"].positions[LINEAR].unrealised is None
    # 1000 contracts of 1 USD: 0.01 + 1000 (1/64000 - 1/51200) = 0.01 - 0.00390625
    got = after.account["bybit-a"].positions[INVERSE].unrealised
    assert got is not None
    assert got.quantize(Decimal("1e-20")) == Decimal("0.00609375")


def test_a_linear_profit_that_is_given_moves_by_contracts_times_the_change(tmp_path: Path) -> None:
    book = BOOK.replace('entry_price: "63200"', "unrealised: 10")
    after = shocked(tmp_path, "{prices: {BTC: 10%}}", book).snapshot
    assert after.account["binance-main"].positions[LINEAR].unrealised == 10 - Decimal("3.5") * 6400


def test_a_currency_that_loses_its_peg_raises_what_is_quoted_in_it(tmp_path: Path) -> None:
    after = shocked(tmp_path, "{prices: {USDT: -50%}}").snapshot
    assert after.assets["USDT"].price == Decimal("0.5")
    assert after.assets["BTC"].price == 64000
    assert after.instrument[SPOT].mark == 128000
    assert after.instrument[LINEAR].mark == 128000
    assert after.instrument[INVERSE].mark == 64000


def test_options_move_by_their_delta_and_never_below_nothing(tmp_path: Path) -> None:
    option = """    - id: bybit:BTC-C
      kind: option
      underlying: BTC
      settle: USDT
      contract_size: "1"
      lot: "0.01"
      tick: "5"
      delta: "0.4"
      bid: "990"
      ask: "1010"
      mark: "1000"
      daily_volume: "100000"
      daily_volatility: "0.5"
  accounts:
"""
    book = BOOK.replace("  accounts:\n", option, 1)
    up = shocked(tmp_path, "{prices: {BTC: 1%}}", book).snapshot.instrument["bybit:BTC-C"]
    assert up.mark == 1000 + Decimal("0.4") * 640
    assert up.bid == Decimal("1243.44")
    down = shocked(tmp_path, "{prices: {BTC: -50%}}", book).snapshot.instrument["bybit:BTC-C"]
    assert 0 < down.mark < 1


def test_volatility_moves_instruments_and_the_forecast_even_at_its_default(tmp_path: Path) -> None:
    after = shocked(tmp_path, "{volatility: {multiply: 2}}")
    assert after.snapshot.instrument[LINEAR].daily_volatility == Decimal("0.06")
    assert after.mandate.policy.risk.daily_volatility == {"BTC": Decimal("0.06")}


def test_changes_may_be_limited_to_names(tmp_path: Path) -> None:
    after = shocked(
        tmp_path,
        "{funding: {set: 0.01, only: [bybit]}, volume: {multiply: 0.1, only: [binance]}, "
        "spreads: {multiply: 3, only: ['binance:BTC/USDT']}, fees: {add: 0.001, only: [bybit-a]}}",
    ).snapshot
    linear, inverse, spot = (after.instrument[name] for name in (LINEAR, INVERSE, SPOT))
    assert linear.funding is not None
    assert inverse.funding is not None
    assert (linear.funding.rate, inverse.funding.rate) == (Decimal("0.0001"), Decimal("0.01"))
    assert (linear.daily_volume, inverse.daily_volume) == (1200000000, 700000000)
    assert (spot.bid, spot.ask) == (63997, 64003)
    assert linear.bid == Decimal("63999.9")
    assert after.account["bybit-a"].fees.taker == Decimal("0.0015")
    assert after.account["bybit-b"].fees.taker == Decimal("0.0005")


def test_margin_rates_scale_and_brackets_stay_continuous(tmp_path: Path) -> None:
    tiers = shocked(tmp_path, "{margin: {multiply: 2}}").snapshot.instrument[LINEAR].tiers
    assert [t.maintenance for t in tiers] == [Decimal("0.008"), Decimal("0.010")]
    assert [t.deduction for t in tiers] == [0, 600]
    assert [t.max_leverage for t in tiers] == [75, 50]


def test_halted_withdrawals_close_the_ways_out_only(tmp_path: Path) -> None:
    after = shocked(tmp_path, "{venues: {binance: {withdrawals: halted}}}").snapshot
    assert not after.route["out"].enabled
    assert after.route["b2b"].enabled


def test_an_outage_freezes_a_venue_and_an_account_takes_its_state(tmp_path: Path) -> None:
    after = shocked(
        tmp_path,
        "{venues: {bybit: {outage: true}}, accounts: {binance-main: {state: reduce_only}}}",
    ).snapshot
    assert {a.id: a.state for a in after.accounts} == {
        "binance-main": "reduce_only",
        "bybit-a": "frozen",
        "bybit-b": "frozen",
    }


@pytest.mark.parametrize(
    ("shock", "message"),
    [
        ("{prices: {BTCC: -20%}}", "{line}:24: shock.prices.BTCC: unknown asset or underlying "
         "'BTCC' - did you mean 'BTC'?"),
        ("{venues: {bibit: {outage: true}}}", "unknown venue 'bibit' - did you mean 'bybit'?"),
        ("{accounts: {a: {state: frozen}}}", "shock.accounts.a: unknown account 'a'"),
        ("{funding: {set: 1, only: [x]}}",
         "shock.funding.only[0]: unknown instrument, underlying or venue 'x'"),
        ("{prices: {BTC: -100%}}", "shock.prices.BTC: must be above -1, not '-100%'"),
        ("{prices: {BTC: much}}", "shock.prices.BTC: not a number: 'much'"),
        ("{funding: {set: 1, add: 1}}", "exactly one of multiply, add and set"),
        ("{volatilty: {multiply: 2}}", "unknown key 'volatilty' - did you mean 'volatility'?"),
        ("{volume: {set: 0}}", "shock: leaves a senseless book: snapshot.instruments[0]: has no"),
    ],
)  # fmt: skip
def test_a_wrong_shock_is_told_where_it_stands(tmp_path: Path, shock: str, message: str) -> None:
    with pytest.raises(FileError) as caught:
        shocked(tmp_path, shock)
    line = BOOK.count("\n") + 1
    assert message.format(line=line) in str(caught.value).replace("{", "").replace("}", "")


def test_a_resolved_scenario_reads_as_the_same_book(tmp_path: Path) -> None:
    before = shocked(
        tmp_path,
        "{prices: {BTC: -7%}, volatility: {multiply: 1.6}}\noverride: {mandate.policy.impact: 0.5}",
    )
    text = yaml_text(resolve(before))
    (tmp_path / "plain.yaml").write_text(text)
    after = load_scenario(tmp_path / "plain.yaml")
    assert after.snapshot == before.snapshot
    assert after.mandate == before.mandate
    assert after.shock is None
    assert yaml_text(resolve(after)) == text


def test_shock_does_not_depend_on_the_callers_decimal_context(tmp_path: Path) -> None:
    shock = "{prices: {BTC: -7%}, volatility: {multiply: 1.6}}"
    usual = shocked(tmp_path, shock)
    with localcontext() as context:
        context.prec = 50
        wide = shocked(tmp_path, shock)
    assert wide.snapshot == usual.snapshot
