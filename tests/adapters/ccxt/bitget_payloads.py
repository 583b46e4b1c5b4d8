"""Answers of Bitget as its v2 documentation shows them, with figures that belong together.

Shapes: the example answers of the pages contract/account/Get-Single-Account,
contract/position/get-all-position, contract/position/Get-Query-Position-Lever,
contract/market/Get-All-Symbols-Contracts, Get-All-Symbol-Ticker, Get-Current-Funding-Rate,
contract/trade/Place-Order, Get-Order-Details, Get-Orders-Pending, Get-Order-Fills,
contract/plan/get-orders-plan-pending,
spot/account/Wallet-Transfer, Get-Account-TransferRecords on www.bitget.com/api-doc. The account's
equity, the position (0.01 from 25,000 to 25,100) and the tiers are the pages' own figures.
"""

from typing import Any

from allocator.adapters.emulator.wire import Call, Reply
from tests.adapters.ccxt import withdrawal_payloads
from tests.adapters.ccxt.recorded import Recorded, Refusals

HOST = "api.bitget.com"
MIX = "/api/v2/mix"


def ok(data: Any) -> dict[str, Any]:
    return {"code": "00000", "msg": "success", "requestTime": 1700724614, "data": data}


def no(code: str, words: str = "no", status: int = 400) -> Reply:
    return Reply({"code": code, "msg": words, "requestTime": 1627293504612, "data": None}, status)


ACCOUNT: dict[str, Any] = {
    "marginCoin": "USDT", "locked": "0", "available": "13168.86110692",
    "crossedMaxAvailable": "13168.86110692", "isolatedMaxAvailable": "13168.86110692",
    "maxTransferOut": "13168.86110692", "accountEquity": "13178.86110692",
    "usdtEquity": "13178.861106922", "btcEquity": "0.344746495477", "crossedRiskRate": "0",
    "unrealizedPL": "1", "coupon": "0", "crossedUnrealizedPL": "1", "isolatedUnrealizedPL": "0",
    "grant": "0", "assetMode": "single", "isolatedMargin": "0", "crossedMargin": "12.55",
}  # fmt: skip
ELSEWHERE: dict[str, Any] = {
    **ACCOUNT, "marginCoin": "USDC", "available": "0", "crossedMaxAvailable": "0",
    "isolatedMaxAvailable": "0", "maxTransferOut": "0", "accountEquity": "0", "usdtEquity": "0",
    "btcEquity": "0", "unrealizedPL": "", "crossedUnrealizedPL": "", "crossedMargin": "0",
}  # fmt: skip
"""What the wallet of futures margined in another coin tells where nothing is in it."""

SETTING: dict[str, Any] = {
    **ACCOUNT, "crossedMarginLeverage": "20", "isolatedLongLever": "14",
    "isolatedShortLever": "12", "marginMode": "crossed", "posMode": "one_way_mode",
}  # fmt: skip
POSITION: dict[str, Any] = {
    "marginCoin": "USDT", "symbol": "BTCUSDT", "holdSide": "long", "openDelegateSize": "0",
    "marginSize": "12.55", "available": "0.01", "locked": "0", "total": "0.01", "leverage": "20",
    "achievedProfits": "0", "openPriceAvg": "25000", "marginMode": "crossed",
    "posMode": "one_way_mode", "unrealizedPL": "1", "liquidationPrice": "24144.1124161806977798",
    "keepMarginRate": "0.004", "markPrice": "25100", "marginRatio": "0.1082149545822005",
    "assetMode": "single", "cTime": "1691382137448", "uTime": "1691382137999",
}  # fmt: skip


def accounts(*rows: Any, coin: Any = None, usdc: Any = ELSEWHERE) -> Any:
    """Answer with the USDT futures' wallet, and with those of coin- and USDC-margined ones."""
    told = {
        "USDT-FUTURES": list(rows),
        "COIN-FUTURES": [coin or {**ELSEWHERE, "marginCoin": "BTC"}],
        "USDC-FUTURES": [usdc],
    }
    return lambda call: ok(told[call.text("productType")])


def contract(symbol: str, base: str, **other: Any) -> dict[str, Any]:
    return {
        "symbol": symbol, "baseCoin": base, "quoteCoin": "USDT", "buyLimitPriceRatio": "0.01",
        "sellLimitPriceRatio": "0.01", "feeRateUpRatio": "0.005", "makerFeeRate": "0.0002",
        "takerFeeRate": "0.0006", "openCostUpRatio": "0.01", "supportMarginCoins": ["USDT"],
        "minTradeNum": "0.001", "priceEndStep": "5", "volumePlace": "3", "pricePlace": "1",
        "sizeMultiplier": "0.001", "symbolType": "perpetual", "minTradeUSDT": "5",
        "maxSymbolOrderNum": "200", "maxProductOrderNum": "400", "maxPositionNum": "150",
        "symbolStatus": "normal", "offTime": "-1", "limitOpenTime": "-1", "deliveryTime": "",
        "launchTime": "", "fundInterval": "8", "minLever": "1", "maxLever": "125",
        "posLimit": "0.05", "maintainTime": "", "maxMarketOrderQty": "220", "maxOrderQty": "1200",
        **other,
    }  # fmt: skip


