"""Instruments as `exchangeInfo` lists them, for each of the three hosts.

Pages: Exchange Information (spot, USD-M, COIN-M).
"""

from decimal import Decimal

from allocator.adapters.emulator.binance.limits import LIMITS
from allocator.adapters.emulator.binance.words import API, FAPI, eight, instruments_of, pair
from allocator.adapters.emulator.market import Instrument
from allocator.adapters.emulator.wire import Call, Json, plain

NEVER_MS = 4_133_404_800_000
PRICE_BAND = (Decimal("1.05"), Decimal("0.95"))
FUTURES_ORDER_TYPES: list[Json] = ["LIMIT", "MARKET"]
FUTURES_TIMES: list[Json] = ["GTC", "IOC", "FOK", "GTX"]
SPOT_ORDER_TYPES: list[Json] = ["LIMIT", "LIMIT_MAKER", "MARKET"]
PREVENTION: list[Json] = ["EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"]


def exchange_information(call: Call) -> Json:
    """Return the rules of every instrument of the host."""
    build = {API: _spot, FAPI: _usdm}.get(call.host, _coinm)
    reply: dict[str, Json] = {
        "timezone": "UTC",
        "serverTime": call.now_ms,
        "rateLimits": _rate_limits(call.host),
        "exchangeFilters": [],
        "symbols": [build(i) for i in instruments_of(call)],
    }
    if call.host == FAPI:
        reply["futuresType"] = "U_MARGINED"
        reply["assets"] = [
            {"asset": "USDT", "marginAvailable": True, "autoAssetExchange": "-10000"},
            {"asset": "USDC", "marginAvailable": True, "autoAssetExchange": "-10000"},
        ]
    return reply


def _rate_limits(host: str) -> list[Json]:
    limits = LIMITS[host]
    rows = (
        ("REQUEST_WEIGHT", "MINUTE", 1, limits.weight),
        ("ORDERS", "SECOND", 10, limits.orders_10s),
        ("ORDERS", "MINUTE", 1, limits.orders_1m),
    )
    return [
        {"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit}
        for kind, interval, number, limit in rows
    ]


def _decimals(step: Decimal) -> int:
    exponent = step.normalize().as_tuple().exponent
    return max(0, -int(exponent))


def _spot(instrument: Instrument) -> Json:
    return {
        "symbol": instrument.symbol,
        "status": "TRADING",
        "baseAsset": instrument.base,
        "baseAssetPrecision": 8,
        "quoteAsset": instrument.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": SPOT_ORDER_TYPES,
        "icebergAllowed": False,
        "ocoAllowed": False,
        "otoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": False,
        "amendAllowed": False,
        "pegInstructionsAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": _spot_filters(instrument),
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": PREVENTION,
    }


def _spot_filters(instrument: Instrument) -> list[Json]:
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": eight(instrument.tick),
            "maxPrice": "1000000.00000000",
            "tickSize": eight(instrument.tick),
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": eight(instrument.min_quantity),
            "maxQty": eight(instrument.max_quantity),
            "stepSize": eight(instrument.lot),
        },
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": eight(Decimal(0)),
            "maxQty": eight(instrument.max_market_quantity),
            "stepSize": eight(Decimal(0)),
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": eight(instrument.min_notional),
            "applyMinToMarket": True,
            "maxNotional": "9000000.00000000",
            "applyMaxToMarket": False,
            "avgPriceMins": 5,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 5},
    ]


def _usdm(instrument: Instrument) -> Json:
    filters = _futures_filters(instrument)
    filters.append({"filterType": "MIN_NOTIONAL", "notional": plain(instrument.min_notional)})
    return {
        **_futures(instrument),
        "status": "TRADING",
        "settlePlan": 0,
        "filters": filters,
    }


def _coinm(instrument: Instrument) -> Json:
    return {
        **_futures(instrument),
        "contractStatus": "TRADING",
        "contractSize": int(instrument.contract_size),
        "equalQtyPrecision": 4,
        "filters": _futures_filters(instrument),
    }


def _futures(instrument: Instrument) -> dict[str, Json]:
    first = instrument.tiers[0]
    return {
        "symbol": instrument.symbol,
        "pair": pair(instrument),
        "contractType": "PERPETUAL",
        "deliveryDate": NEVER_MS,
        "onboardDate": instrument.listed_ms,
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": instrument.base,
        "quoteAsset": instrument.quote,
        "marginAsset": instrument.settle,
        "pricePrecision": _decimals(instrument.tick),
        "quantityPrecision": _decimals(instrument.lot),
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": ["PoW"],
        "triggerProtect": "0.0500",
        "liquidationFee": plain(first.maintenance * 3),
        "marketTakeBound": "0.05",
        "orderTypes": FUTURES_ORDER_TYPES,
        "timeInForce": FUTURES_TIMES,
    }


def _futures_filters(instrument: Instrument) -> list[Json]:
    step, up, down = plain(instrument.lot), *PRICE_BAND
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": plain(instrument.tick),
            "maxPrice": "4529764",
            "tickSize": plain(instrument.tick),
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": plain(instrument.min_quantity),
            "maxQty": plain(instrument.max_quantity),
            "stepSize": step,
        },
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": plain(instrument.min_quantity),
            "maxQty": plain(instrument.max_market_quantity),
            "stepSize": step,
        },
        {"filterType": "MAX_NUM_ORDERS", "limit": 200},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": 10},
        {
            "filterType": "PERCENT_PRICE",
            "multiplierUp": format(up, ".4f"),
            "multiplierDown": format(down, ".4f"),
            "multiplierDecimal": "4",
        },
    ]
