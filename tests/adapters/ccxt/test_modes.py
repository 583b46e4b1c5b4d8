"""Accounts set up in ways that the allocator must not trade, or that it must not misread."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest

from allocator.adapters.ccxt import binance_accounts, bybit_accounts, bybit_markets
from allocator.adapters.ccxt.binance_markets import tiers_of
from allocator.adapters.ccxt.binance_reads import check_identity
from allocator.adapters.ccxt.bybit_reads import wallet
from allocator.adapters.ccxt.place import Place
from allocator.adapters.ccxt.session import Login
from allocator.adapters.ccxt.sessions import Sessions
from allocator.adapters.ccxt.values import number
from allocator.adapters.emulator.testing import Emulator, running_emulator
from allocator.adapters.emulator.world import demo_world
from allocator.adapters.registry import Opened
from allocator.models.account import Account
from allocator.models.config import AccountConfig, Config, LoginConfig
from allocator.models.errors import VenueError

Run = Callable[[Config, Callable[[Opened], Awaitable[Any]]], Any]
MARKET = {
    "id": "BTCUSDT",
    "symbol": "BTC/USDT:USDT",
    "base": "BTC",
    "quote": "USDT",
    "settle": "USDT",
    "spot": False,
    "swap": True,
    "contract": True,
    "linear": True,
    "inverse": False,
}
LINEAR = "bybit:BTC/USDT:USDT"


class FakeClient:
    """Answers endpoints from a table, and knows one market."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.markets = {MARKET["symbol"]: MARKET}
        self.markets_by_id = {MARKET["id"]: [MARKET]}
        self.options: dict[str, Any] = {}

    def market(self, symbol: str) -> Any:
        return self.markets[symbol]

    def __getattr__(self, endpoint: str) -> Any:
        async def answer(params: dict[str, Any]) -> Any:
            found = self.answers[endpoint]
            return found(params) if callable(found) else found

        return answer


def place(venue: str, kind: str, answers: dict[str, Any]) -> Place:
    secrets = {"key": "env:A", "secret": "env:B", "passphrase": "env:C"}
    config = LoginConfig.model_validate({"venue": venue, **secrets})
    shared = cast("Any", SimpleNamespace(paused_until=0.0, told={}))
    login = Login("login", config, FakeClient(answers), shared)
    account = AccountConfig.model_validate(
        {
            "id": "it",
            "login": "login",
            "wallet": kind,
            "owner": "o",
            "instruments": [MARKET["symbol"]],
        }
    )
    return Place(account, login, login)


def enveloped(**result: Any) -> dict[str, Any]:
    return {"retCode": 0, "result": result}


COIN = {
    "coin": "USDT",
    "equity": "1010",
    "walletBalance": "1000",
    "unrealisedPnl": "10",
    "spotBorrow": "0",
    "totalPositionIM": "60",
    "collateralSwitch": True,
    "marginCollateral": True,
}
POSITION = {
    "symbol": "BTCUSDT",
    "side": "Buy",
    "size": "0.1",
    "avgPrice": "60000",
    "positionIdx": 0,
    "tradeMode": 0,
    "leverage": "10",
    "positionValue": "6000",
    "unrealisedPnl": "10",
    "positionBalance": "0",
    "positionStatus": "Normal",
}


def bybit(mode: str = "REGULAR_MARGIN", coin: Any = COIN, *rows: dict[str, Any]) -> Account:
    def positions(params: dict[str, Any]) -> Any:
        if params["category"] != "linear":
            return enveloped(list=[])
        return enveloped(list=list(rows) or [{**POSITION, "side": "", "size": "0"}])

    answers = {
        "private_get_v5_account_info": enveloped(marginMode=mode),
        "private_get_v5_account_wallet_balance": enveloped(list=[{"coin": [coin]}]),
        "private_get_v5_position_list": positions,
        "private_get_v5_order_realtime": enveloped(list=[]),
        "private_get_v5_account_fee_rate": enveloped(
            list=[{"symbol": "BTCUSDT", "takerFeeRate": "0.0005", "makerFeeRate": "0.0002"}]
        ),
        "public_get_v5_spot_margin_trade_collateral": enveloped(
            list=[
                {
                    "currency": "USDT",
                    "collateralRatioList": [{"minQty": "0", "maxQty": "", "collateralRatio": "1"}],
                }
            ]
        ),
        "private_get_v5_account_withdrawal": enveloped(availableWithdrawalMap={"USDT": "900"}),
    }
    return asyncio.run(bybit_accounts.account(place("bybit", "unified", answers)))


