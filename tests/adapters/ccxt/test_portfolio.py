"""Binance portfolio margin by payload replay: its documentation's answers, figures by hand."""

import copy
from decimal import Decimal
from typing import Any

import pytest

from allocator.models.config import Config
from allocator.models.intents import Ack, Unknown, Unsure
from tests.adapters.ccxt import portfolio_payloads as pm
from tests.adapters.ccxt.conftest import run_with
from tests.adapters.ccxt.recorded import KEY, fixtures, gathered, sent
from tests.adapters.ccxt.replay import BROKEN, Replay
from tests.adapters.times import ago

D = Decimal
UM, CM = "binance:BTC/USDT:USDT", "binance:BTC/USD:BTC"
RECORDED = pm.RECORDED
ACCOUNT, BALANCE = f"GET {pm.P}/account", f"GET {pm.P}/balance"
POSITIONS = f"GET {pm.P}/um/positionRisk"


played, venue, config = fixtures(RECORDED)


def test_every_asset_counts_at_its_collateral_rate(config: Config) -> None:
    account = gathered(config).snapshot.account["pm"]
    assert {coin: row.wallet for coin, row in account.balances.items()} == {
        "USDT": 1000, "BTC": D("0.05")
    }  # fmt: skip
    assert {coin: tiers[0].ratio for coin, tiers in account.collateral.items()} == {
        "USDT": 1, "BTC": D("0.95")
    }  # fmt: skip
    assert (account.margin.model, account.margin.asset_mode) == ("tiered", "multi")
    held = account.positions[UM]
    assert (held.quantity, held.entry_price, held.leverage) == (D("0.001"), D("22185.2"), 4)


def test_brackets_are_raised_to_the_ratio_at_which_the_venue_liquidates(config: Config) -> None:
    places = gathered(config).snapshot.account["pm"].positions
    assert [(row.cap, row.maintenance, row.deduction) for row in places[UM].tiers] == [
        (50000, D("0.0042"), 0), (250000, D("0.00525"), D("52.5"))
    ]  # fmt: skip
    assert [row.cap for row in places[CM].tiers] == [5 * 21120]


def test_no_more_leaves_than_the_account_as_a_whole_lets_go(config: Config, venue: Replay) -> None:
    assert gathered(config).snapshot.account["pm"].balances["USDT"].withdrawable == 900
    venue.table[ACCOUNT] = {**pm.ACCOUNT, "virtualMaxWithdrawAmount": "105.6"}
    balances = gathered(config).snapshot.account["pm"].balances
    assert (balances["USDT"].withdrawable, balances["BTC"].withdrawable) == (
        D("105.6"), D("0.005")
    )  # fmt: skip


def test_borrowing_is_owed_and_its_margin_freezes_the_account(
    config: Config, venue: Replay
) -> None:
    owed = pm.asset("USDT", "900.00000000", "100.00000000", umUnrealizedPNL="-1.06214947",
                    crossMarginBorrowed="400", crossMarginInterest="0.5")  # fmt: skip
    venue.table[BALANCE] = [owed, pm.BTC]
    venue.table[ACCOUNT] = {
        **pm.ACCOUNT, "accountEquity": "1601.63785053", "actualEquity": "1654.43785053",
        "uniMMR": "18956.045",
    }  # fmt: skip
    balances = gathered(config).snapshot.account["pm"].balances
    assert balances["USDT"].wallet == D("599.5")
    assert balances["USDT"].withdrawable == D("499.5")
    venue.table[ACCOUNT] |= {"accountMaintMargin": "24.08449220", "uniMMR": "66.5"}
    book = gathered(config)
    assert book.snapshot.account["pm"].state == "frozen"
    (why,) = [row.what for row in book.missing if row.account == "pm"]
    assert "MAINTENANCE: stated=24.08449220" in why


@pytest.mark.parametrize(
    ("status", "state"),
    [("NORMAL", "open"), ("MARGIN_CALL", "open"), ("SUPPLY_MARGIN", "reduce_only"),
     ("REDUCE_ONLY", "reduce_only"), ("ACTIVE_LIQUIDATION", "frozen"),
     ("FORCE_LIQUIDATION", "frozen"), ("BANKRUPTED", "frozen"), ("NEW_WORD", "frozen")],
)  # fmt: skip
def test_the_accounts_status_says_what_may_be_done(
    config: Config, venue: Replay, status: str, state: str
) -> None:
    venue.table[ACCOUNT] = {**pm.ACCOUNT, "accountStatus": status}
    assert gathered(config).snapshot.account["pm"].state == state


