"""OKX accounts set up in ways that must not be traded, or that must not be misread."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest

from allocator.adapters.ccxt import okx_accounts, okx_markets, okx_terms, windows
from allocator.adapters.ccxt.clients import CREDENTIALS, new_client, sign_with
from allocator.adapters.ccxt.gate import DirectSession
from allocator.adapters.ccxt.okx_reads import wallet
from allocator.adapters.ccxt.place import Place
from allocator.adapters.ccxt.session import Login
from allocator.models.account import Account
from allocator.models.config import AccountConfig, LoginConfig
from allocator.models.errors import VenueError

MARKET = {
    "id": "BTC-USDT-SWAP",
    "symbol": "BTC/USDT:USDT",
    "base": "BTC",
    "quote": "USDT",
    "settle": "USDT",
    "spot": False,
    "swap": True,
    "contract": True,
    "linear": True,
    "inverse": False,
    "contractSize": "0.01",
    "expiry": None,
    "limits": {"amount": {"min": "0.01", "max": None}},
    "precision": {"amount": "0.01", "price": "0.1"},
    "info": {"ctVal": "0.01", "ctMult": "1", "ctType": "linear", "groupId": "4", "lotSz": "0.01",
             "instFamily": "BTC-USDT", "state": "live", "maxLmtSz": "100000"},
}  # fmt: skip
SPOT = {"id": "BTC-USDT", "symbol": "BTC/USDT", "spot": True, "swap": False, "contract": False}
LINEAR = "okx:BTC/USDT:USDT"


class FakeClient:
    """Answers endpoints from a table, and knows one market."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.markets = {MARKET["symbol"]: MARKET}
        self.markets_by_id = {MARKET["id"]: [MARKET], SPOT["id"]: [SPOT]}
        self.options: dict[str, Any] = {}

    def market(self, symbol: str) -> Any:
        return self.markets[symbol]

    def __getattr__(self, endpoint: str) -> Any:
        async def answer(params: dict[str, Any]) -> Any:
            found = self.answers[endpoint]
            return found(params) if callable(found) else found

        return answer


def place(answers: dict[str, Any]) -> Place:
    config = LoginConfig.model_validate(
        {"venue": "okx", "key": "env:A", "secret": "env:B", "passphrase": "env:C"}
    )
    shared = cast("Any", SimpleNamespace(paused_until=0.0, told={}))
    login = Login("login", config, FakeClient(answers), shared)
    account = AccountConfig.model_validate(
        {"id": "it", "login": "login", "wallet": "unified", "owner": "o",
         "instruments": [MARKET["symbol"]]}
    )  # fmt: skip
    return Place(account, login, login)


def data(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"code": "0", "msg": "", "data": list(rows)}


COIN = {
    "ccy": "USDT", "eq": "1010", "cashBal": "1000", "upl": "10", "isoEq": "0", "isoUpl": "0",
    "stgyEq": "0", "liab": "0", "mgnRatio": "", "imr": "", "collateralEnabled": True,
}  # fmt: skip
POSITION = {
    "instType": "SWAP", "instId": "BTC-USDT-SWAP", "mgnMode": "cross", "posSide": "net",
    "pos": "10", "avgPx": "60000", "upl": "10", "lever": "10", "margin": "", "markPx": "60100",
}  # fmt: skip
FEES = {
    "feeGroup": [{"groupId": "4", "maker": "-0.0002", "taker": "-0.0005"}],
    "maker": "-0.0003", "taker": "-0.0006", "makerU": "-0.00025", "takerU": "-0.00055",
    "makerUSDC": "0.0001", "takerUSDC": "-0.0004",
}  # fmt: skip
STEPS = {
    "ccy": "USDT", "minDiscountRate": "0.5",
    "details": [{"discountRate": "1", "minAmt": "0", "maxAmt": "50000000"}],
}  # fmt: skip


