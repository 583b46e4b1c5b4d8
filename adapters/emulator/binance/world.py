"""Binance's part of the demo world: a main account, a sub-account, four instruments.

USD-M tiers are the venue's figures of 2026-09, COIN-M tiers follow the pattern of its margin FAQ
(`brackets.json`); sizes, fees and balances have the form and the order of magnitude it publishes.
"""

import json
from decimal import Decimal
from importlib.resources import files

from allocator.adapters.emulator.binance.signing import (
    EVERYTHING,
    READ,
    TRADE_FUTURES,
    TRADE_SPOT,
    TRANSFER,
)
from allocator.adapters.emulator.exchange import Chain
from allocator.adapters.emulator.market import Depth, Instrument, Tier
from allocator.adapters.emulator.opened import opened
from allocator.adapters.emulator.records import (
    ZERO,
    Address,
    ApiKey,
    Balance,
    Leverage,
    User,
)

MAIN, SUB = "binance:20000001", "binance:20000002"
D = Decimal
LISTED_MS = 1_569_398_400_000

USERS = (
    User(MAIN, "binance", "20000001", "binance-main", "binance-main@fund-one.example", "fund-one"),
    User(
        SUB, "binance", "20000002", "binance-sub1", "binance-sub1@fund-one.example", "fund-one",
        MAIN,
    ),
)  # fmt: skip
KEYS = (
    ApiKey("binance-main-key", "binance-main-secret", MAIN, EVERYTHING),
    ApiKey(
        "binance-sub1-key",
        "binance-sub1-secret",
        SUB,
        (READ, TRADE_SPOT, TRADE_FUTURES, TRANSFER),
    ),
)


def tiers(market: str, symbol: str) -> tuple[Tier, ...]:
    """Return an instrument's tiers from `brackets.json`."""
    text = files("allocator.adapters.emulator.binance").joinpath("brackets.json").read_text()
    rows: list[list[str]] = json.loads(text)[market][symbol]
    return tuple(
        Tier(cap=D(cap), maintenance=D(rate), max_leverage=D(leverage), deduction=D(deduction))
        for cap, rate, leverage, deduction in rows
    )


INSTRUMENTS = (
    Instrument(
        "binance", "usdm", "BTCUSDT", "linear", "BTC", "USDT", "USDT",
        contract_size=D(1), lot=D("0.001"), min_quantity=D("0.001"), max_quantity=D(1000),
        max_market_quantity=D(120), tick=D("0.1"), min_notional=D(100),
        maker=D("0.0002"), taker=D("0.0005"), depth=Depth(1, 4, D(6)),
        daily_volume=D(180000), basis=D("-0.0001"), funding_rate=D("-0.00005"),
        tiers=tiers("usdm", "BTCUSDT"), listed_ms=LISTED_MS,
    ),
    Instrument(
        "binance", "usdm", "ETHUSDT", "linear", "ETH", "USDT", "USDT",
        contract_size=D(1), lot=D("0.001"), min_quantity=D("0.001"), max_quantity=D(10000),
        max_market_quantity=D(2000), tick=D("0.01"), min_notional=D(20),
        maker=D("0.0002"), taker=D("0.0005"), depth=Depth(1, 4, D(90)),
        daily_volume=D(3000000), basis=D("0.0001"), funding_rate=D("0.0002"),
        tiers=tiers("usdm", "ETHUSDT"), listed_ms=LISTED_MS,
    ),
    Instrument(
        "binance", "coinm", "BTCUSD_PERP", "inverse", "BTC", "USD", "BTC",
        contract_size=D(100), lot=D(1), min_quantity=D(1), max_quantity=D(1000000),
        max_market_quantity=D(60000), tick=D("0.1"), min_notional=ZERO,
        maker=D("0.0001"), taker=D("0.0005"), depth=Depth(2, 5, D(3)),
        daily_volume=D(9000000), basis=D("-0.0003"), funding_rate=D("0.0001"),
        tiers=tiers("coinm", "BTCUSD_PERP"), listed_ms=LISTED_MS,
    ),
    Instrument(
        "binance", "spot", "BTCUSDT", "spot", "BTC", "USDT", "USDT",
        contract_size=D(1), lot=D("0.00001"), min_quantity=D("0.00001"), max_quantity=D(9000),
        max_market_quantity=D(120), tick=D("0.01"), min_notional=D(5),
        maker=D("0.001"), taker=D("0.001"), depth=Depth(5, 40, D(2)),
        daily_volume=D(25000), listed_ms=1_502_942_400_000,
    ),
)  # fmt: skip
BALANCES = (
    Balance(MAIN, "spot", "USDT", D(120000)),
    Balance(MAIN, "spot", "BTC", D("1.5")),
    Balance(MAIN, "usdm", "USDT", D(60000)),
    Balance(MAIN, "coinm", "BTC", D(3)),
    Balance(SUB, "spot", "USDT", D(8000)),
    Balance(SUB, "usdm", "USDT", D(16000)),
)
POSITIONS = (
    opened(MAIN, "binance:usdm:BTCUSDT", "6", "63500"),
    opened(MAIN, "binance:coinm:BTCUSD_PERP", "-1200", "62500"),
    opened(SUB, "binance:usdm:ETHUSDT", "-60", "3050"),
)
LEVERAGES = (
    Leverage(MAIN, "binance:usdm:BTCUSDT", D(20)),
    Leverage(MAIN, "binance:usdm:ETHUSDT", D(20)),
    Leverage(MAIN, "binance:coinm:BTCUSD_PERP", D(10)),
    Leverage(SUB, "binance:usdm:BTCUSDT", D(20)),
    Leverage(SUB, "binance:usdm:ETHUSDT", D(20)),
    Leverage(SUB, "binance:coinm:BTCUSD_PERP", D(10)),
)
CHAINS = (
    Chain("binance", "USDT", "TRX", "Tron (TRC20)", D(1), D(10), D("0.01"), 6, 1),
    Chain("binance", "USDT", "ARBITRUM", "Arbitrum One", D("0.2"), D(2), D("0.01"), 6, 120),
    Chain("binance", "USDT", "ETH", "Ethereum (ERC20)", D("3.5"), D(10), D("0.01"), 6, 6),
    Chain("binance", "BTC", "BTC", "Bitcoin", D("0.00015"), D("0.001"), D("0.00001"), 8, 1),
    Chain("binance", "ETH", "ETH", "Ethereum (ERC20)", D("0.001"), D("0.01"), D("0.0001"), 8, 6),
)
ADDRESSES = (
    Address(MAIN, "spot", "USDT", "TRX", "TBinanceFundOne11111111111111111111"),
    Address(MAIN, "spot", "USDT", "ARBITRUM", "0xb2b20000000000000000000000000000000000aa"),
    Address(MAIN, "spot", "USDT", "ETH", "0xb2b20000000000000000000000000000000000bb"),
    Address(MAIN, "spot", "BTC", "BTC", "bc1qbinancefundone000000000000000000000000"),
    Address(MAIN, "spot", "ETH", "ETH", "0xb2b20000000000000000000000000000000000ee"),
    Address(SUB, "spot", "USDT", "TRX", "TBinanceFundOneSub1111111111111111"),
)
