"""OKX v5: instruments, prices and networks in the allocator's terms.

Sources: the venue's pages "Get instruments", "Tickers", "Get mark price", "Get funding rate", "Get
position tiers", "Get index tickers", "Get currencies".
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from allocator.adapters.ccxt.failures import UnansweredError
from allocator.adapters.ccxt.markets import instrument_of, quoted
from allocator.adapters.ccxt.okx_reads import kind_of, only, rows, size_of
from allocator.adapters.ccxt.place import Place, text
from allocator.adapters.ccxt.values import JsonObject, moment, number, step_of
from allocator.adapters.exact import down, exactly
from allocator.adapters.figures import daily_range_volatility, rising
from allocator.adapters.sources import AssetPrices, NetworkTerms
from allocator.models.base import ONE, ZERO
from allocator.models.intents import Quote
from allocator.models.market import Funding, Instrument, Status, Tier

STATUS: Mapping[str, Status] = {"live": "open"}
"""Every other state halts; one that takes post-only orders alone does so too."""

FAMILIES_A_CALL = 5
HOUR_MS = 3_600_000


@dataclass(slots=True)
class _Told:
    """What the venue tells of all markets of a kind; tiers by family."""

    tickers: dict[str, JsonObject] = field(default_factory=dict[str, JsonObject])
    marks: dict[str, JsonObject] = field(default_factory=dict[str, JsonObject])
    funding: dict[str, JsonObject] = field(default_factory=dict[str, JsonObject])
    tiers: dict[str, list[JsonObject]] = field(default_factory=dict[str, list[JsonObject]])


async def _table(place: Place, endpoint: str, **params: str) -> dict[str, JsonObject]:
    reply = await place.login.call(endpoint, params)
    return {text(row, "instId"): row for row in rows(reply)}


async def _tiers(place: Place, kind: str, families: list[str]) -> dict[str, list[JsonObject]]:
    """Read the tiers of cross margin, five families a call."""
    calls = [
        place.login.call(
            "public_get_public_position_tiers",
            {
                "instType": kind,
                "tdMode": "cross",
                "instFamily": ",".join(families[start : start + FAMILIES_A_CALL]),
            },
        )
        for start in range(0, len(families), FAMILIES_A_CALL)
    ]
    found: dict[str, list[JsonObject]] = {name: [] for name in families}
    for reply in await asyncio.gather(*calls):
        for row in rows(reply):
            found.setdefault(text(row, "instFamily"), []).append(row)
    return found


async def _told(place: Place, kind: str, markets: list[JsonObject]) -> _Told:
    told = _Told()
    if kind == "SPOT":
        told.tickers = await _table(place, "public_get_market_tickers", instType=kind)
        return told
    families = sorted({text(market["info"], "instFamily") for market in markets})
    told.tickers, told.marks, told.tiers = await asyncio.gather(
        _table(place, "public_get_market_tickers", instType=kind),
        _table(place, "public_get_public_mark_price", instType=kind),
        _tiers(place, kind, families),
    )
    if kind == "SWAP":
        told.funding = await _table(place, "public_get_public_funding_rate", instId="ANY")
    return told


async def instruments(place: Place, wanted: Collection[str]) -> tuple[Instrument, ...]:
    """Read markets by instrument id; one that the venue does not have is left out."""
    by_kind = dict[str, list[JsonObject]]()
    for market in place.listed(wanted):
        by_kind.setdefault(kind_of(market), []).append(market)
    told = await asyncio.gather(*(_told(place, kind, found) for kind, found in by_kind.items()))
    return tuple(
        _instrument(place, market, about)
        for found, about in zip(by_kind.values(), told, strict=True)
        for market in found
        if market["id"] in about.tickers
    )


@exactly
def _instrument(place: Place, market: JsonObject, told: _Told) -> Instrument:
    info: JsonObject = market["info"]
    ticker = told.tickers[market["id"]]
    bid, ask = number(ticker.get("bidPx")) or None, number(ticker.get("askPx")) or None
    last = number(ticker.get("last")) or ZERO
    mark = number(told.marks.get(market["id"], {}).get("markPx"))
    mark = mark or ((bid + ask) / 2 if bid and ask else last)
    size = ONE if market["spot"] else size_of(market)
    worth = size if market["inverse"] else size * mark
    figures: dict[str, object] = {
        "max_quantity": _most(info, worth),
        "bid": bid,
        "ask": ask,
        "mark": mark,
        "daily_volume": _volume(market, ticker, worth),
        "daily_volatility": daily_range_volatility(
            number(ticker.get("high24h")), number(ticker.get("low24h"))
        ),
        "status": _status(market),
        "tiers": tiers_of(told.tiers.get(str(info.get("instFamily")), []), worth),
    }
    if market["contract"]:
        figures["contract_size"] = size
    if market["swap"]:
        figures["funding"] = _funding(told.funding.get(market["id"]))
    return instrument_of(place.venue, market, figures)


def _status(market: JsonObject) -> Status:
    """Halt what is not live, and a contract whose type is not what its assets make of it."""
    info: JsonObject = market["info"]
    if market["contract"]:
        told = "inverse" if market["inverse"] else "linear"
        if info.get("ctType") != told or (told == "linear" and market["settle"] != market["quote"]):
            return "halted"
    return STATUS.get(str(info.get("state")), "halted")


def _most(info: JsonObject, worth: Decimal) -> Decimal | None:
    """Tell the largest limit order: in contracts, and in dollars at mark."""
    lot = number(text(info, "lotSz")) or ZERO
    most, money = number(info.get("maxLmtSz")), number(info.get("maxLmtAmt"))
    bounds = [most] if most else []
    if money and worth:
        bounds.append(down(money / worth, lot))
    return min(bounds, default=None) or None


def _volume(market: JsonObject, ticker: JsonObject, worth: Decimal) -> Decimal | None:
    """Read a day's volume in the quote currency: that of contracts is told in contracts."""
    if market["spot"]:
        return number(ticker.get("volCcy24h"))
    contracts = number(ticker.get("vol24h"))
    return None if contracts is None else contracts * worth


