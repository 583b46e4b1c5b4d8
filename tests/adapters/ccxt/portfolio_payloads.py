"""Answers of Binance portfolio margin as its documentation shows them, with figures that fit.

Shapes: the examples of the pages Account Information, Account Balance, Query UM Position
Information, Query CM Position Information, UM Notional and Leverage Brackets, Get User Commission
Rate for UM, New UM Order, Query UM Order, UM Account Trade List, Query All Current UM Open Orders,
Query All Current UM Open Algo Orders, Query All Current CM Open Conditional Orders
(developers.binance.com, derivatives/portfolio-margin), Portfolio Margin Collateral Rate, Query
Portfolio Margin Asset Index Price (portfolio-margin-pro/market-data), User Universal Transfer
(wallet/asset), System Status (wallet), Exchange Information of the three services. The position of
the page, 0.001 BTC from 22,185.2 marked at 21,123.05052574, is kept; cash is chosen, and what the
account states follows:

USDT 1000 - 1.06214947 = 998.93785053; BTC 0.1 - 0.02 borrowed - 0 = none of it in the table; BTC
0.05 at 21,120 is 1,056, counted at 0.95: 1,003.2. Equity 2,054.93785053, counted 2,002.13785053;
maintenance 21.12305052 * 0.004 = 0.08449220.
"""

from typing import Any

from allocator.adapters.emulator.wire import Call, Reply
from tests.adapters.ccxt.recorded import Recorded, Refusals

HOST = "papi.binance.com"
HOSTS = ("api.binance.com", "fapi.binance.com", "dapi.binance.com")
P = "/papi/v1"


def no(code: int, words: str = "refused") -> Reply:
    return Reply({"code": code, "msg": words}, 400)


def asset(coin: str, margin: str, um: str, **other: str) -> dict[str, Any]:
    return {
        "asset": coin, "totalWalletBalance": "0", "crossMarginAsset": margin,
        "crossMarginBorrowed": "0.00000000", "crossMarginFree": margin,
        "crossMarginInterest": "0.00000000", "crossMarginLocked": "0.00000000",
        "umWalletBalance": um, "umUnrealizedPNL": "0.00000000", "cmWalletBalance": "0.00000000",
        "cmUnrealizedPNL": "", "updateTime": 1617939110373, "negativeBalance": "0", **other,
    }  # fmt: skip


USDT = asset("USDT", "900.00000000", "100.00000000", umUnrealizedPNL="-1.06214947")
BTC = asset("BTC", "0.05000000", "0.00000000")
ACCOUNT: dict[str, Any] = {
    "uniMMR": "23696.12639287", "accountEquity": "2002.13785053", "actualEquity": "2054.93785053",
    "accountInitialMargin": "5.28076263", "accountMaintMargin": "0.08449220",
    "accountStatus": "NORMAL", "virtualMaxWithdrawAmount": "1996.85708790",
    "totalAvailableBalance": "", "totalMarginOpenLoss": "", "updateTime": 1657707212154,
}  # fmt: skip
POSITION: dict[str, Any] = {
    "symbol": "BTCUSDT", "positionAmt": "0.001", "entryPrice": "22185.2",
    "markPrice": "21123.05052574", "unRealizedProfit": "-1.06214947",
    "liquidationPrice": "6170.20509059", "leverage": "4", "maxNotionalValue": "100000000",
    "positionSide": "BOTH", "notional": "21.12305052", "updateTime": 1655217461579,
}  # fmt: skip
FLAT: dict[str, Any] = {
    "symbol": "BTCUSD_PERP", "positionAmt": "0", "entryPrice": "0.0", "markPrice": "0.00000000",
    "unRealizedProfit": "0.00000000", "liquidationPrice": "0", "leverage": "20", "maxQty": "50",
    "positionSide": "BOTH", "updateTime": 0, "notionalValue": "0",
}  # fmt: skip
BRACKETS = [
    {"bracket": 1, "initialLeverage": 125, "notionalCap": 50000, "notionalFloor": 0,
     "maintMarginRatio": 0.004, "cum": 0.0},
    {"bracket": 2, "initialLeverage": 100, "notionalCap": 250000, "notionalFloor": 50000,
     "maintMarginRatio": 0.005, "cum": 50.0},
]  # fmt: skip
COINS = [
    {"bracket": 1, "initialLeverage": 125, "qtyCap": 5, "qtyFloor": 0, "maintMarginRatio": 0.004,
     "cum": 0.0},
]  # fmt: skip


