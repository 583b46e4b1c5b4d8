"""Answers of Gate as its API v4 documentation shows them, with figures that belong together.

Shapes: the example answers of "Get futures account", "List all positions of a user", "Query single
contract information", "Get all futures trading statistics", "Query risk limit tiers", "Place
futures order", "Transfer status query" on www.gate.com/docs/developers/apiv4, and the models
FuturesAccount, Position, FuturesOrder, Contract, FuturesTicker, FuturesLimitRiskTiers of the
venue's own clients. The page's figures for the account are kept (its total is the sum of its
history); those of its positions contradict each other and were replaced.
"""

from typing import Any

from allocator.adapters.ccxt.gateio_orders import text_id
from allocator.adapters.emulator.wire import Reply
from tests.adapters.ccxt import withdrawal_payloads
from tests.adapters.ccxt.recorded import KEY, Recorded, Refusals

HOST = "api.gateio.ws"
FUTURES = "/api/v4/futures/usdt"

ACCOUNT: dict[str, Any] = {
    "user": 1666, "currency": "USDT", "total": "9707.803567115145", "unrealised_pnl": "-6.33788",
    "position_margin": "38.712189181", "order_margin": "0", "available": "9669.091377934145",
    "point": "0", "bonus": "0", "in_dual_mode": False, "enable_evolved_classic": False,
    "cross_initial_margin": "0", "cross_maintenance_margin": "0", "cross_order_margin": "0",
    "cross_unrealised_pnl": "0", "cross_available": "0", "cross_margin_balance": "0",
    "cross_mmr": "0", "cross_imr": "0", "isolated_position_margin": "0", "position_mode": "single",
    "history": {
        "dnw": "10000", "pnl": "68.3685", "fee": "-1.645812875", "refr": "0",
        "fund": "-358.919120009855", "point_dnw": "0", "point_fee": "0", "point_refr": "0",
        "bonus_dnw": "0", "bonus_offset": "0",
    },
    "enable_tiered_mm": True,
}  # fmt: skip
"""10000 + 68.3685 - 1.645812875 - 358.919120009855 = 9707.803567115145."""

DETAIL: dict[str, Any] = {
    "user_id": 1666, "ip_whitelist": [], "currency_pairs": [], "key": {"mode": 1}, "tier": 0,
    "copy_trading_role": 0,
}  # fmt: skip


def position(contract: str, size: str, entry: str, pnl: str, value: str, **other: Any) -> Any:
    return {
        "user": 1666, "contract": contract, "size": size, "leverage": "0",
        "risk_limit": "1000000", "leverage_max": "100", "maintenance_rate": "0.005",
        "value": value, "margin": "0", "entry_price": entry, "liq_price": "99999999",
        "mark_price": "0", "unrealised_pnl": pnl, "realised_pnl": "0", "pnl_pnl": "0",
        "pnl_fund": "0", "pnl_fee": "0", "history_pnl": "0", "last_close_pnl": "0",
        "realised_point": "0", "history_point": "0", "adl_ranking": 5, "pending_orders": 0,
        "close_order": None, "mode": "single", "update_time": 1684994406, "update_id": 1,
        "cross_leverage_limit": "20", "risk_limit_table": "", "average_maintenance_rate": "0.005",
        "pos_margin_mode": "cross", "lever": "20", **other,
    }  # fmt: skip


SHORT = position("BTC_USDT", "-9440", "3779.55", "-0.72688", "3568.62208")
"""9440 contracts of 0.0001: 0.944 * (3779.55 - 3780.32) = -0.72688; 0.944 * 3780.32."""

ALONE = position(
    "ETH_USDT", "300", "130", "-5.611", "390", leverage="10", margin="38.712189181", lever="10",
    pos_margin_mode="isolated", cross_leverage_limit="0",
)  # fmt: skip
FLAT = position("ZTX_USDT", "0", "0", "0", "0")
GONE = position("OLD_USDT", "0", "0", "0", "0")
"""Flat, in a contract that is no longer among the markets."""


