"""Bitget by payload replay: its documentation's answers, and figures computed by hand from them."""

import time
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from allocator.adapters.ccxt import session
from allocator.adapters.emulator.wire import Call
from allocator.adapters.registry import Opened
from allocator.models.config import Config, LoginConfig
from tests.adapters.ccxt import bitget_payloads as bitget
from tests.adapters.ccxt.bitget_words import (
    ACCOUNTS,
    BTC,
    ETH,
    FIXTURES,
    POSITIONS,
    SETTING,
    D,
    Run,
    gathered,
)
from tests.adapters.ccxt.conftest import run_with
from tests.adapters.ccxt.replay import Replay, credited

venue, emulator, config = FIXTURES


def test_the_documented_account_is_read_to_the_last_digit(run: Run, config: Config) -> None:
    account = gathered(run, config).snapshot.account["futures"]
    assert account.state == "open"
    assert account.balances["USDT"].wallet == D("13177.86110692")
    assert account.balances["USDT"].withdrawable == D("13168.86110692")
    assert (account.margin.model, account.margin.asset_mode) == ("whole_position", "single")
    row = account.positions[BTC]
    assert (row.quantity, row.entry_price, row.leverage) == (D("0.01"), 25000, 20)
    assert row.may_trade
    assert (account.positions[ETH].quantity, account.positions[ETH].leverage) == (0, 20)
    assert set(account.positions) == {BTC, ETH}


def test_equity_by_hand_is_wallet_and_contracts_at_mark(run: Run, config: Config) -> None:
    snapshot = gathered(run, config).snapshot
    account, market = snapshot.account["futures"], snapshot.instrument[BTC]
    row = account.positions[BTC]
    assert market.contract_size == 1
    assert row.quantity is not None
    assert row.entry_price is not None
    profit = row.quantity * market.contract_size * (market.mark - row.entry_price)
    assert account.balances["USDT"].wallet + profit == D("13178.86110692")


def test_a_contract_is_read_with_its_brackets_and_funding(run: Run, config: Config) -> None:
    snapshot = gathered(run, config).snapshot
    market = snapshot.instrument[BTC]
    assert (market.bid, market.ask, market.mark) == (D("25099.5"), D("25100.5"), 25100)
    assert (market.lot, market.tick, market.min_quantity) == (D("0.001"), D("0.5"), D("0.001"))
    assert (market.min_notional, market.max_quantity) == (5, 1200)
    assert market.funding is not None
    assert (market.funding.rate, market.funding.interval_h) == (D("-0.000013"), 8)
    assert [(t.cap, t.maintenance, t.deduction, t.max_leverage) for t in market.tiers] == [
        (50000, D("0.004"), 0, 125),
        (200000, D("0.005"), 0, 100),
    ]
    assert snapshot.instrument[ETH].status == "reduce_only"
    assert snapshot.assets["USDT"].price == 1


def test_fees_are_read_by_pair(run: Run, config: Config) -> None:
    fees = gathered(run, config).snapshot.account["futures"].fees
    assert (fees.taker, fees.by[BTC].maker) == (D("0.0006"), D("0.0002"))


def test_a_tenth_and_twenty_digits_arrive_exact(run: Run, config: Config) -> None:
    spot = gathered(run, config).snapshot.account["spot"]
    assert {name: row.wallet for name, row in spot.balances.items()} == {
        "USDT": D("0.1"),
        "PEPE": D("12345678901234567890.5"),
    }


def test_a_position_of_nothing_is_kept_out(run: Run, config: Config, venue: Replay) -> None:
    venue.table[POSITIONS] = bitget.ok([{**bitget.POSITION, "total": "0", "symbol": "OLDUSDT"}])
    venue.table[ACCOUNTS] = bitget.accounts({**bitget.ACCOUNT, "unrealizedPL": ""})
    account = gathered(run, config).snapshot.account["futures"]
    assert account.positions[BTC].quantity == 0
    assert account.balances["USDT"].wallet == D("13178.86110692")


def test_the_legs_of_hedge_mode_are_both_there(run: Run, config: Config, venue: Replay) -> None:
    leg = {**bitget.POSITION, "posMode": "hedge_mode"}
    short = {**leg, "holdSide": "short", "total": "0.004", "unrealizedPL": "-0.4"}
    venue.table[POSITIONS] = bitget.ok([leg, short])
    venue.table[ACCOUNTS] = bitget.accounts({**bitget.ACCOUNT, "unrealizedPL": "0.6"})
    row = gathered(run, config).snapshot.account["futures"].positions[BTC]
    assert row.legs is not None
    assert (row.legs.long, row.legs.short) == (D("0.01"), D("0.004"))
    assert (row.net, row.unrealised, row.may_trade) == (D("0.006"), D("0.6"), False)


