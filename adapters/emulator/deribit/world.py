"""Deribit's part of the demo world: a main account, two sub-accounts, eight instruments.

Sizes, fees and rates have the form and the order of magnitude the venue publishes; they are the
demo's own figures. The second sub-account margins all its coins together.
"""

from dataclasses import replace
from decimal import Decimal

from allocator.adapters.emulator.exchange import Chain
from allocator.adapters.emulator.market import Depth, Instrument, Tier
from allocator.adapters.emulator.opened import opened
from allocator.adapters.emulator.options import Option
from allocator.adapters.emulator.records import (
    ZERO,
    Address,
    ApiKey,
    Balance,
    Leverage,
    User,
)

MAIN, SUB_A, SUB_B = "deribit:5001", "deribit:5002", "deribit:5003"
CROSS = frozenset({SUB_B})
D = Decimal
LISTED_MS = 1_534_242_287_000
EXPIRES_MS = 1_908_864_000_000
"""28 June 2030, 08:00 UTC."""

SCOPES = ("account:read", "trade:read_write", "wallet:read_write")
USERS = (
    User(MAIN, "deribit", "5001", "fund_one", "deribit@fund-one.example", "fund-one"),
    User(SUB_A, "deribit", "5002", "fund_one_1", "deribit@fund-one.example", "fund-one", MAIN),
    User(SUB_B, "deribit", "5003", "fund_one_2", "deribit@fund-one.example", "fund-one", MAIN),
)
KEYS = (
    ApiKey("deribit-main-key", "deribit-main-secret", MAIN, SCOPES),
    ApiKey("deribit-a-key", "deribit-a-secret", SUB_A, SCOPES),
    ApiKey("deribit-b-key", "deribit-b-secret", SUB_B, SCOPES),
)


BASE = (Tier(D("1e15"), D("0.01"), D(50), ZERO),)
"""Rates at size zero: maintenance, and initial as one over the leverage."""

INVERSE = Instrument(
    "deribit", "future", "BTC-PERPETUAL", "inverse", "BTC", "USD", "BTC",
    contract_size=D(10), lot=D(1), min_quantity=D(1), max_quantity=D("1e9"),
    max_market_quantity=D("1e9"), tick=D("0.5"), min_notional=ZERO,
    maker=ZERO, taker=D("0.0005"), depth=Depth(1, 4, D(8)), daily_volume=D("6e8"),
    basis=D("-0.0001"), funding_rate=D("0.0001"), tiers=BASE, listed_ms=LISTED_MS,
)  # fmt: skip
LINEAR = replace(
    INVERSE, symbol="BTC_USDC-PERPETUAL", payoff="linear", quote="USDC", settle="USDC",
    contract_size=D("0.001"), depth=Depth(1, 4, D(4)), daily_volume=D("9e5"), basis=D("0.0001"),
    funding_rate=D("0.0002"),
)  # fmt: skip
ETHER = replace(
    INVERSE, symbol="ETH-PERPETUAL", base="ETH", settle="ETH", contract_size=D(1), tick=D("0.05"),
    depth=Depth(1, 4, D(100)), daily_volume=D("3e8"), basis=D("0.0001"),
)  # fmt: skip
DATED = replace(
    INVERSE, symbol="BTC-28JUN30", tick=D("2.5"), depth=Depth(1, 4, D(3)), daily_volume=D("9e6"),
    basis=D("0.01"), funding_rate=ZERO, funding_interval_h=0, expires_ms=EXPIRES_MS,
)  # fmt: skip
CALL = Instrument(
    "deribit", "option", "BTC-28JUN30-70000-C", "linear", "BTC", "USD", "BTC",
    contract_size=D(1), lot=D("0.1"), min_quantity=D("0.1"), max_quantity=D("1e9"),
    max_market_quantity=D("1e9"), tick=D("0.0001"), min_notional=ZERO,
    maker=D("0.0003"), taker=D("0.0003"), depth=Depth(5, 5, D(20)), daily_volume=D(800),
    basis=D("0.01"), funding_interval_h=0, listed_ms=LISTED_MS, expires_ms=EXPIRES_MS,
    option=Option(D(70000), True, D("0.4")),
)  # fmt: skip
PUT = replace(CALL, symbol="BTC-28JUN30-60000-P", option=Option(D(60000), False, D("0.4")))
LINEAR_CALL = replace(
    CALL, symbol="BTC_USDC-28JUN30-70000-C", quote="USDC", settle="USDC",
    contract_size=D("0.01"), lot=D(1), min_quantity=D(1), tick=D(5),
)  # fmt: skip
SPOT = Instrument(
    "deribit", "spot", "BTC_USDC", "spot", "BTC", "USDC", "USDC", contract_size=D(1),
    lot=D("0.0001"), min_quantity=D("0.0001"), max_quantity=D("1e6"),
    max_market_quantity=D("1e6"), tick=D("0.5"), min_notional=ZERO, maker=ZERO, taker=ZERO,
    depth=Depth(1, 4, D(2)), daily_volume=D(400), listed_ms=LISTED_MS, funding_interval_h=0,
)  # fmt: skip
INSTRUMENTS = (INVERSE, ETHER, LINEAR, DATED, CALL, PUT, LINEAR_CALL, SPOT)