def contract(name: str, kind: str, size: str, tick: str, **other: Any) -> Any:
    return {
        "name": name, "type": kind, "quanto_multiplier": size, "leverage_min": "1",
        "leverage_max": "100", "maintenance_rate": "0.005", "mark_type": "index",
        "mark_price": "3780.32", "index_price": "3779.9", "last_price": "3780",
        "maker_fee_rate": "-0.00025", "taker_fee_rate": "0.00075", "order_price_round": tick,
        "mark_price_round": "0.01", "funding_rate": "0.0001", "funding_interval": 28800,
        "funding_next_apply": 1790000000, "interest_rate": "0.0003", "order_size_min": "1",
        "enable_decimal": False, "order_size_max": "1000000", "order_price_deviate": "0.5",
        "in_delisting": False, "orders_limit": 50, "status": "trading", **other,
    }  # fmt: skip


CONTRACTS = [
    contract("BTC_USDT", "direct", "0.0001", "0.1"),
    contract("ETH_USDT", "direct", "0.01", "0.01"),
    contract("ZTX_USDT", "direct", "10", "0.00001", in_delisting=True, status="delisting"),
]
INVERSE = [contract("BTC_USD", "inverse", "0", "0.1")]


def ticker(name: str, mark: str, bid: str, ask: str, **other: Any) -> Any:
    return {
        "contract": name, "last": mark, "low_24h": "3600", "high_24h": "3900",
        "change_percentage": "1", "total_size": "1", "volume_24h": "1", "volume_24h_btc": "1",
        "volume_24h_usd": "1", "volume_24h_base": "1", "volume_24h_quote": "53289453",
        "volume_24h_settle": "53289453", "mark_price": mark, "funding_rate": "0.0001",
        "funding_rate_indicative": "0.0001", "index_price": mark, "quanto_base_rate": "",
        "lowest_ask": ask, "lowest_size": "1000", "highest_bid": bid, "highest_size": "100",
        **other,
    }  # fmt: skip


TICKERS = [
    ticker("BTC_USDT", "3780.32", "3780.2", "3780.4", index_price="3779.9"),
    ticker("ETH_USDT", "128.13", "128.12", "128.14"),
    ticker("ZTX_USDT", "0.002", "0.00199", "0.00201"),
]
TIERS = [
    {"maintenance_rate": "0.01", "tier": 1, "initial_rate": "0.02", "leverage_max": "50",
     "risk_limit": "20000", "contract": "BTC_USDT", "deduction": "0"},
    {"maintenance_rate": "0.013", "tier": 2, "initial_rate": "0.025", "leverage_max": "40",
     "risk_limit": "30000", "contract": "BTC_USDT", "deduction": "60"},
]  # fmt: skip


def order(**other: Any) -> Any:
    return {
        "id": 15675394, "user": 100000, "contract": "BTC_USDT", "create_time": 1546569968,
        "size": "6024", "iceberg": "0", "left": "6024", "price": "3765", "fill_price": "0",
        "mkfr": "-0.00025", "tkfr": "0.00075", "tif": "gtc", "refu": 0, "is_reduce_only": False,
        "is_close": False, "is_liq": False, "text": "t-my-custom-id", "status": "open",
        "stp_act": "-", "stp_id": 0, **other,
    }  # fmt: skip


def table() -> dict[str, Any]:
    """Everything that a gather and its writes ask, by method and path."""
    futures = FUTURES
    return {
        "GET /api/v4/spot/time": lambda call: {"server_time": call.now_ms},
        "GET /api/v4/account/detail": DETAIL,
        f"GET {futures}/contracts": CONTRACTS,
        "GET /api/v4/futures/btc/contracts": INVERSE,
        **{f"GET {futures}/contracts/{row['name']}": row for row in CONTRACTS},
        f"GET {futures}/tickers": TICKERS,
        f"GET {futures}/risk_limit_tiers": TIERS,
        f"GET {futures}/accounts": ACCOUNT,
        f"GET {futures}/positions": [SHORT, ALONE, FLAT, GONE],
        f"GET {futures}/orders": [],
        f"GET {futures}/price_orders": [],
        f"GET {futures}/autoorder/v1/trail/list": {"orders": []},
        f"GET {futures}/autoorder/v1/chase/list": {"orders": []},
        f"GET {futures}/orders_timerange": [],
        f"GET {futures}/fee": {
            "BTC_USDT": {"taker_fee": "0.0005", "maker_fee": "-0.0001"},
            "ZTX_USDT": {"taker_fee": "0.00075", "maker_fee": "0.0002"},
        },
        "GET /api/v4/spot/accounts": [
            {"currency": "USDT", "available": "0.1", "locked": "0", "update_id": 98},
            {"currency": "PEPE", "available": "12345678901234567890.5", "locked": "0"},
            {"currency": "ETH", "available": "0", "locked": "0", "update_id": 1},
        ],
        f"POST {futures}/orders": order(),
        f"POST {futures}/countdown_cancel_all": {"triggerTime": 1790000005000},
        "POST /api/v4/wallet/transfers": {"tx_id": 59636381286},
        "POST /api/v4/wallet/sub_account_transfers": {"tx_id": 59636381287},
        "GET /api/v4/wallet/order_status": {"tx_id": "59636381286", "status": "SUCCESS"},
        "GET /api/v4/wallet/sub_account_transfers": [],
        f"GET {futures}/account_book": [],
        **withdrawal_payloads.GATE,
    }


