"""Public data: time, instruments, prices, books, funding, position tiers, discount rates."""

from collections.abc import Mapping
from decimal import Decimal

from allocator.adapters.emulator import notices
from allocator.adapters.emulator.events import HOUR_MS, next_funding_ms
from allocator.adapters.emulator.market import Instrument
from allocator.adapters.emulator.okx.host import INSTRUMENT, IP, PUBLIC, row
from allocator.adapters.emulator.okx.margin import STEPS
from allocator.adapters.emulator.okx.words import (
    family,
    figure,
    instrument_named,
    instruments,
    kind_of,
    required,
    wrong,
)
from allocator.adapters.emulator.wire import Call, Json, plain

GROUPS = {"SPOT": "12", "SWAP": "4"}
MOST_FAMILIES = 5


def system_time(call: Call) -> Json:
    """Return the server's time."""
    return [{"ts": str(call.now_ms)}]


STATES: Mapping[notices.State, str] = {
    "scheduled": "scheduled", "maintenance": "ongoing", "limited": "pre_open",
}  # fmt: skip


def system_status(call: Call) -> Json:
    """Return maintenance that is planned or under way, of trading; limited: before it opens."""
    notice = notices.notice_of(call, "okx")
    if notice.state == "open":
        return []
    return [
        {
            "begin": notices.time(notice.begin_ms),
            "end": notices.time(notice.end_ms),
            "env": "1",
            "href": "",
            "maintType": "1",
            "preOpenBegin": notices.time(notice.begin_ms) if notice.state == "limited" else "",
            "scheDesc": "",
            "serviceType": "5",
            "state": notices.word(notice, STATES),
            "system": "unified",
            "title": notice.title,
        }
    ]


def instruments_of(call: Call) -> Json:
    """Return the instruments of a type."""
    rows = instruments(call, kind_of(call))
    return [{"alias": "", "category": "1", **_instrument(i)} for i in rows]


def account_instruments(call: Call) -> Json:
    """Return the instruments of a type as an account sees them, with its own limits."""
    return [{**_instrument(i), **_limits(i)} for i in instruments(call, kind_of(call))]


def tickers(call: Call) -> Json:
    """Return the tickers of a type."""
    return [_ticker(call, i) for i in instruments(call, kind_of(call))]


def ticker(call: Call) -> Json:
    """Return one ticker."""
    return [_ticker(call, instrument_named(call.exchange, required(call, "instId")))]


def mark_price(call: Call) -> Json:
    """Return mark prices of a type of contracts."""
    return [
        {
            "instType": i.market,
            "instId": i.symbol,
            "markPx": plain(call.exchange.quote(i).mark),
            "ts": str(call.now_ms),
        }
        for i in instruments(call, kind_of(call))
    ]


def index_tickers(call: Call) -> Json:
    """Return index prices by quote currency, or one index."""
    quote, name = call.text("quoteCcy"), call.text("instId")
    if not quote and not name:
        raise wrong("quoteCcy or instId")
    rows: list[Json] = []
    for price in call.exchange.ledger.prices:
        index = f"{price.coin}-USD"
        if (quote and quote != "USD") or (name and name != index):
            continue
        rows.append(
            {
                "instId": index,
                "idxPx": plain(price.usd),
                "high24h": plain(price.usd),
                "sodUtc0": plain(price.usd),
                "open24h": plain(price.usd),
                "low24h": plain(price.usd),
                "sodUtc8": plain(price.usd),
                "ts": str(call.now_ms),
            }
        )
    return rows


def books(call: Call) -> Json:
    """Return the book; `sz` levels a side, one by default."""
    instrument = instrument_named(call.exchange, required(call, "instId"))
    depth = int(call.text("sz", "1"))
    if not 1 <= depth <= 400:
        raise wrong("sz")
    book = call.exchange.book(instrument)
    return [
        {
            "asks": [[plain(p), plain(q), "0", "1"] for p, q in book.asks[:depth]],
            "bids": [[plain(p), plain(q), "0", "1"] for p, q in book.bids[:depth]],
            "ts": str(call.now_ms),
            "seqId": call.now_ms,
        }
    ]


def funding_rate(call: Call) -> Json:
    """Return the rate of the settlement to come, of one contract or of ANY."""
    name = required(call, "instId")
    if name == "ANY":
        rows = [i for i in call.exchange.instruments.values() if i.venue == "okx"]
    else:
        rows = [instrument_named(call.exchange, name)]
    if name != "ANY" and rows[0].payoff == "spot":
        raise wrong("instId")
    return [_funding(call, i) for i in rows if i.payoff != "spot"]