def test_an_isolated_pair_has_its_own_margin(run: Run, config: Config, venue: Replay) -> None:
    row = {**bitget.POSITION, "marginMode": "isolated", "marginSize": "9.6695050093373343"}
    venue.table[POSITIONS] = bitget.ok([row])
    venue.table[SETTING] = bitget.ok({**bitget.SETTING, "marginMode": "isolated"})
    held = gathered(run, config).snapshot.account["futures"].positions
    assert held[BTC].isolated is not None
    assert held[BTC].isolated.wallet == D("9.6695050093373343")
    assert (held[ETH].isolated is not None, held[ETH].leverage) == (True, 12)
    assert not held[BTC].may_trade
    assert not held[ETH].may_trade


@pytest.mark.parametrize(
    ("path", "answer", "words"),
    [
        (
            POSITIONS,
            bitget.ok([{**bitget.POSITION, "marginMode": "isolated", "marginSize": ""}]),
            "no marginSize",
        ),
        (ACCOUNTS, bitget.accounts({**bitget.ACCOUNT, "unrealizedPL": "500"}), "EQUITY_IDENTITY"),
        (ACCOUNTS, bitget.accounts({**bitget.ACCOUNT, "unrealizedPL": ""}), "no unrealised profit"),
        (ACCOUNTS, bitget.accounts({**bitget.ACCOUNT, "coupon": "5"}), "bonus (coupon) of 5"),
        (ACCOUNTS, bitget.accounts({**bitget.ACCOUNT, "grant": "5"}), "bonus (grant) of 5"),
        (ACCOUNTS, bitget.accounts({**bitget.ACCOUNT, "assetMode": "union"}), "asset mode union"),
        (ACCOUNTS, bitget.accounts({**bitget.ACCOUNT, "accountEquity": ""}), "no accountEquity"),
        (ACCOUNTS, bitget.accounts(), "no USDT"),
        (ACCOUNTS, bitget.no("40085", "Unified Account mode"), "40085: Unified Account mode"),
        (POSITIONS, bitget.ok([]), "EQUITY_IDENTITY: USDT unrealised=1 positions=0"),
        (POSITIONS, bitget.ok([{**bitget.POSITION, "symbol": "NEWUSDT"}]), "unknown market"),
        (POSITIONS, bitget.ok([{**bitget.POSITION, "holdSide": "net"}]), "position side net"),
        (POSITIONS, bitget.ok(None), "no data"),
        (f"GET {bitget.MIX}/order/orders-pending", bitget.ok({}), "no entrustedList"),
    ],
)
def test_an_account_that_is_not_understood_stands_frozen_and_says_why(
    run: Run, config: Config, venue: Replay, path: str, answer: Any, words: str
) -> None:
    venue.table[path] = answer
    book = gathered(run, config)
    assert book.snapshot.account["futures"].state == "frozen"
    assert [words in row.what for row in book.missing if row.account == "futures"] == [True]
    assert book.snapshot.account["spot"].state == "open"


def test_a_wallet_that_is_not_read_is_named_and_frozen(run: Run, config: Config) -> None:
    book = gathered(run, config)
    assert [row.account for row in book.missing] == ["coins"]
    assert "coinm of bitget is not read" in book.missing[0].what
    assert book.snapshot.account["coins"].state == "frozen"


def test_locked_spot_money_freezes_the_wallet(run: Run, config: Config, venue: Replay) -> None:
    row = {"coin": "USDT", "available": "1", "frozen": "0.5", "locked": "0"}
    venue.table["GET /api/v2/spot/account/assets"] = bitget.ok([row])
    assert gathered(run, config).snapshot.account["spot"].state == "frozen"


def test_open_orders_keep_their_side_and_what_is_left(
    run: Run, config: Config, venue: Replay
) -> None:
    rows = [bitget.order(), bitget.order(side="sell", reduceOnly="YES", baseVolume="0")]
    venue.table[f"GET {bitget.MIX}/order/orders-pending"] = bitget.listed(*rows)
    orders = gathered(run, config).snapshot.account["futures"].open_orders
    assert [(row.side, row.quantity, row.price, row.reduce_only) for row in orders] == [
        ("buy", D("0.01"), 25000, False),
        ("sell", D("0.012"), 25000, True),
    ]


@pytest.mark.parametrize(
    ("leg", "does", "traded", "reduces"),
    [("long", "open", "buy", False), ("long", "close", "sell", True),
     ("short", "open", "sell", False), ("short", "reduce_close_short", "buy", True)],
)  # fmt: skip
def test_of_two_legs_an_order_names_the_leg_and_not_what_it_trades(
    run: Run, config: Config, venue: Replay, leg: str, does: str, traded: str, reduces: bool
) -> None:
    row = bitget.order(
        posMode="hedge_mode", posSide=leg, tradeSide=does, side={"long": "buy"}.get(leg, "sell")
    )
    venue.table[f"GET {bitget.MIX}/order/orders-pending"] = bitget.listed(row)
    (order,) = gathered(run, config).snapshot.account["futures"].open_orders
    assert (order.side, order.reduce_only) == (traded, reduces)


