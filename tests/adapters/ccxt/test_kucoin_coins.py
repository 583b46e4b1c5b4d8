"""KuCoin Futures by payload replay: wallets and contracts of every coin that is settled in."""

from typing import Any

import pytest

from allocator.adapters.emulator.wire import Call
from allocator.models.config import Config
from tests.adapters.ccxt import kucoin_payloads as kucoin
from tests.adapters.ccxt.conftest import run_with
from tests.adapters.ccxt.recorded import fixtures, gathered
from tests.adapters.ccxt.replay import Replay

OVERVIEW = "GET /api/v1/account-overview"
COINS = ("DOT", "ETH", "USDC", "USDT", "XBT")

RECORDED = kucoin.RECORDED

played, venue, config = fixtures(RECORDED)


def _settled_in_coins(venue: Replay, **told: dict[str, Any]) -> None:
    """List contracts settled in other coins, and tell what the wallets of these hold."""
    row = "GET /api/v1/contracts/active"
    others = [
        kucoin.contract(f"XBT{coin}M", "XBT", quoteCurrency="USD", settleCurrency=coin)
        for coin in COINS if coin != "USDT"
    ]  # fmt: skip
    venue.table[row] = kucoin.ok([*venue.table[row]["data"], *others])

    def overview(call: Call) -> Any:
        coin = call.text("currency")
        nothing = {**dict.fromkeys(kucoin.ACCOUNT, 0), "currency": coin}
        return kucoin.ok(kucoin.ACCOUNT if coin == "USDT" else {**nothing, **told.get(coin, {})})

    venue.table[OVERVIEW] = overview


def test_every_coin_that_contracts_settle_in_is_asked_for(config: Config, venue: Replay) -> None:
    _settled_in_coins(venue)
    assert gathered(config).snapshot.account["futures"].state == "open"
    assert {call.text("currency") for call in venue.asked(OVERVIEW)} == set(COINS)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"accountEquity": 0.0021, "marginBalance": 0.0021}, "0.0021 XBT of futures"),
        ({"orderMargin": 0.001}, "0 XBT of futures"),
        ({"currency": "ETH"}, "asked for XBT, told of ETH"),
    ],
)
def test_money_in_a_futures_wallet_that_nobody_reads_freezes_and_is_named(
    config: Config, venue: Replay, told: dict[str, Any], words: str
) -> None:
    _settled_in_coins(venue, XBT=told)
    book = gathered(config)
    assert book.snapshot.account["futures"].state == "frozen"
    (why,) = [row.what for row in book.missing if row.account == "futures"]
    assert words in why
    assert ("UNREAD_WALLET" in why) == ("futures" in words)


def test_free_money_of_less_than_a_dollar_in_another_futures_wallet_is_named_only(
    config: Config, venue: Replay
) -> None:
    _settled_in_coins(venue, XBT={"accountEquity": 1e-8, "marginBalance": 1e-8})
    book = gathered(config)
    assert book.snapshot.account["futures"].state == "open"
    assert not [row for row in book.missing if row.account == "futures"]
    (why,) = [row.what for row in book.notes]
    assert why == "DUST: 1e-08 XBT of futures: less than a dollar, and not counted"


def test_a_position_or_an_order_settled_in_another_coin_freezes_and_is_named(
    config: Config, venue: Replay
) -> None:
    inverse = {**kucoin.POSITION, "symbol": "XBTUSDM", "settleCurrency": "XBT"}
    standing = kucoin.order(symbol="XBTUSDM", settleCurrency="XBT")
    for path, answer, words in (
        (RECORDED.reads, kucoin.ok([kucoin.POSITION, inverse]), "a position"),
        ("GET /api/v1/orders", kucoin.listed(standing), "an order"),
    ):
        before, venue.table[path] = venue.table[path], answer
        book = gathered(config)
        told = run_with(config, lambda opened: opened.venues["futures"].read())
        assert book.snapshot.account["futures"].state == "frozen"
        (why,) = [row.what for row in book.missing if row.account == "futures"]
        assert f"UNREAD_WALLET: {words} in XBTUSDM, settled in XBT" in why
        assert not told.complete
        venue.table[path] = before


def test_positions_of_every_currency_are_asked_for(config: Config, venue: Replay) -> None:
    gathered(config)
    assert {call.text("currency") for call in venue.asked(RECORDED.reads)} == {""}