def order(**other: Any) -> dict[str, Any]:
    return {
        "avgPrice": "0.00000", "clientOrderId": "0123456789abcdef0123456789abcdef", "cumQuote": "0",
        "executedQty": "0", "orderId": 1917641, "origQty": "0.003", "origType": "LIMIT",
        "price": "21100", "reduceOnly": False, "side": "SELL", "positionSide": "BOTH",
        "status": "NEW", "symbol": "BTCUSDT", "time": 1579276756075, "timeInForce": "GTX",
        "type": "LIMIT", "updateTime": 1579276756075, "selfTradePreventionMode": "NONE",
        "goodTillDate": 0, **other,
    }  # fmt: skip


def algo(**other: Any) -> dict[str, Any]:
    return {
        "algoId": 2148627, "clientAlgoId": "MRumok0dkhrP4kCm12AHaB", "algoType": "CONDITIONAL",
        "orderType": "TAKE_PROFIT", "symbol": "BTCUSDT", "side": "SELL", "positionSide": "BOTH",
        "timeInForce": "GTC", "quantity": "0.01", "algoStatus": "NEW", "actualOrderId": "",
        "actualPrice": "0.00000", "triggerPrice": "25000.0", "price": "24990.0",
        "icebergQuantity": None, "tpTriggerPrice": "0.0", "tpPrice": "0.0",
        "slTriggerPrice": "0.0", "slPrice": "0.0", "tpOrderType": "",
        "selfTradePreventionMode": "EXPIRE_MAKER", "workingType": "CONTRACT_PRICE",
        "priceMatch": "NONE", "closePosition": False, "priceProtect": False, "reduceOnly": False,
        "createTime": 1750514941540, "updateTime": 1750514941540, "triggerTime": 0,
        "goodTillDate": 0, **other,
    }  # fmt: skip


def strategy(**other: Any) -> dict[str, Any]:
    return {
        "newClientStrategyId": "abc", "strategyId": 123445, "strategyStatus": "NEW",
        "strategyType": "TRAILING_STOP_MARKET", "origQty": "4", "price": "0", "reduceOnly": False,
        "side": "BUY", "positionSide": "BOTH", "stopPrice": "9300", "symbol": "BTCUSD_PERP",
        "bookTime": 1566818724710, "updateTime": 1566818724722, "timeInForce": "GTC",
        "activatePrice": "9020", "priceRate": "0.3", **other,
    }  # fmt: skip


def trade(size: str, fee: str, order_id: int = 1917641) -> dict[str, Any]:
    return {
        "symbol": "BTCUSDT", "id": 67880589, "orderId": order_id, "side": "SELL",
        "price": "21100.00", "qty": size, "realizedPnl": "0", "quoteQty": "0", "commission": fee,
        "commissionAsset": "USDT", "time": 1680688557875, "buyer": False, "maker": False,
        "positionSide": "BOTH",
    }  # fmt: skip


def _market(name: str, base: str, quote: str, **other: Any) -> dict[str, Any]:
    filters = [
        {"filterType": "PRICE_FILTER", "minPrice": "0.10", "maxPrice": "1000000",
         "tickSize": "0.10"},
        {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "1000", "stepSize": "0.001"},
        {"filterType": "MIN_NOTIONAL", "notional": "5"},
    ]  # fmt: skip
    return {
        "symbol": name, "pair": base + quote, "contractType": "PERPETUAL", "status": "TRADING",
        "baseAsset": base, "quoteAsset": quote, "marginAsset": quote, "pricePrecision": 1,
        "quantityPrecision": 3, "baseAssetPrecision": 8, "quotePrecision": 8,
        "deliveryDate": 4133404800000, "onboardDate": 1569398400000, "filters": filters,
        "orderTypes": ["LIMIT"], "timeInForce": ["GTC", "IOC", "FOK", "GTX"], **other,
    }  # fmt: skip