def _funding(row: JsonObject | None) -> Funding:
    """Read the rate of the settlement to come; the interval is what lies between two.

    Raises
    ------
    UnansweredError
        When the venue tells no rate of a perpetual.
    """
    if row is None:
        raise UnansweredError("no funding rate in the answer")
    first, second = int(text(row, "fundingTime")), int(text(row, "nextFundingTime"))
    return Funding(
        rate=number(text(row, "fundingRate")) or ZERO,
        interval_h=Decimal(second - first) / HOUR_MS,
        next_at=moment(first),
    )


@exactly
def tiers_of(found: Iterable[JsonObject], worth: Decimal) -> tuple[Tier, ...]:
    """Read position tiers, whose bounds are contracts, at what a contract is worth.

    The rate of a tier holds for the whole position: there are no deductions.
    """
    return rising(
        Tier(
            cap=(number(text(row, "maxSz")) or ZERO) * worth,
            maintenance=number(text(row, "mmr")) or ZERO,
            max_leverage=number(text(row, "maxLever")) or ONE,
        )
        for row in found
    )


async def quote(place: Place, instrument: str) -> Quote:
    """Read best prices.

    Raises
    ------
    VenueError
        When a side of the book is empty, or nothing usable came.
    """
    market = place.market(instrument)
    asked = {"instId": market["id"]}
    calls = [place.login.call("public_get_market_ticker", asked)]
    if market["contract"]:
        kind = {"instType": kind_of(market), **asked}
        calls.append(place.login.call("public_get_public_mark_price", kind))
    ticker, *marks = [only(reply) for reply in await asyncio.gather(*calls)]
    bid, ask = number(ticker.get("bidPx")), number(ticker.get("askPx"))
    mark = number(text(marks[0], "markPx")) if marks else None
    at = moment(text(ticker, "ts"))
    return quoted(instrument, (bid, ask, mark), at, middle=True)


@exactly
def _crossed(found: Mapping[str, Decimal], indices: Mapping[str, JsonObject]) -> AssetPrices:
    """Price what has an index in USDT only."""
    dollars = found.get("USDT")
    if dollars is None:
        return found
    through = {
        name.removesuffix("-USDT"): (number(row.get("idxPx")) or ZERO) * dollars
        for name, row in indices.items()
    }
    return {name: price for name, price in through.items() if price} | dict(found)


async def prices(place: Place) -> AssetPrices:
    """Read index prices in dollars, and through USDT where there is no other."""
    dollars, tethers = await asyncio.gather(
        _table(place, "public_get_market_index_tickers", quoteCcy="USD"),
        _table(place, "public_get_market_index_tickers", quoteCcy="USDT"),
    )
    found = {
        name.removesuffix("-USD"): price
        for name, row in dollars.items()
        if (price := number(row.get("idxPx")))
    }
    return _crossed(found, tethers)


async def networks(place: Place, assets: Collection[str]) -> Mapping[str, NetworkTerms]:
    """Read fee, minimum, accuracy and state of withdrawals, by ``asset:network``.

    A network that burns a share of the amount is closed to us: its fee is no figure.
    """
    asked = {"ccy": ",".join(sorted(assets))}
    terms = dict[str, NetworkTerms]()
    for row in rows(await place.login.call("private_get_asset_currencies", asked)):
        fee = number(row.get("fee") or row.get("minFee"))
        burns = bool(number(row.get("burningFeeRate")))
        terms[f"{text(row, 'ccy')}:{text(row, 'chain')}"] = NetworkTerms(
            fee=fee or ZERO,
            minimum=number(row.get("minWd")) or ZERO,
            step=step_of(row.get("wdTickSz"), 8),
            open=row.get("canWd") is True and fee is not None and not burns,
        )
    return terms
