"""Answers of KuCoin Futures as its documentation shows them, with figures that belong together.

Shapes: the example answers of the pages "Get Account - Futures", "Get Account List - Spot", "Get
Position List", "Get Symbol", "Get Ticker", "Get Mark Price", "Get Cross Margin Requirement", "Get
Margin Mode", "Get Position Mode", "Get Cross Margin Leverage", "Get Actual Fee - Futures", "Add
Order", "Batch Add Orders", "Get Order By ClientOid", "Get Order List", "Get Stop Order List",
"Cancel Order By ClientOid", "Get Trade History", "Flex Transfer", "Get Account Ledgers - Futures",
"Get Deposit History", "Get Service Status" on www.kucoin.com/docs-new. The position (one contract
of a thousandth from 96,976.80 to 96,985.60, in cross margin at 20) is a page's own; the account's
figures are made to fit it.
"""

from typing import Any

from allocator.adapters.emulator.wire import Call, Reply
from tests.adapters.ccxt import withdrawal_payloads
from tests.adapters.ccxt.recorded import Recorded, Refusals

HOST, SPOT_HOST = "api-futures.kucoin.com", "api.kucoin.com"
V1, V2 = "/api/v1", "/api/v2"


def ok(data: Any) -> dict[str, Any]:
    return {"code": "200000", "data": data}


def no(code: str, words: str = "no", status: int = 200) -> Reply:
    return Reply({"code": code, "msg": words}, status)


ACCOUNT: dict[str, Any] = {
    "currency": "USDT", "accountEquity": 387.224858816, "unrealisedPNL": 0.0088,
    "marginBalance": 387.216058816, "positionMargin": 4.84928, "orderMargin": 0, "frozenFunds": 0,
    "availableBalance": 382.366778816, "riskRatio": 0.0010,
}  # fmt: skip
POSITION: dict[str, Any] = {
    "id": "600000000001260912", "symbol": "XBTUSDTM", "crossMode": True,
    "maintMarginReq": 0.0040000133, "delevPercentage": 0.0, "openingTimestamp": 1768481882915,
    "currentTimestamp": 1768481897988, "currentQty": 1, "currentCost": 96.9768,
    "currentComm": 0.05818608, "unrealisedCost": 96.9768, "realisedGrossCost": 0.0,
    "realisedCost": 0.05818608, "isOpen": True, "markPrice": 96985.6, "markValue": 96.9856,
    "posCost": 96.9768, "posInit": 4.84884, "posMargin": 4.84928, "posMaint": 0.38794369,
    "realisedGrossPnl": 0.0, "realisedPnl": -0.05818608, "unrealisedPnl": 0.0088,
    "unrealisedPnlPcnt": 1.0e-4, "unrealisedRoePcnt": 0.0018, "avgEntryPrice": 96976.8,
    "liquidationPrice": 52351.69, "bankruptPrice": 52110.87, "settleCurrency": "USDT",
    "isInverse": False, "maintainMargin": 0.0040000133, "marginMode": "CROSS",
    "positionSide": "BOTH", "leverage": 20,
}  # fmt: skip


def contract(symbol: str, base: str, **other: Any) -> dict[str, Any]:
    return {
        "symbol": symbol, "rootSymbol": "USDT", "type": "FFWCSX", "firstOpenDate": 1552638575000,
        "expireDate": None, "settleDate": None, "baseCurrency": base, "quoteCurrency": "USDT",
        "settleCurrency": "USDT", "maxOrderQty": 1000000, "maxPrice": 1000000.0, "lotSize": 1,
        "tickSize": 0.1, "indexPriceTickSize": 0.1, "multiplier": 0.001, "initialMargin": 0.008,
        "maintainMargin": 0.004, "maxRiskLimit": 100000, "minRiskLimit": 100000, "riskStep": 50000,
        "makerFeeRate": 2.0e-4, "takerFeeRate": 6.0e-4, "takerFixFee": 0.0, "makerFixFee": 0.0,
        "settlementFee": None, "isDeleverage": True, "isQuanto": True, "isInverse": False,
        "markMethod": "FairPrice", "fairMethod": "FundingRate", "fundingBaseSymbol": ".XBTINT8H",
        "fundingQuoteSymbol": ".USDTINT8H", "fundingRateSymbol": ".XBTUSDTMFPI8H",
        "indexSymbol": ".KXBTUSDT", "settlementSymbol": "", "status": "Open",
        "fundingFeeRate": 1.75e-4, "predictedFundingFeeRate": 1.76e-4,
        "fundingRateGranularity": 28800000, "openInterest": "6273644", "turnoverOf24h": 2823750.5,
        "volumeOf24h": 29.1, "markPrice": 96985.6, "indexPrice": 96980.5,
        "lastTradePrice": 96985.0, "nextFundingRateTime": 17402942, "maxLeverage": 125,
        "sourceExchanges": ["okex", "binance"], "premiumsSymbol1M": ".XBTUSDTMPI",
        "premiumsSymbol8H": ".XBTUSDTMPI8H", "fundingBaseSymbol1M": ".XBTINT",
        "fundingQuoteSymbol1M": ".USDTINT", "lowPrice": 95000.0, "highPrice": 97500.0,
        "priceChgPct": 0.0097, "priceChg": 658.7, "k": 490.0, "m": 300.0, "f": 1.3,
        "mmrLimit": 0.3, "mmrLevConstant": 125.0, "supportCross": True, **other,
    }  # fmt: skip


