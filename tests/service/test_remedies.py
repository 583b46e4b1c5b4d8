"""Every finding of every venue has a remedy, and the venue's own where it has one."""

from __future__ import annotations

import pytest

from allocator.adapters.ccxt.dialects import DIALECTS
from allocator.service.remedies import (
    GENERAL,
    HOSTS,
    KEYS,
    ONE_WAY,
    OTHERWISE,
    SIGNS,
    WITHDRAW,
    remedy,
    remedy_for,
)

VENUES = sorted(DIALECTS)
NETTING = {"deribit", "hyperliquid", "krakenfutures"}
"""Venues that net positions: they have no hedge mode."""


def test_every_venue_is_named_in_every_table() -> None:
    assert KEYS.keys() == HOSTS.keys() == WITHDRAW.keys() == DIALECTS.keys()
    assert ONE_WAY.keys() == DIALECTS.keys() - NETTING


def test_every_sign_has_a_remedy() -> None:
    assert set(SIGNS.values()) <= GENERAL.keys()


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("kind", ["withdraw", "key", "secret", "passphrase", "reach", "rights"])
def test_a_remedy_says_where_at_the_venue(venue: str, kind: str) -> None:
    general, where = remedy(kind, venue).split(": ", 1)
    assert general == GENERAL[kind]
    assert where


@pytest.mark.parametrize(
    ("said", "venue", "words"),
    [
        ("CLOCK_SKEW: 30.000 s from okx's clock", "okx", "by NTP"),
        ("RequestTimeout: okx", "okx", "www.okx.com"),
        ("UNREAD_WALLET: a position in PI_XBTUSD", "krakenfutures", "close what is named"),
        ("UNREAD_WALLET: 12.5 USDC of USDC-FUTURES", "bitget", "to a wallet that is read"),
        ("DUST: 0.1 USDC of USDC-FUTURES: less than a dollar", "bitget", "nothing has to be done"),
        ("market okx:A/USDT:USDT: not traded: VenueError: no mark", "okx", "ceased to list"),
        ("account mode unifiedAccount is not read", "hyperliquid", "mode to disabled"),
        ("spot mode (acctLv 1) has no contracts", "okx", "Account mode > Futures"),
        ("EQUITY_IDENTITY: USDT unrealised=5 positions=0", "binance", "read again"),
        ("BUDGET: okx ticker: 20 units in 2 s by address", "okx", "fewer logins"),
        ("orders that close all of a position are not read: 7", "binance", "or cancel it"),
        ("wallet spot of bybit is not read: choose one of unified, funding", "bybit", "`wallet`"),
        ("NotSentError: binance has no market BTC/USDTT:USDT", "binance", "`instruments`"),
        ("BTC/USDT:USDT is traded from the usdm wallet, not from coinm", "binance", "`wallet`"),
        ("BTC/USDT is not traded from a portfolio-margin account", "binance", "`wallet`"),
        ("spot markets of gate are not traded: the wallet only holds", "gate", "`wallet`"),
        ("USDT has no price: set assets.USDT.price", "binance", "under `assets`"),
        ("no market data of okx:A/USDT:USDT: USDT has no price", "okx", "under `assets`"),
        ("no market data of okx:A/USDT:USDT", "okx", "settles in"),
        ("the price of BTC is 120 s old", "okx", "see what else is wrong"),
        ("okx:A/USDT:USDT is not quoted on both sides: not traded", "okx", "nothing has to be"),
        ("okx:A/USDT:USDT has no leverage: not traded", "okx", "select a leverage"),
        ("spot orders are not read, and BTC is locked", "gate", "cancel"),
        ("margin orders are not read, and BTC is locked by one", "binance", "cancel"),
        ("kraken:A is isolated: its margin is told by no page", "krakenfutures", "cross margin"),
        ("okx:A is held cross and isolated at once", "okx", "cross margin"),
        ("portfolio margin is not read by this adapter", "bybit", "another margin mode"),
        ("portfolio margin (acctLv 4) is not read", "okx", "Account mode > Futures"),
        (
            "account status ACTIVE_LIQUIDATION: the venue may be liquidating it",
            "binance",
            "at once",
        ),
        ("MAINTENANCE: stated=2 by brackets=1", "binance", "leave it frozen"),
        ("a bonus of 5 USDT is not modelled", "gate", "bonus"),
        ("order status odd is not known", "bybit", "newer version"),
        ("a row of an unknown market: X", "okx", "close what is named"),
        ("OPTION X is in the account and not represented here", "okx", "close what is named"),
        ("login sub: member is not configured", "okx", "`member`"),
        ("route out: no address is registered", "okx", "under `addresses`"),
        ("route out: fee and minimum were not read", "okx", "under `addresses`"),
        ("route out: nothing is withdrawn from here", "okx", "take the route out"),
        ("route out: no arrival is seen here", "okx", "take the route out"),
        ("route x: no adapter sends by a settlement network", "okx", "take the route out"),
        ("route x: no transfer from here goes there", "okx", "take the route out"),
        ("move of okx:A to b: no position is moved from here", "okx", "take the route out"),
        ("something new", "gate", "Profile > API Management"),
        ("something new", "", OTHERWISE),
    ],
)
def test_what_is_found_has_the_remedy_of_its_kind(said: str, venue: str, words: str) -> None:
    assert words in remedy_for(said, venue)
