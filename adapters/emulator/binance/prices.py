"""Public market data: time, books, tickers, mark prices and funding terms.

Pages: Order Book, Symbol Order Book Ticker, Symbol Price Ticker, 24hr Ticker Price Change
Statistics, Mark Price, Get Funding Rate Info, Get Funding Rate History (USD-M and COIN-M);
Market Data (spot).
"""

from decimal import Decimal

from allocator.adapters.emulator.binance.words import (
    API,
    DAPI,
    DAY_MS,
    eight,
    instrument_of,
    instruments_of,
    pair,
    stepped,
    whole,
)
from allocator.adapters.emulator.events import HOUR_MS, next_funding_ms
from allocator.adapters.emulator.market import Instrument
from allocator.adapters.emulator.wire import Call, Json, plain

INTEREST_RATE = Decimal("0.0001")
FUNDING_CAP = Decimal("0.02")


def ping(call: Call) -> Json:
    """Answer with nothing."""
    del call
    return {}


def time(call: Call) -> Json:
    """Return the server's clock."""
    return {"serverTime": call.now_ms}


def depth(call: Call) -> Json:
    """Return the book."""
    instrument = instrument_of(call)
    limit = whole(call, "limit", 500 if call.host != API else 100, 5000)
    book = call.exchange.book(instrument)
    reply: dict[str, Json] = {
        "lastUpdateId": call.now_ms,
        "bids": [_level(instrument, level) for level in book.bids[:limit]],
        "asks": [_level(instrument, level) for level in book.asks[:limit]],
    }
    if call.host == API:
        return reply
    reply |= {"E": call.now_ms, "T": call.now_ms}
    if call.host == DAPI:
        reply |= {"symbol": instrument.symbol, "pair": pair(instrument)}
    return reply


def book_ticker(call: Call) -> Json:
    """Return the best bid and ask of one instrument, or of all."""
    return _one_or_all(call, [_best(call, i) for i in instruments_of(call)])


def price_ticker(call: Call) -> Json:
    """Return the last price of one instrument, or of all."""
    rows: list[Json] = []
    for instrument in instruments_of(call):
        row: dict[str, Json] = {"symbol": instrument.symbol, "price": _last(call, instrument)}
        if call.host != API:
            row["time"] = call.now_ms
        if call.host == DAPI:
            row["ps"] = pair(instrument)
        rows.append(row)
    return _one_or_all(call, rows)


def day_ticker(call: Call) -> Json:
    """Return the last day's prices and volume; prices stand still between scripted moves."""
    return _one_or_all(call, [_day(call, i) for i in instruments_of(call)])


def premium_index(call: Call) -> Json:
    """Return mark, index and the funding rate to come."""
    rows: list[Json] = []
    for instrument in instruments_of(call):
        quote = call.exchange.quote(instrument)
        row: dict[str, Json] = {
            "symbol": instrument.symbol,
            "markPrice": eight(quote.mark),
            "indexPrice": eight(quote.index),
            "estimatedSettlePrice": eight(quote.index),
            "lastFundingRate": eight(quote.funding_rate),
            "interestRate": eight(INTEREST_RATE),
            "nextFundingTime": next_funding_ms(instrument, call.now_ms),
            "time": call.now_ms,
        }
        if call.host == DAPI:
            row["pair"] = pair(instrument)
        rows.append(row)
    return _one_or_all(call, rows)


def funding_info(call: Call) -> Json:
    """Return cap, floor and interval of funding."""
    return [
        {
            "symbol": i.symbol,
            "adjustedFundingRateCap": eight(FUNDING_CAP),
            "adjustedFundingRateFloor": eight(-FUNDING_CAP),
            "fundingIntervalHours": i.funding_interval_h,
            "disclaimer": False,
        }
        for i in instruments_of(call)
    ]


def funding_history(call: Call) -> Json:
    """Return the rates at the funding times before now: the current one, unchanged."""
    instrument = instrument_of(call)
    interval_ms = instrument.funding_interval_h * HOUR_MS
    last_ms = next_funding_ms(instrument, call.now_ms) - interval_ms
    end_ms = min(last_ms, whole(call, "endTime", last_ms)) // interval_ms * interval_ms
    limit = whole(call, "limit", 100, 1000)
    start_ms = whole(call, "startTime", end_ms - (limit - 1) * interval_ms)
    first_ms = -(-start_ms // interval_ms) * interval_ms
    quote = call.exchange.quote(instrument)
    rows: list[Json] = [
        {
            "symbol": instrument.symbol,
            "fundingTime": time_ms,
            "fundingRate": eight(quote.funding_rate),
            "markPrice": eight(quote.mark),
        }
        for time_ms in range(first_ms, end_ms + 1, interval_ms)
    ]
    return rows[:limit]


def _one_or_all(call: Call, rows: list[Json]) -> Json:
    """Return one row when a symbol was named; COIN-M sends a list always."""
    return rows[0] if call.text("symbol") and call.host != DAPI else rows


def _level(instrument: Instrument, level: tuple[Decimal, Decimal]) -> Json:
    price, size = level
    if instrument.payoff == "spot":
        return [eight(price), eight(size)]
    return [stepped(price, instrument.tick), stepped(size, instrument.lot)]


def _last(call: Call, instrument: Instrument) -> str:
    mark = call.exchange.quote(instrument).mark
    return eight(mark) if instrument.payoff == "spot" else stepped(mark, instrument.tick)


def _best(call: Call, instrument: Instrument) -> Json:
    book = call.exchange.book(instrument)
    bid, bid_size = _texts(_level(instrument, book.bids[0]))
    ask, ask_size = _texts(_level(instrument, book.asks[0]))
    row: dict[str, Json] = {
        "symbol": instrument.symbol,
        "bidPrice": bid,
        "bidQty": bid_size,
        "askPrice": ask,
        "askQty": ask_size,
    }
    if call.host != API:
        row |= {"time": call.now_ms, "lastUpdateId": call.now_ms}
    if call.host == DAPI:
        row["pair"] = pair(instrument)
    return row


def _texts(level: Json) -> tuple[Json, Json]:
    if not isinstance(level, list):
        raise TypeError(f"not a level: {level!r}")
    return level[0], level[1]


def _day(call: Call, instrument: Instrument) -> Json:
    last, volume = _last(call, instrument), instrument.daily_volume
    mark = call.exchange.quote(instrument).mark
    row: dict[str, Json] = {
        "symbol": instrument.symbol,
        "priceChange": "0.0",
        "priceChangePercent": "0.000",
        "weightedAvgPrice": last,
        "lastPrice": last,
        "lastQty": plain(instrument.lot),
        "openPrice": last,
        "highPrice": last,
        "lowPrice": last,
        "volume": plain(volume),
        "openTime": call.now_ms - DAY_MS,
        "closeTime": call.now_ms,
        "firstId": -1,
        "lastId": -1,
        "count": 0,
    }
    if call.host == DAPI:
        turnover = volume * instrument.contract_size / mark
        return {**row, "pair": pair(instrument), "baseVolume": eight(turnover)}
    row["quoteVolume"] = plain((volume * mark).quantize(Decimal("0.01")))
    if call.host == API:
        book = call.exchange.book(instrument)
        bid, bid_size = _texts(_level(instrument, book.bids[0]))
        ask, ask_size = _texts(_level(instrument, book.asks[0]))
        row |= {"prevClosePrice": last, "bidPrice": bid, "bidQty": bid_size}
        row |= {"askPrice": ask, "askQty": ask_size}
    return row
