"""An order that closes one leg of two only reduces, whatever its flag says.

Sources: the venues' pages "Place order" (OKX: ``reduceOnly`` is not applied in long/short mode),
"New Order" (Binance USD-M, COIN-M: it cannot be sent in hedge mode), "Add Order" (KuCoin Futures).
"""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from allocator.adapters.ccxt import binance_reads, kucoin_waiting, okx_waiting
from allocator.adapters.ccxt.place import Place
from allocator.models.account import SeenOrder
from allocator.models.errors import VenueError
from tests.adapters.ccxt import kucoin_payloads as kucoin
from tests.adapters.ccxt import portfolio_payloads as pm
from tests.adapters.ccxt.test_okx_modes import MARKET, data, place
from tests.adapters.ccxt.test_okx_waiting import ROW

CASES = [
    ("LONG", "sell", False, True),
    ("SHORT", "buy", False, True),
    ("LONG", "buy", False, False),
    ("SHORT", "sell", False, False),
    ("LONG", "buy", True, False),
    ("SHORT", "sell", True, False),
    ("BOTH", "sell", True, True),
    ("BOTH", "buy", False, False),
]
Found = tuple[SeenOrder, ...]


def at_wallet(answers: dict[str, Any], wallet: str, **market: Any) -> Place:
    told = place(answers)
    told.login.client.markets_by_id[market["id"]] = [{**MARKET, **market}]
    return replace(told, config=told.config.model_copy(update={"wallet": wallet}))


def okx(leg: str, side: str, flag: bool) -> Found:
    told = {
        "side": side, "posSide": {"BOTH": "net"}.get(leg, leg.lower()),
        "reduceOnly": str(flag).lower(),
    }  # fmt: skip
    stands = {**ROW, **told, "ordId": "1", "px": "60000", "accFillSz": "0"}

    def waits(asked: dict[str, Any]) -> Any:
        return data({**ROW, **told}) if "conditional" in asked["ordType"] else data()

    return asyncio.run(okx_waiting.open_orders(place({
        "private_get_trade_orders_algo_pending": waits,
        "private_get_trade_orders_pending": data(stands),
    })))  # fmt: skip


def binance(leg: str, side: str, flag: bool) -> Found:
    told = {"symbol": "BTCUSDT", "side": side.upper(), "positionSide": leg, "reduceOnly": flag}
    stands = {
        **told, "orderId": 1, "origQty": "2", "executedQty": "0", "price": "60000",
        "closePosition": False,
    }  # fmt: skip
    return asyncio.run(binance_reads.open_orders(at_wallet({
        "fapiprivate_get_openalgoorders": [pm.algo(**told)],
        "fapiprivate_get_openorders": [stands],
    }, "usdm", id="BTCUSDT")))  # fmt: skip


def kucoin_futures(leg: str, side: str, flag: bool) -> Found:
    told = {"side": side, "positionSide": leg, "reduceOnly": flag, "closeOrder": False}
    return asyncio.run(kucoin_waiting.open_orders(at_wallet({
        "futuresprivate_get_stoporders": kucoin.listed(kucoin.stop(**told)),
        "futuresprivate_get_orders": kucoin.listed(kucoin.order(**told)),
    }, "usdm", id="XBTUSDTM")))  # fmt: skip


READERS = [okx, binance, kucoin_futures]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(("leg", "side", "flag", "reduces"), CASES)
def test_an_order_of_a_leg_reduces_where_it_closes_it(
    read: Any, leg: str, side: str, flag: bool, reduces: bool
) -> None:
    found = read(leg, side, flag)
    assert [row.reduce_only for row in found] == [reduces, reduces]
    assert {row.side for row in found} == {side}


@pytest.mark.parametrize("read", READERS)
def test_a_leg_that_is_not_known_is_not_read(read: Any) -> None:
    with pytest.raises(VenueError, match=r"(?i)up is not known"):
        read("UP", "sell", False)
