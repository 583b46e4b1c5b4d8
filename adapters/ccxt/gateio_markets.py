"""Gate v4: perpetual contracts, their brackets, funding and prices in our terms.

A linear contract is `quanto_multiplier` base units; the one settled in BTC, whose multiplier is 0,
is one dollar. Spot and delivery markets are not read.

Sources: the venue's pages "Query single contract information", "Get all futures trading
statistics", "Query risk limit tiers" (models Contract, FuturesTicker, FuturesLimitRiskTiers).
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from decimal import Decimal

from allocator.adapters.ccxt.answers import listed
from allocator.adapters.ccxt.markets import instrument_of, quoted
from allocator.adapters.ccxt.place import Place, text
from allocator.adapters.ccxt.values import JsonObject, moment, number
from allocator.adapters.exact import exactly
from allocator.adapters.figures import daily_range_volatility, rising
from allocator.adapters.sources import AssetPrices
from allocator.models.base import ONE, ZERO
from allocator.models.errors import VenueError
from allocator.models.intents import Quote
from allocator.models.market import Funding, Instrument, Status, Tier

TIERS_AGE_S = 600.0


async def _tickers(place: Place, settle: str) -> dict[str, JsonObject]:
    reply = await place.login.shared("public_futures_get_settle_tickers", {"settle": settle})
    return {text(row, "contract"): row for row in listed(reply, "tickers")}


async def instruments(place: Place, wanted: Collection[str]) -> tuple[Instrument, ...]:
    """Read markets by instrument id; one that the venue does not have is left out."""
    markets = [market for market in place.listed(wanted) if market["swap"]]
    return tuple(await asyncio.gather(*(_read(place, market) for market in markets)))


async def _read(place: Place, market: JsonObject) -> Instrument:
    asked = {"settle": market["settleId"], "contract": market["id"]}
    tickers, contract, tiers = await asyncio.gather(
        _tickers(place, str(market["settleId"])),
        place.login.shared("public_futures_get_settle_contracts_contract", asked),
        place.login.shared("public_futures_get_settle_risk_limit_tiers", asked, TIERS_AGE_S),
    )
    ticker = tickers.get(str(market["id"]))
    if ticker is None:
        raise VenueError(f"no ticker of {market['id']}")
    return _instrument(place, market, contract, ticker, listed(tiers, "risk limit tiers"))


@exactly
def _instrument(
    place: Place, market: JsonObject, contract: JsonObject, ticker: JsonObject,
    tiers: list[JsonObject],
) -> Instrument:  # fmt: skip
    mark = number(text(ticker, "mark_price")) or ZERO
    return instrument_of(
        place.venue,
        market,
        {
            "bid": number(ticker.get("highest_bid")),
            "ask": number(ticker.get("lowest_ask")),
            "mark": mark,
            "daily_volume": number(ticker.get("volume_24h_quote")),
            "daily_volatility": daily_range_volatility(
                number(ticker.get("high_24h")), number(ticker.get("low_24h"))
            ),
            "funding": _funding(contract, ticker),
            "status": _status(contract),
            "tiers": tiers_of(tiers, mark if market["inverse"] else ONE),
        },
    )


def _status(contract: JsonObject) -> Status:
    """Tell whether a contract trades; one that is being delisted takes only reducing orders."""
    status = text(contract, "status")
    if status == "delisting" or contract.get("in_delisting"):
        return "reduce_only"
    return "open" if status == "trading" else "halted"


def _funding(contract: JsonObject, ticker: JsonObject) -> Funding:
    seconds = number(contract.get("funding_next_apply"))
    return Funding(
        rate=number(text(ticker, "funding_rate")) or ZERO,
        interval_h=Decimal(text(contract, "funding_interval")) / 3600,
        next_at=moment(int(seconds * 1000)) if seconds else None,
    )


@exactly
def tiers_of(rows: list[JsonObject], price: Decimal) -> tuple[Tier, ...]:
    """Read risk-limit tiers; limits and deductions in a settle coin are turned at `price`."""
    return rising(
        Tier(
            cap=(number(text(row, "risk_limit")) or ZERO) * price,
            maintenance=number(text(row, "maintenance_rate")) or ZERO,
            deduction=(number(text(row, "deduction")) or ZERO) * price,
            max_leverage=number(text(row, "leverage_max")) or ONE,
        )
        for row in rows
    )


async def quote(place: Place, instrument: str) -> Quote:
    """Read best prices.

    Raises
    ------
    VenueError
        When a side of the book is empty, or nothing usable came.
    """
    market = place.market(instrument)
    asked = {"settle": market["settleId"], "contract": market["id"]}
    rows = listed(await place.login.call("public_futures_get_settle_tickers", asked), "tickers")
    row = next((row for row in rows if row.get("contract") == market["id"]), None)
    if row is None:
        raise VenueError(f"no ticker of {instrument}")
    bid, ask = number(row.get("highest_bid")), number(row.get("lowest_ask"))
    mark = number(text(row, "mark_price"))
    return quoted(instrument, (bid, ask, mark), place.login.venue_now())


async def prices(place: Place) -> AssetPrices:
    """Read the indices that linear contracts follow; they are in USDT, taken for a dollar."""
    tickers = await _tickers(place, "usdt")
    found = dict[str, Decimal]()
    for market in place.login.client.markets.values():
        row = tickers.get(market["id"]) if market["swap"] and market["linear"] else None
        price = number(row.get("index_price")) if row else None
        if price:
            found[market["base"]] = price
    return found
