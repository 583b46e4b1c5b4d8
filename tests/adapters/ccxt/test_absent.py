"""What a venue does not tell, tells twice or tells below zero is not taken for a figure."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import ccxt
import pytest

from allocator.adapters.ccxt import kraken_reads
from allocator.adapters.ccxt.answers import distinct
from allocator.adapters.ccxt.hyperliquid_markets import tiers_of
from allocator.adapters.ccxt.markets import funding_rate, instrument_of
from allocator.adapters.ccxt.place import Place
from allocator.adapters.ccxt.session import Login
from allocator.adapters.emulator.wire import Call
from allocator.adapters.registry import Opened
from allocator.adapters.routes import onchain_routes
from allocator.adapters.sources import NetworkTerms
from allocator.models.config import Config
from allocator.models.errors import VenueError
from tests.adapters.ccxt import bitget_payloads as bitget
from tests.adapters.ccxt import gateio_payloads as gate
from tests.adapters.ccxt import hyperliquid_payloads as hyperliquid
from tests.adapters.ccxt import kraken_payloads as kraken
from tests.adapters.ccxt import kucoin_payloads as kucoin
from tests.adapters.ccxt import portfolio_payloads as pm
from tests.adapters.ccxt.conftest import run_with
from tests.adapters.ccxt.recorded import Recorded, gathered, playing
from tests.adapters.ccxt.replay import BROKEN

D = Decimal


def told(recorded: Recorded, monkeypatch: pytest.MonkeyPatch, **table: Any) -> tuple[Any, str]:
    """Gather with some rows changed; the book, and everything that it names as missing."""
    with playing(recorded, monkeypatch) as (venue, _, config):
        venue.table |= table
        book = gathered(config)
        return book, "; ".join(row.what for row in book.missing)


MARKET: dict[str, Any] = {
    "symbol": "BTC/USDT:USDT", "spot": False, "swap": True, "option": False, "base": "BTC",
    "quote": "USDT", "settle": "USDT", "inverse": False, "contractSize": "1", "expiry": None,
    "precision": {"amount": "0.001", "price": "0.1"},
    "limits": {"amount": {"min": None, "max": None}},
}  # fmt: skip
FIGURES = {"mark": D(100), "funding": {"rate": 0, "interval_h": 8}}


def test_without_a_least_quantity_it_is_the_step_and_without_a_greatest_none_is_known() -> None:
    found = instrument_of("binance", MARKET, FIGURES)
    assert (found.min_quantity, found.max_quantity) == (D("0.001"), None)
    limits = {"amount": {"min": "0.005", "max": "12"}}
    found = instrument_of("binance", {**MARKET, "limits": limits}, FIGURES)
    assert (found.min_quantity, found.max_quantity) == (D("0.005"), 12)


@pytest.mark.parametrize("row", [{}, {"rate": ""}, {"rate": None}])
def test_a_market_that_trades_has_a_rate_of_funding_or_is_not_read(row: dict[str, Any]) -> None:
    with pytest.raises(VenueError, match="no funding rate of BTC"):
        funding_rate("BTC", row, "rate", "open")
    assert funding_rate("BTC", row, "rate", "halted") == 0
    assert funding_rate("BTC", {"rate": "0"}, "rate", "open") == 0
    assert funding_rate("BTC", {"rate": "-0.001"}, "rate", "open") == D("-0.001")


def test_a_rate_of_funding_that_kraken_does_not_tell_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    row = f"GET {kraken.V3}/tickers"
    whole = kraken.RECORDED.table()[row]
    rows = [{k: v for k, v in one.items() if k != "fundingRate"} for one in whole["tickers"]]
    book, why = told(kraken.RECORDED, monkeypatch, **{row: {**whole, "tickers": rows}})
    assert "no funding rate of BTC/USD:USD" in why
    assert "krakenfutures:BTC/USD:USD" not in book.snapshot.instrument


def without_funding(table: Mapping[str, Any], market: str) -> dict[str, Any]:
    """Leave the rate of one of Kraken's markets out; all of them trade."""
    row = f"GET {kraken.V3}/tickers"
    rows = [
        {
            k: v
            for k, v in {**one, "suspended": False}.items()
            if k != "fundingRate" or one["symbol"] != market
        }
        for one in table[row]["tickers"]
    ]
    return {row: {**table[row], "tickers": rows}}