def okx(
    *rows: dict[str, Any], coin: Any = COIN, whole: Any = (), config: Any = (), fees: Any = FEES
) -> Account:
    answers = {
        "private_get_account_config": data({"acctLv": "3", "posMode": "net_mode", **dict(config)}),
        "private_get_account_balance": data(
            {"details": [coin], "mgnRatio": "9", "notionalUsdForSwap": "6010", **dict(whole)}
        ),
        "private_get_account_positions": data(*(rows or [POSITION])),
        "private_get_trade_orders_pending": data(),
        "private_get_trade_orders_algo_pending": data(),
        "private_get_account_trade_fee": data(fees),
        "private_get_account_max_withdrawal": data({"ccy": "USDT", "maxWd": "900"}),
        "private_get_account_leverage_info": data({"instId": "BTC-USDT-SWAP", "lever": "10"}),
        "public_get_public_discount_rate_interest_free_quota": data(STEPS),
    }
    return asyncio.run(okx_accounts.account(place(answers)))


def test_isolated_legs_of_long_short_mode_are_kept_apart_with_what_is_set_aside() -> None:
    long = {**POSITION, "mgnMode": "isolated", "posSide": "long", "margin": "70.5", "upl": "15"}
    short = {**long, "posSide": "short", "pos": "4", "margin": "20", "upl": "-5", "lever": "7"}
    coin = {**COIN, "isoEq": "100.5", "isoUpl": "10", "eq": "1100.5"}
    account = okx(long, short, coin=coin, config={"posMode": "long_short_mode"})
    pair = account.positions[LINEAR]
    assert pair.legs is not None
    assert pair.isolated is not None
    assert (pair.legs.long, pair.legs.short, pair.net) == (10, 4, 6)
    assert (pair.isolated.wallet, pair.unrealised, pair.leverage) == (Decimal("90.5"), 10, 7)
    assert not pair.may_trade
    assert account.balances["USDT"].wallet == Decimal("1090.5")


@pytest.mark.parametrize("units", [None, ""])
def test_a_position_without_a_size_is_not_taken_for_flat(units: str | None) -> None:
    flat = {**COIN, "eq": "1000", "upl": "0"}
    with pytest.raises(VenueError, match="no pos"):
        okx({**POSITION, "pos": units}, coin=flat, whole={"notionalUsdForSwap": ""})


@pytest.mark.parametrize("units", [None, ""])
def test_what_an_isolated_position_has_set_aside_is_not_zero_for_not_being_told(
    units: str | None,
) -> None:
    with pytest.raises(VenueError, match="no margin"):
        okx({**POSITION, "mgnMode": "isolated", "margin": units})


def test_a_pair_held_cross_and_isolated_at_once_is_refused() -> None:
    with pytest.raises(VenueError, match="cross and isolated"):
        okx(POSITION, {**POSITION, "mgnMode": "isolated", "margin": "5"})


@pytest.mark.parametrize("kind", ["MARGIN", "OPTION", "EVENTS"])
def test_a_position_that_nothing_stands_for_is_named(kind: str) -> None:
    with pytest.raises(VenueError, match=f"{kind} X is in the account"):
        okx({**POSITION, "instType": kind, "instId": "X"})


def test_portfolio_margin_is_not_read_as_if_it_were_regular() -> None:
    with pytest.raises(VenueError, match="portfolio margin"):
        okx(config={"acctLv": "4"})


def test_collateral_that_is_switched_off_counts_for_nothing() -> None:
    account = okx(coin={**COIN, "collateralEnabled": False})
    assert [row.ratio for row in account.collateral["USDT"]] == [0]


def test_above_the_last_bounded_step_the_least_rate_holds() -> None:
    steps = okx().collateral["USDT"]
    assert [(row.upto, row.ratio) for row in steps] == [(50000000, 1), (None, Decimal("0.5"))]