TICK_STEPS: dict[str, tuple[tuple[Decimal, Decimal], ...]] = {
    "BTC-28JUN30-70000-C": ((D("0.005"), D("0.0005")),),
    "BTC-28JUN30-60000-P": ((D("0.005"), D("0.0005")),),
    "BTC_USDC-28JUN30-70000-C": ((D(1000), D(20)),),
}
"""Coarser ticks from a price on, by instrument."""

BALANCES = (
    Balance(MAIN, "main", "BTC", D(3)),
    Balance(MAIN, "main", "USDC", D(200000)),
    Balance(MAIN, "main", "USDT", D(50000)),
    Balance(SUB_A, "main", "BTC", D("0.5")),
    Balance(SUB_A, "main", "USDC", D(30000)),
    Balance(SUB_A, "main", "USDT", D(1000)),
    Balance(SUB_B, "main", "BTC", D(2)),
    Balance(SUB_B, "main", "ETH", D(20)),
    Balance(SUB_B, "main", "USDC", D(10000)),
)
POSITIONS = (
    opened(MAIN, "deribit:future:BTC-PERPETUAL", "-6000", "63000"),
    opened(MAIN, "deribit:future:BTC_USDC-PERPETUAL", "1500", "62500"),
    opened(MAIN, "deribit:option:BTC-28JUN30-70000-C", "4", "0.15"),
    opened(SUB_A, "deribit:future:BTC_USDC-PERPETUAL", "-400", "65000"),
    opened(SUB_B, "deribit:option:BTC-28JUN30-60000-P", "-3", "0.11"),
    opened(SUB_B, "deribit:option:BTC_USDC-28JUN30-70000-C", "-20", "8000"),
    opened(SUB_B, "deribit:future:ETH-PERPETUAL", "25000", "3000"),
)
LEVERAGES: tuple[Leverage, ...] = ()
CHAINS = (
    Chain("deribit", "BTC", "BTC", "BTC", D("0.0001"), D("0.0001"), ZERO, 8, 1),
    Chain("deribit", "ETH", "ETH", "ETH", D("0.0006"), D("0.001"), ZERO, 8, 10),
    Chain("deribit", "USDC", "ETH", "ETH", D(2), D(2), ZERO, 6, 10),
    Chain("deribit", "USDT", "ETH", "ETH", D(2), D(2), ZERO, 6, 10),
)
ADDRESSES = (
    Address(MAIN, "main", "BTC", "BTC", "bc1qderibitfundone00000000000000000000000"),
    Address(MAIN, "main", "USDC", "ETH", "0xde1b170000000000000000000000000000000011"),
    Address(MAIN, "main", "USDT", "ETH", "0xde1b170000000000000000000000000000000022"),
)
