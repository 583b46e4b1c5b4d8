"""Bybit v5: instruments, prices and networks in the allocator's terms.

Sources: the venue's pages v5/market/tickers, v5/market/risk-limit, v5/asset/coin-info.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from decimal import Decimal

from allocator.adapters.ccxt.bybit_reads import category, pages, result, unified
from allocator.adapters.ccxt.markets import funding_rate, instrument_of, quoted
from allocator.adapters.ccxt.place import Place, text
from allocator.adapters.ccxt.values import JsonObject, moment, number, step_of
from allocator.adapters.exact import exactly
from allocator.adapters.figures import daily_range_volatility, rising
from allocator.adapters.sources import AssetPrices, NetworkTerms
from allocator.models.base import ONE, ZERO
from allocator.models.errors import VenueError
from allocator.models.intents import Quote
from allocator.models.market import Funding, Instrument, Status, Tier

STATUS: Mapping[str, Status] = {"Trading": "open"}
DOLLARS = ("USDT", "USDC")


async def _tickers(place: Place, name: str) -> dict[str, JsonObject]:
    reply = await place.login.call("public_get_v5_market_tickers", {"category": name})
    return {text(row, "symbol"): row for row in result(reply).get("list") or ()}


async def instruments(place: Place, wanted: Collection[str]) -> tuple[Instrument, ...]:
    """Read markets by instrument id; one that the venue does not have is left out."""
    markets = place.listed(wanted)
    names = sorted({category(market) for market in markets})
    tickers = dict(
        zip(names, await asyncio.gather(*(_tickers(place, name) for name in names)), strict=True)
    )
    tiers = await asyncio.gather(*(_tier_rows(place, market) for market in markets))
    return tuple(
        _instrument(place, market, tickers[category(market)][market["id"]], rows)
        for market, rows in zip(markets, tiers, strict=True)
        if market["id"] in tickers[category(market)]
    )


async def _tier_rows(place: Place, market: JsonObject) -> list[JsonObject]:
    if not market["contract"]:
        return []
    asked = {"category": category(market), "symbol": market["id"]}
    return await pages(place.login, "public_get_v5_market_risk_limit", asked)


@exactly
def _instrument(
    place: Place, market: JsonObject, ticker: JsonObject, rows: list[JsonObject]
) -> Instrument:
    info: JsonObject = market["info"]
    inverse = bool(market["inverse"])
    last = number(text(ticker, "lastPrice")) or ZERO
    bid, ask = number(ticker.get("bid1Price")), number(ticker.get("ask1Price"))
    mark = number(ticker.get("markPrice")) or ((bid + ask) / 2 if bid and ask else last)
    lots: JsonObject = info["lotSizeFilter"]
    status = STATUS.get(str(info.get("status")), "halted")
    minimum = number(lots.get("minNotionalValue")) or number(lots.get("minOrderAmt")) or ZERO
    volume = number(ticker.get("volume24h" if inverse else "turnover24h"))
    return instrument_of(
        place.venue,
        market,
        {
            "min_notional": minimum,
            "bid": bid,
            "ask": ask,
            "mark": mark,
            "daily_volume": volume,
            "daily_volatility": daily_range_volatility(
                number(ticker.get("highPrice24h")), number(ticker.get("lowPrice24h"))
            ),
            "funding": _funding(market, ticker, status) if market["swap"] else None,
            "status": status,
            "tiers": tiers_of(rows, mark if inverse else ONE),
        },
    )


def _funding(market: JsonObject, ticker: JsonObject, status: Status) -> Funding:
    hours = number(ticker.get("fundingIntervalHour"))
    if hours is None:
        hours = Decimal(text(market["info"], "fundingInterval")) / 60
    next_ms = number(ticker.get("nextFundingTime"))
    return Funding(
        rate=funding_rate(str(market["symbol"]), ticker, "fundingRate", status),
        interval_h=hours,
        next_at=moment(int(next_ms)) if next_ms else None,
    )


@exactly
def tiers_of(rows: list[JsonObject], price: Decimal) -> tuple[Tier, ...]:
    """Read risk limits; those of inverse contracts are in coin and are turned at mark.

    Older answers give percentages (0.5 for 0.005): a rate above one over the leverage is one.
    """
    tiers = list[Tier]()
    for row in rows:
        leverage = number(text(row, "maxLeverage")) or ONE
        rate = number(text(row, "maintenanceMargin")) or ZERO
        tiers.append(
            Tier(
                cap=(number(text(row, "riskLimitValue")) or ZERO) * price,
                maintenance=rate / 100 if rate * leverage > 1 else rate,
                deduction=(number(row.get("mmDeduction")) or ZERO) * price,
                max_leverage=leverage,
            )
        )
    return rising(tiers)


async def quote(place: Place, instrument: str) -> Quote:
    """Read best prices.

    Raises
    ------
    VenueError
        When a side of the book is empty, or nothing usable came.
    """
    market = place.market(instrument)
    reply = await place.login.call(
        "public_get_v5_market_tickers", {"category": category(market), "symbol": market["id"]}
    )
    rows = result(reply).get("list") or ()
    row = next((row for row in rows if row.get("symbol") == market["id"]), None)
    if row is None:
        raise VenueError(f"no ticker of {instrument}")
    bid, ask = number(row.get("bid1Price")), number(row.get("ask1Price"))
    mark, at = number(row.get("markPrice")), moment(text(reply, "time"))
    return quoted(instrument, (bid, ask, mark), at, middle=True)


@exactly
def _implied(coin: JsonObject) -> Decimal | None:
    equity, worth = number(coin.get("equity")), number(coin.get("usdValue"))
    if not equity or worth is None or worth / equity <= 0:
        return None
    return (worth / equity).quantize(Decimal("1e-8"))


async def prices(place: Place) -> AssetPrices:
    """Read index prices of spot markets against dollars, and what the wallet values the rest at."""
    tickers = await _tickers(place, "spot")
    found = dict[str, Decimal]()
    if place.config.wallet == "unified":
        for coin in (await unified(place))["coin"]:
            price = _implied(coin)
            if price is not None:
                found[text(coin, "coin")] = price
    for market in place.login.client.markets.values():
        ticker = tickers.get(market["id"]) if market["spot"] else None
        price = number(ticker.get("usdIndexPrice")) if ticker else None
        if price and market["quote"] in DOLLARS:
            found[market["base"]] = price
    return found


async def networks(place: Place, assets: Collection[str]) -> Mapping[str, NetworkTerms]:
    """Read fee, minimum, accuracy and state of withdrawals, by ``asset:network``.

    A chain that charges a share of the amount is closed to us: its fee is no figure.
    """
    terms = dict[str, NetworkTerms]()
    for asset in sorted(assets):
        reply = await place.login.call("private_get_v5_asset_coin_query_info", {"coin": asset})
        for row in result(reply).get("rows") or ():
            for chain in row.get("chains") or ():
                fee = number(chain.get("withdrawFee"))
                shares = bool(number(chain.get("withdrawPercentageFee")))
                terms[f"{asset}:{text(chain, 'chain')}"] = NetworkTerms(
                    fee=fee or ZERO,
                    minimum=number(chain.get("withdrawMin")) or ZERO,
                    step=step_of(chain.get("minAccuracy"), 8),
                    open=(
                        str(chain.get("chainWithdraw")) == "1" and fee is not None and not shares
                    ),
                )
    return terms