def test_hedge_legs_are_kept_apart_and_not_traded() -> None:
    long = {**POSITION, "positionIdx": 1, "unrealisedPnl": "15"}
    short = {**POSITION, "positionIdx": 2, "side": "Sell", "size": "0.04", "unrealisedPnl": "-5"}
    pair = bybit("REGULAR_MARGIN", COIN, long, short).positions[LINEAR]
    assert pair.legs is not None
    assert (pair.legs.long, pair.legs.short) == (Decimal("0.1"), Decimal("0.04"))
    assert pair.net == Decimal("0.06")
    assert pair.unrealised == 10
    assert not pair.may_trade


@pytest.mark.parametrize("turned", [False, True])
def test_isolated_hedge_legs_at_bybit_have_both_their_margins_set_aside(turned: bool) -> None:
    long = {**POSITION, "positionIdx": 1, "positionBalance": "77", "leverage": "10"}
    short = {
        **POSITION, "positionIdx": 2, "side": "Sell", "size": "0.04", "unrealisedPnl": "0",
        "positionBalance": "50", "leverage": "5",
    }  # fmt: skip
    legs = (short, long) if turned else (long, short)
    pair = bybit("ISOLATED_MARGIN", COIN, *legs).positions[LINEAR]
    assert pair.isolated is not None
    assert pair.legs is not None
    assert (pair.isolated.wallet, pair.leverage) == (127, 5)
    assert (pair.legs.long, pair.legs.short) == (Decimal("0.1"), Decimal("0.04"))


@pytest.mark.parametrize("size", [None, ""])
def test_a_position_at_bybit_without_a_size_is_not_taken_for_flat(size: str | None) -> None:
    coin = {**COIN, "totalPositionIM": "0", "unrealisedPnl": "0", "equity": "1000"}
    with pytest.raises(VenueError, match="no size"):
        bybit("REGULAR_MARGIN", coin, {**POSITION, "size": size, "unrealisedPnl": "0"})


@pytest.mark.parametrize("side", [None, "", "sell", "None"])
def test_a_position_at_bybit_of_no_known_side_is_not_taken_for_long(side: str | None) -> None:
    with pytest.raises(VenueError, match="neither Buy nor Sell"):
        bybit("REGULAR_MARGIN", COIN, {**POSITION, "side": side})


def test_a_flat_pair_at_bybit_has_no_side_and_is_read() -> None:
    coin = {**COIN, "totalPositionIM": "0", "unrealisedPnl": "0", "equity": "1000"}
    flat = {**POSITION, "side": "", "size": "0", "unrealisedPnl": "0"}
    assert bybit("REGULAR_MARGIN", coin, flat).positions[LINEAR].quantity == 0


def test_isolated_margin_is_shown_and_not_traded() -> None:
    held = {**POSITION, "positionBalance": "77"}
    pair = bybit("ISOLATED_MARGIN", COIN, held).positions[LINEAR]
    assert pair.isolated is not None
    assert pair.isolated.wallet == 77
    assert not pair.may_trade


def test_portfolio_margin_is_not_read_as_if_it_were_regular() -> None:
    with pytest.raises(VenueError, match="portfolio margin"):
        bybit("PORTFOLIO_MARGIN", COIN, POSITION)


def test_collateral_that_is_switched_off_counts_for_nothing() -> None:
    account = bybit("REGULAR_MARGIN", {**COIN, "collateralSwitch": False}, POSITION)
    assert [row.ratio for row in account.collateral["USDT"]] == [0]


def test_an_account_in_liquidation_is_frozen_and_a_cut_limit_only_reduces() -> None:
    assert bybit("REGULAR_MARGIN", COIN, {**POSITION, "positionStatus": "Liq"}).state == "frozen"
    assert bybit("REGULAR_MARGIN", COIN, {**POSITION, "isReduceOnly": True}).state == "reduce_only"


@pytest.mark.parametrize(
    ("coin", "rows", "words"),
    [
        ({**COIN, "equity": "1011"}, [POSITION], "wallet=1000"),
        ({**COIN, "totalPositionIM": "60"}, [], "has position margin"),
        (COIN, [{**POSITION, "unrealisedPnl": "900"}], "positions=900"),
        # A hundredth of a bitcoin is no hundredth of a dollar.
        ({**COIN, "coin": "BTC", "equity": "1.015", "usdValue": "60900", "walletBalance": "1",
          "unrealisedPnl": "0.015", "totalPositionIM": "0"}, [], "BTC unrealised=0.015"),
        ({**COIN, "coin": "BTC", "equity": "1.000001", "walletBalance": "1",
          "unrealisedPnl": "0.000001", "totalPositionIM": "0"}, [], "BTC unrealised"),
    ],
)  # fmt: skip
def test_figures_that_do_not_add_up_are_refused(
    coin: dict[str, Any], rows: list[dict[str, Any]], words: str
) -> None:
    with pytest.raises(VenueError, match=f"EQUITY_IDENTITY.*{words}"):
        bybit("REGULAR_MARGIN", coin, *rows)


