"""OKX's part of the demo world: one main account, two sub-accounts, five instruments.

Contracts are a hundredth of a bitcoin, a tenth of an ether, a hundred dollars, as the venue has
them. Figures have the form and the order of magnitude the venue publishes; they are the demo's own.
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

MAIN, SUB_A, SUB_B = "okx:30000001", "okx:30000002", "okx:30000003"
D = Decimal
LISTED_MS = 1_611_907_686_000
TRADING, FUNDING = "18", "6"

USERS = (
    User(MAIN, "okx", "30000001", "okxmain", "main@fund-one.example", "fund-one"),
    User(SUB_A, "okx", "30000002", "okxa", "", "fund-one", MAIN),
    User(SUB_B, "okx", "30000003", "okxb", "", "fund-one", MAIN),
)
EVERYTHING = ("read_only", "withdraw", "trade")
KEYS = (
    ApiKey("okx-main-key", "okx-main-secret", MAIN, EVERYTHING, "okx-main-passphrase"),
    ApiKey("okx-a-key", "okx-a-secret", SUB_A, ("read_only", "trade"), "okx-a-passphrase"),
    ApiKey("okx-b-key", "okx-b-secret", SUB_B, ("read_only", "trade"), "okx-b-passphrase"),
)


def tiers(*rows: tuple[str, str, str]) -> tuple[Tier, ...]:
    """Return tiers from (contracts, maintenance rate, leverage); none has a deduction."""
    return tuple(Tier(D(most), D(rate), D(leverage), ZERO) for most, rate, leverage in rows)


BTC_TIERS = tiers(
    ("3000", "0.004", "100"),
    ("15000", "0.005", "75"),
    ("35000", "0.01", "50"),
    ("60000", "0.02", "20"),
    ("100000", "0.05", "10"),
    ("200000", "0.1", "5"),
)
ETH_TIERS = tiers(
    ("10000", "0.004", "100"),
    ("50000", "0.01", "50"),
    ("120000", "0.02", "20"),
    ("300000", "0.05", "10"),
)
INVERSE_TIERS = tiers(
    ("20000", "0.004", "100"),
    ("100000", "0.01", "50"),
    ("250000", "0.02", "20"),
    ("500000", "0.05", "10"),
)
INSTRUMENTS = (
    Instrument(
        "okx", "SWAP", "BTC-USDT-SWAP", "linear", "BTC", "USDT", "USDT",
        contract_size=D("0.01"), lot=D("0.01"), min_quantity=D("0.01"), max_quantity=D(100000),
        max_market_quantity=D(12000), tick=D("0.1"), min_notional=ZERO,
        maker=D("0.0002"), taker=D("0.0005"), depth=Depth(1, 5, D("4")),
        daily_volume=D(8_000_000), basis=D("0.0001"), funding_rate=D("0.0002"), tiers=BTC_TIERS,
        listed_ms=LISTED_MS,
    ),
    Instrument(
        "okx", "SWAP", "ETH-USDT-SWAP", "linear", "ETH", "USDT", "USDT",
        contract_size=D("0.1"), lot=D("0.01"), min_quantity=D("0.01"), max_quantity=D(100000),
        max_market_quantity=D(20000), tick=D("0.01"), min_notional=ZERO,
        maker=D("0.0002"), taker=D("0.0005"), depth=Depth(1, 5, D("60")),
        daily_volume=D(9_000_000), basis=D("0.0001"), funding_rate=D("0.0001"), tiers=ETH_TIERS,
        listed_ms=LISTED_MS,
    ),
    Instrument(
        "okx", "SWAP", "BTC-USD-SWAP", "inverse", "BTC", "USD", "BTC",
        contract_size=D(100), lot=D("0.1"), min_quantity=D("0.1"), max_quantity=D(1000000),
        max_market_quantity=D(25000), tick=D("0.1"), min_notional=ZERO,
        maker=D("0.0002"), taker=D("0.0005"), depth=Depth(2, 6, D("2")),
        daily_volume=D(7_000_000), basis=D("-0.0002"), funding_rate=D("0.0001"),
        tiers=INVERSE_TIERS, listed_ms=LISTED_MS,
    ),
    Instrument(
        "okx", "SPOT", "BTC-USDT", "spot", "BTC", "USDT", "USDT",
        contract_size=D(1), lot=D("0.00000001"), min_quantity=D("0.00001"), max_quantity=D(9999),
        max_market_quantity=D(1000), tick=D("0.1"), min_notional=ZERO,
        maker=D("0.0008"), taker=D("0.001"), depth=Depth(1, 6, D("1.5")),
        daily_volume=D(10000), listed_ms=LISTED_MS,
    ),
    Instrument(
        "okx", "SPOT", "ETH-USDT", "spot", "ETH", "USDT", "USDT",
        contract_size=D(1), lot=D("0.000001"), min_quantity=D("0.001"), max_quantity=D(99999),
        max_market_quantity=D(10000), tick=D("0.01"), min_notional=ZERO,
        maker=D("0.0008"), taker=D("0.001"), depth=Depth(1, 6, D("20")),
        daily_volume=D(90000), listed_ms=LISTED_MS,
    ),
)  # fmt: skip
BALANCES = (
    Balance(MAIN, TRADING, "USDT", D(180000)),
    Balance(MAIN, TRADING, "BTC", D("1.5")),
    Balance(MAIN, FUNDING, "USDT", D(40000)),
    Balance(SUB_A, TRADING, "USDT", D(12000)),
    Balance(SUB_B, TRADING, "USDT", D(30000)),
    Balance(SUB_B, TRADING, "ETH", D(6)),
)
POSITIONS = (
    opened(MAIN, "okx:SWAP:BTC-USDT-SWAP", "250", "63500"),
    opened(SUB_A, "okx:SWAP:BTC-USDT-SWAP", "-90", "63800"),
    opened(SUB_B, "okx:SWAP:ETH-USDT-SWAP", "120", "3050"),
)
LEVERAGES = (
    Leverage(MAIN, "okx:SWAP:BTC-USDT-SWAP", D(10)),
    Leverage(SUB_A, "okx:SWAP:BTC-USDT-SWAP", D(20)),
    Leverage(SUB_B, "okx:SWAP:ETH-USDT-SWAP", D(10)),
)
CHAINS = (
    Chain("okx", "USDT", "USDT-TRC20", "TRC20", D("1.5"), D(2), D(1), 6, 20),
    Chain("okx", "USDT", "USDT-Arbitrum One", "Arbitrum One", D("0.1"), D(1), D("0.1"), 6, 120),
    Chain("okx", "BTC", "BTC-Bitcoin", "BTC", D("0.00005"), D("0.0005"), D("0.0001"), 8, 2),
    Chain("okx", "ETH", "ETH-ERC20", "ERC20", D("0.0006"), D("0.005"), D("0.001"), 8, 64),
)
ADDRESSES = (
    Address(MAIN, FUNDING, "USDT", "USDT-TRC20", "TOkxFundOne111111111111111111111111"),
    Address(
        MAIN, FUNDING, "USDT", "USDT-Arbitrum One", "0x0cc10000000000000000000000000000000000aa"
    ),
    Address(MAIN, FUNDING, "BTC", "BTC-Bitcoin", "bc1qokxfundone000000000000000000000000000"),
    Address(MAIN, FUNDING, "ETH", "ETH-ERC20", "0x0cc10000000000000000000000000000000000ee"),
)