def ticker(symbol: str, bid: str, ask: str) -> dict[str, Any]:
    return {
        "sequence": 1697895100310, "symbol": symbol, "side": "sell", "size": 2936,
        "tradeId": "1697901180000", "price": bid, "bestBidPrice": bid, "bestBidSize": 32345,
        "bestAskPrice": ask, "bestAskSize": 7251, "ts": 1729163001780000000,
    }  # fmt: skip


RATES = {
    "100000": ("0.008", "0.004"),
    "1000000": ("0.0125", "0.0062"),
    "5000000": ("0.05", "0.025"),
}
"""Initial and maintenance rate by position value; more than the last is refused."""


def requirement(call: Call) -> Any:
    value = call.text("positionValue")
    if value not in RATES:
        return no("300005", "risk limit exceeded")
    initial, maintenance = RATES[value]
    return ok(
        {"symbol": call.text("symbol"), "imr": initial, "mmr": maintenance, "size": 1031,
         "positionValue": value, "price": "96985.6"}
    )  # fmt: skip


def order(**other: Any) -> dict[str, Any]:
    return {
        "id": "250444645610336256", "symbol": "XBTUSDTM", "type": "limit", "side": "sell",
        "price": "96980", "size": 12, "value": "1163.76", "dealValue": "0", "dealSize": 0,
        "stp": "", "stop": "", "stopPriceType": "", "stopTriggered": False, "stopPrice": None,
        "timeInForce": "IOC", "postOnly": False, "hidden": False, "iceberg": False,
        "leverage": "20", "forceHold": False, "closeOrder": False, "visibleSize": 0,
        "clientOid": "5c52e11203aa677f33e493fb", "remark": None, "tags": "", "isActive": True,
        "cancelExist": False, "createdAt": 1732523858568, "updatedAt": 1732523858568,
        "endAt": None, "orderTime": 1732523858550892322, "settleCurrency": "USDT",
        "marginMode": "CROSS", "avgDealPrice": "0", "filledSize": 0, "filledValue": "0",
        "status": "open", "reduceOnly": False, **other,
    }  # fmt: skip


def stop(**other: Any) -> dict[str, Any]:
    told: dict[str, Any] = {
        "id": "230181737576050688", "price": "110000", "size": 10, "stop": "down",
        "stopPriceType": "TP", "stopPrice": "109000", "timeInForce": "GTC",
    }  # fmt: skip
    return order(**{**told, **other})


FILL: dict[str, Any] = {
    "symbol": "XBTUSDTM", "tradeId": "1784277229880", "orderId": "250444645610336256",
    "side": "sell", "liquidity": "taker", "forceTaker": False, "price": "96981", "size": 6,
    "value": "581.886", "openFeePay": "0.3491316", "closeFeePay": "0", "stop": "",
    "feeRate": "0.00060", "fixFee": "0", "feeCurrency": "USDT", "marginMode": "CROSS",
    "settleCurrency": "USDT", "fee": "0.3491316", "orderType": "limit", "displayType": "limit",
    "tradeType": "trade", "subTradeType": None, "tradeTime": 1729155616320000000,
    "createdAt": 1729155616493,
}  # fmt: skip


def listed(*rows: Any) -> dict[str, Any]:
    return ok(
        {"currentPage": 1, "pageSize": 50, "totalNum": len(rows), "totalPage": 1,
         "items": list(rows)}
    )  # fmt: skip


def ledger(*rows: Any) -> dict[str, Any]:
    return ok({"hasMore": False, "dataList": list(rows)})


def booked(kind: str, amount: str, status: str = "Completed") -> dict[str, Any]:
    return {
        "time": 1728837708000, "type": kind, "amount": amount, "fee": 0, "accountEquity": 387.2,
        "status": status, "remark": "", "offset": 1519769124134806, "currency": "USDT",
    }  # fmt: skip


def wallets(call: Call) -> Any:
    rows = [
        {"id": "63355cd156298d0001b66e61", "currency": coin, "type": call.text("type"),
         "balance": units, "available": units, "holds": "0"}
        for coin, units in (("USDT", "0.1"), ("PEPE", "12345678901234567890.5"), ("ETH", "0"))
    ]  # fmt: skip
    return ok(rows)


