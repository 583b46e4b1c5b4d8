"""Hyperliquid: perpetuals of the first exchange, their margin tables, funding and prices.

Maintenance is half of what the greatest leverage of a tier needs, with the deduction that makes it
one curve. The last tier has no end. A price has at most five significant digits and six decimals
less the size's. Funding is hourly.

Sources: the venue's pages "Perpetuals" (metaAndAssetCtxs, margin tables), "Margin tiers", "Tick and
lot size", "L2 book snapshot", "Funding".
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from decimal import ROUND_UP, Decimal

from allocator.adapters.ccxt.answers import listed
from allocator.adapters.ccxt.hyperliquid_reads import INFO
from allocator.adapters.ccxt.markets import instrument_of, quoted
from allocator.adapters.ccxt.place import Place, text
from allocator.adapters.ccxt.values import JsonObject, moment, number
from allocator.adapters.exact import exactly
from allocator.adapters.figures import rising
from allocator.adapters.sources import AssetPrices
from allocator.models.base import ONE, ZERO
from allocator.models.errors import VenueError
from allocator.models.intents import Quote
from allocator.models.market import Funding, Instrument, Tier

TIERS_AGE_S = 600.0
LEAST_NOTIONAL = Decimal(10)
"""Dollars an order must be worth (page "Error responses", MinTradeNtl)."""

ENDLESS = Decimal(10) ** 12
"""Dollars that stand for the end of the last margin tier."""

RATE = Decimal("1e-12")
"""The digits of a maintenance rate: half of one over three has no end."""

DECIMALS, DIGITS = 6, 5
"""Most decimals, less those of the size, and significant digits of a price."""


async def _contexts(place: Place) -> dict[str, JsonObject]:
    """Read mark, funding and volume by coin, and whether it is delisted."""
    reply = listed(await place.login.shared(INFO, {"type": "metaAndAssetCtxs"}), "contexts")
    if len(reply) != 2:
        raise VenueError("metadata and contexts were asked for, and something else came")
    rows = zip(reply[0]["universe"], listed(reply[1], "contexts"), strict=True)
    return {
        text(meta, "name"): {**context, "isDelisted": meta.get("isDelisted")}
        for meta, context in rows
    }


async def _tables(place: Place) -> dict[str, list[JsonObject]]:
    """Read the tiers of each margin table."""
    reply = await place.login.shared(INFO, {"type": "meta"}, TIERS_AGE_S)
    tables = listed(reply.get("marginTables") if isinstance(reply, dict) else None, "tables")
    return {str(name): listed(table.get("marginTiers"), "tiers") for name, table in tables}


async def instruments(place: Place, wanted: Collection[str]) -> tuple[Instrument, ...]:
    """Read markets by instrument id; one that the venue does not have is left out."""
    markets = place.listed(wanted)
    if not markets:
        return ()
    contexts, tables = await asyncio.gather(_contexts(place), _tables(place))
    books = await asyncio.gather(
        *(place.login.shared(INFO, _book(market)) for market in markets)
    )  # fmt: skip
    return tuple(
        _instrument(place, market, contexts, tables, best(book))
        for market, book in zip(markets, books, strict=True)
    )


def _book(market: JsonObject) -> dict[str, object]:
    return {"type": "l2Book", "coin": market["info"]["name"]}


def best(book: object) -> tuple[Decimal | None, Decimal | None]:
    """Read the best prices of a book."""
    levels = listed(book.get("levels") if isinstance(book, dict) else None, "levels")
    bid, ask = (number(text(side[0], "px")) if side else None for side in levels)
    return bid, ask


@exactly
def _instrument(
    place: Place, market: JsonObject, contexts: dict[str, JsonObject],
    tables: dict[str, list[JsonObject]], prices: tuple[Decimal | None, Decimal | None],
) -> Instrument:  # fmt: skip
    meta = market["info"]
    row = contexts.get(text(meta, "name"))
    if row is None:
        raise VenueError(f"no context of {meta['name']}")
    mark = number(text(row, "markPx")) or ZERO
    return instrument_of(
        place.venue,
        market,
        {
            "tick": tick_of(mark, int(text(meta, "szDecimals"))),
            "min_notional": LEAST_NOTIONAL,
            "bid": prices[0],
            "ask": prices[1],
            "mark": mark,
            "daily_volume": number(row.get("dayNtlVlm")),
            "funding": Funding(rate=number(text(row, "funding")) or ZERO, interval_h=ONE),
            "status": "halted" if row.get("isDelisted") else "open",
            "tiers": tiers_of(meta, tables),
        },
    )


@exactly
def tick_of(mark: Decimal, size_decimals: int) -> Decimal:
    """Tell the price step that holds up to a tenth above a price.

    >>> tick_of(Decimal("43251"), 5), tick_of(Decimal("2.2165"), 1)
    (Decimal('1'), Decimal('0.0001'))
    """
    whole = (mark + mark / 10).adjusted() + 1 if mark else DIGITS
    decimals = max(0, min(DECIMALS - size_decimals, DIGITS - whole))
    return Decimal(1).scaleb(-decimals)


def _rows_of(meta: JsonObject, tables: dict[str, list[JsonObject]]) -> list[list[JsonObject]]:
    """List the tables that may be a coin's: the one it names, else all with its first leverage.

    Raises
    ------
    VenueError
        When there is none: the leverage alone tells no tiers. What is delisted trades no more.
    """
    leverage, named = text(meta, "maxLeverage"), meta.get("marginTableId")
    flat: list[JsonObject] = [{"lowerBound": "0.0", "maxLeverage": leverage}]
    if named is not None and str(named) == leverage:
        # The venue has such a table for every leverage, and need not list it.
        return [tables.get(leverage) or flat]
    wanted = [str(named)] if named is not None else [
        name for name, rows in tables.items()
        if max(number(text(row, "maxLeverage")) or ZERO for row in rows) == number(leverage)
    ]  # fmt: skip
    found = [tables[name] for name in wanted if tables.get(name)]
    if not found and (named is not None or not meta.get("isDelisted")):
        raise VenueError(f"no margin table {named or leverage} of {meta.get('name')}")
    return found or [flat]


def _steps(rows: list[JsonObject]) -> list[tuple[Decimal, Decimal]]:
    return sorted(
        (number(text(row, "lowerBound")) or ZERO, number(text(row, "maxLeverage")) or ONE)
        for row in rows
    )


@exactly
def tiers_of(meta: JsonObject, tables: dict[str, list[JsonObject]]) -> tuple[Tier, ...]:
    """Read a coin's margin table; of several that may be its own, at each size the dearest.

    Raises
    ------
    VenueError
        When no table may be its own.
    """
    ladders = [_steps(rows) for rows in _rows_of(meta, tables)]
    steps = [
        (bound, min([most for start, most in rungs if start <= bound][-1] for rungs in ladders))
        for bound in sorted({start for rungs in ladders for start, _ in rungs})
    ]
    ends = [start for start, _ in steps[1:]] + [ENDLESS]
    deduction, rate, found = ZERO, ZERO, list[Tier]()
    for (start, most), end in zip(steps, ends, strict=True):
        half = (1 / (2 * most)).quantize(RATE, ROUND_UP)
        deduction, rate = deduction + start * (half - rate), half
        found.append(Tier(cap=end, maintenance=rate, deduction=deduction, max_leverage=most))
    return rising(found)


async def quote(place: Place, instrument: str) -> Quote:
    """Read best prices.

    Raises
    ------
    VenueError
        When a side of the book is empty, or nothing usable came.
    """
    market = place.market(instrument)
    book, contexts = await asyncio.gather(place.login.call(INFO, _book(market)), _contexts(place))
    bid, ask = best(book)
    row = contexts.get(str(market["info"]["name"]), {})
    mark = number(row.get("markPx"))
    return quoted(instrument, (bid, ask, mark), moment(text(book, "time")))


async def prices(place: Place) -> AssetPrices:
    """Read the oracle's prices by coin; USDC is taken for a dollar."""
    contexts = await _contexts(place)
    found = {
        str(market["base"]): number(contexts[market["info"]["name"]].get("oraclePx"))
        for market in place.login.client.markets.values()
        if market["info"]["name"] in contexts
    }
    return {"USDC": ONE} | {name: price for name, price in found.items() if price}
