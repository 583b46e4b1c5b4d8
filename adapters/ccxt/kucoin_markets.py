"""KuCoin Futures: perpetual contracts settled in USDT, their margin, funding and prices.

The maintenance rate of cross margin is a rising function of the position's value that the venue
computes on request. It is asked for at a few values; the rate at the upper end of each step is
taken for the whole step, which is never below what the venue wants, and the fee of closing is added
as the venue's risk rate adds it. What lies beyond the last step answered is out of bounds.

Sources: the venue's pages "Get Symbol", "Get All Symbols", "Get All Tickers", "Get Cross Margin
Requirement", "Risk Rate of Cross Margin Mode".
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from decimal import ROUND_FLOOR, Decimal

from allocator.adapters.ccxt.failures import RefusalError
from allocator.adapters.ccxt.kucoin_reads import COIN, data_of, rows_of
from allocator.adapters.ccxt.markets import instrument_of, quoted
from allocator.adapters.ccxt.place import Place, text
from allocator.adapters.ccxt.values import JsonObject, moment, number
from allocator.adapters.exact import exactly
from allocator.adapters.figures import daily_range_volatility, rising
from allocator.adapters.sources import AssetPrices
from allocator.models.base import ONE, ZERO, plain
from allocator.models.errors import VenueError
from allocator.models.intents import Quote
from allocator.models.market import Funding, Instrument, Tier

TIERS_AGE_S = 600.0
STEPS = (Decimal(100_000), Decimal(1_000_000), Decimal(5_000_000), Decimal(20_000_000))
"""Position values, USDT, at which the rate is asked for."""

MILLISECONDS_AN_HOUR = 3_600_000
NANOSECONDS = 1_000_000


async def _contracts(place: Place) -> dict[str, JsonObject]:
    reply = await place.login.shared("futurespublic_get_contracts_active", {})
    return {text(row, "symbol"): row for row in rows_of(reply, "contracts")}


async def _tickers(place: Place) -> dict[str, JsonObject]:
    reply = await place.login.shared("futurespublic_get_alltickers", {})
    return {text(row, "symbol"): row for row in rows_of(reply, "tickers")}


async def instruments(place: Place, wanted: Collection[str]) -> tuple[Instrument, ...]:
    """Read markets by instrument id; one that is no perpetual settled in USDT is left out."""
    markets = place.perpetuals(wanted, COIN)
    return tuple(await asyncio.gather(*(_read(place, market) for market in markets)))


async def _read(place: Place, market: JsonObject) -> Instrument:
    contracts, tickers = await asyncio.gather(_contracts(place), _tickers(place))
    contract, ticker = contracts.get(str(market["id"])), tickers.get(str(market["id"]))
    if contract is None or ticker is None:
        raise VenueError(f"no contract or ticker of {market['id']}")
    return _instrument(place, market, contract, ticker, await _tiers(place, contract))


async def _tiers(place: Place, contract: JsonObject) -> tuple[Tier, ...]:
    # A rebate is nothing that the venue's margin counts on, and so nothing that lowers it.
    fee = max(ZERO, number(text(contract, "takerFeeRate")) or ZERO)
    found = list[Tier]()
    for value in STEPS:
        asked = {
            "symbol": text(contract, "symbol"),
            "positionValue": plain(value),
            "leverage": text(contract, "maxLeverage"),
        }
        try:
            reply = await place.login.shared(
                "futuresprivate_post_cross_requirement", asked, TIERS_AGE_S
            )
        except RefusalError:
            if not found:
                raise
            break
        found.append(tier_of(data_of(reply, "cross requirement"), value, fee))
    return rising(found)


@exactly
def tier_of(row: JsonObject, cap: Decimal, fee: Decimal) -> Tier:
    """Read what a position of a value needs; it holds for every smaller one down to the last."""
    initial = number(text(row, "imr")) or ONE
    return Tier(
        cap=cap,
        maintenance=(number(text(row, "mmr")) or ZERO) + fee,
        max_leverage=max(ONE, (ONE / initial).to_integral_value(ROUND_FLOOR)),
    )


@exactly
def _instrument(
    place: Place, market: JsonObject, contract: JsonObject, ticker: JsonObject,
    tiers: tuple[Tier, ...],
) -> Instrument:  # fmt: skip
    return instrument_of(
        place.venue,
        market,
        {
            "bid": number(ticker.get("bestBidPrice")),
            "ask": number(ticker.get("bestAskPrice")),
            "mark": number(text(contract, "markPrice")),
            "daily_volume": number(contract.get("turnoverOf24h")),
            "daily_volatility": daily_range_volatility(
                number(contract.get("highPrice")), number(contract.get("lowPrice"))
            ),
            "funding": _funding(contract),
            "status": "open" if text(contract, "status") == "Open" else "halted",
            "tiers": tiers,
        },
    )


def _funding(contract: Mapping[str, object]) -> Funding:
    row = dict(contract)
    at = number(row.get("nextFundingRateDateTime"))
    return Funding(
        rate=number(text(row, "fundingFeeRate")) or ZERO,
        interval_h=Decimal(text(row, "fundingRateGranularity")) / MILLISECONDS_AN_HOUR,
        next_at=moment(int(at)) if at else None,
    )


async def quote(place: Place, instrument: str) -> Quote:
    """Read best prices.

    Raises
    ------
    VenueError
        When a side of the book is empty, or nothing usable came.
    """
    asked = {"symbol": place.market(instrument)["id"]}
    told, marked = await asyncio.gather(
        place.login.call("futurespublic_get_ticker", asked),
        place.login.call("futurespublic_get_mark_price_symbol_current", asked),
    )
    row = data_of(told, "ticker")
    bid, ask = number(row.get("bestBidPrice")), number(row.get("bestAskPrice"))
    mark = number(data_of(marked, "mark price").get("value"))
    at = moment(int(text(row, "ts")) // NANOSECONDS)
    return quoted(instrument, (bid, ask, mark), at)


async def prices(place: Place) -> AssetPrices:
    """Read the indices that contracts in USDT follow; they are in USDT, taken for a dollar."""
    contracts = await _contracts(place)
    found = dict(
        (str(market["base"]), number(contracts[market["id"]].get("indexPrice")))
        for market in place.login.client.markets.values()
        if market["swap"] and market["settle"] == COIN and market["id"] in contracts
    )
    return {asset: price for asset, price in found.items() if price}