@pytest.mark.parametrize(
    ("whole", "coin", "state"),
    [
        ({}, COIN, "open"),
        ({"mgnRatio": "1"}, COIN, "frozen"),
        ({"mgnRatio": ""}, {**COIN, "mgnRatio": "0.9"}, "frozen"),
        ({"deltaNeutralStatus": "2"}, COIN, "reduce_only"),
    ],
)
def test_an_account_at_its_maintenance_margin_is_frozen(
    whole: dict[str, str], coin: Any, state: str
) -> None:
    assert okx(whole=whole, coin=coin).state == state


@pytest.mark.parametrize(
    ("coin", "rows", "words"),
    [
        ({**COIN, "eq": "1011"}, [POSITION], "cash=1000"),
        (COIN, [{**POSITION, "pos": "0"}], "has position margin"),
        (COIN, [{**POSITION, "upl": "900"}], "positions=900"),
        # A hundredth of a bitcoin is no hundredth of a dollar.
        (
            {**COIN, "ccy": "BTC", "eq": "1.015", "eqUsd": "60900", "cashBal": "1", "upl": "0.015"},
            [{**POSITION, "upl": "0"}],
            "BTC unrealised=0.015 positions=0",
        ),
        (
            {**COIN, "ccy": "BTC", "eq": "1.00000001", "cashBal": "1", "upl": "0.00000001"},
            [{**POSITION, "upl": "0"}],
            "BTC unrealised",
        ),
    ],
)
def test_figures_that_do_not_add_up_are_refused(
    coin: dict[str, Any], rows: list[dict[str, Any]], words: str
) -> None:
    with pytest.raises(VenueError, match=f"EQUITY_IDENTITY.*{words}"):
        okx(*rows, coin=coin)


def test_profit_may_be_off_by_a_cent_of_a_dear_coin() -> None:
    coin = {**COIN, "ccy": "BTC", "eq": "1.0000001", "eqUsd": "60000.006", "cashBal": "1",
            "upl": "0.0000001"}  # fmt: skip
    assert okx({**POSITION, "upl": "0"}, coin=coin).state == "open"


@pytest.mark.parametrize(
    ("changes", "units"),
    [
        ({}, "1000"),
        ({"cashBal": "-50", "liab": "50", "eq": "-40"}, "-50"),
        ({"cashBal": "1000", "liab": "400", "eq": "610"}, "600"),
        ({"stgyEq": "150", "eq": "1160"}, "1000"),
        ({"isoEq": "75", "isoUpl": "5", "upl": "15", "eq": "1085"}, "1070"),
        ({"isoEq": "75", "isoUpl": "5", "upl": "10", "eq": "1085"}, "1070"),
    ],
)
def test_a_wallet_is_cash_and_what_is_set_aside_less_what_is_owed(
    changes: dict[str, str], units: str
) -> None:
    assert wallet({**COIN, **changes}) == Decimal(units)


def test_the_documented_example_of_a_balance_adds_up() -> None:
    """The figures of the page "Get balance", a trading bot's equity among them."""
    documented = {
        "ccy": "USDT", "cashBal": "4850.435693622894", "eq": "4992.890093622894",
        "upl": "-7.545600000000006", "stgyEq": "150", "isoEq": "0", "isoUpl": "0", "liab": "0",
    }  # fmt: skip
    assert wallet(documented) == Decimal("4850.435693622894")


@pytest.mark.parametrize(
    ("group", "settle", "taker", "maker"),
    [
        ("4", "USDT", "0.0005", "0.0002"),
        ("", "USDT", "0.00055", "0.00025"),
        ("9", "USDC", "0.0004", "-0.0001"),
    ],
)
def test_fees_are_of_the_group_else_of_the_settle_currency(
    group: str, settle: str, taker: str, maker: str
) -> None:
    market = {**MARKET, "settle": settle, "info": {"groupId": group}}
    rates = okx_terms._rates(market, FEES)
    assert (rates.taker, rates.maker) == (Decimal(taker), Decimal(maker))


def test_a_fee_that_is_not_told_is_not_zero() -> None:
    with pytest.raises(VenueError, match="no fee rates"):
        okx(fees={"feeGroup": [], "taker": "", "maker": ""})


