"""However fast a client asks, no stretch of a window holds more than the venue counts in it.

Requests, credits and limits are in the venue's own terms, by its own pages, and nothing of them is
taken from what is tested. The clock jumps over every wait.
"""

import asyncio
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Any

import pytest
from ccxt.async_support.base import throttler

from allocator.adapters.ccxt.budgets import Budgets
from allocator.adapters.ccxt.clients import CREDENTIALS, ON_CHAIN, new_client, sign_with
from allocator.adapters.ccxt.dialects import DIALECTS
from tests.adapters.ccxt.test_budgets import timed


@dataclass(frozen=True)
class Count:
    """So many credits in any so many seconds, of which a request draws some.

    `burst` is for a bucket: what it lets through beside what refills it in the window.
    """

    venue: str
    endpoint: str
    drawn: float
    most: float
    window_s: float
    source: str
    burst: float = 0
    params: dict[str, Any] = field(default_factory=dict[str, Any])
    orders: int = 0


LINEAR = {"category": "linear", "symbol": "BTCUSDT"}
COUNTS = (
    Count("binance", "fapiprivatev3_get_account", 5, 2400, 60, "LIMITS, by address"),
    Count("binance", "private_get_account", 20, 6000, 60, "LIMITS, by address"),
    Count("binance", "fapiprivate_get_openalgoorders", 40, 2400, 60, "All Algo Open Orders"),
    Count("binance", "dapiprivate_get_openalgoorders", 40, 2400, 60, "All Algo Open Orders"),
    Count("binance", "papi_get_um_algo_openalgoorders", 40, 6000, 60, "UM Open Algo Orders"),
    Count("binance", "papi_get_cm_conditional_openorders", 40, 6000, 60, "CM Open Conditional"),
    Count("binance", "fapiprivate_post_order", 1, 300, 10, "COIN-M / USD-M Integration, A.3"),
    Count("binance", "fapiprivate_post_batchorders", 5, 300, 10, "Place Multiple Orders"),
    Count("binance", "dapiprivate_post_order", 1, 1200, 60, "COIN-M / USD-M Integration, A.3"),
    Count("binance", "dapiprivatev2_get_leveragebracket", 2, 2400, 60, "Integration, C.8"),
    Count("binance", "dapiprivate_get_usertrades", 5, 2400, 60, "Integration, C.8",
          params={"symbol": "BTCUSD_PERP"}),
    Count("binance", "papi_get_account", 20, 6000, 60, "PM, Account Information"),
    Count("binance", "papi_get_balance", 20, 6000, 60, "PM, Account Balance"),
    Count("binance", "papi_get_um_positionrisk", 5, 6000, 60, "PM, UM Position Information"),
    Count("binance", "papi_get_cm_positionrisk", 1, 6000, 60, "PM, CM Position Information"),
    Count("binance", "papi_get_um_positionside_dual", 30, 6000, 60, "PM, UM Position Mode"),
    Count("binance", "papi_get_cm_positionside_dual", 30, 6000, 60, "PM, CM Position Mode"),
    Count("binance", "papi_get_um_commissionrate", 20, 6000, 60, "PM, UM Commission Rate"),
    Count("binance", "papi_get_cm_commissionrate", 20, 6000, 60, "PM, CM Commission Rate"),
    Count("binance", "papi_get_um_leveragebracket", 1, 6000, 60, "PM, UM Brackets"),
    Count("binance", "papi_get_cm_leveragebracket", 1, 6000, 60, "PM, CM Brackets"),
    Count("binance", "papi_post_um_order", 1, 1200, 60, "General Info, order limits"),
    Count("binance", "private_post_order", 1, 100, 10, "exchangeInfo, ORDERS of an account"),
    Count("binance", "sapi_get_capital_withdraw_history", 18_000, 180_000, 60, "LIMITS, by UID"),
    Count("binance", "sapi_post_capital_withdraw_apply", 900, 180_000, 60, "LIMITS, by UID"),
    Count("binance", "sapi_post_asset_transfer", 900, 180_000, 60, "LIMITS, by UID"),
    Count("binance", "sapi_post_sub_account_universaltransfer", 360, 180_000, 60, "by UID"),
    Count("bitget", "private_mix_post_v2_mix_order_place_order", 1, 10, 1, "Place Order, by user"),
    Count("bitget", "private_mix_get_v2_mix_position_all_position", 1, 5, 1, "All Positions"),
    Count("bitget", "private_mix_get_v2_mix_order_orders_plan_pending", 1, 10, 1, "Plan orders"),
    Count("bybit", "private_post_v5_order_create", 1, 10, 1, "Rate Limit, by user", params=LINEAR),
    Count("bybit", "private_post_v5_order_cancel", 1, 10, 1, "Rate Limit, by user", params=LINEAR),
    Count("bybit", "private_get_v5_position_list", 1, 10, 1, "Rate Limit, by user"),
    Count("deribit", "private_get_cancel", 1, 0.1 * 5, 0.1, "Rate Limits, matching", burst=20),
    Count("deribit", "private_get_cancel", 1, 10 * 5, 10, "Rate Limits, matching", burst=20),
    Count("deribit", "private_get_get_positions", 500, 10 * 10_000, 10, "Rate Limits", burst=5e4),
    Count("gate", "private_futures_get_settle_positions", 1, 200, 10, "Rate limit, by user"),
    Count("gate", "private_futures_post_settle_orders", 1, 100, 1, "Rate limit, by user"),
    Count("gate", "private_futures_post_settle_batch_orders", 10, 100, 1, "Rate limit", orders=10),
    Count("hyperliquid", "public_post_info", 20, 1200, 60, "Rate limits, by address",
          params={"type": "userFees"}),
    Count("krakenfutures", "private_get_openpositions", 2, 500, 10, "Derivatives rate limits"),
    Count("krakenfutures", "private_post_batchorder", 19, 500, 10, "Derivatives rate limits",
          params={"batchOrder": [{"order": "send"}] * 10}),
    Count("kucoinfutures", "futuresprivate_post_orders", 2, 2000, 30, "Rate Limit, Futures"),
    Count("kucoinfutures", "futuresprivate_post_orders_multi", 20, 2000, 30, "Rate Limit, Futures"),
    Count("kucoinfutures", "futuresprivate_get_positions", 2, 2000, 30, "Rate Limit, Futures"),
    Count("kucoinfutures", "futuresprivate_get_stoporders", 6, 2000, 30, "Rate Limit, Futures"),
    Count("kucoinfutures", "futurespublic_get_alltickers", 5, 2000, 30, "Rate Limit, Public"),
    Count("kucoinfutures", "public_get_currencies_currency", 3, 2000, 30, "Rate Limit, Public",
          params={"currency": "USDT"}),
    Count("kucoinfutures", "private_get_accounts", 5, 2000, 30, "Rate Limit, Management"),
    Count("okx", "private_get_account_positions", 1, 10, 2, "Get positions, by user"),
    Count("okx", "private_get_trade_orders_algo_pending", 1, 20, 2, "Algo order list, by user"),
    Count("okx", "private_post_trade_order", 1, 60, 2, "Place order, by user"),
    Count("okx", "private_post_trade_batch_orders", 20, 300, 2, "Multiple orders", orders=20),
)  # fmt: skip


