"""Binance: instruments, prices and networks in the allocator's terms.

Sources: the venue's pages Symbol Order Book Ticker, 24hr Ticker Price Change Statistics, Mark
Price, Get Funding Rate Info, Notional and Leverage Brackets, All Coins' Information.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from decimal import Decimal

from allocator.adapters.ccxt.answers import rows
from allocator.adapters.ccxt.binance_brackets import brackets
from allocator.adapters.ccxt.binance_reads import SIDES, size_of, wallet_of
from allocator.adapters.ccxt.markets import funding_rate, instrument_of, quoted
from allocator.adapters.ccxt.place import Place, text
from allocator.adapters.ccxt.values import JsonObject, moment, number
from allocator.adapters.ccxt.withdrawing import fee_by, terms_of
from allocator.adapters.exact import exactly
from allocator.adapters.figures import daily_range_volatility, rising
from allocator.adapters.sources import AssetPrices, NetworkTerms
from allocator.models.base import ONE, ZERO
from allocator.models.errors import VenueError
from allocator.models.intents import Quote
from allocator.models.market import Funding, Instrument, Status, Tier

PUBLIC = {"spot": "public", "usdm": "fapipublic", "coinm": "dapipublic"}
STATUS: Mapping[str, Status] = {"TRADING": "open"}
INTERVAL_H = Decimal(8)
"""Hours between settlements of contracts that the funding page does not list."""


async def _table(place: Place, endpoint: str, **params: str) -> dict[str, JsonObject]:
    """Read rows by symbol; one symbol may come as a row by itself."""
    reply = await place.login.call(endpoint, params)
    found = rows([reply] if isinstance(reply, dict) else reply)
    return {text(row, "symbol"): row for row in found}


class _Host:
    """What one host tells of all its markets at once."""

    def __init__(self, books: Mapping[str, JsonObject]) -> None:
        self.books = books
        self.marks: Mapping[str, JsonObject] = {}
        self.funding: Mapping[str, JsonObject] = {}

    @classmethod
    async def read(cls, place: Place, wallet: str) -> _Host:
        """Read best prices and, of a futures host, marks and funding terms."""
        public = PUBLIC[wallet]
        if wallet == "spot":
            return cls(await _table(place, f"{public}_get_ticker_bookticker"))
        books, marks, funding = await asyncio.gather(
            _table(place, f"{public}_get_ticker_bookticker"),
            _table(place, f"{public}_get_premiumindex"),
            _table(place, f"{public}_get_fundinginfo"),
        )
        host = cls(books)
        host.marks, host.funding = marks, funding
        return host


async def instruments(place: Place, wanted: Collection[str]) -> tuple[Instrument, ...]:
    """Read markets by instrument id; one that the venue does not have is left out."""
    markets = place.listed(wanted)
    names = sorted({wallet_of(market) for market in markets})
    hosts = dict(
        zip(names, await asyncio.gather(*(_Host.read(place, name) for name in names)), strict=True)
    )
    days = await asyncio.gather(*(_day(place, market) for market in markets))
    tiers = await asyncio.gather(*(_bracket_rows(place, market) for market in markets))
    return tuple(
        _instrument(place, market, hosts[wallet_of(market)], day, steps)
        for market, day, steps in zip(markets, days, tiers, strict=True)
        if market["id"] in hosts[wallet_of(market)].books
    )


async def _day(place: Place, market: JsonObject) -> JsonObject:
    endpoint = f"{PUBLIC[wallet_of(market)]}_get_ticker_24hr"
    return (await _table(place, endpoint, symbol=market["id"])).get(market["id"], {})


async def _bracket_rows(place: Place, market: JsonObject) -> list[JsonObject]:
    wallet = wallet_of(market)
    if wallet == "spot":
        return []
    if place.config.wallet != "unified":
        return list((await brackets(place, wallet)).get(market["id"], ()))
    endpoint = f"papi_get_{SIDES[wallet]}_leveragebracket"
    found = await _table(place, endpoint, symbol=market["id"])
    return rows(found[market["id"]], "brackets") if market["id"] in found else []


@exactly
def _instrument(
    place: Place, market: JsonObject, host: _Host, day: JsonObject, steps: list[JsonObject]
) -> Instrument:
    book = host.books[market["id"]]
    bid, ask = number(book.get("bidPrice")) or None, number(book.get("askPrice")) or None
    index = host.marks.get(market["id"], {})
    mark = number(index.get("markPrice")) or _middle(market, bid, ask)
    inverse = bool(market["inverse"])
    size = size_of(market)
    volume = number(day.get("volume" if inverse else "quoteVolume"))
    return instrument_of(
        place.venue,
        market,
        {
            "min_notional": number(market["limits"]["cost"]["min"]) or ZERO,
            "bid": bid,
            "ask": ask,
            "mark": mark,
            "daily_volume": volume * size if volume is not None and inverse else volume,
            "daily_volatility": daily_range_volatility(
                number(day.get("highPrice")), number(day.get("lowPrice"))
            ),
            "funding": _funding(market, host, index) if market["swap"] else None,
            "status": _status(market["info"]),
            "tiers": tiers_of(steps, mark if inverse else ONE),
        },
    )


def _middle(market: JsonObject, bid: Decimal | None, ask: Decimal | None) -> Decimal:
    if bid is None or ask is None:
        raise VenueError(f"{market['symbol']} has neither a mark nor both sides of a book")
    return (bid + ask) / 2


def _status(info: JsonObject) -> Status:
    return STATUS.get(str(info.get("status") or info.get("contractStatus")), "halted")


def _funding(market: JsonObject, host: _Host, index: JsonObject) -> Funding:
    terms = host.funding.get(market["id"], {})
    next_ms = number(index.get("nextFundingTime"))
    return Funding(
        rate=funding_rate(str(market["symbol"]), index, "lastFundingRate", _status(market["info"])),
        interval_h=number(terms.get("fundingIntervalHours")) or INTERVAL_H,
        next_at=moment(int(next_ms)) if next_ms else None,
    )


@exactly
def tiers_of(steps: list[JsonObject], price: Decimal) -> tuple[Tier, ...]:
    """Read brackets; those of COIN-M are in base units and are turned at mark."""
    return rising(
        Tier(
            cap=(number(row.get("notionalCap", row.get("qtyCap"))) or ZERO) * price,
            maintenance=number(text(row, "maintMarginRatio")) or ZERO,
            deduction=(number(text(row, "cum")) or ZERO) * price,
            max_leverage=number(text(row, "initialLeverage")),
        )
        for row in steps
    )


async def quote(place: Place, instrument: str) -> Quote:
    """Read best prices.

    Raises
    ------
    VenueError
        When a side of the book is empty, or nothing usable came.
    """
    market = place.market(instrument)
    wallet = wallet_of(market)
    asked = {"symbol": str(market["id"])}
    at = place.login.venue_now()
    book = (await _table(place, f"{PUBLIC[wallet]}_get_ticker_bookticker", **asked))[market["id"]]
    bid, ask = number(text(book, "bidPrice")), number(text(book, "askPrice"))
    mark = None
    if wallet != "spot":
        index = await _table(place, f"{PUBLIC[wallet]}_get_premiumindex", **asked)
        mark = number(text(index[market["id"]], "markPrice"))
    return quoted(instrument, (bid, ask, mark), at, middle=True)


async def prices(place: Place) -> AssetPrices:
    """Read index prices: in dollars from COIN-M, else in dollar tokens from USD-M."""
    usdm, coinm = await asyncio.gather(
        _table(place, "fapipublic_get_premiumindex"), _table(place, "dapipublic_get_premiumindex")
    )
    found = dict[str, Decimal]()
    for kind, table in (("linear", usdm), ("inverse", coinm)):
        for market_id, row in table.items():
            symbol = place.login.symbol(market_id, kind)
            price = number(row.get("indexPrice"))
            if symbol is not None and price:
                found[str(place.login.market(symbol)["base"])] = price
    return found


async def networks(place: Place, assets: Collection[str]) -> Mapping[str, NetworkTerms]:
    """Read fee, minimum, step and state of withdrawals, by ``asset:network``."""
    found = rows(await place.login.call("sapi_get_capital_config_getall", {}))
    return {
        f"{row['coin']}:{text(network, 'network')}": _terms(network)
        for row in found
        if row.get("coin") in assets
        for network in row.get("networkList") or ()
    }


def _terms(network: JsonObject) -> NetworkTerms:
    step = number(network.get("withdrawIntegerMultiple")) or ZERO
    return terms_of(
        fee_by(number(network.get("withdrawFee")), step),
        number(network.get("withdrawMin")),
        step,
        usable=network.get("withdrawEnable") is True,
    )
