"""The unmodified client works against the emulator, and sees the venue's own errors."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import ccxt.async_support as ccxt
import pytest

from allocator.adapters.ccxt.loopback import LoopbackSession
from allocator.adapters.emulator.testing import Emulator

Work = Callable[[Any, Any], Awaitable[None]]
LINEAR, INVERSE, SPOT = "BTC/USDC:USDC", "BTC/USD:BTC", "BTC/USDC"
CALL = "BTC/USD:BTC-300628-70000-C"


def client(session: LoopbackSession, login: str) -> Any:
    """Return a client; its nonces are numbered, since milliseconds repeat on a fast machine."""
    made = ccxt.deribit(
        {
            "apiKey": f"{login}-key",
            "secret": f"{login}-secret",
            "session": session,
            "number": str,
            "enableRateLimit": False,
        }
    )
    made.nonce = itertools.count(1).__next__
    return made


def run(emulator: Emulator, work: Work) -> None:
    """Run `work(main, sub_a)` with two clients on one session."""

    async def body() -> None:
        session = LoopbackSession(emulator.base_url)
        main, sub = client(session, "deribit-main"), client(session, "deribit-a")
        try:
            await main.load_markets(False, {"currency": "any"})
            sub.set_markets_from_exchange(main)
            await work(main, sub)
        finally:
            await asyncio.gather(main.close(), sub.close())
            await session.close()

    asyncio.run(body())


def test_markets_balances_positions_and_greeks_are_read(emulator: Emulator) -> None:
    async def work(main: Any, sub: Any) -> None:
        assert {LINEAR, INVERSE, SPOT, CALL} < set(main.markets)
        assert (main.markets[INVERSE]["contractSize"], main.markets[CALL]["strike"]) == (
            "10", "70000",
        )  # fmt: skip
        assert (await main.fetch_balance())["USDT"]["total"] == "50000"
        (held,) = await sub.fetch_positions()
        assert (held["symbol"], held["side"]) == (LINEAR, "short")
        greeks = await main.fetch_greeks(CALL)
        assert greeks["delta"] == "0.50034"
        assert (await main.fetch_order_book(INVERSE))["bids"]
        assert abs(await main.fetch_time() - main.milliseconds()) < 5000

    run(emulator, work)


def test_orders_are_created_found_and_cancelled(emulator: Emulator) -> None:
    async def work(main: Any, sub: Any) -> None:
        del sub
        placed = await main.create_order(
            LINEAR, "limit", "buy", "0.01", "60000", {"postOnly": True, "reject_post_only": True}
        )
        assert placed["status"] == "open"
        (row,) = (await main.private_get_get_open_orders())["result"]
        assert row["order_id"] == placed["id"]
        assert (await main.cancel_order(placed["id"], LINEAR))["status"] == "canceled"
        taken = await main.create_order(CALL, "limit", "buy", "0.1", "0.1345")
        assert (taken["status"], taken["filled"]) == ("closed", "0.1")
        asked = {"order_id": taken["id"]}
        (trade,) = (await main.private_get_get_user_trades_by_order(asked))["result"]
        assert (trade["fee_currency"], trade["liquidity"]) == ("BTC", "T")

    run(emulator, work)


def test_a_transfer_arrives(emulator: Emulator) -> None:
    async def work(main: Any, sub: Any) -> None:
        done = await main.transfer("USDC", "12.5", "5001", "5002")
        assert done["status"] == "ok"
        assert (await sub.fetch_balance())["USDC"]["total"] is not None
        (seen,) = await sub.fetch_transfers("USDC")
        assert seen["amount"] == "12.5"

    run(emulator, work)


@pytest.mark.parametrize(
    ("amount", "price", "error"),
    [
        ("900", "60000", ccxt.InsufficientFunds),
        ("0.01", "0", ccxt.InvalidOrder),
    ],
)
def test_the_client_sees_the_venues_errors(
    emulator: Emulator, amount: str, price: str, error: type[Exception]
) -> None:
    async def work(main: Any, sub: Any) -> None:
        del sub
        with pytest.raises(error):
            await main.private_get_buy(
                {"instrument_name": "BTC_USDC-PERPETUAL", "amount": amount, "price": price}
            )

    run(emulator, work)
