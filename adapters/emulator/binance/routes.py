"""Binance's rows of the endpoint x case table, for its three hosts."""

from collections.abc import Iterable

from allocator.adapters.emulator.binance import (
    accounts,
    algo,
    batches,
    orders,
    prices,
    rules,
    settings,
    spot_orders,
    trades,
    transfers,
    wallet,
)
from allocator.adapters.emulator.binance.words import API, DAPI, FAPI
from allocator.adapters.emulator.wire import Access, Endpoint, Handler

KEY = (
    "no key: -2014",
    "unknown key or right not granted: -2015",
    "outside the window: -1021",
    "window above a minute: -1131",
    "wrong signature: -1022",
    "no timestamp or signature: -1102",
)
BAD = ("missing parameter: -1102", "unreadable parameter: -1100")
SYMBOL = ("unknown symbol: -1121",)
PLACING = (
    "margin short: -2019",
    "above the bracket's cap: -2027",
    "reduce-only would not reduce: -2022",
    "client id of an open order: -4116",
    "client id outside its charset: -4015",
    "below minimum: -4004",
    "above maximum: -4005",
    "below minimum notional: -4164",
    "off the step: -1111",
    "off the tick: -4014",
    "price not above zero: -4001",
    "too far from the mark: -4016, -4024",
    "wrong position side: -4061",
    "post-only would take: -5022",
    "fill-or-kill would not fill: -5021",
    "conditional type: -4120",
    "unknown type, side, time in force: -1116, -1117, -1115",
    "too many open orders: -2025",
    "too many orders in the window: -1015",
)


def row(  # noqa: PLR0913, PLR0917 - the columns of the table
    host: str,
    method: str,
    path: str,
    handler: Handler,
    page: str,
    cases: Iterable[str] = (),
    *,
    access: Access = "signed",
    weight: int = 1,
    budget: str = "",
) -> Endpoint:
    """Return a row of the table; what every signed endpoint refuses is added to its cases."""
    shared = (*KEY, *BAD) if access == "signed" else BAD
    over = "over the weight: -1003 with HTTP 429, far over HTTP 418"
    return Endpoint(
        host, method, path, access, handler, ("answered", *cases, *shared, over), page, weight,
        budget,
    )  # fmt: skip


def _public(host: str, root: str, where: str) -> tuple[Endpoint, ...]:
    rows = (
        ("ping", prices.ping, "Test Connectivity", (), 1),
        ("time", prices.time, "Check Server Time", (), 1),
        ("exchangeInfo", rules.exchange_information, "Exchange Information", SYMBOL, 10),
        ("depth", prices.depth, "Order Book", SYMBOL, 5),
        ("ticker/bookTicker", prices.book_ticker, "Symbol Order Book Ticker", SYMBOL, 2),
        ("ticker/price", prices.price_ticker, "Symbol Price Ticker", SYMBOL, 2),
        ("ticker/24hr", prices.day_ticker, "24hr Ticker Price Change Statistics", SYMBOL, 2),
    )
    return tuple(
        row(
            host, "GET", f"{root}/{name}", handler, f"{page} ({where})", cases, access="public",
            weight=weight,
        )
        for name, handler, page, cases, weight in rows
    )  # fmt: skip


FUTURES = (
    ("GET", "commissionRate", settings.commission, "User Commission Rate", SYMBOL, 20),
    ("POST", "leverage", settings.change_leverage, "Change Initial Leverage",
     (*SYMBOL, "outside the brackets: -4028", "position above the cap: -2027",
      "margin short: -2028"), 1),
    ("GET", "positionSide/dual", settings.position_mode, "Get Current Position Mode", (), 30),
    ("POST", "positionSide/dual", settings.change_position_mode, "Change Position Mode",
     ("nothing to change: -4059", "open orders: -4067", "positions: -4068"), 1),
    ("POST", "marginType", settings.change_margin_type, "Change Margin Type",
     (*SYMBOL, "already crossed: -4046", "open orders: -4047", "positions: -4048",
      "isolated: -4084"), 1),
    ("DELETE", "order", orders.cancel, "Cancel Order", (*SYMBOL, "unknown or ended: -2011"), 1),
    ("GET", "order", orders.query, "Query Order",
     (*SYMBOL, "by orderId or origClientOrderId", "unknown or forgotten: -2013"), 1),
    ("GET", "openOrder", orders.query_open, "Query Current Open Order",
     (*SYMBOL, "not resting: -2013"), 1),
    ("GET", "openOrders", orders.open_orders, "Current All Open Orders", SYMBOL, 1),
    ("GET", "allOrders", orders.all_orders, "All Orders", SYMBOL, 5),
    ("DELETE", "allOpenOrders", orders.cancel_all, "Cancel All Open Orders", SYMBOL, 1),
    ("POST", "countdownCancelAll", orders.countdown, "Auto-Cancel All Open Orders",
     (*SYMBOL, "called off with zero"), 10),
    ("GET", "userTrades", trades.user_trades, "Account Trade List",
     (*SYMBOL, "more than seven days: -4165", "fromId with times: -1128"), 5),
    ("GET", "income", trades.income, "Get Income History",
     (*SYMBOL, "more than seven days: -4165"), 30),
)  # fmt: skip
FUTURES_PUBLIC = (
    ("premiumIndex", prices.premium_index, "Mark Price / Index Price", SYMBOL, 10),
    ("fundingInfo", prices.funding_info, "Get Funding Rate Info", (), 1),
    ("fundingRate", prices.funding_history, "Get Funding Rate History", SYMBOL, 1),
)