def test_an_order_of_legs_that_neither_opens_nor_closes_one_is_refused(
    run: Run, config: Config, venue: Replay
) -> None:
    row = bitget.order(posMode="hedge_mode", posSide="long", tradeSide="buy_single")
    venue.table[f"GET {bitget.MIX}/order/orders-pending"] = bitget.listed(row)
    account = gathered(run, config).snapshot.account["futures"]
    assert (account.state, account.open_orders) == ("frozen", ())


def test_every_page_is_read(run: Run, config: Config, venue: Replay) -> None:
    def page(call: Call) -> Any:
        rows = [bitget.order(orderId=str(900 - n)) for n in range(100)]
        return bitget.listed(*(rows[:3] if call.text("idLessThan") == "801" else rows))

    venue.table[f"GET {bitget.MIX}/order/orders-pending"] = page
    assert len(gathered(run, config).snapshot.account["futures"].open_orders) == 103


def test_the_capability_table_and_the_routes_say_what_it_can(run: Run, config: Config) -> None:
    async def read(opened: Opened) -> Any:
        book = await opened.market.gather()
        caps = {name: row.capabilities for name, row in opened.venues.items()}
        return {(row.source, row.target) for row in book.snapshot.routes}, caps

    routes, caps = run(config, read)
    assert routes == {("futures", "spot"), ("spot", "futures")}
    assert (caps["futures"].orders, caps["spot"].orders, caps["coins"].orders) == (1, 0, 0)
    assert not any(row.moves or row.dead_man_s for row in caps.values())
    assert [name for name, row in caps.items() if row.withdrawals] == ["spot"]


def test_a_login_without_its_passphrase_is_refused() -> None:
    with pytest.raises(ValidationError, match="bitget signs with a passphrase"):
        LoginConfig.model_validate({"venue": "bitget", "key": "env:A", "secret": "env:B"})


def test_a_reading_names_the_part_that_failed(run: Run, config: Config, venue: Replay) -> None:
    venue.table[f"GET {bitget.MIX}/order/orders-pending"] = bitget.no("40725", "?", 500)
    told = run(config, lambda opened: opened.venues["futures"].read())
    assert (told.complete, len(told.missing)) == (False, 1)
    assert told.wallets == {"USDT": D("13177.86110692")}
    assert told.positions == {BTC: D("0.01")}


def test_a_deposit_is_credited_once_it_succeeded(config: Config, venue: Replay) -> None:
    row = {"orderId": "1", "tradeId": "0xabc", "coin": "USDT", "size": "10", "status": "pending"}
    venue.table["GET /api/v2/spot/wallet/deposit-records"] = lambda call: bitget.ok(
        [{**row, "status": "pending" if call.text("coin") == "ETH" else "success"}]
    )

    asked = [("USDT", "0xabc"), ("USDT", "0xdef"), ("ETH", "0xabc")]
    assert credited(config, "spot", asked) == [True, False, False]


def test_a_deposit_behind_a_full_page_is_found(config: Config, venue: Replay) -> None:
    """A page has what is older than an order id: the least of the page before."""
    deposits = [
        {"orderId": str(1_000 + number), "tradeId": f"0x{number}", "coin": "USDT", "size": "10",
         "status": "success"}
        for number in range(250)
    ]  # fmt: skip

    def page(call: Call) -> Any:
        before = int(call.text("idLessThan") or 10**9)
        older = [row for row in reversed(deposits) if int(row["orderId"]) < before]
        return bitget.ok(older[: int(call.text("limit"))])

    venue.table["GET /api/v2/spot/wallet/deposit-records"] = page
    asked = [("USDT", f"0x{number}") for number in (249, 150, 149, 0, 250)]
    assert credited(config, "spot", asked) == [True, True, True, True, False]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"usdc": {**bitget.ELSEWHERE, "accountEquity": "12.5"}}, "12.5 USDC of USDC-FUTURES"),
        ({"coin": {**bitget.ELSEWHERE, "marginCoin": "BTC", "accountEquity": "-0.1"}},
         "-0.1 BTC of COIN-FUTURES"),
        ({"usdc": {**bitget.ELSEWHERE, "locked": "3"}}, "0 USDC of USDC-FUTURES"),
        ({"usdc": {**bitget.ELSEWHERE, "unrealizedPL": "-1"}}, "0 USDC of USDC-FUTURES"),
    ],
)  # fmt: skip
def test_money_in_futures_that_nobody_reads_freezes_and_is_named(
    run: Run, config: Config, venue: Replay, row: dict[str, Any], words: str
) -> None:
    venue.table[ACCOUNTS] = bitget.accounts(bitget.ACCOUNT, **row)
    book = gathered(run, config)
    assert book.snapshot.account["futures"].state == "frozen"
    (why,) = [found.what for found in book.missing if found.account == "futures"]
    assert f"UNREAD_WALLET: {words}" in why