def position_tiers(call: Call) -> Json:
    """Return the tiers of up to five families, in contracts."""
    kind = kind_of(call)
    if required(call, "tdMode") not in {"cross", "isolated"}:
        raise wrong("tdMode")
    wanted = required(call, "instFamily").split(",")
    if len(wanted) > MOST_FAMILIES or kind not in {"SWAP", "FUTURES"}:
        raise wrong("instFamily")
    return [
        _tier(instrument, number)
        for instrument in instruments(call, kind)
        if family(instrument) in wanted
        for number in range(len(instrument.tiers))
    ]


def discount_rates(call: Call) -> Json:
    """Return the discount steps of a currency, or of all."""
    coin = call.text("ccy")
    return [_discount(name, steps) for name, steps in STEPS.items() if coin in {"", name}]


def _limits(instrument: Instrument) -> dict[str, Json]:
    """Return the caps that a master and its sub-accounts share, in USD and percent."""
    spot = instrument.payoff == "spot"
    return {
        "elp": "0",
        "floatPxLmtPct": "0.03",
        "initPxLmtPct": "0.05",
        "instCategory": "1",
        "maxPlatOICoinLmt": "",
        "maxPlatOILmt": "" if spot else "1000000000",
        "maxPxLmtPct": "0.15",
        "posLmtAmt": "" if spot else "2500000",
        "posLmtPct": "" if spot else "30",
    }


def _instrument(instrument: Instrument) -> dict[str, Json]:
    spot = instrument.payoff == "spot"
    inverse = instrument.payoff == "inverse"
    most = plain(instrument.max_quantity)
    return {
        "auctionEndTime": "",
        "baseCcy": instrument.base if spot else "",
        "contTdSwTime": "",
        "ctMult": "" if spot else "1",
        "ctType": "" if spot else instrument.payoff,
        "ctVal": "" if spot else plain(instrument.contract_size),
        "ctValCcy": "" if spot else instrument.quote if inverse else instrument.base,
        "expTime": "",
        "futureSettlement": False,
        "groupId": GROUPS[instrument.market],
        "instFamily": "" if spot else family(instrument),
        "instId": instrument.symbol,
        "instIdCode": 1_000_000_000 + sum(map(ord, instrument.symbol)),
        "instType": instrument.market,
        "lever": "" if spot else plain(instrument.tiers[0].max_leverage),
        "listTime": str(instrument.listed_ms),
        "lotSz": plain(instrument.lot),
        "maxIcebergSz": most,
        "maxLmtAmt": "20000000",
        "maxLmtSz": most,
        "maxMktAmt": "1000000" if spot else "",
        "maxMktSz": "1000000" if spot else plain(instrument.max_market_quantity),
        "maxStopSz": plain(instrument.max_market_quantity),
        "maxTriggerSz": most,
        "maxTwapSz": most,
        "minSz": plain(instrument.min_quantity),
        "openType": "",
        "optType": "",
        "preMktSwTime": "",
        "quoteCcy": instrument.quote if spot else "",
        "ruleType": "normal",
        "settleCcy": "" if spot else instrument.settle,
        "state": "live",
        "stk": "",
        "tickSz": plain(instrument.tick),
        "tradeQuoteCcyList": [instrument.quote] if spot else [],
        "uly": "" if spot else family(instrument),
        "upcChg": [],
    }


def _ticker(call: Call, instrument: Instrument) -> Json:
    quote, book = call.exchange.quote(instrument), call.exchange.book(instrument)
    last, volume = plain(quote.mark), instrument.daily_volume
    base = volume * instrument.contract_size
    if instrument.payoff != "linear":
        base = base * quote.mark if instrument.payoff == "spot" else base / quote.mark
    return {
        "instType": instrument.market,
        "instId": instrument.symbol,
        "last": last,
        "lastSz": plain(instrument.lot),
        "askPx": plain(book.asks[0][0]),
        "askSz": plain(book.asks[0][1]),
        "bidPx": plain(book.bids[0][0]),
        "bidSz": plain(book.bids[0][1]),
        "open24h": last,
        "high24h": last,
        "low24h": last,
        "volCcy24h": figure(base),
        "vol24h": plain(volume),
        "sodUtc0": last,
        "sodUtc8": last,
        "ts": str(call.now_ms),
    }