def _futures(host: str, root: str, where: str) -> tuple[Endpoint, ...]:
    """Return the rows that USD-M and COIN-M share."""
    create = row(
        host, "POST", f"{root}/order", orders.create, f"New Order ({where})", (*SYMBOL, *PLACING),
        weight=0, budget="orders",
    )  # fmt: skip
    several = row(
        host, "POST", f"{root}/batchOrders", batches.create, f"Place Multiple Orders ({where})",
        ("each order's own code, as of a single one", "no list of orders: -1130",
         "none, or more than five: -4082", "too many orders in the window: -1015"),
        weight=5, budget="orders",
    )  # fmt: skip
    public = tuple(
        row(host, "GET", f"{root}/{name}", handler, f"{page} ({where})", cases,
            access="public", weight=weight)
        for name, handler, page, cases, weight in FUTURES_PUBLIC
    )  # fmt: skip
    signed = tuple(
        row(host, method, f"{root}/{name}", handler, f"{page} ({where})", cases, weight=weight)
        for method, name, handler, page, cases, weight in FUTURES
    )
    return (*public, create, several, *signed)


USDM_ONLY = (
    row(FAPI, "GET", "/fapi/v1/leverageBracket", settings.brackets, "Leverage Brackets (USD-M)",
        SYMBOL),
    row(FAPI, "GET", "/fapi/v2/account", accounts.account_v2, "Account Information V2", weight=5),
    row(FAPI, "GET", "/fapi/v3/account", accounts.account_v3, "Account Information V3", weight=5),
    row(FAPI, "GET", "/fapi/v2/balance", accounts.balances, "Futures Account Balance V2",
        weight=5),
    row(FAPI, "GET", "/fapi/v3/balance", accounts.balances, "Futures Account Balance V3",
        weight=5),
    row(FAPI, "GET", "/fapi/v2/positionRisk", accounts.positions_v2, "Position Information V2",
        weight=5),
    row(FAPI, "GET", "/fapi/v3/positionRisk", accounts.positions_v3, "Position Information V3",
        ("only what is open",), weight=5),
    row(FAPI, "GET", "/fapi/v1/symbolConfig", accounts.symbol_config, "Symbol Config", weight=5),
    row(FAPI, "GET", "/fapi/v1/accountConfig", accounts.account_config, "Account Config",
        weight=5),
    row(FAPI, "GET", "/fapi/v1/multiAssetsMargin", settings.multi_assets_mode,
        "Get Current Multi-Assets Mode", weight=30),
    row(FAPI, "GET", "/fapi/v1/openAlgoOrders", algo.open_orders,
        "Current All Algo Open Orders (USD-M)", SYMBOL),
)  # fmt: skip
COINM_ONLY = (
    row(DAPI, "GET", "/dapi/v1/balance", accounts.balances, "Futures Account Balance (COIN-M)"),
    row(DAPI, "GET", "/dapi/v1/account", accounts.coinm_account, "Account Information (COIN-M)",
        weight=5),
    row(DAPI, "GET", "/dapi/v1/positionRisk", accounts.coinm_positions,
        "Position Information (COIN-M)", ("by marginAsset or pair",)),
    row(DAPI, "GET", "/dapi/v1/leverageBracket", settings.pair_brackets,
        "Leverage Brackets (COIN-M)", ("by pair",)),
    row(DAPI, "GET", "/dapi/v2/leverageBracket", settings.brackets,
        "Notional Bracket for Symbol (COIN-M)", SYMBOL),
    row(DAPI, "GET", "/dapi/v1/openAlgoOrders", algo.open_orders,
        "Important Notice: COIN-M / USD-M Architecture Integration", SYMBOL),
)  # fmt: skip
SPOT = (
    row(API, "GET", "/api/v3/account", wallet.account, "Account Information (spot)", weight=20),
    row(API, "GET", "/api/v3/account/commission", wallet.commission,
        "Query Commission Rates (spot)", SYMBOL, weight=20),
    row(API, "POST", "/api/v3/order", spot_orders.create, "New Order (spot)",
        (*SYMBOL, "balance short, client id of an open order, post-only would take: -2010",
         "size, step, tick, notional, open orders: -1013", "quoteOrderQty",
         "unknown type, side, time in force: -1116, -1117, -1115",
         "too many orders in the window: -1015"), budget="orders"),
    row(API, "DELETE", "/api/v3/order", spot_orders.cancel, "Cancel Order (spot)",
        (*SYMBOL, "unknown or ended: -2011")),
    row(API, "GET", "/api/v3/order", spot_orders.query, "Query Order (spot)",
        (*SYMBOL, "by orderId or origClientOrderId", "unknown or forgotten: -2013"), weight=4),
    row(API, "GET", "/api/v3/openOrders", spot_orders.open_orders, "Current Open Orders (spot)",
        SYMBOL, weight=6),
    row(API, "DELETE", "/api/v3/openOrders", spot_orders.cancel_all,
        "Cancel All Open Orders on a Symbol (spot)", (*SYMBOL, "none: -2011")),
    row(API, "GET", "/api/v3/allOrders", spot_orders.all_orders, "All Orders (spot)", SYMBOL,
        weight=20),
    row(API, "GET", "/api/v3/myTrades", trades.spot_trades, "Account Trade List (spot)", SYMBOL,
        weight=20),
)  # fmt: skip
WALLET = (
    row(API, "GET", "/sapi/v1/system/status", wallet.system_status, "System Status",
        access="public"),
    row(API, "GET", "/sapi/v1/account/status", wallet.account_status, "Account Status"),
    row(API, "GET", "/sapi/v1/account/apiRestrictions", wallet.key_rights,
        "Get API Key Permission"),
    row(API, "GET", "/sapi/v1/capital/config/getall", wallet.coins, "All Coins' Information",
        weight=10),
    row(API, "GET", "/sapi/v1/asset/tradeFee", wallet.trade_fees, "Trade Fee", SYMBOL),
    row(API, "POST", "/sapi/v1/asset/get-funding-asset", wallet.funding_assets,
        "Funding Wallet"),
    row(API, "POST", "/sapi/v1/capital/withdraw/apply", wallet.withdraw, "Withdraw",
        ("balance short: -4026", "below minimum: -4022", "off the step: -4021",
         "unknown address: -4033", "no such coin: -4018", "no such network: -4019",
         "withdrawOrderId used before: -4001"), weight=900, budget="uid"),
    row(API, "GET", "/sapi/v1/capital/withdraw/history", wallet.withdrawals, "Withdraw History",
        ("by withdrawOrderId",), weight=18000, budget="uid"),
    row(API, "GET", "/sapi/v1/capital/deposit/address", wallet.deposit_address,
        "Deposit Address", ("none for the coin: -4018",), weight=10),
    row(API, "GET", "/sapi/v1/capital/deposit/hisrec", wallet.deposits, "Deposit History"),
    row(API, "GET", "/sapi/v1/margin/allPairs", wallet.margin_pairs,
        "Get All Cross Margin Pairs", access="key"),
    row(API, "GET", "/sapi/v1/margin/isolated/allPairs", wallet.margin_pairs,
        "Get All Isolated Margin Symbol", weight=10),
    row(API, "POST", "/sapi/v1/asset/transfer", transfers.own, "User Universal Transfer",
        ("balance or margin short: -5013", "wallet does not take the coin: -5009",
         "nothing to move: -5007", "unknown type: -1102"), weight=900, budget="uid"),
    row(API, "GET", "/sapi/v1/asset/transfer", transfers.own_history,
        "Query User Universal Transfer History"),
    row(API, "GET", "/sapi/v1/sub-account/list", transfers.sub_accounts,
        "Query Sub-account List", ("asked by a sub-account: -2015",)),
    row(API, "POST", "/sapi/v1/sub-account/universalTransfer", transfers.universal,
        "Universal Transfer", ("clientTranId used before: -4115", "no spot side: -5010",
        "stranger's email: -5021", "no email: -1102", "balance or margin short: -5013",
        "asked by a sub-account: -2015"), weight=360, budget="uid"),
    row(API, "GET", "/sapi/v1/sub-account/universalTransfer", transfers.universal_history,
        "Query Universal Transfer History", ("by clientTranId", "both emails: -1128"), weight=1),
)  # fmt: skip
ENDPOINTS: tuple[Endpoint, ...] = (
    *_public(API, "/api/v3", "spot"),
    *_public(FAPI, "/fapi/v1", "USD-M"),
    *_public(DAPI, "/dapi/v1", "COIN-M"),
    *_futures(FAPI, "/fapi/v1", "USD-M"),
    *_futures(DAPI, "/dapi/v1", "COIN-M"),
    *USDM_ONLY,
    *COINM_ONLY,
    *SPOT,
    *WALLET,
)
