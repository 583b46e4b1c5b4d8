"""What each venue lets be asked in a while, who is counted together, and which page says so.

Units are ccxt's: requests, or weight where the venue weighs them; for some services they are a part
of the venue's own, as said there. A login stands for the user that a venue counts.
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
    also
        Beginnings of names of other services that draw on the same units.
    each
        Whether every endpoint of the service is counted by itself.
    requests
        Whether requests count, whatever they cost.
    reads
        Whether nothing but reads is counted in it.
    """

    scope: Scope
    service: str
    units: float
    window_s: float
    source: str
    each: bool = False
    requests: bool = False
    reads: bool = False
    also: tuple[str, ...] = ()

    @property
    def services(self) -> tuple[str, ...]:
        """Beginnings of the names of all services that it is of."""
        return self.service, *self.also


BINANCE = "Binance, LIMITS, IP limits: request weight"
INTEGRATED = "Binance, Important Notice: COIN-M / USD-M Architecture Integration, A.3"
"""In force since 2026-06-30: one weight by address and one count of orders for both services."""

BINANCE_USER = "Binance, LIMITS, UID limits: 180,000 in 60 s, of which a unit is 150"
"""Kept by the half of it in half a minute, so that nobody waits for longer than that."""

BITGET = "Bitget, Quick Start, Standard specification"
KRAKEN = "Kraken, Derivatives rate limits: each address"
KUCOIN = "KuCoin, Rate Limit"

LIMITS: Mapping[str, tuple[Limit, ...]] = {
    "binance": (
        Limit("address", "fapi", 2400, 60, INTEGRATED, also=("dapi",)),
        Limit("address", "papi", 6000, 60, "Binance, Portfolio Margin, General Info: limits"),
        Limit("address", "sapi", 1200, 60, f"{BINANCE}; 12,000, of which a unit is ten"),
        Limit("key", "sapi", 600, 30, BINANCE_USER, each=True),
        Limit("address", "", 1200, 60, f"{BINANCE}; 6,000, of which a unit is five"),
    ),
    # Ten requests a second of most endpoints are twenty units.
    "bitget": (
        Limit("address", "", 6000, 60, BITGET, requests=True),
        Limit("key", "", 20, 1, "Bitget, page of each endpoint: by user", each=True),
    ),
    # Ten requests a second of an endpoint are fifty units.
    "bybit": (
        Limit("address", "", 600, 5, "Bybit, Rate Limit Rules, HTTP IP limit", requests=True),
        Limit("key", "", 50, 1, "Bybit, Rate Limit Rules, by user and endpoint", each=True),
    ),
    # A pool of 50,000 credits that 10,000 a second refill, 500 a request: a hundred at once, twenty
    # a second. What is asked with a key is counted by the account.
    "deribit": (
        Limit("address", "public", 100, 5, "Deribit, Rate Limits, public requests", reads=True),
    ),
    # By user two hundred in ten seconds of an endpoint, and orders a hundred in one: what is let
    # through in one second keeps both.
    "gate": (
        Limit("address", "public", 200, 10, "Gate, API v4, Rate limit", each=True),
        Limit("key", "", 20, 1, "Gate, API v4, Rate limit: by user and endpoint", each=True),
    ),
    "hyperliquid": (
        Limit("address", "", 1200, 60, "Hyperliquid, Rate limits and user limits, by address"),
    ),
    "krakenfutures": (
        Limit("address", "private", 500, 10, KRAKEN),
        Limit("address", "history", 100, 600, KRAKEN, reads=True),
    ),
    # A user has a pool for futures and another for what else is asked with a key here; an address
    # has one for all public data.
    "kucoinfutures": (
        Limit(
            "address",
            "futuresPublic",
            4000,
            30,
            f"{KUCOIN}, Public; 2,000, a unit is a half",
            reads=True,
            also=("public",),
        ),
        Limit("key", "futuresPrivate", 4000, 30, f"{KUCOIN}, Futures; 2,000, a unit is a half"),
        Limit("key", "private", 2000, 30, f"{KUCOIN}, Management"),
    ),
    # Each endpoint has a limit of its own, which ccxt's costs make all of these units.
    "okx": (
        Limit("address", "public", 20, 2, "OKX, API guide, rate limit of each", each=True),
        Limit("key", "", 20, 2, "OKX, API guide, rate limit of each, by user", each=True),
    ),
}


@dataclass(frozen=True, slots=True)
class Tells:
    """An answer's header that tells what the address has spent on a service, whoever asked.

    Attributes
    ----------
    path
        What is in the address of a request to the service.
    unit
        How much of what is told a unit here is.
    """

    path: str
    service: str
    header: str
    unit: float = 1.0


