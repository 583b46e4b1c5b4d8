"""The unmodified client works against the emulator, and sees the venue's own errors."""

import asyncio
import uuid
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
    return ccxt.bybit(
        {
            "apiKey": f"{login}-key",
            "secret": f"{login}-secret",
            "session": session,
            "number": str,
            "enableRateLimit": False,
            "options": {"fetchMarkets": {"types": ["spot", "linear", "inverse"]}},
        }
    )


def run(emulator: Emulator, work: Work) -> None:
    """Run `work(main, sub_a)` with two clients on one session."""

    async def body() -> None:
        session = LoopbackSession(emulator.base_url)
        main, sub = client(session, "bybit-main"), client(session, "bybit-a")
        try:
            await main.load_markets()
            sub.set_markets_from_exchange(main)
            await work(main, sub)
        finally:
            await asyncio.gather(main.close(), sub.close())
            await session.close()

    asyncio.run(body())


def test_markets_balances_positions_and_brackets_are_read(emulator: Emulator) -> None:
    async def work(main: Any, sub: Any) -> None:
        assert set(main.markets) == {SPOT, PERP, "ETH/USDT:USDT", INVERSE}
        assert main.markets[INVERSE]["contractSize"] == "1"
        balance = await main.fetch_balance()
        assert (balance["USDT"]["total"], balance["BTC"]["total"]) == ("250000", "2")
        assert (await main.fetch_balance({"type": "funding"}))["USDT"]["total"] == "50000"
        (held,) = await sub.fetch_positions()
        assert (held["symbol"], held["side"], held["contracts"]) == (PERP, "short", "10")
        assert held["maintenanceMargin"] == "3200.32"
        tiers = await main.fetch_leverage_tiers()
        assert len(tiers[PERP]) == 6
        fees = await main.fetch_trading_fee(PERP)
        assert (fees["maker"], fees["taker"]) == ("0.0002", "0.00055")
        book = await main.fetch_order_book(PERP, 5)
        assert len(book["bids"]) == 5
        assert abs(await main.fetch_time() - main.milliseconds()) < 5000

    run(emulator, work)


def test_an_order_fills_against_the_book_and_pays_the_taker_fee(emulator: Emulator) -> None:
    async def work(main: Any, sub: Any) -> None:
        del sub
        params = {"clientOrderId": "a-1", "timeInForce": "IOC"}
        await main.create_order(PERP, "limit", "buy", "0.5", "64100", params)
        found = await main.private_get_v5_order_realtime(
            {"category": "linear", "orderLinkId": "a-1"}
        )
        order = main.parse_order(found["result"]["list"][0])
        assert (order["status"], order["filled"], order["average"]) == ("closed", "0.5", "64006.5")
        (trade,) = await main.fetch_my_trades(PERP)
        assert Decimal(trade["fee"]["cost"]) == Decimal("64006.5") * Decimal("0.5") * Decimal(
            "0.00055"
        )
        (held,) = await main.fetch_positions()
        assert held["contracts"] == "3.5"

    run(emulator, work)


def test_a_link_id_is_used_once(emulator: Emulator) -> None:
    async def work(main: Any, sub: Any) -> None:
        del sub
        order = (PERP, "limit", "buy", "0.1", "64100", {"clientOrderId": "b-1"})
        await main.create_order(*order)
        with pytest.raises(ccxt.InvalidOrder, match="110072"):
            await main.create_order(*order)

    run(emulator, work)
    effects: Any = emulator.admin("GET", "effects")
    assert [(o["client_id"], o["count"]) for o in effects["orders"]] == [("b-1", 1)]


def test_an_order_the_margin_cannot_carry_is_refused(emulator: Emulator) -> None:
    async def work(main: Any, sub: Any) -> None:
        del main
        with pytest.raises(ccxt.InsufficientFunds, match="110007"):
            await sub.create_order(PERP, "limit", "sell", "1", "63000")
        params = {"reduceOnly": True, "timeInForce": "IOC"}
        await sub.create_order(PERP, "limit", "buy", "4", "65000", params)
        with pytest.raises(ccxt.InvalidOrder, match="110017"):
            await sub.create_order(PERP, "limit", "sell", "1", "60000", params)
        (held,) = await sub.fetch_positions()
        assert held["contracts"] == "6"

    run(emulator, work)


