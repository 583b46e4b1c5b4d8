"""Gate by payload replay: its documentation's answers, and figures computed by hand from them."""

from typing import Any

import pytest

from allocator.adapters.emulator.wire import Call, Reply
from allocator.adapters.registry import Opened
from allocator.models.config import Config
from tests.adapters.ccxt import gateio_payloads as gate
from tests.adapters.ccxt.gateio_words import BTC, ETH, FIXTURES, ZTX, D, Run, gathered
from tests.adapters.ccxt.replay import Replay, credited

venue, emulator, config = FIXTURES


def test_the_documented_account_is_read_to_the_last_digit(run: Run, config: Config) -> None:
    book = gathered(run, config)
    assert book.missing == ()
    account = book.snapshot.account["futures"]
    assert account.state == "open"
    assert account.balances["USDT"].wallet == D("9707.803567115145")
    assert account.balances["USDT"].withdrawable == D("9669.091377934145")
    assert account.margin.asset_mode == "single"
    short, alone = account.positions[BTC], account.positions[ETH]
    assert (short.quantity, short.entry_price, short.leverage) == (D(-9440), D("3779.55"), 20)
    assert short.may_trade
    assert alone.isolated is not None
    assert (alone.isolated.wallet, alone.leverage) == (D("38.712189181"), 10)
    assert not alone.may_trade
    assert set(account.positions) == {BTC, ETH, ZTX}
    assert account.positions[ZTX].quantity == 0


def test_equity_by_hand_is_wallet_and_contracts_at_mark(run: Run, config: Config) -> None:
    snapshot = gathered(run, config).snapshot
    row, market = snapshot.account["futures"].positions[BTC], snapshot.instrument[BTC]
    assert row.quantity is not None
    assert row.entry_price is not None
    assert market.contract_size == D("0.0001")
    profit = row.quantity * market.contract_size * (market.mark - row.entry_price)
    assert profit == D("-0.72688") == D(gate.SHORT["unrealised_pnl"])


def test_a_contract_is_read_with_its_brackets_and_funding(run: Run, config: Config) -> None:
    market = gathered(run, config).snapshot.instrument[BTC]
    assert (market.bid, market.ask, market.mark) == (D("3780.2"), D("3780.4"), D("3780.32"))
    assert (market.lot, market.tick, market.max_quantity) == (1, D("0.1"), 1_000_000)
    assert market.funding is not None
    assert (market.funding.rate, market.funding.interval_h) == (D("0.0001"), 8)
    assert [(t.cap, t.maintenance, t.deduction, t.max_leverage) for t in market.tiers] == [
        (20000, D("0.01"), 0, 50),
        (30000, D("0.013"), 60, 40),
    ]
    assert 20000 * D("0.01") == 20000 * D("0.013") - 60


def test_a_contract_that_is_being_delisted_only_reduces(run: Run, config: Config) -> None:
    assert gathered(run, config).snapshot.instrument[ZTX].status == "reduce_only"


def test_fees_are_read_by_contract_and_the_dearest_stands_for_the_rest(
    run: Run, config: Config
) -> None:
    fees = gathered(run, config).snapshot.account["futures"].fees
    assert fees.taker == D("0.00075")
    assert (fees.by[BTC].maker, fees.by[BTC].taker) == (D("-0.0001"), D("0.0005"))


def test_a_tenth_and_twenty_digits_arrive_exact_and_nothing_is_left_out(
    run: Run, config: Config
) -> None:
    spot = gathered(run, config).snapshot.account["spot"]
    assert {name: row.wallet for name, row in spot.balances.items()} == {
        "USDT": D("0.1"),
        "PEPE": D("12345678901234567890.5"),
    }
    assert spot.balances["USDT"].withdrawable == D("0.1")


def test_the_legs_of_hedge_mode_are_both_there(run: Run, config: Config, venue: Replay) -> None:
    legs = [
        {**gate.SHORT, "mode": "dual_short", "size": "-40", "unrealised_pnl": "-0.2"},
        {**gate.SHORT, "mode": "dual_long", "size": "100", "unrealised_pnl": "0.5"},
    ]
    account = {**gate.ACCOUNT, "unrealised_pnl": "0.3", "in_dual_mode": True,
               "position_mode": "dual"}  # fmt: skip
    venue.table |= {
        f"GET {gate.FUTURES}/positions": legs,
        f"GET {gate.FUTURES}/accounts": account,
    }
    row = gathered(run, config).snapshot.account["futures"].positions[BTC]
    assert row.legs is not None
    assert (row.legs.long, row.legs.short, row.net, row.unrealised) == (100, 40, 60, D("0.3"))
    assert not row.may_trade