def told(**changes: Any) -> Any:
    return okx_markets._Told(
        tickers={
            "BTC-USDT-SWAP": {
                "bidPx": "60000", "askPx": "60000.1", "last": "60000", "vol24h": "1000",
                "high24h": "61000", "low24h": "59000", **changes,
            }
        },
        marks={"BTC-USDT-SWAP": {"markPx": "60000"}},
        funding={
            "BTC-USDT-SWAP": {"fundingRate": "-0.0003", "fundingTime": "1743609600000",
                              "nextFundingTime": "1743624000000"}
        },
    )  # fmt: skip


def market(**info: str) -> dict[str, Any]:
    return {**MARKET, "info": {**cast("dict[str, str]", MARKET["info"]), **info}}


def read(about: Any, row: Any) -> Any:
    return okx_markets._instrument(place({}), row, about)


def test_a_contract_s_size_is_its_value_times_its_multiplier() -> None:
    found = read(told(), market(ctMult="10"))
    assert found.contract_size == Decimal("0.1")
    assert found.daily_volume == 1000 * Decimal("0.1") * 60000


def test_funding_is_paid_at_the_interval_between_two_settlements() -> None:
    funding = read(told(), market()).funding
    assert (funding.rate, funding.interval_h) == (Decimal("-0.0003"), 4)
    assert funding.next_at == datetime(2025, 4, 2, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    ("info", "status"),
    [
        ({}, "open"),
        ({"state": "suspend"}, "halted"),
        ({"state": "post_only"}, "halted"),
        ({"state": "preopen"}, "halted"),
        ({"ctType": "inverse"}, "halted"),
    ],
)
def test_a_market_that_is_not_live_is_halted(info: dict[str, str], status: str) -> None:
    assert read(told(), market(**info)).status == status


def test_the_largest_order_obeys_both_of_the_venue_s_bounds() -> None:
    assert read(told(), market()).max_quantity == 100000
    assert read(told(), market(maxLmtAmt="20000000")).max_quantity == Decimal("33333.33")
    assert read(told(), market(maxLmtSz="", maxLmtAmt="")).max_quantity is None


def test_an_empty_side_of_the_book_is_absent_not_zero() -> None:
    found = read(told(bidPx="", askPx="60000.1"), market())
    assert found.bid is None
    assert found.mark == 60000


@pytest.fixture
def client() -> Callable[[str], Any]:
    def make(venue: str) -> Any:
        made = new_client(venue, DirectSession())
        sign_with(made, venue, dict.fromkeys(CREDENTIALS, "word"))
        made.options["timeDifference"] = 1000
        return made

    return make


def signed(made: Any, path: str, stamp: int | None) -> dict[str, str]:
    holder = windows.stamp_ms.set(stamp)
    try:
        found: dict[str, str] = made.sign(path, ["private"], "POST", {"a": "1"})["headers"]
        return found
    finally:
        windows.stamp_ms.reset(holder)


def test_an_action_s_stamp_is_aged_to_our_window_and_an_order_has_a_deadline(
    client: Callable[[str], Any],
) -> None:
    made, stamp = client("okx"), 1_790_000_000_000
    order = signed(made, "trade/order", stamp)
    assert made.parse8601(order["OK-ACCESS-TIMESTAMP"]) == stamp - 1000 - 25_000
    assert order["expTime"] == str(stamp - 1000 + 5000)
    moved = signed(made, "asset/transfer", stamp)
    assert moved["OK-ACCESS-TIMESTAMP"] == order["OK-ACCESS-TIMESTAMP"]
    assert "expTime" not in moved
    assert "expTime" not in signed(made, "trade/order", None)


def test_a_venue_with_our_window_is_signed_with_the_stamp_itself(
    client: Callable[[str], Any],
) -> None:
    made = client("bybit")
    holder = windows.stamp_ms.set(1_790_000_000_000)
    assert made.nonce() == 1_790_000_000_000 - 1000
    windows.stamp_ms.reset(holder)