CONTRACTS = [contract("BTCUSDT", "BTC"), contract("ETHUSDT", "ETH", symbolStatus="limit_open")]


def contracts(call: Call) -> Any:
    return ok(CONTRACTS if call.text("productType").upper() == "USDT-FUTURES" else [])


def ticker(symbol: str, price: str, bid: str, ask: str) -> dict[str, Any]:
    return {
        "symbol": symbol, "lastPr": price, "askPr": ask, "bidPr": bid, "bidSz": "0.0663",
        "askSz": "0.0119", "high24h": "25200", "low24h": "24000", "ts": "1695794098184",
        "change24h": "0", "baseVolume": "112.5", "quoteVolume": "2823750", "usdtVolume": "2823750",
        "openUtc": "24900", "changeUtc24h": "0", "indexPrice": "25090.5",
        "fundingRate": "-0.000013", "holdingAmount": "85862.241", "open24h": "0",
        "markPrice": price,
    }  # fmt: skip


TICKERS = [
    ticker("BTCUSDT", "25100", "25099.5", "25100.5"),
    ticker("ETHUSDT", "1700", "1699", "1701"),
]
TIERS = [
    {"symbol": "BTCUSDT", "level": "1", "startUnit": "0", "endUnit": "50000", "leverage": "125",
     "keepMarginRate": "0.004"},
    {"symbol": "BTCUSDT", "level": "2", "startUnit": "50000", "endUnit": "200000",
     "leverage": "100", "keepMarginRate": "0.005"},
]  # fmt: skip
FUNDING = {
    "symbol": "BTCUSDT", "fundingRate": "-0.000013", "fundingRateInterval": "8",
    "nextUpdate": "1745510400000", "minFundingRate": "-0.003", "maxFundingRate": "0.003",
}  # fmt: skip


def order(**other: Any) -> dict[str, Any]:
    return {
        "symbol": "BTCUSDT", "size": "0.0120", "orderId": "123", "clientOid": "12321",
        "baseVolume": "0.002", "fee": "", "price": "25000", "priceAvg": "25000",
        "status": "partially_filled", "side": "buy", "force": "gtc", "totalProfits": "0",
        "posSide": "net", "marginCoin": "USDT", "quoteVolume": "50", "leverage": "20",
        "marginMode": "crossed", "enterPointSource": "api", "tradeSide": "buy_single",
        "posMode": "one_way_mode", "orderType": "limit", "orderSource": "normal",
        "cTime": "1627293504612", "uTime": "1627293505612", "reduceOnly": "NO", **other,
    }  # fmt: skip


def plan(**other: Any) -> dict[str, Any]:
    return {
        "planType": "normal_plan", "symbol": "btcusdt", "size": "0.5", "orderId": "123",
        "clientOid": "121212", "price": "24000", "executePrice": "24000", "callbackRatio": "",
        "triggerPrice": "24100", "triggerType": "mark_price", "planStatus": "live", "side": "buy",
        "posSide": "net", "marginCoin": "usdt", "marginMode": "crossed",
        "enterPointSource": "api", "tradeSide": "buy_single", "posMode": "one_way_mode",
        "orderType": "limit", "orderSource": "normal", "cTime": "1627293504612", "uTime": "",
        "stopSurplusExecutePrice": "", "stopSurplusTriggerPrice": "", "stopSurplusTriggerType": "",
        "stopLossExecutePrice": "", "stopLossTriggerPrice": "", "stopLossTriggerType": "", **other,
    }  # fmt: skip


def plans(*rows: Any, of: str = "normal_plan") -> Any:
    """Answer with orders that wait, to whoever asks for their group of kinds."""
    return lambda call: listed(*rows) if call.text("planType") == of else listed()


def listed(*rows: Any) -> dict[str, Any]:
    return ok({"entrustedList": list(rows) or None, "endId": rows[-1]["orderId"] if rows else None})


