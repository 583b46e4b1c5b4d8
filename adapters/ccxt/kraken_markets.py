"""Kraken Futures: linear multi-collateral contracts, their margin levels, funding and prices.

A contract is one base unit. A level names the value of a position from which it holds, in quote
units, and its rate is taken for the whole position. The last level has no end that is told: it is
left out, so a position stays below it. Funding is paid every hour; the venue tells it in USD a
contract.

Sources: the venue's pages "Get instruments", "Get tickers", "Get ticker by symbol", "Historical
funding rates".
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator
from decimal import Decimal

from allocator.adapters.ccxt.answers import rows as listed
from allocator.adapters.ccxt.kraken_reads import FLEXIBLE
from allocator.adapters.ccxt.markets import funding_rate, instrument_of, quoted
from allocator.adapters.ccxt.place import Place, text
from allocator.adapters.ccxt.values import JsonObject, moment, number
from allocator.adapters.exact import exactly
from allocator.adapters.figures import daily_range_volatility, rising
from allocator.adapters.sources import AssetPrices
from allocator.models.base import ONE, ZERO
from allocator.models.errors import VenueError
from allocator.models.intents import Quote
from allocator.models.market import Funding, Instrument, Status, Tier

DIGITS = Decimal("1e-15")
"""To which a rate of funding is told."""


async def tickers(place: Place) -> dict[str, JsonObject]:
    """Read every market's ticker by its id."""
    reply = await place.login.shared("public_get_tickers", {})
    return {text(row, "symbol").upper(): row for row in listed(reply, "tickers")}


def is_flexible(market: JsonObject) -> bool:
    """Tell whether a market is a linear perpetual of the multi-collateral wallet."""
    return bool(market["swap"]) and market["info"].get("type") == FLEXIBLE


async def instruments(place: Place, wanted: Collection[str]) -> tuple[Instrument, ...]:
    """Read markets by instrument id; those of other wallets are left out."""
    markets = [market for market in place.listed(wanted) if is_flexible(market)]
    told = await tickers(place)
    return tuple(_instrument(place, market, told) for market in markets)


@exactly
def _instrument(place: Place, market: JsonObject, told: dict[str, JsonObject]) -> Instrument:
    row, info = told.get(str(market["id"])), market["info"]
    if row is None:
        raise VenueError(f"no ticker of {market['id']}")
    mark = number(text(row, "markPrice")) or ZERO
    return instrument_of(
        place.venue,
        market,
        {
            "bid": number(row.get("bid")),
            "ask": number(row.get("ask")),
            "mark": mark,
            "daily_volume": number(row.get("volumeQuote")),
            "daily_volatility": daily_range_volatility(
                number(row.get("high24h")), number(row.get("low24h"))
            ),
            "funding": Funding(rate=_relative(market, row, mark), interval_h=ONE),
            "status": _status(info, row),
            "tiers": tiers_of(info),
        },
    )


def _relative(market: JsonObject, ticker: JsonObject, mark: Decimal) -> Decimal:
    """Turn funding from USD a contract into a fraction of its value."""
    status = _status(market["info"], ticker)
    absolute = funding_rate(str(market["symbol"]), ticker, "fundingRate", status)
    return (absolute / mark).quantize(DIGITS) if mark else ZERO


def _status(info: JsonObject, ticker: JsonObject) -> Status:
    if ticker.get("suspended") or not info.get("tradeable"):
        return "halted"
    return "open"


def _levels(info: JsonObject) -> Iterator[tuple[Decimal, Decimal, Decimal]]:
    """Yield where each level begins, its initial and its maintenance rate, in order."""
    rows = [
        (
            number(text(row, "numNonContractUnits")) or ZERO,
            number(text(row, "initialMargin")) or ONE,
            number(text(row, "maintenanceMargin")) or ONE,
        )
        for row in listed(info, "marginLevels")
    ]
    yield from sorted(rows)


def level_of(info: JsonObject, notional: Decimal) -> Decimal:
    """Tell the maintenance rate of a position of so many dollars."""
    return max(rate for start, _, rate in _levels(info) if start <= notional)


@exactly
def tiers_of(info: JsonObject) -> tuple[Tier, ...]:
    """Read margin levels as brackets that state initial margin themselves."""
    rows = list(_levels(info))
    return rising(
        Tier(cap=after[0], maintenance=row[2], initial=row[1])
        for row, after in itertools.pairwise(rows)
    )


async def quote(place: Place, instrument: str) -> Quote:
    """Read best prices.

    Raises
    ------
    VenueError
        When a side of the book is empty, or nothing usable came.
    """
    market = place.market(instrument)
    reply = await place.login.call("public_get_tickers_symbol", {"symbol": market["id"]})
    row = reply.get("ticker") if isinstance(reply, dict) else None
    if not isinstance(row, dict):
        raise VenueError(f"no ticker of {instrument}")
    bid, ask, mark = (number(row.get(key)) for key in ("bid", "ask", "markPrice"))
    at = moment(place.login.client.parse8601(text(reply, "serverTime")))
    return quoted(instrument, (bid, ask, mark), at)


async def prices(place: Place) -> AssetPrices:
    """Read the indices that the linear contracts follow, and the dollar itself."""
    told = await tickers(place)
    found = {
        str(market["base"]): number(told[market["id"]].get("indexPrice"))
        for market in place.login.client.markets.values()
        if is_flexible(market) and market["id"] in told
    }
    return {"USD": ONE} | {name: price for name, price in found.items() if price}
