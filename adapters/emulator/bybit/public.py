"""Public market data: time, instruments, tickers, books, risk limits, funding rates."""

from decimal import Decimal

from allocator.adapters.emulator import notices
from allocator.adapters.emulator.bybit.host import PUBLIC, row
from allocator.adapters.emulator.bybit.words import (
    category,
    instrument_of,
    instruments,
    page,
    usd,
)
from allocator.adapters.emulator.errors import VenueError
from allocator.adapters.emulator.events import HOUR_MS, next_funding_ms
from allocator.adapters.emulator.market import Instrument
from allocator.adapters.emulator.wire import Call, Json, plain

TIERS_A_PAGE = 15


def market_time(call: Call) -> Json:
    """Return the server's time in seconds and nanoseconds."""
    return {
        "timeSecond": str(call.now_ms // 1000),
        "timeNano": str(call.now_ms * 1_000_000),
    }


def system_status(call: Call) -> Json:
    """Return maintenance windows, of trading in futures and spot; limited: of some users."""
    notice = notices.notice_of(call, "bybit")
    if notice.state == "open":
        return {"list": []}
    return {
        "list": [
            {
                "id": "4d95b2a0-587f-11f0-bcc9-56f28c94d6ea",
                "title": notice.title,
                "state": "scheduled" if notice.state == "scheduled" else "ongoing",
                "begin": notices.time(notice.begin_ms),
                "end": notices.time(notice.end_ms),
                "href": "",
                "serviceTypes": [1, 2, 3, 4, 5],
                "product": [1, 2],
                "uidSuffix": [7] if notice.state == "limited" else [],
                "maintainType": 1,
                "env": 1,
            }
        ]
    }


def instruments_info(call: Call) -> Json:
    """Return the instruments of a category; other states than trading hold none."""
    if call.text("category") == "option":
        return {"category": "option", "nextPageCursor": "", "list": []}
    if call.text("status", "Trading") != "Trading":
        return {"category": category(call), "list": [], "nextPageCursor": ""}
    found = instruments(call)
    if category(call) == "spot":
        return {"category": "spot", "list": [_spot(i) for i in found]}
    chosen, cursor = page(call, found, 500, 1000)
    return {
        "category": category(call),
        "list": [_contract(i) for i in chosen],
        "nextPageCursor": cursor,
    }


def tickers(call: Call) -> Json:
    """Return the tickers of a category."""
    describe = _spot_ticker if category(call) == "spot" else _contract_ticker
    return {"category": category(call), "list": [describe(call, i) for i in instruments(call)]}


def orderbook(call: Call) -> Json:
    """Return the book; `limit` levels a side (25 by default, spot 1)."""
    instrument = instrument_of(call)
    depth = int(call.text("limit", "1" if instrument.payoff == "spot" else "25"))
    if not 1 <= depth <= 500:
        raise VenueError(10001, "params error: limit invalid")
    book = call.exchange.book(instrument)
    return {
        "s": instrument.symbol,
        "b": [[plain(p), plain(q)] for p, q in book.bids[:depth]],
        "a": [[plain(p), plain(q)] for p, q in book.asks[:depth]],
        "ts": call.now_ms,
        "u": call.now_ms % 100_000_000,
        "seq": call.now_ms,
        "cts": call.now_ms,
    }


def risk_limit(call: Call) -> Json:
    """Return the risk tiers, whole instruments a page."""
    if category(call) in {"spot", "option"}:
        raise VenueError(10001, "params error: Illegal category")
    rows = [
        _tier(instrument, number)
        for instrument in instruments(call)
        for number in range(len(instrument.tiers))
    ]
    start = int(call.text("cursor", "0"))
    chosen = rows[start : start + TIERS_A_PAGE]
    after = start + len(chosen)
    return {
        "category": category(call),
        "list": list[Json](chosen),
        "nextPageCursor": str(after) if after < len(rows) else "",
    }


def funding_history(call: Call) -> Json:
    """Return the rates at the funding times before now: the current one, unchanged."""
    instrument = instrument_of(call)
    if instrument.payoff == "spot":
        raise VenueError(10001, "params error: Illegal category")
    limit = int(call.text("limit", "200"))
    interval_ms = instrument.funding_interval_h * HOUR_MS
    last_ms = next_funding_ms(instrument, call.now_ms) - interval_ms
    quote = call.exchange.quote(instrument)
    rows: list[Json] = [
        {
            "symbol": instrument.symbol,
            "fundingRate": plain(quote.funding_rate),
            "fundingRateTimestamp": str(last_ms - index * interval_ms),
        }
        for index in range(limit)
        if not call.text("startTime")
        or last_ms - index * interval_ms >= int(call.text("startTime"))
    ]
    return {"category": category(call), "list": rows}


def _scale(tick: Decimal) -> str:
    return str(max(0, -int(tick.normalize().as_tuple().exponent)))


def _contract(instrument: Instrument) -> Json:
    linear = instrument.payoff == "linear"
    top = instrument.tiers[0].max_leverage
    return {
        "symbol": instrument.symbol,
        "contractType": "LinearPerpetual" if linear else "InversePerpetual",
        "status": "Trading",
        "baseCoin": instrument.base,
        "quoteCoin": instrument.quote,
        "launchTime": str(instrument.listed_ms),
        "deliveryTime": "0",
        "deliveryFeeRate": "",
        "priceScale": _scale(instrument.tick),
        "leverageFilter": {
            "minLeverage": "1",
            "maxLeverage": format(top, ".2f"),
            "leverageStep": "0.01",
        },
        "priceFilter": {
            "minPrice": plain(instrument.tick),
            "maxPrice": "1999999.8",
            "tickSize": plain(instrument.tick),
        },
        "lotSizeFilter": {
            "maxOrderQty": plain(instrument.max_quantity),
            "minOrderQty": plain(instrument.min_quantity),
            "qtyStep": plain(instrument.lot),
            "postOnlyMaxOrderQty": plain(instrument.max_quantity),
            "maxMktOrderQty": plain(instrument.max_market_quantity),
            "minNotionalValue": plain(instrument.min_notional),
        },
        "unifiedMarginTrade": True,
        "fundingInterval": instrument.funding_interval_h * 60,
        "settleCoin": instrument.settle,
        "copyTrading": "both" if linear else "none",
        "upperFundingRate": "0.005",
        "lowerFundingRate": "-0.005",
        "isPreListing": False,
        "preListingInfo": None,
        "riskParameters": {"priceLimitRatioX": "0.05", "priceLimitRatioY": "0.1"},
        "displayName": "",
        "symbolType": "",
    }


def _spot(instrument: Instrument) -> Json:
    return {
        "symbol": instrument.symbol,
        "baseCoin": instrument.base,
        "quoteCoin": instrument.quote,
        "innovation": "0",
        "status": "Trading",
        "marginTrading": "utaOnly",
        "stTag": "0",
        "lotSizeFilter": {
            "basePrecision": plain(instrument.lot),
            "quotePrecision": "0.0000001",
            "minOrderQty": plain(instrument.min_quantity),
            "maxOrderQty": plain(instrument.max_quantity),
            "minOrderAmt": plain(instrument.min_notional),
            "maxOrderAmt": "8000000",
            "maxLimitOrderQty": plain(instrument.max_quantity),
            "maxMarketOrderQty": plain(instrument.max_market_quantity),
            "postOnlyMaxLimitOrderSize": plain(instrument.max_quantity),
        },
        "priceFilter": {"tickSize": plain(instrument.tick)},
        "riskParameters": {"priceLimitRatioX": "0.05", "priceLimitRatioY": "0.05"},
        "symbolType": "",
    }


def _contract_ticker(call: Call, instrument: Instrument) -> Json:
    quote, book = call.exchange.quote(instrument), call.exchange.book(instrument)
    last = plain(quote.mark)
    turnover = instrument.daily_volume * instrument.contract_size
    turnover = turnover * quote.mark if instrument.payoff == "linear" else turnover / quote.mark
    return {
        "symbol": instrument.symbol,
        "lastPrice": last,
        "indexPrice": plain(quote.index),
        "markPrice": last,
        "prevPrice24h": last,
        "price24hPcnt": "0",
        "highPrice24h": last,
        "lowPrice24h": last,
        "prevPrice1h": last,
        "openInterest": plain(instrument.daily_volume),
        "openInterestValue": usd(turnover),
        "turnover24h": usd(turnover),
        "volume24h": plain(instrument.daily_volume),
        "fundingRate": plain(quote.funding_rate),
        "nextFundingTime": str(next_funding_ms(instrument, call.now_ms)),
        "predictedDeliveryPrice": "",
        "basisRate": "",
        "deliveryFeeRate": "",
        "deliveryTime": "0",
        "ask1Size": plain(book.asks[0][1]),
        "bid1Price": plain(book.bids[0][0]),
        "ask1Price": plain(book.asks[0][0]),
        "bid1Size": plain(book.bids[0][1]),
        "basis": "",
        "preOpenPrice": "",
        "preQty": "",
        "curPreListingPhase": "",
        "fundingIntervalHour": str(instrument.funding_interval_h),
        "basisRateYear": "",
        "fundingCap": "0.005",
    }


def _spot_ticker(call: Call, instrument: Instrument) -> Json:
    quote, book = call.exchange.quote(instrument), call.exchange.book(instrument)
    last = plain(quote.mark)
    return {
        "symbol": instrument.symbol,
        "bid1Price": plain(book.bids[0][0]),
        "bid1Size": plain(book.bids[0][1]),
        "ask1Price": plain(book.asks[0][0]),
        "ask1Size": plain(book.asks[0][1]),
        "lastPrice": last,
        "prevPrice24h": last,
        "price24hPcnt": "0",
        "highPrice24h": last,
        "lowPrice24h": last,
        "turnover24h": usd(instrument.daily_volume * quote.mark),
        "volume24h": plain(instrument.daily_volume),
        "usdIndexPrice": plain(quote.index),
    }


def _tier(instrument: Instrument, number: int) -> Json:
    tier = instrument.tiers[number]
    return {
        "id": number + 1,
        "symbol": instrument.symbol,
        "riskLimitValue": plain(tier.cap),
        "maintenanceMargin": plain(tier.maintenance),
        "initialMargin": usd(1 / tier.max_leverage),
        "isLowestRisk": 1 if number == 0 else 0,
        "maxLeverage": format(tier.max_leverage, ".2f"),
        "mmDeduction": plain(tier.deduction) if number else "",
    }


_ILLEGAL = "category missing or unknown: 10001"
_SYMBOL = "symbol unknown: 10001"
ENDPOINTS = (
    row("GET /v5/market/time", market_time, "v5/market/time", needs=PUBLIC),
    row("GET /v5/system/status", system_status, "v5/system-status", needs=PUBLIC),
    row("GET /v5/market/instruments-info", instruments_info, "v5/market/instrument",
        "spot: one page, no cursor", "pre-launch: empty", _ILLEGAL, _SYMBOL, needs=PUBLIC,
    ),
    row("GET /v5/market/tickers", tickers, "v5/market/tickers", _ILLEGAL, _SYMBOL,
        needs=PUBLIC),
    row("GET /v5/market/orderbook", orderbook, "v5/market/orderbook", _ILLEGAL, _SYMBOL,
        "limit out of range: 10001", needs=PUBLIC),
    row("GET /v5/market/risk-limit", risk_limit, "v5/market/risk-limit", "next page",
        _ILLEGAL, _SYMBOL, needs=PUBLIC),
    row("GET /v5/market/funding/history", funding_history, "v5/market/history-fund-rate",
        _ILLEGAL, _SYMBOL, needs=PUBLIC),
)  # fmt: skip