def test_binance_s_figures_that_do_not_add_up_are_refused() -> None:
    row = {"asset": "USDT", "walletBalance": "1000", "unrealizedProfit": "5"}
    check_identity({**row, "marginBalance": "1005"})
    with pytest.raises(VenueError, match="EQUITY_IDENTITY: USDT wallet=1000 unrealised=5"):
        check_identity({**row, "marginBalance": "1005.1"})


@pytest.mark.parametrize("units", [None, ""])
def test_what_an_isolated_position_has_set_aside_is_not_zero_for_not_being_told(
    units: str | None,
) -> None:
    row = {**POSITION, "tradeMode": 1, "positionBalance": units}
    with pytest.raises(VenueError, match="no positionBalance"):
        bybit("REGULAR_MARGIN", COIN, row)


def test_profit_may_be_off_by_a_cent_of_a_dear_coin() -> None:
    coin = {**COIN, "coin": "BTC", "equity": "1.0000001", "usdValue": "60000.006",
            "walletBalance": "1", "unrealisedPnl": "0.0000001", "totalPositionIM": "0"}  # fmt: skip
    assert bybit("REGULAR_MARGIN", coin).state == "open"


def test_what_was_borrowed_is_no_wallet() -> None:
    """Spot borrowing stands inside the wallet balance, a debt of derivatives below zero."""
    lent = {**COIN, "walletBalance": "1000", "spotBorrow": "400", "equity": "610"}
    owed = {**COIN, "walletBalance": "-50", "spotBorrow": "50", "equity": "-40"}
    assert wallet(lent) == 600
    assert wallet(owed) == -50


def test_risk_limits_given_in_percent_are_read_as_fractions() -> None:
    rows = [
        {"riskLimitValue": "2000000", "maintenanceMargin": rate, "maxLeverage": lever,
         "mmDeduction": cut}
        for rate, lever, cut in (("0.5", "100.00", ""), ("1", "50.00", "10000"))
    ]  # fmt: skip
    rows[1]["riskLimitValue"] = "10000000"
    percent = bybit_markets.tiers_of(rows, Decimal(1))
    assert [row.maintenance for row in percent] == [Decimal("0.005"), Decimal("0.01")]
    whole = [{**rows[0], "maintenanceMargin": "0.5", "maxLeverage": "1.00"}]
    assert bybit_markets.tiers_of(whole, Decimal(1))[0].maintenance == Decimal("0.5")


def test_brackets_are_ordered_and_rounded_against_us() -> None:
    rows = [
        {"qtyCap": 10, "maintMarginRatio": "0.005", "cum": "0.005", "initialLeverage": 100},
        {"qtyCap": 5, "maintMarginRatio": "0.004", "cum": "0.0", "initialLeverage": 125},
    ]
    tiers = tiers_of(rows, Decimal("63980.123456789123"))
    assert [row.max_leverage for row in tiers] == [125, 100]
    assert tiers[0].cap == Decimal("319900.61")
    assert tiers[1].deduction == Decimal("319.90061728")


@pytest.mark.parametrize("value", [0.1, float("nan"), "NaN", "Infinity", True, "x"])
def test_a_number_that_is_not_exact_is_refused(value: object) -> None:
    with pytest.raises(VenueError):
        number(value)


def test_an_absent_number_is_not_zero() -> None:
    assert number(None) is None
    assert number("") is None
    assert number("0") == 0


