"""The unmodified client's own methods work against the emulator, and raise by its codes."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import ccxt.async_support as ccxt
import pytest

from allocator.adapters.ccxt.loopback import LoopbackSession
from allocator.adapters.emulator.testing import Emulator

Work = Callable[[Any, Any], Awaitable[None]]
PERP, INVERSE, SPOT = "BTC/USDT:USDT", "BTC/USD:BTC", "BTC/USDT"


def client(session: LoopbackSession, login: str) -> Any:
    made = ccxt.okx(
        {
            "apiKey": f"{login}-key",
            "secret": f"{login}-secret",
            "password": f"{login}-passphrase",
            "session": session,
            "number": str,
            "enableRateLimit": False,
            "options": {"fetchMarkets": {"types": ["spot", "swap", "future"]}},
        }
    )
    made.has["fetchCurrencies"] = False
    return made


def run(emulator: Emulator, work: Work) -> None:
    """Run `work(main, sub_a)` with two clients on one session."""

    async def body() -> None:
        session = LoopbackSession(emulator.base_url)
        main, sub = client(session, "okx-main"), client(session, "okx-a")
        try:
            await main.load_markets()
            sub.set_markets_from_exchange(main)
            await work(main, sub)
        finally:
            await asyncio.gather(main.close(), sub.close())
            await session.close()

    asyncio.run(body())


def test_markets_balances_positions_and_tiers_are_read(emulator: Emulator) -> None:
    async def work(main: Any, sub: Any) -> None:
        assert set(main.markets) == {SPOT, "ETH/USDT", PERP, "ETH/USDT:USDT", INVERSE}
        assert main.markets[PERP]["contractSize"] == "0.01"
        assert main.markets[INVERSE]["inverse"]
        balance = await main.fetch_balance()
        assert Decimal(balance["BTC"]["total"]) == Decimal("1.5")
        assert (await main.fetch_balance({"type": "funding"}))["USDT"]["total"] == "40000"
        (held,) = await sub.fetch_positions()
        assert (held["symbol"], held["side"], held["contracts"]) == (PERP, "short", "90")
        tiers = await main.fetch_market_leverage_tiers(PERP)
        assert [row["maxLeverage"] for row in tiers] == ["100", "75", "50", "20", "10", "5"]
        fees = await main.fetch_trading_fee(PERP)
        assert (fees["maker"], fees["taker"]) == ("0.0002", "0.0005")
        rate = await main.fetch_funding_rate(PERP)
        assert rate["fundingRate"] == "0.0002"
        assert len((await main.fetch_order_book(PERP, 5))["bids"]) == 5
        assert abs(await main.fetch_time() - main.milliseconds()) < 5000
        names = [row["id"] for row in await main.fetch_accounts()]
        assert names == ["30000001"]

    run(emulator, work)


def test_an_order_fills_against_the_book_and_pays_the_taker_fee(emulator: Emulator) -> None:
    async def work(main: Any, sub: Any) -> None:
        del sub
        params = {"clientOrderId": "a1", "timeInForce": "IOC", "tdMode": "cross"}
        placed = await main.create_order(PERP, "limit", "buy", "50", "64100", params)
        order = await main.fetch_order(placed["id"], PERP)
        assert (order["status"], order["filled"], order["average"]) == ("closed", "50", "64006.5")
        (trade,) = await main.fetch_order_trades(placed["id"], PERP)
        paid = Decimal("64006.5") * Decimal("0.5") * Decimal("0.0005")
        assert Decimal(trade["fee"]["cost"]) == paid
        (held,) = await main.fetch_positions()
        assert held["contracts"] == "300"

    run(emulator, work)


def test_orders_rest_are_listed_and_cancelled(emulator: Emulator) -> None:
    async def work(main: Any, sub: Any) -> None:
        del sub
        orders = [
            {"symbol": PERP, "type": "limit", "side": "buy", "amount": "1", "price": "62000",
             "params": {"clientOrderId": f"r{n}", "tdMode": "cross", "postOnly": True}}
            for n in range(2)
        ]  # fmt: skip
        assert len(await main.create_orders(orders)) == 2
        assert len(await main.fetch_open_orders(PERP)) == 2
        await main.cancel_order(None, PERP, {"clOrdId": "r0"})
        (left,) = await main.fetch_open_orders(PERP)
        await main.cancel_orders([left["id"]], PERP)
        assert await main.fetch_open_orders(PERP) == []
        with pytest.raises(ccxt.OrderNotFound, match="51400"):
            await main.cancel_order(left["id"], PERP)
        assert len(await main.fetch_canceled_orders(PERP)) == 2

    run(emulator, work)


def test_a_client_id_of_an_open_order_is_refused(emulator: Emulator) -> None:
    async def work(main: Any, sub: Any) -> None:
        del sub
        params = {"clientOrderId": "b1", "tdMode": "cross", "postOnly": True}
        order = (PERP, "limit", "buy", "1", "62000", params)
        await main.create_order(*order)
        with pytest.raises(ccxt.InvalidOrder, match="51016"):
            await main.create_order(*order)

    run(emulator, work)
    effects: Any = emulator.admin("GET", "effects")
    assert [row["count"] for row in effects["orders"]] == [1]


def test_an_order_the_margin_cannot_carry_is_refused(emulator: Emulator) -> None:
    async def work(main: Any, sub: Any) -> None:
        del main
        params = {"tdMode": "cross"}
        with pytest.raises(ccxt.InsufficientFunds, match="51008"):
            await sub.create_order(PERP, "limit", "sell", "4000", "63900", params)

    run(emulator, work)


def test_coins_move_and_come_back_under_their_id(emulator: Emulator) -> None:
    async def work(main: Any, sub: Any) -> None:
        await main.transfer("USDT", "12.5", "trading", "funding")
        down = {"type": "1", "subAcct": "okxa", "clientId": "c1"}
        done = await main.transfer("USDT", "100", "trading", "trading", down)
        state = await main.fetch_transfer(done["id"], None, {"type": "1"})
        assert (state["status"], state["amount"]) == ("ok", "100")
        assert Decimal((await sub.fetch_balance())["USDT"]["total"]) < 12200
        with pytest.raises(ccxt.ExchangeError, match="50071"):
            await main.transfer("USDT", "100", "trading", "trading", down)

    run(emulator, work)


def test_leverage_mode_and_the_dead_man_s_switch_are_set(emulator: Emulator) -> None:
    async def work(main: Any, sub: Any) -> None:
        del sub
        await main.set_leverage(12, PERP, {"mgnMode": "cross"})
        assert (await main.fetch_leverage(PERP))["longLeverage"] == 12
        assert not (await main.fetch_position_mode())["hedged"]
        with pytest.raises(ccxt.ExchangeError, match="59000"):
            await main.set_position_mode(True)
        assert (await main.cancel_all_orders_after(60_000))["code"] == "0"

    run(emulator, work)


def test_a_wrong_secret_is_an_authentication_error(emulator: Emulator) -> None:
    async def work(main: Any, sub: Any) -> None:
        del sub
        main.secret = "other"
        with pytest.raises(ccxt.AuthenticationError, match="50113"):
            await main.fetch_balance()

    run(emulator, work)


def test_coins_leave_for_a_registered_address_and_arrive(emulator: Emulator) -> None:
    async def work(main: Any, sub: Any) -> None:
        del sub
        sent = await main.private_post_asset_withdrawal(
            {"ccy": "USDT", "amt": "50", "dest": "4", "chain": "USDT-TRC20",
             "toAddr": "TBybitFundOne1111111111111111111111"}
        )  # fmt: skip
        assert sent["code"] == "0"
        emulator.admin("POST", "clock", advance_ms=2000)
        (row,) = await main.fetch_withdrawals("USDT")
        assert (row["status"], row["amount"]) == ("ok", "50")

    run(emulator, work)