@pytest.mark.parametrize(
    ("path", "answer", "words"),
    [
        ("accounts", {**gate.ACCOUNT, "total": "9707.9"}, "EQUITY_IDENTITY: USDT total=9707.9"),
        ("accounts", {**gate.ACCOUNT, "unrealised_pnl": "3371.248828"}, "EQUITY_IDENTITY"),
        ("accounts", {**gate.ACCOUNT, "bonus": "10"}, "a bonus of 10 USDT"),
        ("accounts", {**gate.ACCOUNT, "margin_mode": 1}, "unified account"),
        ("accounts", {**gate.ACCOUNT, "enable_credit": True}, "unified account"),
        ("accounts", {**gate.ACCOUNT, "enable_tiered_mm": False}, "not tiered"),
        ("accounts", {k: v for k, v in gate.ACCOUNT.items() if k != "total"}, "no total"),
        ("positions", [], "position margin, and no position"),
        ("positions", [{**gate.SHORT, "unrealised_pnl": "-726.88"}], "positions=-726.88"),
        ("positions", [{**gate.SHORT, "contract": "NEW_USDT"}, gate.ALONE], "unknown market"),
        (
            "positions",
            [gate.SHORT, {k: v for k, v in gate.ALONE.items() if k != "margin"}],
            "no margin",
        ),
        ("positions", Reply({"label": "INTERNAL", "message": "?"}, 500), "INTERNAL"),
        ("orders", [gate.order(left="0")], "without a size"),
        ("fee", {}, "no fee rates"),
    ],
)
def test_an_account_that_is_not_understood_stands_frozen_and_says_why(
    run: Run, config: Config, venue: Replay, path: str, answer: Any, words: str
) -> None:
    venue.table[f"GET {gate.FUTURES}/{path}"] = answer
    book = gathered(run, config)
    assert book.snapshot.account["futures"].state == "frozen"
    assert [words in row.what for row in book.missing if row.account == "futures"] == [True]
    assert book.snapshot.account["spot"].state == "open"


def test_a_unified_account_is_refused_by_its_own_word(
    run: Run, config: Config, venue: Replay
) -> None:
    venue.table["GET /api/v4/account/detail"] = {**gate.DETAIL, "key": {"mode": 2}}
    book = gathered(run, config)
    assert all(row.state == "frozen" for row in book.snapshot.accounts)


def test_locked_spot_money_freezes_the_wallet(run: Run, config: Config, venue: Replay) -> None:
    row = {"currency": "USDT", "available": "1", "locked": "0.5"}
    venue.table["GET /api/v4/spot/accounts"] = [row]
    assert gathered(run, config).snapshot.account["spot"].state == "frozen"


def test_open_orders_keep_their_side_and_what_is_left(
    run: Run, config: Config, venue: Replay
) -> None:
    rows = [gate.order(left="24"), gate.order(id=2, size="-7", left="-7", is_reduce_only=True)]
    venue.table[f"GET {gate.FUTURES}/orders"] = rows
    orders = gathered(run, config).snapshot.account["futures"].open_orders
    assert [(row.side, row.quantity, row.price, row.reduce_only) for row in orders] == [
        ("buy", 24, 3765, False),
        ("sell", 7, 3765, True),
    ]


def test_every_page_is_read(run: Run, config: Config, venue: Replay) -> None:
    def page(call: Call) -> Any:
        start = int(call.text("offset"))
        return [gate.order(id=number, left="1") for number in range(103)][start : start + 100]

    venue.table[f"GET {gate.FUTURES}/orders"] = page
    assert len(gathered(run, config).snapshot.account["futures"].open_orders) == 103


def test_routes_are_those_that_can_be_sent(run: Run, config: Config) -> None:
    routes = {(row.source, row.target) for row in gathered(run, config).snapshot.routes}
    assert routes == {
        ("futures", "spot"), ("spot", "futures"), ("spot", "sub-spot"), ("sub-spot", "spot"),
    }  # fmt: skip


def test_the_capability_table_says_what_it_cannot(run: Run, config: Config) -> None:
    async def read(opened: Opened) -> Any:
        await opened.market.gather()
        return {name: row.capabilities for name, row in opened.venues.items()}

    caps = run(config, read)
    assert caps["futures"].orders
    assert not caps["spot"].orders
    assert not any(row.moves or row.transfer_key for row in caps.values())
    assert [name for name, row in caps.items() if row.withdrawals] == ["spot"]
    assert (caps["futures"].dead_man_s, caps["spot"].dead_man_s) == (5, None)