UM = _market("BTCUSDT", "BTC", "USDT")
CM = _market("BTCUSD_PERP", "BTC", "USD", marginAsset="BTC", contractStatus="TRADING",
             contractSize=100)  # fmt: skip
SPOT = _market("BTCUSDT", "BTC", "USDT", isSpotTradingAllowed=True, permissions=["SPOT"])


def _now(call: Call) -> Any:
    return {"serverTime": call.now_ms}


def _prices(name: str) -> dict[str, Any]:
    return {"symbol": name, "bidPrice": "21122.9", "bidQty": "4", "askPrice": "21123.1",
            "askQty": "9", "time": 1589437530011}  # fmt: skip


def _mark(name: str) -> dict[str, Any]:
    return {"symbol": name, "markPrice": "21123.05052574", "indexPrice": "21120.0",
            "lastFundingRate": "0.00010000", "nextFundingTime": 1597392000000,
            "interestRate": "0.0001", "time": 1597370495002}  # fmt: skip


def _day(name: str) -> dict[str, Any]:
    return {"symbol": name, "highPrice": "22000", "lowPrice": "20500", "volume": "8913",
            "quoteVolume": "188000000"}  # fmt: skip


def table() -> dict[str, Any]:
    """Everything that a gather and its writes ask."""
    public = {
        f"GET /{service}/{path}": answer
        for service, market in (("fapi/v1", UM), ("dapi/v1", CM))
        for path, answer in (
            ("exchangeInfo", {"symbols": [market], "serverTime": 0}),
            ("time", _now),
            ("ticker/bookTicker", [_prices(market["symbol"])]),
            ("premiumIndex", [_mark(market["symbol"])]),
            ("fundingInfo", []),
            ("ticker/24hr", [_day(market["symbol"])]),
        )
    }
    sides = {
        f"GET {P}/{side}/{path}": answer
        for side, symbol, brackets in (("um", "BTCUSDT", BRACKETS), ("cm", "BTCUSD_PERP", COINS))
        for path, answer in (
            ("positionRisk", [POSITION] if side == "um" else [FLAT]),
            ("openOrders", []),
            ("positionSide/dual", {"dualSidePosition": False}),
            ("leverageBracket", [{"symbol": symbol, "brackets": brackets}]),
            ("commissionRate", {"symbol": symbol, "makerCommissionRate": "0.0002",
                                "takerCommissionRate": "0.0004"}),
            ("order", no(-2013, "Order does not exist.")),
            ("allOrders", []),
            ("userTrades", []),
        )
    }  # fmt: skip
    return {
        **public, **sides,
        f"GET {P}/um/algo/openAlgoOrders": [],
        f"GET {P}/cm/conditional/openOrders": [],
        "GET /api/v3/exchangeInfo": {"symbols": [SPOT], "serverTime": 0},
        "GET /api/v3/time": _now,
        "GET /sapi/v1/system/status": {"status": 0, "msg": "normal"},
        "GET /api/v3/ticker/bookTicker": [_prices("BTCUSDT")],
        "GET /api/v3/account": {"balances": [
            {"asset": "USDT", "free": "12345678901234567890.5", "locked": "0.1"}]},
        "GET /api/v3/openOrders": [],
        f"GET {P}/account": ACCOUNT,
        f"GET {P}/balance": [USDT, BTC],
        "GET /sapi/v1/portfolio/collateralRate": [
            {"asset": "USDT", "collateralRate": "1.0000"},
            {"asset": "BTC", "collateralRate": "0.9500"}],
        "GET /sapi/v1/portfolio/asset-index-price": [
            {"asset": "USDT", "assetIndexPrice": "1.0", "time": 1683518338121},
            {"asset": "BTC", "assetIndexPrice": "21120.0", "time": 1683518338121}],
        f"POST {P}/um/order": order(),
        f"DELETE {P}/um/order": order(status="CANCELED"),
        f"POST {P}/cm/order": order(symbol="BTCUSD_PERP"),
        "POST /sapi/v1/asset/transfer": {"tranId": 13526853623},
        "GET /sapi/v1/asset/transfer": {"total": 0, "rows": []},
    }  # fmt: skip


