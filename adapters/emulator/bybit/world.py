"""Bybit's part of the demo world: one main account, two sub-accounts, four instruments.

Sizes, fees and tiers have the form and the order of magnitude the venue publishes; they are the
demo's own figures, not a copy of its tables.
"""

from decimal import Decimal

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

MAIN, SUB_A, SUB_B = "bybit:10000001", "bybit:10000002", "bybit:10000003"
D = Decimal
LISTED_MS = 1_585_526_400_000

USERS = (
    User(MAIN, "bybit", "10000001", "bybit-main", "main@fund-one.example", "fund-one"),
    User(SUB_A, "bybit", "10000002", "bybita", "a@fund-one.example", "fund-one", MAIN),
    User(SUB_B, "bybit", "10000003", "bybitb", "b@fund-one.example", "fund-one", MAIN),
)
KEYS = (
    ApiKey("bybit-main-key", "bybit-main-secret", MAIN, ("trade", "transfer", "sub", "withdraw")),
    ApiKey("bybit-a-key", "bybit-a-secret", SUB_A, ("trade", "transfer")),
    ApiKey("bybit-b-key", "bybit-b-secret", SUB_B, ("trade", "transfer")),
)


def tiers(*rows: tuple[str, str, str]) -> tuple[Tier, ...]:
    """Return tiers from (cap, maintenance rate, leverage); deductions follow continuously."""
    built: list[Tier] = []
    floor, before, deduction = ZERO, ZERO, ZERO
    for cap, rate, leverage in rows:
        if built:
            deduction += floor * (D(rate) - before)
        built.append(Tier(D(cap), D(rate), D(leverage), deduction))
        floor, before = D(cap), D(rate)
    return tuple(built)


BTC_TIERS = tiers(
    ("2000000", "0.005", "100"),
    ("10000000", "0.01", "50"),
    ("20000000", "0.02", "25"),
    ("50000000", "0.05", "10"),
    ("100000000", "0.1", "5"),
    ("300000000", "0.25", "2"),
)
ETH_TIERS = tiers(
    ("1500000", "0.005", "100"),
    ("8000000", "0.01", "50"),
    ("15000000", "0.02", "25"),
    ("40000000", "0.05", "10"),
    ("80000000", "0.1", "5"),
    ("200000000", "0.25", "2"),
)
INVERSE_TIERS = tiers(
    ("150", "0.005", "100"),
    ("300", "0.01", "50"),
    ("600", "0.02", "25"),
    ("1500", "0.05", "10"),
)
INSTRUMENTS = (
    Instrument(
        "bybit", "linear", "BTCUSDT", "linear", "BTC", "USDT", "USDT",
        contract_size=D(1), lot=D("0.001"), min_quantity=D("0.001"), max_quantity=D(1190),
        max_market_quantity=D(119), tick=D("0.1"), min_notional=D(5),
        maker=D("0.0002"), taker=D("0.00055"), depth=Depth(1, 5, D("4")),
        daily_volume=D(90000), basis=D("0.0001"), funding_rate=D("0.0003"), tiers=BTC_TIERS,
        listed_ms=LISTED_MS,
    ),
    Instrument(
        "bybit", "linear", "ETHUSDT", "linear", "ETH", "USDT", "USDT",
        contract_size=D(1), lot=D("0.01"), min_quantity=D("0.01"), max_quantity=D(7240),
        max_market_quantity=D(724), tick=D("0.01"), min_notional=D(5),
        maker=D("0.0002"), taker=D("0.00055"), depth=Depth(1, 5, D("60")),
        daily_volume=D(900000), basis=D("0.0001"), funding_rate=D("0.0001"), tiers=ETH_TIERS,
        listed_ms=LISTED_MS,
    ),
    Instrument(
        "bybit", "inverse", "BTCUSD", "inverse", "BTC", "USD", "BTC",
        contract_size=D(1), lot=D(1), min_quantity=D(1), max_quantity=D(25000000),
        max_market_quantity=D(5000000), tick=D("0.1"), min_notional=D(1),
        maker=D("0.0002"), taker=D("0.00055"), depth=Depth(2, 6, D("2")),
        daily_volume=D(700000000), basis=D("-0.0002"), funding_rate=D("0.0001"),
        tiers=INVERSE_TIERS, listed_ms=LISTED_MS,
    ),
    Instrument(
        "bybit", "spot", "BTCUSDT", "spot", "BTC", "USDT", "USDT",
        contract_size=D(1), lot=D("0.000001"), min_quantity=D("0.000011"), max_quantity=D(83),
        max_market_quantity=D("41.5"), tick=D("0.1"), min_notional=D(5),
        maker=D("0.001"), taker=D("0.001"), depth=Depth(1, 6, D("1.5")),
        daily_volume=D(12000), listed_ms=LISTED_MS,
    ),
)  # fmt: skip
BALANCES = (
    Balance(MAIN, "UNIFIED", "USDT", D(250000)),
    Balance(MAIN, "UNIFIED", "BTC", D(2)),
    Balance(MAIN, "FUND", "USDT", D(50000)),
    Balance(SUB_A, "UNIFIED", "USDT", D(9700)),
    Balance(SUB_B, "UNIFIED", "USDT", D(20000)),
    Balance(SUB_B, "UNIFIED", "BTC", D("0.8")),
)
POSITIONS = (
    opened(MAIN, "bybit:linear:BTCUSDT", "3", "63200"),
    opened(SUB_A, "bybit:linear:BTCUSDT", "-10", "63400"),
    opened(SUB_B, "bybit:linear:ETHUSDT", "40", "3000"),
    opened(SUB_B, "bybit:inverse:BTCUSD", "-30000", "62000"),
)
LEVERAGES = (
    Leverage(MAIN, "bybit:linear:BTCUSDT", D(10)),
    Leverage(SUB_A, "bybit:linear:BTCUSDT", D(100)),
    Leverage(SUB_B, "bybit:linear:ETHUSDT", D(10)),
    Leverage(SUB_B, "bybit:inverse:BTCUSD", D(5)),
)
CHAINS = (
    Chain("bybit", "USDT", "TRX", "TRC20", D(1), D(10), D(1), 6, 100),
    Chain("bybit", "USDT", "ARBI", "Arbitrum One", D("0.3"), D(2), D("0.1"), 6, 240),
    Chain("bybit", "BTC", "BTC", "BTC", D("0.0002"), D("0.001"), D("0.0001"), 8, 2),
    Chain("bybit", "ETH", "ETH", "ERC20", D("0.001"), D("0.01"), D("0.001"), 8, 65),
)
ADDRESSES = (
    Address(MAIN, "FUND", "USDT", "TRX", "TBybitFundOne1111111111111111111111"),
    Address(MAIN, "FUND", "USDT", "ARBI", "0xb1b10000000000000000000000000000000000aa"),
    Address(MAIN, "FUND", "BTC", "BTC", "bc1qbybitfundone0000000000000000000000000"),
    Address(MAIN, "FUND", "ETH", "ETH", "0xb1b10000000000000000000000000000000000ee"),
)
