"""Deribit v2: instruments, prices and networks in the allocator's terms.

Sources: docs.deribit.com/api-reference/market-data, public-get_instruments, public-ticker,
public-get_index_price, public-get_index_price_names, public-get_currencies.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from decimal import Decimal

from allocator.adapters.ccxt.answers import rows
from allocator.adapters.ccxt.deribit_margin import Prices, tiers_of
from allocator.adapters.ccxt.deribit_reads import ask, size_of
from allocator.adapters.ccxt.markets import instrument_of, quoted
from allocator.adapters.ccxt.place import Place, text
from allocator.adapters.ccxt.values import JsonObject, moment, number, step_of
from allocator.adapters.exact import exactly
from allocator.adapters.figures import daily_range_volatility
from allocator.adapters.sources import AssetPrices, NetworkTerms
from allocator.models.base import ONE, ZERO
from allocator.models.errors import VenueError
from allocator.models.intents import Quote
from allocator.models.market import Funding, Instrument

DOLLARS = ("usd", "usdc", "usdt")
FUNDING_H, CENT = Decimal(8), Decimal("0.01")
REACH = Decimal("1.1")
"""How far above the quotes a price may go: the tick there is a multiple of every finer one."""


async def _ticker(place: Place, market: JsonObject) -> JsonObject:
    found = await ask(place.login, "public_get_ticker", {"instrument_name": market["id"]})
    if not isinstance(found, dict) or found.get("instrument_name") != market["id"]:
        raise VenueError(f"no ticker of {market['id']}")
    return found


async def instruments(place: Place, wanted: Collection[str]) -> tuple[Instrument, ...]:
    """Read markets by instrument id; one that the venue does not have is left out."""
    markets = place.listed(wanted)
    tickers = await asyncio.gather(*(_ticker(place, market) for market in markets))
    return tuple(
        _instrument(place, market, ticker) for market, ticker in zip(markets, tickers, strict=True)
    )


@exactly
def _instrument(place: Place, market: JsonObject, ticker: JsonObject) -> Instrument:
    info: JsonObject = market["info"]
    bid, ask_ = number(ticker.get("best_bid_price")), number(ticker.get("best_ask_price"))
    mark = number(text(ticker, "mark_price")) or ZERO
    least, size = number(text(info, "min_trade_amount")) or ZERO, size_of(market)
    future = market["contract"] and not market["option"]
    figures: dict[str, object] = {
        # A future trades in whole contracts, an option and spot in steps of the least amount.
        "lot": ONE if future else least / size,
        "contract_size": None if market["spot"] else size,
        "min_quantity": least / size,
        "tick": _tick(info, max(mark, ask_ or ZERO) * REACH),
        "bid": bid or None,
        "ask": ask_ or None,
        "mark": mark,
        "daily_volume": _volume(market, ticker, mark),
        "daily_volatility": _volatility(market, ticker),
        "status": "open" if _is_open(info, ticker) else "halted",
    }
    if market["contract"]:
        figures["tiers"] = tiers_of(market, prices_of(ticker, mark))
    if market["swap"]:
        # The venue dates a perpetual's end in the year 3000.
        figures["expiry"] = None
        figures["funding"] = Funding(
            rate=number(text(ticker, "funding_8h")) or ZERO, interval_h=FUNDING_H
        )
    if market["option"]:
        figures["delta"] = delta_of(market, ticker)
    return instrument_of(place.venue, market, figures)


def prices_of(row: JsonObject, mark: Decimal) -> Prices:
    """Read what margin depends on from a ticker or a position."""
    index = number(text(row, "index_price")) or ZERO
    return Prices(mark, index, number(row.get("underlying_price")) or index)


@exactly
def delta_of(market: JsonObject, ticker: JsonObject) -> Decimal:
    """Read an option's delta net of what equity counts: its own value, if that is in the coin.

    The venue's figure is the Black-Scholes delta. The value c of an option that settles in its
    base coin is part of an equity in that coin, which counts as exposure whole: ``delta - c``.
    """
    greeks = ticker.get("greeks")
    if not isinstance(greeks, dict):
        raise VenueError(f"no greeks of {market['id']}")
    delta = number(text(greeks, "delta")) or ZERO
    if market["settle"] != market["base"]:
        return delta
    return delta - (number(text(ticker, "mark_price")) or ZERO)


def _tick(info: JsonObject, price: Decimal) -> Decimal:
    """Choose the tick in force at a price; coarser ones are multiples of the finest."""
    tick = number(text(info, "tick_size"))
    steps = info.get("tick_size_steps") or ()
    for step in sorted(steps, key=lambda row: number(text(row, "above_price")) or ZERO):
        if price > (number(text(step, "above_price")) or ZERO):
            tick = number(text(step, "tick_size"))
    if not tick:
        raise VenueError(f"{info.get('instrument_name')}: no tick")
    return tick


@exactly
def _volume(market: JsonObject, ticker: JsonObject, mark: Decimal) -> Decimal | None:
    """Read a day's notional, in the currency that other figures of the market are in.

    Inverse: dollars; linear and spot: the quote; options that settle in the coin: the coin.
    """
    stats: JsonObject = ticker.get("stats") or {}
    base = number(stats.get("volume"))
    if base is None or (market["option"] and market["settle"] == market["base"]):
        return base
    price = number(text(ticker, "index_price")) or ZERO if market["option"] else mark
    return (base * price).quantize(CENT)


def _volatility(market: JsonObject, ticker: JsonObject) -> Decimal | None:
    """Estimate a day's volatility; the range of a premium tells nothing of the underlying."""
    if market["option"]:
        return None
    stats: JsonObject = ticker.get("stats") or {}
    return daily_range_volatility(number(stats.get("high")), number(stats.get("low")))