def moved(state: str = "CONFIRMED", kind: str = "PORTFOLIO_MARGIN_MAIN") -> dict[str, Any]:
    return {"total": 1, "rows": [
        {"asset": "USDT", "amount": "0.1", "type": kind, "status": state, "tranId": 13526853623,
         "timestamp": 1544433325000}]}  # fmt: skip


def filled(key: str) -> dict[str, Any]:
    return {
        f"GET {P}/um/order": order(
            clientOrderId=key, status="FILLED", executedQty="0.003", avgPrice="21100.00"
        ),
        f"GET {P}/um/userTrades": [
            trade("0.001", "0.00844"), trade("0.002", "0.01688"), trade("1", "9", 5),
        ],
    }  # fmt: skip


def exact(units: str) -> dict[str, Any]:
    return {
        f"GET {P}/balance": [asset("USDT", units, "0")],
        f"GET {P}/um/positionRisk": [],
        f"GET {P}/account": {**ACCOUNT, "accountEquity": units, "actualEquity": units,
                             "accountMaintMargin": "0", "uniMMR": "999"},
    }  # fmt: skip


RECORDED = Recorded(
    venue="binance",
    name="binance portfolio margin",
    host=HOST,
    hosts=HOSTS,
    table=table,
    login={"key": "pm-key", "secret": "pm-secret"},
    accounts=(
        {"id": "pm", "wallet": "unified", "instruments": ["BTC/USDT:USDT", "BTC/USD:BTC"]},
        {"id": "spot", "wallet": "spot"},
        {"id": "cards", "wallet": "funding"},
    ),
    instrument="binance:BTC/USDT:USDT",
    quantity="0.003",
    price="21100",
    trades="pm",
    sends="pm",
    receives="spot",
    order=f"POST {P}/um/order",
    cancel=f"DELETE {P}/um/order",
    moved="POST /sapi/v1/asset/transfer",
    lookup=f"GET {P}/um/order",
    reads=f"GET {P}/balance",
    refusals=Refusals(
        funds=no(-2019, "Margin is insufficient."),
        step=no(-1111, "Precision is over the maximum defined for this asset."),
        stale=no(-1021, "Timestamp for this request is outside of the recvWindow."),
        post_only=no(-5022, "Due to the order could not be executed as maker."),
        reduce_only=no(-2022, "ReduceOnly Order is rejected."),
        gone=no(-2011, "Unknown order sent."),
        duplicate=no(-4116, "ClientOrderId is duplicated."),
    ),
    found=filled,
    resting=lambda key: {f"GET {P}/um/order": order(clientOrderId=key)},
    named="0123456789abcdef0123456789abcdef",
    standing=lambda name: {f"GET {P}/um/openOrders": [order(clientOrderId=name)]},
    transferred=lambda key: {"GET /sapi/v1/asset/transfer": moved()},
    fees={"USDT": "0.02532"},
    step_quantity="0.0030001",
    market="BTCUSDT",
    unequal=lambda: {f"GET {P}/account": {**ACCOUNT, "actualEquity": "2200"}},
    exact=exact,
    exact_in=("pm", "USDT"),
    unable=frozenset(
        {"batch_orders", "dead_man_s", "moves", "transfer_key", "sees_deposits", "withdrawals"}
    ),
)  # fmt: skip