def test_coins_reach_the_sub_account_once(emulator: Emulator) -> None:
    async def work(main: Any, sub: Any) -> None:
        params = {
            "transferId": str(uuid.UUID(int=7)),
            "coin": "USDT",
            "amount": "5000",
            "fromMemberId": "10000001",
            "toMemberId": "10000002",
            "fromAccountType": "UNIFIED",
            "toAccountType": "UNIFIED",
        }
        send = main.private_post_v5_asset_transfer_universal_transfer
        await send(params)
        with pytest.raises(ccxt.BadRequest, match="131214"):
            await send(params)
        assert (await sub.fetch_balance())["USDT"]["total"] == "14700"
        with pytest.raises(ccxt.InsufficientFunds, match="131212"):
            await send({**params, "transferId": str(uuid.UUID(int=8)), "amount": "9999999"})

    run(emulator, work)


def test_a_withdrawal_takes_time_and_arrives_less_its_fee(emulator: Emulator) -> None:
    async def work(main: Any, sub: Any) -> None:
        del sub
        params = {"network": "TRC20", "accountType": "FUND", "requestId": "r1"}
        address = (await main.fetch_deposit_address("USDT", {"network": "TRC20"}))["address"]
        sent = await main.withdraw("USDT", "1000", address, params)
        assert (await main.fetch_withdrawals("USDT"))[0]["status"] == "pending"
        assert (await main.fetch_balance({"type": "funding"}))["USDT"]["total"] == "48999"
        with pytest.raises(ccxt.BadRequest, match="10014"):
            await main.withdraw("USDT", "1000", address, params)
        emulator.admin("POST", "clock", advance_ms=2000)
        await main.load_time_difference()
        (done,) = await main.fetch_withdrawals("USDT")
        assert (done["id"], done["status"]) == (sent["id"], "ok")
        assert (await main.fetch_deposits("USDT"))[0]["txid"] == done["txid"]
        assert (await main.fetch_balance({"type": "funding"}))["USDT"]["total"] == "49999"

    run(emulator, work)


def test_spot_trades_exchange_coins(emulator: Emulator) -> None:
    async def work(main: Any, sub: Any) -> None:
        del sub
        await main.create_order(SPOT, "market", "sell", "0.5")
        balance = await main.fetch_balance()
        assert balance["BTC"]["total"] == "1.5"
        assert Decimal(balance["USDT"]["total"]) > Decimal(281900)
        rest = await main.create_order(SPOT, "limit", "buy", "0.1", "60000")
        assert Decimal((await main.fetch_balance())["USDT"]["used"]) >= 6000
        assert [o["id"] for o in await main.fetch_open_orders(SPOT)] == [rest["id"]]
        await main.cancel_order(rest["id"], SPOT)
        with pytest.raises(ccxt.OrderNotFound, match="170213"):
            await main.cancel_order(rest["id"], SPOT)

    run(emulator, work)


def test_a_position_moves_to_the_other_account_without_fee(emulator: Emulator) -> None:
    async def work(main: Any, sub: Any) -> None:
        leg = {"category": "linear", "symbol": "BTCUSDT", "price": "64000", "side": "Buy"}
        await main.private_post_v5_position_move_positions(
            {"fromUid": "10000002", "toUid": "10000001", "list": [{**leg, "qty": "2"}]}
        )
        assert [p["contracts"] for p in await main.fetch_positions()] == ["1"]
        assert [p["contracts"] for p in await sub.fetch_positions()] == ["8"]
        history = await main.private_get_v5_position_move_history()
        assert {row["execFee"] for row in history["result"]["list"]} == {"0"}

    run(emulator, work)


def test_a_wrong_secret_and_a_stale_clock_get_the_venue_s_codes(emulator: Emulator) -> None:
    async def work(main: Any, sub: Any) -> None:
        sub.secret = "wrong"
        with pytest.raises(ccxt.AuthenticationError, match="10004"):
            await sub.fetch_positions()
        main.options["timeDifference"] = 60_000
        with pytest.raises(ccxt.InvalidNonce, match="10002"):
            await main.fetch_positions()
        await main.load_time_difference()
        assert await main.fetch_positions()

    run(emulator, work)


def test_an_endpoint_outside_the_table_is_refused(emulator: Emulator) -> None:
    async def work(main: Any, sub: Any) -> None:
        del sub
        with pytest.raises(ccxt.BadRequest, match="10017"):
            await main.private_get_v5_account_borrow_history()

    run(emulator, work)


def test_the_request_log_tells_signed_calls_of_the_client(emulator: Emulator) -> None:
    async def work(main: Any, sub: Any) -> None:
        del sub
        await main.fetch_balance()

    run(emulator, work)
    requests: Any = emulator.admin("GET", "requests")
    balance = [r for r in requests if r["path"] == "/v5/account/wallet-balance"]
    assert [(r["signed_by"], r["host"], r["code"]) for r in balance] == [
        ("bybit-main-key", "api.bybit.com", "0")
    ]
    assert {r["signed_by"] for r in requests if r["path"].startswith("/v5/market")} == {""}