def _is_open(info: JsonObject, ticker: JsonObject) -> bool:
    return info.get("is_active") is True and ticker.get("state") == "open"


async def quote(place: Place, instrument: str) -> Quote:
    """Read best prices.

    Raises
    ------
    VenueError
        When a side of the book is empty, or nothing usable came.
    """
    ticker = await _ticker(place, place.market(instrument))
    bid, ask = number(ticker.get("best_bid_price")), number(ticker.get("best_ask_price"))
    mark = number(text(ticker, "mark_price"))
    at = moment(text(ticker, "timestamp"))
    return quoted(instrument, (bid, ask, mark), at, middle=True)


async def prices(place: Place) -> AssetPrices:
    """Read index prices of currencies: in dollars, else in a dollar token.

    The venue has no index of USDT; its price is configured or told by another venue.
    """
    names, listed = await asyncio.gather(
        ask(place.login, "public_get_get_index_price_names"),
        ask(place.login, "public_get_get_currencies"),
    )
    wanted = dict[str, str]()
    for row in rows(listed):
        coin = text(row, "currency")
        known = (f"{coin.lower()}_{dollar}" for dollar in DOLLARS)
        name = next((name for name in known if name in names), None)
        if name is not None:
            wanted[coin] = name
    found = await asyncio.gather(*(_index(place, name) for name in wanted.values()))
    return {coin: price for coin, price in zip(wanted, found, strict=True) if price}


async def _index(place: Place, name: str) -> Decimal | None:
    found = await ask(place.login, "public_get_get_index_price", {"index_name": name})
    return number(found.get("index_price"))


async def networks(place: Place, assets: Collection[str]) -> Mapping[str, NetworkTerms]:
    """Read fee, step and minimum of withdrawals, by ``asset:network``: one network a currency.

    The venue tells no minimum; an amount below the fee is not worth one.
    """
    listed = rows(await ask(place.login, "public_get_get_currencies"))
    terms = dict[str, NetworkTerms]()
    for row in listed:
        coin = text(row, "currency")
        if coin not in assets:
            continue
        fee = number(row.get("withdrawal_fee"))
        terms[f"{coin}:{row.get('network_currency') or coin}"] = NetworkTerms(
            fee=fee or ZERO,
            minimum=fee or ZERO,
            step=step_of(row.get("decimals"), 6),
            open=fee is not None,
        )
    return terms