@pytest.mark.parametrize(
    ("changes", "open_"),
    [
        ({"accountEquity": "0.00000001"}, True),
        ({"accountEquity": "-0.00000001", "available": "0"}, True),
        ({"accountEquity": "0.00003", "available": "0.00003"}, True),
        ({"accountEquity": "0.00005", "available": "0"}, False),
        ({"accountEquity": "0", "available": "0.00005"}, False),
        ({"accountEquity": "0.00000001", "usdtEquity": "1.00"}, False),
        ({"accountEquity": "0.00000001", "crossedMargin": "0.00000001"}, False),
        ({"accountEquity": "0.00000001", "unrealizedPL": "0.00000001"}, False),
        ({"accountEquity": "0.00000001", "marginCoin": "NEW"}, False),
        ({"accountEquity": "0.00000001", "marginCoin": "NEW", "usdtEquity": "0.01"}, True),
    ],
)
def test_free_money_of_less_than_a_dollar_in_futures_that_nobody_reads_is_named_only(
    run: Run, config: Config, venue: Replay, changes: dict[str, Any], open_: bool
) -> None:
    """A bitcoin is some 25,000 dollars here."""
    coin = {**bitget.ELSEWHERE, "marginCoin": "BTC", **changes}
    venue.table[ACCOUNTS] = bitget.accounts(bitget.ACCOUNT, coin=coin)
    book = gathered(run, config)
    assert (book.snapshot.account["futures"].state == "open") == open_
    missing, notes = (
        [row.what for row in rows if row.account == "futures"]
        for rows in (book.missing, book.notes)
    )
    assert [what.startswith("DUST: ") for what in notes] == [True] * open_
    assert ["UNREAD_WALLET: " in what for what in missing] == [True] * (not open_)


def test_a_market_without_a_list_of_rates_costs_no_other(
    run: Run, config: Config, venue: Replay
) -> None:
    """The answer comes, and what should be in it does not."""
    row = "GET /api/v2/mix/market/current-fund-rate"
    whole = venue.table[row]

    def rates(call: Call) -> Any:
        if call.text("symbol") == "ETHUSDT":
            return bitget.ok(None)
        return whole(call) if callable(whole) else whole

    venue.table[row] = rates
    book = gathered(run, config)
    assert set(book.snapshot.instrument) == {BTC}
    account = book.snapshot.account["futures"]
    assert (account.state, set(account.positions)) == ("open", {BTC})
    assert [row.account for row in book.notes] == ["futures"]
    named = "market bitget:ETH/USDT:USDT: not traded: UnansweredError"
    assert book.notes[0].what.startswith(named)
    assert not [row for row in book.missing if row.account == "futures"]


def test_dust_in_two_wallets_is_added_up(run: Run, config: Config, venue: Replay) -> None:
    half = {"accountEquity": "1", "usdtEquity": "0.5"}
    for dollars, state in (("0.49", "open"), ("0.50", "frozen")):
        venue.table[ACCOUNTS] = bitget.accounts(
            bitget.ACCOUNT, coin={**bitget.ELSEWHERE, **half, "marginCoin": "NEW"},
            usdc={**bitget.ELSEWHERE, **half, "usdtEquity": dollars},
        )  # fmt: skip
        assert gathered(run, config).snapshot.account["futures"].state == state


def test_futures_that_do_not_tell_what_they_hold_are_not_taken_for_empty(
    run: Run, config: Config, venue: Replay
) -> None:
    silent = {**bitget.ELSEWHERE, "accountEquity": ""}
    venue.table[ACCOUNTS] = bitget.accounts(bitget.ACCOUNT, usdc=silent)
    book = gathered(run, config)
    assert book.snapshot.account["futures"].state == "frozen"
    assert any("no accountEquity" in found.what for found in book.missing)


def test_a_market_that_was_shut_is_not_open_until_the_list_is_read_again(
    config: Config, venue: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(opened: Any) -> list[str]:
        told = [(await opened.market.gather()).snapshot.instrument["bitget:BTC/USDT:USDT"].status]
        shut = bitget.contract("BTCUSDT", "BTC", symbolStatus="off")
        venue.table["GET /api/v2/mix/market/contracts"] = bitget.ok([shut])
        jumped = SimpleNamespace(monotonic=lambda: time.monotonic() + 60)
        monkeypatch.setattr(session, "time", jumped)
        return [
            *told,
            (await opened.market.gather()).snapshot.instrument["bitget:BTC/USDT:USDT"].status,
        ]

    assert run_with(config, work) == ["open", "halted"]
