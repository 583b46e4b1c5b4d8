"""What each venue lets be asked in a while, who is counted together, and which page says so.

Units are ccxt's: requests, or weight where the venue weighs them; for some services they are a part
of the venue's own, as said there. What a venue counts by user is kept by each client's own limiter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from allocator.models.config import Scope


@dataclass(frozen=True, slots=True)
class Limit:
    """Units that whoever is counted together may spend on a service in any so many seconds.

    Attributes
    ----------
    service
        Beginning of ccxt's name for it; the longest that fits a request holds.
    source
        Who says so.
    each
        Whether every endpoint of the service is counted by itself.
    """

    scope: Scope
    service: str
    units: float
    window_s: float
    source: str
    each: bool = False


BINANCE = "Binance, LIMITS, IP limits: request weight"
KRAKEN = "Kraken, Derivatives rate limits: each address"

LIMITS: Mapping[str, tuple[Limit, ...]] = {
    "binance": (
        Limit("address", "fapi", 2400, 60, BINANCE),
        Limit("address", "dapi", 2400, 60, BINANCE),
        Limit("address", "papi", 6000, 60, "Binance, Portfolio Margin, General Info: limits"),
        Limit("address", "sapi", 1200, 60, f"{BINANCE}; 12,000, of which a unit is ten"),
        Limit("address", "", 1200, 60, f"{BINANCE}; 6,000, of which a unit is five"),
    ),
    "bitget": (Limit("address", "", 6000, 60, "Bitget, Quick Start, Standard specification"),),
    "bybit": (Limit("address", "", 600, 5, "Bybit, Rate Limit Rules, HTTP IP limit"),),
    # A pool of 50,000 credits that 10,000 a second refill, 500 a request: a hundred at once, twenty
    # a second. What is asked with a key is counted by the account.
    "deribit": (Limit("address", "public", 100, 5, "Deribit, Rate Limits, public requests"),),
    "gate": (Limit("address", "public", 200, 10, "Gate, API v4, Rate limit", each=True),),
    "hyperliquid": (
        Limit("address", "", 1200, 60, "Hyperliquid, Rate limits and user limits, by address"),
    ),
    "krakenfutures": (
        Limit("address", "private", 500, 10, KRAKEN),
        Limit("address", "history", 100, 600, KRAKEN),
    ),
    "kucoinfutures": (
        Limit("address", "futuresPublic", 4000, 30, "KuCoin, Rate Limit; 2,000, a unit is a half"),
    ),
    # Each endpoint has a limit of its own, which ccxt's costs make all of these units.
    "okx": (Limit("address", "public", 20, 2, "OKX, API guide, rate limit of each", each=True),),
}

ONE_EACH = frozenset({"bitget", "bybit"})
"""Venues that count requests, whatever they cost."""

ORDERS_EACH = frozenset({"gate"})
"""Venues that count each order of a request by itself, where ccxt's cost is of the request."""

COUNTED_HERE = frozenset({"binance", "hyperliquid", "krakenfutures"})
"""Venues whose clients keep no limiter of their own beside these budgets."""

COUNTED_APART = frozenset({("public", "system/status")})
"""Endpoints of OKX that weigh so much in its client's own limiter, which counts all endpoints
together, that they would hold the others up; here each has a budget by address."""

HEAVIER: Mapping[tuple[str, str], float] = {
    ("fapiPrivateV3", "account"): 5,
    ("fapiPrivateV3", "balance"): 5,
    ("fapiPrivateV3", "positionRisk"): 5,
    ("fapiPublic", "exchangeInfo"): 10,
    ("dapiPublic", "exchangeInfo"): 10,
    ("fapiPublic", "premiumIndex"): 10,
    ("dapiPrivate", "openOrders"): 40,
}
"""Weights that the venue's pages put higher than ccxt does, for reads of every symbol."""

COSTS: Mapping[tuple[str, str], float] = {
    ("private", "sendorder"): 10,
    ("private", "cancelorder"): 10,
    ("private", "cancelallordersafter"): 25,
    ("private", "accounts"): 2,
    ("private", "openpositions"): 2,
    ("private", "openorders"): 2,
    ("private", "leveragepreferences"): 2,
}
"""Costs by Kraken's page, which ccxt puts at one each."""