def asked(count: Count, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Tell when each of twice as many requests as one window holds leaves; none is sent."""
    words = ("key",) if count.venue in ON_CHAIN else CREDENTIALS
    told = {word: "0x" + "1" * 40 for word in (*words, "secret")}
    params: Any = [count.params] * count.orders if count.orders else count.params
    times = int(2 * (count.most + count.burst) / count.drawn) + 2

    async def work() -> list[float]:
        client = new_client(count.venue, None)
        sign_with(client, count.venue, told)
        loop, at = asyncio.get_running_loop(), list[float]()
        monkeypatch.setattr(throttler, "time", loop.time)
        Budgets(count.venue).bind(client, "owner", "key")
        bound = client.throttler

        async def leaves(cost: Any) -> None:
            await bound(cost)
            at.append(loop.time())
            raise LookupError

        client.throttler = leaves
        send = getattr(client, count.endpoint)
        await asyncio.gather(*(send(params) for _ in range(times)), return_exceptions=True)
        return at

    at, _ = timed(work)
    assert len(at) == times
    return sorted(at)


@pytest.mark.parametrize("count", COUNTS, ids=lambda row: f"{row.endpoint}-{row.window_s:g}s")
def test_no_window_holds_more_than_the_venue_counts(
    monkeypatch: pytest.MonkeyPatch, count: Count
) -> None:
    at = asked(count, monkeypatch)
    held = max(bisect_left(at, one + count.window_s) - index for index, one in enumerate(at))
    assert held * count.drawn <= count.most + count.burst, f"by {count.source}"


def test_every_venue_is_counted() -> None:
    assert {row.venue for row in COUNTS} == DIALECTS.keys()
