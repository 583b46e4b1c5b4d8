"""Binance's futures wallets: figures that do not belong together, and those that are not told."""

from decimal import Decimal
from typing import Any

import pytest

from allocator.adapters.ccxt.binance_accounts import check_complete, set_aside
from allocator.adapters.ccxt.binance_brackets import check_maintenance
from allocator.adapters.ccxt.place import Place
from allocator.adapters.emulator.binance import settings
from allocator.adapters.emulator.testing import Emulator
from allocator.adapters.registry import Opened
from allocator.models.config import Config
from allocator.models.errors import VenueError
from tests.adapters.ccxt.conftest import Run
from tests.adapters.ccxt.test_modes import MARKET, place

D = Decimal
LEG = {
    "symbol": "BTCUSDT", "positionAmt": "0.1", "positionSide": "BOTH", "entryPrice": "60000",
    "markPrice": "60100", "unRealizedProfit": "10",
}  # fmt: skip
ASSET = {"asset": "USDT", "unrealizedProfit": "10", "positionInitialMargin": "60"}


@pytest.fixture
def wallet() -> Place:
    found = place("binance", "usdm", {})
    found.login.client.markets = {MARKET["symbol"]: {**MARKET, "contractSize": "1"}}
    found.login.client.markets_by_id = {MARKET["id"]: list(found.login.client.markets.values())}
    return found


@pytest.fixture
def coins() -> Place:
    found = place("binance", "coinm", {})
    market = {**MARKET, "id": "BTCUSD_PERP", "symbol": "BTC/USD:BTC", "settle": "BTC",
              "linear": False, "inverse": True, "contractSize": "100"}  # fmt: skip
    found.login.client.markets = {market["symbol"]: market}
    found.login.client.markets_by_id = {market["id"]: [market]}
    return found


@pytest.mark.parametrize("told", ["10", "40", "-20"])
def test_prices_may_move_by_a_two_hundredth_between_two_reads(wallet: Place, told: str) -> None:
    check_complete(wallet, [{**ASSET, "unrealizedProfit": told}], [LEG])


@pytest.mark.parametrize(
    ("asset", "legs", "words"),
    [
        ({"unrealizedProfit": "40.1"}, [LEG], "USDT unrealised=40.1 positions=10"),
        ({"unrealizedProfit": "-20.1"}, [LEG], "USDT unrealised=-20.1 positions=10"),
        ({"unrealizedProfit": "0.01", "positionInitialMargin": "0"}, [], "unrealised=0.01"),
        ({}, [], "USDT has position margin, no position"),
        ({"asset": "USDC", "unrealizedProfit": "0", "positionInitialMargin": "0"}, [LEG],
         "a position in USDT, which the wallet has not"),
    ],
)  # fmt: skip
def test_profit_is_held_against_the_positions(
    wallet: Place, asset: dict[str, str], legs: list[Any], words: str
) -> None:
    with pytest.raises(VenueError, match=f"EQUITY_IDENTITY: .*{words}"):
        check_complete(wallet, [{**ASSET, **asset}], legs)


def test_profit_in_a_coin_is_held_against_what_contracts_are_worth_in_it(coins: Place) -> None:
    """600 contracts of 100 dollars are a bitcoin at 60,000: half a hundredth is allowed."""
    leg = {**LEG, "symbol": "BTCUSD_PERP", "positionAmt": "-600", "markPrice": "60000",
           "unRealizedProfit": "0.01"}  # fmt: skip
    asset = {"asset": "BTC", "positionInitialMargin": "0.1"}
    check_complete(coins, [{**asset, "unrealizedProfit": "0.0149"}], [leg])
    with pytest.raises(VenueError, match=r"BTC unrealised=0\.0151 positions=0\.01"):
        check_complete(coins, [{**asset, "unrealizedProfit": "0.0151"}], [leg])


def test_what_an_isolated_leg_has_set_aside_is_its_wallet_or_its_margin_less_profit() -> None:
    margin = {"isolatedMargin": "0.0512", "unRealizedProfit": "-0.0012"}
    assert set_aside({**margin, "isolatedWallet": "0.05"}) == D("0.05")
    assert set_aside({**margin, "isolatedWallet": "0"}) == 0
    assert set_aside(margin) == D("0.0524")


@pytest.mark.parametrize("missing", ["isolatedMargin", "unRealizedProfit"])
def test_a_margin_that_is_not_told_is_not_zero(missing: str) -> None:
    row = {"isolatedMargin": "0.0512", "unRealizedProfit": "-0.0012"}
    del row[missing]
    with pytest.raises(VenueError, match=f"no {missing}"):
        set_aside(row)


STEPS = [
    {"maintMarginRatio": "0.004", "cum": "0"},
    {"maintMarginRatio": "0.005", "cum": "300"},
    {"maintMarginRatio": "0.01", "cum": "12000"},
]
"""BTCUSDT's: 0.4 % to 300,000, 0.5 % beyond, and so on."""


@pytest.mark.parametrize(
    ("size", "maintenance"), [("250000", "1000"), ("300000", "1200"), ("5000000", "38000")]
)
def test_maintenance_by_the_brackets_is_taken_and_more_is_refused(
    size: str, maintenance: str
) -> None:
    known = {"BTCUSDT": STEPS}
    told = {"asset": "USDT", "maintMargin": maintenance}
    halves = [("BTCUSDT", D(size) / 2)] * 2
    check_maintenance(told, halves, known)
    check_maintenance({**told, "maintMargin": str(D(maintenance) / 2)}, halves, known)
    with pytest.raises(VenueError, match="MARGIN_LEVELS: USDT"):
        check_maintenance({**told, "maintMargin": str(D(maintenance) * D("1.05"))}, halves, known)


def test_an_account_whose_brackets_are_dearer_than_those_read_is_frozen(
    run: Run, binance: Config, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The venue tells brackets by user, and one login's may be wider than the others'."""
    told: Any = settings._brackets

    def wider(*asked: Any) -> Any:
        return [{**row, "maintMarginRatio": row["maintMarginRatio"] / 2, "cum": row["cum"] / 2}
                for row in told(*asked)]  # fmt: skip

    async def work(opened: Opened) -> None:
        found = await opened.market.gather()
        assert not found.missing
        assert found.snapshot.account["binance-usdm"].state == "open"

    run(binance, work)
    monkeypatch.setattr(settings, "_brackets", wider)

    async def dear(opened: Opened) -> None:
        found = await opened.market.gather()
        named = {row.account for row in found.missing if "MARGIN_LEVELS" in row.what}
        assert named == {"binance-usdm", "binance-coinm", "sub1-usdm"}
        assert {found.snapshot.account[name].state for name in named} == {"frozen"}

    run(binance, dear)