@pytest.mark.parametrize(
    ("path", "answer", "words"),
    [
        (ACCOUNT, {**pm.ACCOUNT, "accountEquity": "2100"}, "EQUITY_IDENTITY: accountEquity=2100"),
        (ACCOUNT, {**pm.ACCOUNT, "uniMMR": "20000"}, "MAINTENANCE: uniMMR=20000"),
        (ACCOUNT, pm.no(-21001, "USER_IS_NOT_UNIACCOUNT"), "USER_IS_NOT_UNIACCOUNT"),
        (POSITIONS, [], "EQUITY_IDENTITY: USDT unrealised=-1.06214947"),
        (POSITIONS, [{**pm.POSITION, "symbol": "NEWUSDT"}], "unknown market"),
        (BALANCE, [{**pm.USDT, "crossMarginLocked": "5"}, pm.BTC], "USDT is locked"),
        (BALANCE, [pm.USDT, pm.BTC, pm.asset("XRP", "5", "0")], "no index price of XRP"),
        (f"GET {pm.P}/um/positionSide/dual", {}, "does not tell the account's mode"),
        (f"GET {pm.P}/um/leverageBracket", [], "no brackets of binance:BTC/USDT:USDT"),
    ],
)  # fmt: skip
def test_an_account_that_is_not_understood_stands_frozen_and_says_why(
    config: Config, venue: Replay, path: str, answer: Any, words: str
) -> None:
    venue.table[path] = answer
    book = gathered(config)
    assert book.snapshot.account["pm"].state == "frozen"
    assert any(words in row.what for row in book.missing if row.account == "pm")


def test_a_pair_with_both_legs_is_read_and_not_traded(config: Config, venue: Replay) -> None:
    short = {
        **pm.POSITION, "positionAmt": "-0.001", "positionSide": "SHORT",
        "unRealizedProfit": "1.06214947", "notional": "-21.12305052",
    }  # fmt: skip
    venue.table[POSITIONS] = [{**pm.POSITION, "positionSide": "LONG"}, short]
    venue.table[f"GET {pm.P}/um/positionSide/dual"] = {"dualSidePosition": True}
    venue.table[BALANCE] = [{**pm.USDT, "umUnrealizedPNL": "0"}, pm.BTC]
    venue.table[ACCOUNT] = {**pm.ACCOUNT, "accountMaintMargin": "0.1689844", "uniMMR": "11848.06"}
    held = gathered(config).snapshot.account["pm"].positions[UM]
    assert held.legs is not None
    assert (held.legs.long, held.legs.short, held.may_trade) == (D("0.001"), D("0.001"), False)


@pytest.mark.parametrize(
    ("instrument", "path", "symbol"),
    [(UM, f"POST {pm.P}/um/order", "BTCUSDT"), (CM, f"POST {pm.P}/cm/order", "BTCUSD_PERP")],
)
def test_an_order_goes_to_the_service_of_its_side(
    config: Config, venue: Replay, instrument: str, path: str, symbol: str
) -> None:
    intent = RECORDED.intent(instrument=instrument, reduce_only=True, style="post_only")
    assert sent(config, intent) == Ack(venue_id="1917641")
    (call,) = venue.asked(path)
    told = {name: call.text(name) for name in call.params if name not in
            {"timestamp", "signature", "recvWindow"}}  # fmt: skip
    assert told == {
        "symbol": symbol, "side": "SELL", "type": "LIMIT", "timeInForce": "GTX",
        "quantity": "0.003",
        "price": "21100", "reduceOnly": "true", "newClientOrderId": KEY, "newOrderRespType": "ACK",
    }  # fmt: skip


def test_spot_is_not_traded_from_it(config: Config, venue: Replay) -> None:
    outcome = sent(config, RECORDED.intent(instrument="binance:BTC/USDT"))
    assert (outcome.outcome, outcome.code) == ("rejected", "NOT_SENT")


def test_money_goes_between_it_and_the_spot_wallet(config: Config, venue: Replay) -> None:
    assert sent(config, RECORDED.transfer()) == Ack(venue_id="13526853623")
    (call,) = venue.asked("POST /sapi/v1/asset/transfer")
    assert (call.text("type"), call.text("amount")) == ("PORTFOLIO_MARGIN_MAIN", "0.1")
    routes = {(row.source, row.target) for row in gathered(config).snapshot.routes}
    assert {("pm", "spot"), ("spot", "pm")} <= routes


@pytest.mark.parametrize("answer", [{}, {"message": "upstream"}])
def test_a_transfer_is_not_absent_by_an_answer_without_a_list(
    config: Config, venue: Replay, answer: Any
) -> None:
    venue.table |= {RECORDED.moved: BROKEN, "GET /sapi/v1/asset/transfer": answer}
    moved = RECORDED.transfer()

    async def work(opened: Any) -> Any:
        mine = opened.venues[moved.source]
        return await mine.submit(moved), await mine.find(moved, ago())

    outcome, finding = run_with(config, work)
    assert isinstance(outcome, Unknown)
    assert isinstance(finding, Unsure)


def test_a_contract_whose_size_is_not_told_is_not_one_dollar(config: Config, venue: Replay) -> None:
    row = "GET /dapi/v1/exchangeInfo"
    told = copy.deepcopy(venue.table[row])
    assert gathered(config).snapshot.instrument[CM].contract_size == 100
    del told["symbols"][0]["contractSize"]
    venue.table[row] = told
    book = gathered(config)
    assert CM not in book.snapshot.instrument
    assert any("no contractSize" in note.what for note in book.notes)


@pytest.mark.parametrize("price", ["-1", "0"])
def test_an_index_below_nothing_is_no_price_and_ends_no_gather(
    config: Config, venue: Replay, price: str
) -> None:
    row = "GET /dapi/v1/premiumIndex"
    told = copy.deepcopy(venue.table[row])
    told[0]["indexPrice"] = price
    venue.table[row] = told
    assert gathered(config).snapshot.assets["BTC"].price > 0