def test_one_market_without_a_rate_of_funding_costs_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing is held in it: it is left out, and the account trades on."""
    lacking = without_funding(kraken.RECORDED.table(), "PF_ETHUSD")
    book, why = told(kraken.RECORDED, monkeypatch, **lacking)
    assert list(book.snapshot.instrument) == ["krakenfutures:BTC/USD:USD"]
    account = book.snapshot.account["flex"]
    assert (account.state, account.unread) == ("open", False)
    assert list(account.positions) == ["krakenfutures:BTC/USD:USD"]
    (note,) = book.notes
    assert note.account == "flex"
    named = "market krakenfutures:ETH/USD:USD: not traded: VenueError: no funding rate"
    assert note.what.startswith(named)
    assert "ETH" not in why


def test_who_holds_a_market_that_was_never_read_is_frozen_and_it_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lacking = without_funding(kraken.RECORDED.table(), "PF_XBTUSD")
    book, why = told(kraken.RECORDED, monkeypatch, **lacking)
    assert list(book.snapshot.instrument) == ["krakenfutures:ETH/USD:USD"]
    account = book.snapshot.account["flex"]
    assert (account.state, account.unread) == ("frozen", True)
    assert "no market data of krakenfutures:BTC/USD:USD: VenueError: no funding rate" in why
    assert not book.snapshot.account["cash"].unread


def test_a_market_that_was_read_before_is_halted_at_its_last_prices(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with playing(kraken.RECORDED, monkeypatch) as (venue, _, config):

        async def twice(opened: Opened) -> tuple[Any, Any]:
            monkeypatch.setattr(Login.shared, "__defaults__", (0.0,))
            before = await opened.market.gather()
            venue.table |= without_funding(venue.table, "PF_XBTUSD")
            return before, await opened.market.gather()

        before, after = run_with(config, twice)
    btc, eth = "krakenfutures:BTC/USD:USD", "krakenfutures:ETH/USD:USD"
    assert after.snapshot.instrument[btc].status == "halted"
    assert after.snapshot.instrument[btc].mark == before.snapshot.instrument[btc].mark
    assert after.snapshot.instrument[eth].status == "open"
    assert after.snapshot.account["flex"].positions == before.snapshot.account["flex"].positions
    (note,) = after.notes
    assert note.what.startswith("market krakenfutures:BTC/USD:USD: not traded")
    assert before.notes == ()


def test_a_venue_that_breaks_down_is_not_asked_for_every_market(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    row = f"GET {kraken.V3}/tickers"
    asked = list[int]()
    for count in (1, 2):
        with playing(kraken.RECORDED, monkeypatch) as (venue, _, config):
            flex = config.accounts[0]
            fewer = flex.model_copy(update={"instruments": flex.instruments[:count]})
            rows = (fewer, *config.accounts[1:])
            venue.table[row] = BROKEN
            book = gathered(config.model_copy(update={"accounts": rows}))
            asked.append(sum(f"GET {call.path}" == row for call in venue.calls))
        assert "markets of krakenfutures: UnansweredError" in "; ".join(
            one.what for one in book.missing
        )
    assert asked[0] == asked[1]


def test_a_rebate_at_kucoin_does_not_lower_the_margin(monkeypatch: pytest.MonkeyPatch) -> None:
    row = "GET /api/v1/contracts/active"
    rows = [{**one, "takerFeeRate": -0.0002} for one in kucoin.RECORDED.table()[row]["data"]]
    book, _ = told(kucoin.RECORDED, monkeypatch, **{row: kucoin.ok(rows)})
    tiers = book.snapshot.instrument["kucoinfutures:BTC/USDT:USDT"].tiers
    assert [tier.maintenance for tier in tiers] == [D("0.004"), D("0.0062"), D("0.025")]


def test_a_taker_s_rebate_at_kucoin_freezes_the_account(monkeypatch: pytest.MonkeyPatch) -> None:
    def fees(call: Call) -> Any:
        return kucoin.ok(
            {"symbol": call.text("symbol"), "takerFeeRate": "-0.0002", "makerFeeRate": "0"}
        )

    book, why = told(kucoin.RECORDED, monkeypatch, **{"GET /api/v1/trade-fees": fees})
    assert book.snapshot.account["futures"].state == "frozen"
    assert "takerFeeRate -0.0002" in why


FIFTY = [{"lowerBound": "0.0", "maxLeverage": 50}]
STEEP = [{"lowerBound": "0.0", "maxLeverage": 50}, {"lowerBound": "100.0", "maxLeverage": 10}]
LATE = [{"lowerBound": "0.0", "maxLeverage": 50}, {"lowerBound": "300.0", "maxLeverage": 5}]


def test_a_coin_that_names_no_margin_table_has_the_dearest_of_those_it_may_have() -> None:
    coin = {"name": "ETH", "maxLeverage": 50}
    lower = [{"lowerBound": "0.0", "maxLeverage": 40}]
    found = tiers_of(coin, {"40": lower, "50": FIFTY, "61": STEEP, "62": LATE})
    assert [(tier.cap, tier.max_leverage) for tier in found] == [
        (100, 50), (300, 10), (D(10) ** 12, 5)
    ]  # fmt: skip
    assert len(tiers_of({**coin, "marginTableId": 50}, {"50": FIFTY, "61": STEEP})) == 1
    with pytest.raises(VenueError, match="no margin table 50 of ETH"):
        tiers_of(coin, {"40": lower})


def test_two_rows_of_one_coin_are_not_taken_for_the_second() -> None:
    rows = [{"coin": "USDT", "free": "1"}, {"coin": "BTC"}, {"coin": "USDT", "free": "2"}]
    with pytest.raises(VenueError, match="two rows of USDT in one answer"):
        distinct(rows, "coin")
    with pytest.raises(VenueError, match="no coin"):
        distinct([{"coin": ""}], "coin")
    assert distinct(rows[:2], "coin") == rows[:2]


def _bitget() -> Any:
    return bitget.accounts(bitget.ACCOUNT, {**bitget.ACCOUNT, "accountEquity": "0"})


def _bitget_spot() -> Any:
    (first, *rest) = bitget.RECORDED.table()["GET /api/v2/spot/account/assets"]["data"]
    return bitget.ok([first, *rest, {**first, "available": "7"}])


def _twice(recorded: Recorded, row: str, *keys: str) -> Callable[[], Any]:
    def made() -> Any:
        whole = recorded.table()[row]
        inner = whole
        for key in keys:
            inner = inner[key]
        doubled = [*inner, dict(inner[0])]
        for key in reversed(keys):
            doubled = {**whole, key: doubled}
        return doubled

    return made


def _kucoin() -> Any:
    def wallets(call: Call) -> Any:
        rows = kucoin.wallets(call)["data"]
        return kucoin.ok([*rows, rows[0]])

    return wallets


DOUBLE: Mapping[str, tuple[Recorded, str, str, Callable[[], Any]]] = {
    "Bitget futures": (bitget.RECORDED, "futures", f"GET {bitget.MIX}/account/accounts", _bitget),
    "Bitget spot": (bitget.RECORDED, "spot", "GET /api/v2/spot/account/assets", _bitget_spot),
    "KuCoin main": (kucoin.RECORDED, "main", "GET /api/v1/accounts", _kucoin),
    "Gate spot": (gate.RECORDED, "spot", "GET /api/v4/spot/accounts",
                  _twice(gate.RECORDED, "GET /api/v4/spot/accounts")),
    "portfolio margin": (pm.RECORDED, "pm", f"GET {pm.P}/balance",
                         _twice(pm.RECORDED, f"GET {pm.P}/balance")),
}  # fmt: skip


@pytest.mark.parametrize(("recorded", "account", "row", "answer"), DOUBLE.values(), ids=DOUBLE)
def test_a_coin_told_twice_freezes_its_account(
    monkeypatch: pytest.MonkeyPatch, recorded: Recorded, account: str, row: str,
    answer: Callable[[], Any],
) -> None:  # fmt: skip
    book, why = told(recorded, monkeypatch, **{row: answer()})
    assert book.snapshot.account[account].state == "frozen"
    assert "two rows of" in why


def test_kraken_s_two_names_of_one_asset_are_not_taken_for_the_second() -> None:
    client = ccxt.krakenfutures()
    place = cast(
        "Place",
        SimpleNamespace(
            config=SimpleNamespace(wallet="unified"), login=SimpleNamespace(client=client)
        ),
    )
    wallet = {"currencies": {"XBT": {"quantity": "1"}, "ETH": {"quantity": "2"}}}
    assert kraken_reads.held(place, wallet) == {"BTC": 1, "ETH": 2}
    wallet["currencies"]["BTC"] = {"quantity": "3"}
    with pytest.raises(VenueError, match="two rows of BTC"):
        kraken_reads.held(place, wallet)


def test_hyperliquid_s_documented_coins_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    book, _ = told(hyperliquid.RECORDED, monkeypatch)
    assert book.snapshot.instrument


ROUTE: dict[str, Any] = {"id": "out", "from": "a", "to": "b", "asset": "USDT", "kind": "onchain",
                         "latency_s": 600}  # fmt: skip


@pytest.mark.parametrize(
    ("fee", "named"), [("1", None), ("0", None), ("-0.1", "route out: a fee of -0.1 is told")]
)
def test_a_fee_below_zero_switches_the_route_off_and_is_named(fee: str, named: str | None) -> None:
    account = {"login": "main", "owner": "o", "wallet": "spot"}
    config = Config.model_validate(
        {"logins": {"main": {"venue": "binance", "key": "env:A", "secret": "env:B"}},
         "accounts": [{**account, "id": "a"}, {**account, "id": "b", "wallet": "usdm"}],
         "routes": [ROUTE], "addresses": {"out": {"network": "TRX", "address": "T1"}}}
    )  # fmt: skip
    terms = {"binance": {"USDT:TRX": NetworkTerms(fee=D(fee))}}
    (route,), problems = onchain_routes(config, {"a": "binance", "b": "binance"}, terms)
    assert route.enabled == (named is None)
    assert [what for _, what in problems] == ([] if named is None else [named])