def table() -> dict[str, Any]:
    """Everything that a gather and its writes ask, by method and path."""
    return {
        "GET /api/v2/public/time": lambda call: ok({"serverTime": str(call.now_ms)}),
        f"GET {MIX}/market/contracts": contracts,
        f"GET {MIX}/market/tickers": ok(TICKERS),
        f"GET {MIX}/market/ticker": ok(TICKERS[:1]),
        f"GET {MIX}/market/current-fund-rate": ok([FUNDING]),
        f"GET {MIX}/market/query-position-lever": ok(TIERS),
        f"GET {MIX}/account/accounts": accounts(ACCOUNT),
        f"GET {MIX}/account/account": ok(SETTING),
        f"GET {MIX}/position/all-position": ok([POSITION]),
        f"GET {MIX}/order/orders-pending": listed(),
        f"GET {MIX}/order/orders-plan-pending": listed(),
        f"GET {MIX}/order/orders-history": listed(),
        f"GET {MIX}/order/detail": no("40109", "The data of the order cannot be found"),
        f"POST {MIX}/order/place-order": ok({"orderId": "121211212122", "clientOid": "121"}),
        f"POST {MIX}/order/cancel-order": ok({"orderId": "121211212122", "clientOid": "121"}),
        "GET /api/v2/common/trade-rate": ok({"makerFeeRate": "0.0002", "takerFeeRate": "0.0006"}),
        "GET /api/v2/spot/account/assets": ok(
            [
                {"coin": "USDT", "available": "0.1", "limitAvailable": "0", "frozen": "0",
                 "locked": "0", "uTime": "1699937566000"},
                {"coin": "PEPE", "available": "12345678901234567890.5", "limitAvailable": "0",
                 "frozen": "0.00000000", "locked": "0.00000000", "uTime": "1699937566000"},
                {"coin": "ETH", "available": "0.00000000", "limitAvailable": "0", "frozen": "0",
                 "locked": "0", "uTime": "1699937566000"},
            ]
        ),
        "POST /api/v2/spot/wallet/transfer": ok({"transferId": "123456", "clientOid": "x123"}),
        "GET /api/v2/spot/account/transferRecords": ok([]),
        **withdrawal_payloads.BITGET,
    }  # fmt: skip


def _filled(key: str) -> dict[str, Any]:
    fill = {"baseVolume": "0.006", "feeDetail": [{"deduction": "no", "feeCoin": "USDT",
            "totalDeductionFee": "", "totalFee": "-0.005693536"}]}  # fmt: skip
    return {
        f"GET {MIX}/order/detail": ok(
            order(clientOid=key, state="filled", baseVolume="0.012", priceAvg="25099.5")
        ),
        f"GET {MIX}/order/fills": ok({"fillList": [fill, fill], "endId": None}),
    }


def _moved(key: str) -> dict[str, Any]:
    return {
        "GET /api/v2/spot/account/transferRecords": ok(
            [{"coin": "USDT", "status": "Successful", "size": "0.1", "ts": "1700729673028",
              "clientOid": key, "transferId": "24930940"}]
        )
    }  # fmt: skip


RECORDED = Recorded(
    venue="bitget",
    host=HOST,
    table=table,
    login={"key": "bitget-key", "secret": "bitget-secret", "passphrase": "bitget-passphrase"},
    accounts=(
        {"id": "futures", "wallet": "usdm", "instruments": ["BTC/USDT:USDT"]},
        {"id": "spot", "wallet": "spot"},
    ),
    instrument="bitget:BTC/USDT:USDT",
    quantity="0.012",
    price="25099.5",
    trades="futures",
    sends="futures",
    receives="spot",
    order=f"POST {MIX}/order/place-order",
    cancel=f"POST {MIX}/order/cancel-order",
    moved="POST /api/v2/spot/wallet/transfer",
    lookup=f"GET {MIX}/order/detail",
    reads=f"GET {MIX}/position/all-position",
    refusals=Refusals(
        funds=no("40762", "The order size is greater than the max open size"),
        step=no("22038", "Please enter the quantity as an integral multiple of 0.001"),
        stale=no("40008", "Request timestamp expired"),
        post_only=None,
        reduce_only=no("22002", "No position to close"),
        gone=no("22001", "No order to cancel"),
        duplicate=no("45034", "clientOid duplicate"),
    ),
    found=_filled,
    resting=lambda key: {
        f"GET {MIX}/order/detail": ok(
            order(clientOid=key, orderId="121211212122", state="live", baseVolume="0")
        )
    },
    named="0123456789abcdef0123456789abcdef",
    standing=lambda name: {f"GET {MIX}/order/orders-pending": listed(order(clientOid=name))},
    transferred=_moved,
    fees={"USDT": "0.011387072"},
    step_quantity="0.0120005",
    market="BTCUSDT",
    unequal=lambda: {f"GET {MIX}/account/accounts": accounts({**ACCOUNT, "unrealizedPL": "500"})},
    exact=lambda units: {
        "GET /api/v2/spot/account/assets": ok(
            [{"coin": "USDT", "available": units, "limitAvailable": "0", "frozen": "0",
              "locked": "0", "uTime": "1699937566000"}]
        )
    },
    exact_in=("spot", "USDT"),
    unable=frozenset({"batch_orders", "dead_man_s", "moves", "withdrawals", "sees_deposits"}),
)  # fmt: skip