def no(label: str, words: str = "no") -> Reply:
    return Reply({"label": label, "message": words}, 400)


NAMED = f"GET {FUTURES}/orders/{text_id(KEY)}"


def _table() -> dict[str, Any]:
    """The whole table, and what concerns the order of this client id."""
    return {
        **table(),
        NAMED: no("ORDER_NOT_FOUND"),
        f"DELETE {FUTURES}/orders/{text_id(KEY)}": order(text=text_id(KEY)),
        f"GET {FUTURES}/my_trades": [],
    }


def _filled(key: str) -> dict[str, Any]:
    return {
        NAMED: order(
            id=15675394, text=text_id(key), size="-12", left="0", status="finished",
            finish_as="filled", finish_time=1790000001, fill_price="3780.2",
        ),
        f"GET {FUTURES}/my_trades": [
            {"size": "-8", "fee": "0.0012"}, {"size": "-4", "fee": "0.0007"},
        ],
    }  # fmt: skip


RECORDED = Recorded(
    venue="gate",
    host=HOST,
    table=_table,
    login={"key": "gate-key", "secret": "gate-secret", "member": "1666"},
    accounts=(
        {"id": "futures", "wallet": "usdm", "instruments": ["BTC/USDT:USDT"]},
        {"id": "spot", "wallet": "spot"},
    ),
    instrument="gate:BTC/USDT:USDT",
    quantity="12",
    price="3780.1",
    trades="futures",
    sends="futures",
    receives="spot",
    order=f"POST {FUTURES}/orders",
    cancel=f"DELETE {FUTURES}/orders/{text_id(KEY)}",
    moved="POST /api/v4/wallet/transfers",
    lookup=NAMED,
    reads=f"GET {FUTURES}/positions",
    refusals=Refusals(
        funds=no("INSUFFICIENT_AVAILABLE"),
        step=no("INVALID_PARAM_VALUE"),
        stale=no("REQUEST_EXPIRED"),
        post_only=no("ORDER_POC_IMMEDIATE"),
        reduce_only=no("POSITION_EMPTY"),
        gone=no("ORDER_FINISHED"),
    ),
    found=_filled,
    resting=lambda key: {NAMED: order(text=text_id(key))},
    named="t-aerukz4jvpg66ajdivtytk6n54",
    standing=lambda name: {f"GET {FUTURES}/orders": [order(text=name)]},
    transferred=lambda key: {
        f"GET {FUTURES}/account_book": [
            {"time": 1790000002.5, "change": "-0.1", "balance": "9.9", "type": "dnw", "id": "9"}
        ]
    },
    fees={"USDT": "0.0019"},
    step_quantity="12.5",
    market="BTC_USDT",
    unequal=lambda: {f"GET {FUTURES}/accounts": {**ACCOUNT, "unrealised_pnl": "500"}},
    exact=lambda units: {
        "GET /api/v4/spot/accounts": [
            {"currency": "USDT", "available": units, "locked": "0", "update_id": 98}
        ]
    },
    exact_in=("spot", "USDT"),
    unable=frozenset({"moves", "transfer_key", "withdrawals", "sees_deposits"}),
)
