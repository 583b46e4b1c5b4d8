"""Options at Bybit are asked for, and an account that has any is not planned with.

Their markets are not read, so that what is held or rests in one is named as any other unknown
market is, and the account stays frozen until it is gone.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from allocator.adapters.ccxt.sessions import Sessions
from allocator.adapters.emulator.bybit.world import MAIN
from allocator.adapters.emulator.opened import opened as held
from allocator.adapters.emulator.testing import Emulator, running_emulator
from allocator.adapters.emulator.world import demo_world
from allocator.adapters.registry import Opened
from allocator.models.config import Config
from tests.adapters.ccxt.conftest import Run

SYMBOL = "BTC-28JUN30-70000-C-USDT"
ORDER = {
    "category": "option",
    "symbol": SYMBOL,
    "side": "Buy",
    "orderType": "Limit",
    "qty": "0.01",
    "price": "5000",
    "timeInForce": "GTC",
}


@pytest.fixture
def quantity() -> str:
    """Options of the main account at first."""
    return "0"


@pytest.fixture
def emulator(quantity: str) -> Iterator[Emulator]:
    """Lists an option, whose premium is taken for its underlying's price: only its name counts."""
    world = demo_world()
    contract = next(row for row in world.instruments if row.id == "bybit:linear:BTCUSDT")
    option = replace(contract, market="option", symbol=SYMBOL)
    mine = held(MAIN, option.id, quantity, "64000")
    changed = replace(
        world,
        instruments=(*world.instruments, option),
        positions=(*world.positions, mine) if mine.quantity else world.positions,
    )
    with running_emulator(world=changed) as running:
        yield running


def place(config: Config, orders: int) -> None:
    """Rest so many orders of an option in the main account."""

    async def whole() -> None:
        sessions = Sessions(config, reads_only=False)
        login = sessions.logins["bybit-main"]
        try:
            await login.prepare()
            for number in range(orders):
                order = {**ORDER, "orderLinkId": f"call{number}"}
                await login.call("private_post_v5_order_create", order)
        finally:
            await sessions.close()

    asyncio.run(whole())


def asked(emulator: Emulator) -> Counter[str]:
    """Count the requests for open orders by key."""
    log: Any = emulator.admin("GET", "requests")
    return Counter(row["signed_by"] for row in log if row["path"] == "/v5/order/realtime")


def test_an_account_without_options_is_read_in_full_by_one_request_more(
    run: Run, bybit: Config, emulator: Emulator
) -> None:
    """Linear contracts of the one settle coin, inverse ones, spot and options."""

    async def work(opened: Opened) -> None:
        book = await opened.market.gather()
        assert book.missing == ()
        assert asked(emulator) == {f"bybit-{name}-key": 4 for name in ("main", "a", "b")}

    run(bybit, work)


def test_a_resting_order_of_an_option_freezes_its_account_and_is_named(
    run: Run, bybit: Config
) -> None:
    place(bybit, 1)

    async def work(opened: Opened) -> None:
        book = await opened.market.gather()
        why = f"an open order in an unknown market: {SYMBOL}"
        missing = {row.account: row.what for row in book.missing}
        assert missing == {"bybit-main": f"VenueError: {why}"}
        assert book.snapshot.account["bybit-main"].state == "frozen"
        assert book.snapshot.account["bybit-a"].state == "open"
        reading = await opened.venues["bybit-main"].read()
        assert not reading.complete
        assert why in str(reading.missing)

    run(bybit, work)


@pytest.mark.parametrize("quantity", ["0.02", "-0.02"])
def test_an_option_that_is_held_freezes_its_account_and_is_named(run: Run, bybit: Config) -> None:
    async def work(opened: Opened) -> None:
        book = await opened.market.gather()
        why = f"a position in an unknown market: {SYMBOL}"
        missing = {row.account: row.what for row in book.missing}
        assert missing == {"bybit-main": f"VenueError: {why}"}
        assert book.snapshot.account["bybit-main"].state == "frozen"
        reading = await opened.venues["bybit-main"].read()
        assert not reading.complete
        assert why in str(reading.missing)

    run(bybit, work)


def test_every_page_of_option_orders_is_read(run: Run, bybit: Config, emulator: Emulator) -> None:
    """A page holds fifty at most; the rest is asked for by the cursor."""
    place(bybit, 51)

    async def work(opened: Opened) -> None:
        await opened.market.gather()
        assert asked(emulator)["bybit-main-key"] == 5

    run(bybit, work)
