"""What a request costs its budgets, against what the venue's page says of it.

Sources: KuCoin, docs/rest/futures-trading: "Place Order" (2), "Place Multiple Orders" (20), "Cancel
Order by clientOid" (1), of 2,000 credits in 30 s; what reads cost as independent clients have it.
Bitget, api-doc/contract/trade, plan and position: requests a second by user.
Kraken, guides/futures/ratelimits: nine and the size of the batch, of 500 in 10 s.
Hyperliquid, Rate limits and user limits: an action weighs one, and one more by forty in its list.
Binance, Important Notice: COIN-M / USD-M Architecture Integration, C.8: weights of COIN-M.
"""

import asyncio
from typing import Any

import ccxt
import pytest

from allocator.adapters.ccxt.budgets import Budgets
from allocator.adapters.ccxt.clients import (
    CREDENTIALS,
    ON_CHAIN,
    WALLET_CREDENTIALS,
    new_client,
    sign_with,
)

KUCOIN = {
    "futuresprivate_post_orders": 2,
    "futuresprivate_post_orders_multi": 20,
    "futuresprivate_delete_orders_client_order_clientoid": 1,
    "futuresprivate_get_orders_byclientoid": 5,
    "futuresprivate_get_orders": 2,
    "futuresprivate_get_stoporders": 6,
    "futuresprivate_get_fills": 5,
    "futuresprivate_get_account_overview": 5,
    "futuresprivate_post_cross_requirement": 3,
}
"""Credits."""

BITGET = {
    "private_mix_post_v2_mix_order_place_order": 10,
    "private_mix_post_v2_mix_order_cancel_order": 10,
    "private_mix_get_v2_mix_order_detail": 10,
    "private_mix_get_v2_mix_order_orders_pending": 10,
    "private_mix_get_v2_mix_order_orders_plan_pending": 10,
    "private_mix_get_v2_mix_order_orders_history": 10,
    "private_mix_get_v2_mix_order_fills": 10,
    "private_mix_get_v2_mix_position_all_position": 5,
}
"""Requests a second."""


BINANCE = (
    ("dapiprivatev2_get_leveragebracket", {}, 2),
    ("dapiprivatev2_get_leveragebracket", {"symbol": "BTCUSD_PERP"}, 1),
    ("dapiprivate_get_allorders", {"symbol": "BTCUSD_PERP"}, 5),
    ("dapiprivate_get_usertrades", {"symbol": "BTCUSD_PERP"}, 5),
    ("dapiprivate_get_forceorders", {}, 50),
    ("dapiprivate_get_forceorders", {"symbol": "BTCUSD_PERP"}, 20),
)


class AskedError(Exception):
    """Nothing is sent: it was about to be."""


def drawn(
    venue: str, monkeypatch: pytest.MonkeyPatch, *endpoints: str, **params: Any
) -> list[float]:
    """Tell how many units each request draws, and send none of them."""
    words = WALLET_CREDENTIALS if venue in ON_CHAIN else CREDENTIALS
    told = {word: "0x" + "1" * 40 if venue in ON_CHAIN else word for word in words}

    async def work() -> list[float]:
        client = new_client(venue, None)
        sign_with(client, venue, told)
        units = list[float]()

        async def own(cost: tuple[str, str, float]) -> None:
            units.append(cost[2])
            raise AskedError

        Budgets(venue).bind(client, "owner", "key")
        client.throttler = own
        for endpoint in endpoints:
            with pytest.raises(AskedError):
                await getattr(client, endpoint)(params)
        return units

    return asyncio.run(work())


@pytest.mark.parametrize(("endpoint", "credits"), KUCOIN.items())
def test_a_request_to_kucoin_draws_its_page_s_credits(
    monkeypatch: pytest.MonkeyPatch, endpoint: str, credits: int
) -> None:
    assert drawn("kucoinfutures", monkeypatch, endpoint, clientOid="1") == [2 * credits]


@pytest.mark.parametrize(("endpoint", "params", "weight"), BINANCE)
def test_a_request_to_coin_m_draws_the_weight_of_the_integration(
    monkeypatch: pytest.MonkeyPatch, endpoint: str, params: dict[str, str], weight: int
) -> None:
    assert drawn("binance", monkeypatch, endpoint, **params) == [weight]


def test_a_unit_is_what_the_figures_here_take_it_for() -> None:
    """KuCoin's 2,000 credits in 30 s are 4,000 units, Bitget's units are twenty a second."""
    pace_ms = {name: getattr(ccxt, name)().rateLimit for name in ("kucoinfutures", "bitget")}
    assert 30_000 / pace_ms["kucoinfutures"] == 2 * 2000
    assert 1000 / pace_ms["bitget"] == 20


@pytest.mark.parametrize(("endpoint", "a_second"), BITGET.items())
def test_a_request_to_bitget_is_paced_as_its_page_says(
    monkeypatch: pytest.MonkeyPatch, endpoint: str, a_second: int
) -> None:
    assert drawn("bitget", monkeypatch, endpoint) == [20 / a_second]


@pytest.mark.parametrize("size", [2, 10])
def test_several_orders_draw_at_kraken_what_their_number_makes(
    monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    orders = [{"order": "send"}] * size
    found = drawn("krakenfutures", monkeypatch, "private_post_batchorder", batchOrder=orders)
    assert found == [9 + size]


@pytest.mark.parametrize(("size", "weight"), [(1, 1), (39, 1), (40, 2), (79, 2), (80, 3)])
def test_an_action_weighs_at_hyperliquid_what_its_length_makes(
    monkeypatch: pytest.MonkeyPatch, size: int, weight: int
) -> None:
    for key in ("orders", "cancels"):
        action = {"type": key, key: [{}] * size}
        assert drawn("hyperliquid", monkeypatch, "private_post_exchange", action=action) == [weight]
