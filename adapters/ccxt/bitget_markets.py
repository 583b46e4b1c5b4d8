"""Bitget v2: USDT perpetual contracts, their brackets, funding and prices in our terms.

Sources: the venue's pages contract/market/Get-All-Symbols-Contracts, Get-All-Symbol-Ticker,
Get-Current-Funding-Rate, contract/position/Get-Query-Position-Lever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from decimal import Decimal

from allocator.adapters.ccxt.bitget_reads import COIN, FUTURES, rows_of
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
STATUS_AGE_S = 5.0
"""Seconds that states serve: a gather asks once for all markets, and the next one anew."""

STATUS: dict[str, Status] = {"normal": "open", "limit_open": "reduce_only"}


async def _tickers(place: Place) -> dict[str, JsonObject]:
    reply = await place.login.shared("public_mix_get_v2_mix_market_tickers", FUTURES)
    return {text(row, "symbol"): row for row in rows_of(reply, "tickers")}


async def _states(place: Place) -> dict[str, str]:
    """Read how each market that is still listed stands now."""
    endpoint = "public_mix_get_v2_mix_market_contracts"
    reply = await place.login.shared(endpoint, FUTURES, STATUS_AGE_S)
    return {text(row, "symbol"): text(row, "symbolStatus") for row in rows_of(reply, "contracts")}


async def instruments(place: Place, wanted: Collection[str]) -> tuple[Instrument, ...]:
    """Read markets by instrument id; one that is not settled in USDT is left out."""
    markets = place.perpetuals(wanted, COIN)
    return tuple(await asyncio.gather(*(_read(place, market) for market in markets)))


async def _read(place: Place, market: JsonObject) -> Instrument:
    asked = {**FUTURES, "symbol": market["id"]}
    tickers, states, funding, tiers = await asyncio.gather(
        _tickers(place),
        _states(place),
        place.login.shared("public_mix_get_v2_mix_market_current_fund_rate", asked),
        place.login.shared("public_mix_get_v2_mix_market_query_position_lever", asked, TIERS_AGE_S),
    )
    ticker = tickers.get(str(market["id"]))
    rates = rows_of(funding, "funding rate")
    if ticker is None or not rates:
        raise VenueError(f"no ticker or funding rate of {market['id']}")
    ticker = {**ticker, "symbolStatus": states.get(str(market["id"]))}
    return _instrument(place, market, ticker, rates[0], rows_of(tiers, "tiers"))


@exactly
def _instrument(
    place: Place, market: JsonObject, ticker: JsonObject, funding: JsonObject,
    tiers: list[JsonObject],
) -> Instrument:  # fmt: skip
    info: JsonObject = market["info"]
    next_ms = number(funding.get("nextUpdate"))
    return instrument_of(
        place.venue,
        market,
        {
            "min_notional": number(info.get("minTradeUSDT")) or ZERO,
            "max_quantity": number(info.get("maxOrderQty")) or None,
            "bid": number(ticker.get("bidPr")),
            "ask": number(ticker.get("askPr")),
            "mark": number(text(ticker, "markPrice")),
            "daily_volume": number(ticker.get("quoteVolume")),
            "daily_volatility": daily_range_volatility(
                number(ticker.get("high24h")), number(ticker.get("low24h"))
            ),
            "funding": Funding(
                rate=number(text(funding, "fundingRate")) or ZERO,
                interval_h=Decimal(text(funding, "fundingRateInterval")),
                next_at=moment(int(next_ms)) if next_ms else None,
            ),
            "status": STATUS.get(str(ticker["symbolStatus"]), "halted"),
            "tiers": tiers_of(tiers),
        },
    )


@exactly
def tiers_of(rows: list[JsonObject]) -> tuple[Tier, ...]:
    """Read position tiers; a tier's rate holds for the whole position, so nothing is deducted."""
    return rising(
        Tier(
            cap=number(text(row, "endUnit")) or ZERO,
            maintenance=number(text(row, "keepMarginRate")) or ZERO,
            max_leverage=number(text(row, "leverage")) or ONE,
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
    asked = {**FUTURES, "symbol": market["id"]}
    rows = rows_of(await place.login.call("public_mix_get_v2_mix_market_ticker", asked), "ticker")
    row = next((row for row in rows if row.get("symbol") == market["id"]), None)
    if row is None:
        raise VenueError(f"no ticker of {instrument}")
    bid, ask, mark = (number(row.get(key)) for key in ("bidPr", "askPr", "markPrice"))
    return quoted(instrument, (bid, ask, mark), moment(text(row, "ts")))


async def prices(place: Place) -> AssetPrices:
    """Read the indices that USDT contracts follow; they are in USDT, taken for a dollar."""
    tickers = await _tickers(place)
    found = dict(
        (str(market["base"]), number(tickers[market["id"]].get("indexPrice")))
        for market in place.login.client.markets.values()
        if market["swap"] and market["settle"] == COIN and market["id"] in tickers
    )
    return {asset: price for asset, price in found.items() if price}