def table() -> dict[str, Any]:
    """Everything that a gather and its writes ask, by method and path."""
    key = "0123456789abcdef0123456789abcdef"
    return {
        f"GET {V1}/timestamp": lambda call: ok(call.now_ms),
        f"GET {V1}/status": ok({"status": "open", "msg": "upgrade match engine"}),
        f"GET {V1}/contracts/active": ok(
            [contract("XBTUSDTM", "XBT"), contract("ETHUSDTM", "ETH", status="Paused")]
        ),
        f"GET {V1}/allTickers": ok(
            [ticker("XBTUSDTM", "96985.5", "96985.7"), ticker("ETHUSDTM", "3300", "3300.1")]
        ),
        f"GET {V1}/ticker": ok(ticker("XBTUSDTM", "96985.5", "96985.7")),
        f"GET {V1}/mark-price/XBTUSDTM/current": ok(
            {"symbol": "XBTUSDTM", "granularity": 1000, "timePoint": 1729254307000,
             "value": 96985.6, "indexPrice": 96980.5}
        ),
        f"POST {V2}/getCrossModeMarginRequirement": requirement,
        f"GET {V1}/account-overview": ok(ACCOUNT),
        f"GET {V1}/positions": ok([POSITION]),
        f"GET {V2}/position/getPositionMode": ok({"positionMode": 0}),
        f"GET {V2}/position/getMarginMode": lambda call: ok(
            {"symbol": call.text("symbol"), "marginMode": "CROSS"}
        ),
        f"GET {V2}/getCrossUserLeverage": lambda call: ok(
            {"symbol": call.text("symbol"), "leverage": "20"}
        ),
        f"GET {V1}/trade-fees": lambda call: ok(
            {"symbol": call.text("symbol"), "takerFeeRate": "0.0006", "makerFeeRate": "0.0002"}
        ),
        f"GET {V1}/orders": listed(),
        f"GET {V1}/stopOrders": listed(),
        f"GET {V1}/orders/byClientOid": no("100001", "error.getOrder.orderNotExist"),
        f"GET {V1}/fills": listed(),
        f"POST {V1}/orders": ok({"orderId": "234125150956625920", "clientOid": key}),
        f"DELETE {V1}/orders/client-order/{key}": ok({"clientOid": key}),
        f"GET {V1}/accounts": wallets,
        "POST /api/v3/accounts/universal-transfer": ok({"orderId": "6705f7248c6954000733ecac"}),
        f"GET {V1}/transaction-history": ledger(),
        **withdrawal_payloads.KUCOIN,
    }  # fmt: skip


def found(key: str) -> dict[str, Any]:
    row = order(clientOid=key, isActive=False, status="done", filledSize=12, avgDealPrice="96981")
    return {
        f"GET {V1}/orders/byClientOid": ok(row),
        f"GET {V1}/fills": listed(FILL, {**FILL, "tradeId": "2"}),
    }


def resting(key: str) -> dict[str, Any]:
    return {f"GET {V1}/orders/byClientOid": ok(order(clientOid=key, timeInForce="GTC"))}


RECORDED = Recorded(
    venue="kucoinfutures",
    host=HOST,
    hosts=(SPOT_HOST,),
    table=table,
    login={"key": "k", "secret": "s", "passphrase": "p", "member": "62f5f5d4d72aaf000122707e"},
    accounts=(
        {"id": "futures", "wallet": "usdm", "instruments": ["BTC/USDT:USDT", "ETH/USDT:USDT"]},
        {"id": "main", "wallet": "funding"},
        {"id": "spot", "wallet": "spot"},
        {"id": "coins", "wallet": "coinm"},
    ),
    instrument="kucoinfutures:BTC/USDT:USDT",
    quantity="12",
    price="96980",
    trades="futures",
    order=f"POST {V1}/orders",
    cancel=f"DELETE {V1}/orders/client-order/0123456789abcdef0123456789abcdef",
    lookup=f"GET {V1}/orders/byClientOid",
    reads=f"GET {V1}/positions",
    refusals=Refusals(
        funds=no("300003", "Balance not enough"),
        step=no("100001", "There are invalid parameters"),
        stale=no("400002", "KC-API-TIMESTAMP Invalid", 401),
        post_only=no("300012", "Order price cannot be lower than"),
        reduce_only=no("300009", "Current position size: 0, unable to close the position."),
        gone=no("100004", "Order is in not cancelable state"),
        duplicate=no("300018", "clientOid parameter repeated"),
    ),
    found=found,
    resting=resting,
    named="0123456789abcdef0123456789abcdef",
    standing=lambda name: {f"GET {V1}/orders": listed(order(clientOid=name))},
    fees={"USDT": "0.6982632"},
    step_quantity="12.5",
    market="XBTUSDTM",
    unequal=lambda: {f"GET {V1}/account-overview": ok({**ACCOUNT, "unrealisedPNL": 5.5})},
    exact=lambda units: {
        f"GET {V1}/account-overview": ok(
            {**ACCOUNT, "accountEquity": units, "marginBalance": units, "unrealisedPNL": 0}
        ),
        f"GET {V1}/positions": ok([]),
    },
    exact_in=("futures", "USDT"),
    unable=frozenset({"dead_man_s", "moves", "transfer_key", "withdrawals", "sees_deposits"}),
    sends="futures",
    receives="main",
    moved="POST /api/v3/accounts/universal-transfer",
    transferred=lambda key: {f"GET {V1}/transaction-history": ledger(booked("TransferOut", "0.1"))},
)