def _funding(call: Call, instrument: Instrument) -> Json:
    quote = call.exchange.quote(instrument)
    due_ms = next_funding_ms(instrument, call.now_ms)
    return {
        "formulaType": "noRate",
        "fundingRate": plain(quote.funding_rate),
        "fundingTime": str(due_ms),
        "impactValue": "",
        "instId": instrument.symbol,
        "instType": instrument.market,
        "interestRate": "",
        "maxFundingRate": "0.00375",
        "method": "current_period",
        "minFundingRate": "-0.00375",
        "nextFundingRate": "",
        "nextFundingTime": str(due_ms + instrument.funding_interval_h * HOUR_MS),
        "premium": "0",
        "settFundingRate": plain(quote.funding_rate),
        "settState": "settled",
        "ts": str(call.now_ms),
    }


def _tier(instrument: Instrument, number: int) -> Json:
    tier = instrument.tiers[number]
    below = instrument.tiers[number - 1].cap + instrument.lot if number else Decimal(0)
    return {
        "baseMaxLoan": "",
        "imr": figure(1 / tier.max_leverage),
        "instFamily": family(instrument),
        "instId": "",
        "maxLever": plain(tier.max_leverage),
        "maxSz": plain(tier.cap),
        "minSz": plain(below),
        "mmr": plain(tier.maintenance),
        "optMgnFactor": "0",
        "quoteMaxLoan": "",
        "tier": str(number + 1),
        "uly": family(instrument),
    }


def _discount(coin: str, steps: tuple[tuple[Decimal, Decimal], ...]) -> Json:
    floor, counted, rows = Decimal(0), Decimal(0), list[Json]()
    for number, (cap, rate) in enumerate(steps, start=1):
        ends = cap.is_finite()
        counted += (cap - floor) * rate if ends else 0
        rows.append(
            {
                "discountRate": plain(rate),
                "liqPenaltyRate": plain(1 - rate),
                "maxAmt": plain(cap) if ends else "",
                "minAmt": plain(floor),
                "tier": str(number),
                "disCcyEq": plain(counted) if ends else "",
            }
        )
        floor = cap
    return {
        "amt": "0",
        "ccy": coin,
        "colRes": "0",
        "collateralRestrict": False,
        "details": rows,
        "discountLv": "1",
        "minDiscountRate": "0",
    }


_TOO_MANY = "over the limit: 50011"
_KIND = "instType missing: 50014, unknown: 51000"
_NAME = "instId unknown: 51001"
ENDPOINTS = (
    row("GET public/time", system_time, "public-data-rest-api-get-system-time", _TOO_MANY,
        limit="10/2s ip", needs=PUBLIC),
    row("GET system/status", system_status, "status-get-status", _TOO_MANY, limit="1/5s ip",
        needs=PUBLIC),
    row("GET public/instruments", instruments_of, "public-data-rest-api-get-instruments", _KIND,
        _NAME, _TOO_MANY, limit=f"20/2s {IP} instType", needs=PUBLIC),
    row("GET market/tickers", tickers, "order-book-trading-market-data-get-tickers", _KIND,
        _TOO_MANY, limit="20/2s ip", needs=PUBLIC),
    row("GET market/ticker", ticker, "order-book-trading-market-data-get-ticker", _NAME,
        _TOO_MANY, limit="20/2s ip", needs=PUBLIC),
    row("GET market/index-tickers", index_tickers, "public-data-rest-api-get-index-tickers",
        "neither quoteCcy nor instId: 51000", _TOO_MANY, limit="20/2s ip", needs=PUBLIC),
    row("GET market/books", books, "order-book-trading-market-data-get-order-book", _NAME,
        "sz out of range: 51000", _TOO_MANY, limit="40/2s ip", needs=PUBLIC),
    row("GET public/mark-price", mark_price, "public-data-rest-api-get-mark-price", _KIND, _NAME,
        _TOO_MANY, limit=f"10/2s {IP} {INSTRUMENT}", needs=PUBLIC),
    row("GET public/funding-rate", funding_rate, "public-data-rest-api-get-funding-rate", "ANY",
        "spot: 51000", _NAME, _TOO_MANY, limit=f"10/2s {IP} {INSTRUMENT}", needs=PUBLIC),
    row("GET public/position-tiers", position_tiers, "public-data-rest-api-get-position-tiers",
        "tdMode or instFamily missing: 50014, more than five: 51000", _KIND, _TOO_MANY,
        limit="10/2s ip", needs=PUBLIC),
    row("GET public/discount-rate-interest-free-quota", discount_rates,
        "public-data-rest-api-get-discount-rate-and-interest-free-quota", _TOO_MANY,
        limit="2/2s ip", needs=PUBLIC),
)  # fmt: skip