def test_a_reading_names_the_part_that_failed(run: Run, config: Config, venue: Replay) -> None:
    venue.table[f"GET {gate.FUTURES}/orders"] = Reply({"label": "INTERNAL"}, 500)
    told = run(config, lambda opened: opened.venues["futures"].read())
    assert (told.complete, len(told.missing)) == (False, 1)
    assert told.wallets == {"USDT": D("9707.803567115145")}
    assert told.positions == {BTC: -9440, ETH: 300}


def test_a_deposit_is_credited_once_it_is_done(config: Config, venue: Replay) -> None:
    row = {"id": "d1", "currency": "USDT", "txid": "0xabc", "amount": "10"}
    venue.table["GET /api/v4/wallet/deposits"] = lambda call: [
        {**row, "status": "PEND" if call.text("currency") == "ETH" else "DONE"}
    ]
    asked = [("USDT", "0xabc"), ("USDT", "0xdef"), ("ETH", "0xabc")]
    assert credited(config, "spot", asked) == [True, False, False]


def test_a_deposit_behind_a_full_page_is_found(config: Config, venue: Replay) -> None:
    deposits = [
        {"id": f"d{number}", "currency": "USDT", "txid": f"0x{number}", "amount": "10",
         "status": "DONE"}
        for number in range(250)
    ]  # fmt: skip

    def page(call: Call) -> Any:
        start = int(call.text("offset") or 0)
        return deposits[start : start + int(call.text("limit") or 100)]

    venue.table["GET /api/v4/wallet/deposits"] = page
    asked = [("USDT", f"0x{number}") for number in (0, 99, 100, 249, 250)]
    assert credited(config, "spot", asked) == [True, True, True, True, False]


def test_the_wallet_settled_in_bitcoin_is_read_by_its_own_rules(
    run: Run, config: Config, venue: Replay
) -> None:
    coin = {"id": "coins", "login": "main", "owner": "fund-one", "wallet": "coinm",
            "instruments": ["BTC/USD:BTC"]}  # fmt: skip
    both = {**config.model_dump(mode="json", by_alias=True), "accounts": [coin]}
    history = {"dnw": "1.2", "pnl": "0.1", "fee": "-0.0001", "refr": "0", "fund": "0.0001"}
    whole = {**gate.ACCOUNT, "currency": "BTC", "total": "1.3", "available": "1.25",
             "unrealised_pnl": "0.005", "history": history}  # fmt: skip
    held = gate.position("BTC_USD", "-1000", "50000", "0.005", "0.025")
    tiers = [{**gate.TIERS[0], "risk_limit": "100"}, {**gate.TIERS[1], "risk_limit": "200",
             "deduction": "0.3"}]  # fmt: skip
    venue.table |= {
        "GET /api/v4/futures/btc/accounts": whole,
        "GET /api/v4/futures/btc/positions": [held],
        "GET /api/v4/futures/btc/orders": [],
        "GET /api/v4/futures/btc/price_orders": [],
        "GET /api/v4/futures/btc/autoorder/v1/trail/list": {"orders": []},
        "GET /api/v4/futures/btc/autoorder/v1/chase/list": {"orders": []},
        "GET /api/v4/futures/btc/fee": {"BTC_USD": {"taker_fee": "0.0005", "maker_fee": "0.0001"}},
        "GET /api/v4/futures/btc/tickers": [gate.ticker("BTC_USD", "40000", "39999.9", "40000.1")],
        "GET /api/v4/futures/btc/contracts/BTC_USD": gate.INVERSE[0],
        "GET /api/v4/futures/btc/risk_limit_tiers": tiers,
    }
    book = gathered(run, Config.model_validate(both))
    assert book.missing == ()
    account, market = book.snapshot.account["coins"], book.snapshot.instrument["gate:BTC/USD:BTC"]
    assert (market.payoff, market.settle, market.contract_size) == ("inverse", "BTC", 1)
    row = account.positions["gate:BTC/USD:BTC"]
    assert row.quantity is not None
    assert row.entry_price is not None
    profit = row.quantity * market.contract_size * (1 / row.entry_price - 1 / market.mark)
    assert profit == D("0.005")
    assert account.balances["BTC"].wallet + profit == D("1.305")
    assert [(tier.cap, tier.deduction) for tier in market.tiers] == [
        (4_000_000, 0),
        (8_000_000, 12_000),
    ]