def test_multi_asset_mode_counts_each_asset_at_its_bid_buffer() -> None:
    answers = {
        "fapiprivatev3_get_account": {
            "assets": [
                {
                    "asset": "USDT",
                    "walletBalance": "1000",
                    "unrealizedProfit": "0",
                    "marginBalance": "1000",
                    "maxWithdrawAmount": "900",
                }
            ]
        },
        "fapiprivatev3_get_positionrisk": [],
        "fapiprivate_get_openorders": [],
        "fapiprivate_get_openalgoorders": [],
        "fapiprivate_get_commissionrate": {
            "makerCommissionRate": "0.0002",
            "takerCommissionRate": "0.0005",
        },
        "fapiprivate_get_symbolconfig": [
            {"symbol": "BTCUSDT", "leverage": 20, "marginType": "CROSSED"}
        ],
        "fapiprivate_get_accountconfig": {"multiAssetsMargin": True, "dualSidePosition": False},
        "fapipublic_get_assetindex": [
            {"symbol": "BTCUSD", "bidBuffer": "0.05"},
            {"symbol": "USDTUSD", "bidBuffer": "0.0001"},
        ],
    }
    account = asyncio.run(binance_accounts.account(place("binance", "usdm", answers)))
    assert account.margin.asset_mode == "multi"
    assert account.collateral["BTC"][0].ratio == Decimal("0.95")
    assert account.positions["binance:BTC/USDT:USDT"].may_trade


def test_a_market_of_another_wallet_is_refused() -> None:
    with pytest.raises(VenueError, match="traded from the usdm wallet, not from spot"):
        asyncio.run(binance_accounts.account(place("binance", "spot", {})))


def test_hedge_mode_at_binance_is_read_as_legs(run: Run, binance_data: dict[str, Any]) -> None:
    world = replace(demo_world(), positions=())
    with running_emulator(world=world) as emulator:
        config = Config.model_validate({**binance_data, "loopback_url": emulator.base_url})

        async def work(opened: Opened) -> None:
            sessions = Sessions(config, reads_only=False)
            login = sessions.logins["binance-main"]
            try:
                await login.prepare()
                await login.call("fapiprivate_post_positionside_dual", {"dualSidePosition": "true"})
                for side, leg, quantity in (("BUY", "LONG", "0.5"), ("SELL", "SHORT", "0.2")):
                    await login.call(
                        "fapiprivate_post_order",
                        {"symbol": "BTCUSDT", "side": side, "positionSide": leg,
                         "type": "MARKET", "quantity": quantity},
                    )  # fmt: skip
            finally:
                await sessions.close()
            book = await opened.market.gather()
            assert book.missing == ()
            pairs = book.snapshot.account["binance-usdm"].positions
            held = pairs["binance:BTC/USDT:USDT"]
            assert held.legs is not None
            assert (held.legs.long, held.legs.short) == (Decimal("0.5"), Decimal("0.2"))
            assert not any(row.may_trade for row in pairs.values())
            reading = await opened.venues["binance-usdm"].read()
            assert reading.position("binance:BTC/USDT:USDT") == Decimal("0.3")

        run(config, work)


def test_markets_and_clock_are_read_again_when_they_are_old(
    run: Run, bybit: Config, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(path: str) -> int:
        requests: Any = emulator.admin("GET", "requests")
        return sum(row["path"] == path for row in requests)

    quick = "allocator.adapters.ccxt.session.CLOCK_WAY_MS"

    async def work(opened: Opened) -> None:
        monkeypatch.setattr(quick, 60_000)
        sessions = Sessions(bybit, reads_only=True)
        main, other = sessions.logins["bybit-main"], sessions.logins["bybit-a"]
        try:
            for login in (main, other, main, other):
                await login.prepare()
            loads, clocks = asked("/v5/market/instruments-info"), asked("/v5/market/time")
            assert clocks == 1
            assert other.client.markets is main.client.markets
            monkeypatch.setattr("allocator.adapters.ccxt.market_list.MARKETS_AGE_S", 0.0)
            monkeypatch.setattr("allocator.adapters.ccxt.session.CLOCK_AGE_S", 0.0)
            await other.prepare()
            assert asked("/v5/market/instruments-info") == 2 * loads
            assert asked("/v5/market/time") == clocks + 1
            monkeypatch.undo()
            await main.prepare()
            assert main.client.markets is other.client.markets
        finally:
            await sessions.close()

    run(bybit, work)


def test_profit_that_was_settled_already_is_not_counted_again() -> None:
    """The entry of a USDC contract outlives the settlements that paid its profit out."""
    coin = {**COIN, "walletBalance": "1400", "equity": "1410"}
    account = bybit("REGULAR_MARGIN", coin, {**POSITION, "avgPrice": "56000"})
    pair = account.positions[LINEAR]
    assert (pair.entry_price, pair.unrealised) == (56000, 10)


@pytest.mark.parametrize("profit", [None, ""])
def test_a_position_whose_profit_is_not_told_has_not_none(profit: str | None) -> None:
    with pytest.raises(VenueError, match="no unrealisedPnl"):
        bybit("REGULAR_MARGIN", COIN, {**POSITION, "unrealisedPnl": profit})