WEIGHT = "x-mbx-used-weight-1m"
TELLS: Mapping[str, tuple[Tells, ...]] = {
    "binance": (
        Tells("/fapi/", "fapi", WEIGHT),
        Tells("/dapi/", "dapi", WEIGHT),
        Tells("/papi/", "papi", WEIGHT),
        Tells("/api/", "", WEIGHT, unit=5),
    ),
}
"""Binance, LIMITS, IP limits, of each service: the weight of the minute, in every answer."""

ROWS_A_UNIT = 20
ROWS: Mapping[str, frozenset[str]] = {
    "hyperliquid": frozenset({"userFillsByTime", "userNonFundingLedgerUpdates"}),
}
"""Reads, by their ``type``, that weigh one more for every so many rows of their answer
(Hyperliquid, Rate limits and user limits)."""

ORDERS: Mapping[str, tuple[Limit, ...]] = {
    "binance": (
        Limit("key", "fapi", 300, 10, INTEGRATED, also=("dapi",)),
        Limit("key", "fapi", 1200, 60, INTEGRATED, also=("dapi",)),
        Limit("key", "papi", 1200, 60, "Binance, Portfolio Margin, General Info: order limits"),
        Limit("key", "private", 100, 10, "Binance, spot, exchangeInfo: ORDERS of an account"),
    ),
}
"""Limits of new orders alone, by default terms, which count beside the others."""

ORDER_PATHS: Mapping[str, float] = {"order": 1, "um/order": 1, "cm/order": 1, "batchOrders": 5}
"""Paths of the venues of `ORDERS` that place orders by POST, and for how many a request counts at
most (Place Multiple Orders of USD-M: five in ten seconds, one in a minute)."""

ORDERS_EACH = frozenset({"gate", "okx"})
"""Venues that count each order of a request by itself, where ccxt's cost is of the request."""

BUCKETS: Mapping[str, float] = {"deribit": 72}
"""Units that a client of a venue may spend at once where the venue's own count by account is a
bucket that refills, and so the client's limiter is one: Deribit lets twenty orders through at once
and five a second, for which ccxt takes four units each and twenty a second (Rate Limits, matching
engine), and a hundred other requests and twenty a second. The limiter lets one request more
through than it has units for. Other venues' counts are windows, which `budgets` keeps."""

HEAVIER: Mapping[tuple[str, str], float] = {
    ("fapiPrivateV3", "account"): 5,
    ("fapiPrivateV3", "balance"): 5,
    ("fapiPrivateV3", "positionRisk"): 5,
    ("fapiPublic", "exchangeInfo"): 10,
    ("dapiPublic", "exchangeInfo"): 10,
    ("fapiPublic", "premiumIndex"): 10,
    ("dapiPrivate", "openOrders"): 40,
    ("papi", "um/algo/openAlgoOrders"): 40,
}
"""Weights that the venue's pages put higher than ccxt does, for reads of every symbol."""

COSTS: Mapping[str, Mapping[tuple[str, str], float]] = {
    "binance": {
        ("papi", "account"): 20,
        ("papi", "balance"): 20,
        **{("papi", f"{side}/commissionRate"): 20 for side in ("um", "cm")},
        **{("papi", f"{side}/leverageBracket"): 1 for side in ("um", "cm")},
        **{("papi", f"{side}/positionSide/dual"): 30 for side in ("um", "cm")},
        ("papi", "um/positionRisk"): 5,
        ("papi", "cm/positionRisk"): 1,
    },
    "bybit": {
        ("private", "v5/order/create"): 5,
        ("private", "v5/order/cancel"): 5,
    },
    "kucoinfutures": {
        ("public", "currencies/{currency}"): 6,
    },
    "krakenfutures": {
        ("private", "sendorder"): 10,
        ("private", "cancelorder"): 10,
        ("private", "cancelallordersafter"): 25,
        ("private", "transfer"): 10,
        ("private", "transfer/subaccount"): 10,
        ("private", "accounts"): 2,
        ("private", "openpositions"): 2,
        ("private", "openorders"): 2,
        ("private", "leveragepreferences"): 2,
    },
}
"""Costs by the venues' pages, whatever is named: Kraken's ccxt puts at one each, and orders of
Bybit's contracts, ten a second, at what orders of its spot cost. Of portfolio margin at Binance it
counts some in weights and these in fifths of them. KuCoin's three of a coin are told in halves, as
those of its futures are. What several orders of Kraken's in one request cost follows from their
number: see `kraken_client`."""

USER_COSTS: Mapping[str, Mapping[tuple[str, str], float]] = {
    "binance": {
        ("sapi", "capital/withdraw/apply"): 6,
        ("sapi", "capital/withdraw/history"): 120,
        ("sapi", "sub-account/universalTransfer"): 2.4,
    },
}
"""What requests cost of a limit by key where it is not what they cost of one by address: weights by
UID on the pages Withdraw, Withdraw History and Universal Transfer."""
