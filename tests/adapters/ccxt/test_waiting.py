"""Orders that wait for a trigger are in the gathered book, at the venues with a loopback exchange.

What each order says is written by the venue's own words, and read back from the snapshot.
"""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from allocator.adapters.ccxt import okx_waiting
from allocator.adapters.emulator.testing import Emulator
from allocator.adapters.registry import Opened
from allocator.models.account import OpenOrder
from allocator.models.config import Config
from allocator.models.intents import AccountReading

Run = Callable[[Config, Callable[[Opened], Awaitable[Any]]], Any]
D = Decimal
USDM, COINM = "binance:usdm:BTCUSDT", "binance:coinm:BTCUSD_PERP"
MAIN = "binance:20000001"
SWAP, COIN, SPOT = "okx:SWAP:BTC-USDT-SWAP", "okx:SWAP:BTC-USD-SWAP", "okx:SPOT:BTC-USDT"
OKX_MAIN, OKX_LINEAR = "okx:30000001", "okx:BTC/USDT:USDT"
LINEAR, INVERSE = "binance:BTC/USDT:USDT", "binance:BTC/USD:BTC"


def gathered(run: Run, config: Config) -> Any:
    return run(config, lambda opened: opened.market.gather())


def of(run: Run, config: Config, account: str) -> tuple[OpenOrder, ...]:
    book = gathered(run, config)
    assert book.missing == ()
    found: tuple[OpenOrder, ...] = book.snapshot.account[account].open_orders
    return found


def wait(emulator: Emulator, instrument: str, user: str = MAIN, **other: Any) -> str:
    told: Any = emulator.admin("POST", "waiting", user=user, instrument=instrument, **other)
    return str(told["id"])


@pytest.mark.parametrize(
    ("kind", "price"),
    [("STOP", "60500"), ("TAKE_PROFIT", "60500"), ("STOP_MARKET", None),
     ("TAKE_PROFIT_MARKET", None), ("TRAILING_STOP_MARKET", None)],
)  # fmt: skip
@pytest.mark.parametrize(
    ("at", "account", "name"),
    [(USDM, "binance-usdm", LINEAR), (COINM, "binance-coinm", INVERSE)],
)
def test_an_order_that_waits_at_binance_is_an_open_order(
    run: Run, binance: Config, emulator: Emulator, at: str, account: str, name: str,
    kind: str, price: str | None,
) -> None:  # fmt: skip
    wait(emulator, at, kind=kind, side="sell", quantity="3", trigger="61000", price=price,
         reduce_only=True)  # fmt: skip
    assert of(run, binance, account) == (
        OpenOrder(
            instrument=name, side="sell", quantity=D(3), price=None if price is None else D(price),
            reduce_only=True, waits=True,
        ),
    )  # fmt: skip


def test_each_wallet_has_what_waits_in_its_own_markets(
    run: Run, binance: Config, emulator: Emulator
) -> None:
    wait(emulator, USDM, kind="STOP", side="buy", quantity="0.2", trigger="70000", price="70100")
    wait(emulator, COINM, kind="STOP_MARKET", side="sell", quantity="5", trigger="60000")
    snapshot = gathered(run, binance).snapshot
    told = {row.id: [order.instrument for order in row.open_orders] for row in snapshot.accounts}
    assert told == {
        "binance-spot": [], "binance-usdm": [LINEAR], "binance-coinm": [INVERSE],
        "sub1-spot": [], "sub1-usdm": [],
    }  # fmt: skip
    (order,) = snapshot.account["binance-usdm"].open_orders
    assert (order.side, order.quantity, order.price, order.reduce_only) == (
        "buy", D("0.2"), 70100, False
    )  # fmt: skip


def test_one_that_closes_all_of_a_position_has_no_size_and_is_noted(
    run: Run, binance: Config, emulator: Emulator
) -> None:
    number = wait(emulator, USDM, kind="STOP_MARKET", side="sell", trigger="60000")
    book = gathered(run, binance)
    assert book.missing == ()
    assert book.snapshot.account["binance-usdm"].open_orders == ()
    assert [row.what for row in book.notes if row.account == "binance-usdm"] == [
        f"orders that close all of a position are not read: {number} of {LINEAR}"
    ]


def test_a_kind_that_is_not_known_freezes_the_account_by_name(
    run: Run, binance: Config, emulator: Emulator
) -> None:
    number = wait(emulator, USDM, kind="SNIPER", side="buy", quantity="1", trigger="1")
    book = gathered(run, binance)
    assert {row.id for row in book.snapshot.accounts if row.state == "frozen"} == {"binance-usdm"}
    (row,) = book.missing
    assert row.what == (
        f"VenueError: an order that waits (algoId {number}): orderType SNIPER is not known"
    )


def test_what_waits_is_in_a_reading_between_orders_too(
    run: Run, binance: Config, emulator: Emulator
) -> None:
    wait(emulator, USDM, kind="STOP", side="buy", quantity="0.2", trigger="70000", price="70100")

    async def work(opened: Opened) -> None:
        reading: AccountReading = await opened.venues["binance-usdm"].read()
        assert [row.instrument for row in reading.open_orders] == [LINEAR]
        emulator.fault({"kind": "html", "path": "/fapi/v1/openAlgoOrders", "times": 2})
        reading = await opened.venues["binance-usdm"].read()
        assert not reading.complete
        assert reading.missing[0].startswith("open orders: ")

    run(binance, work)


@pytest.mark.parametrize(
    ("kind", "price"),
    [("trigger", "70100"), ("trigger", None), ("conditional", "70100"), ("conditional", None),
     ("oco", "70100"), ("oco", None), ("iceberg", "70100"), ("twap", "70100"),
     ("smart_iceberg", "70100"),
     ("move_order_stop", None), ("chase", None)],
)  # fmt: skip
def test_an_order_that_waits_at_okx_is_an_open_order(
    run: Run, okx: Config, emulator: Emulator, kind: str, price: str | None
) -> None:
    wait(emulator, SWAP, OKX_MAIN, kind=kind, side="buy", quantity="2.5", trigger="70000",
         price=price, reduce_only=kind == "oco")  # fmt: skip
    assert of(run, okx, "okx-main") == (
        OpenOrder(
            instrument=OKX_LINEAR, side="buy", quantity=D("2.5"),
            price=None if price is None else D(price), reduce_only=kind == "oco",
            waits=kind not in okx_waiting.SOMEWHERE,
        ),
    )  # fmt: skip
    assert of(run, okx, "okx-a") == of(run, okx, "okx-main-fund") == ()


def test_every_page_of_what_waits_at_okx_is_read(run: Run, okx: Config, emulator: Emulator) -> None:
    for number in range(1, 102):
        wait(emulator, COIN, OKX_MAIN, kind="trigger", side="sell", quantity=number, trigger=60000)
    found = of(run, okx, "okx-main")
    assert {row.instrument for row in found} == {"okx:BTC/USD:BTC"}
    assert sorted(row.quantity for row in found) == list(range(1, 102))


def test_one_that_closes_all_of_a_position_at_okx_is_noted(
    run: Run, okx: Config, emulator: Emulator
) -> None:
    number = wait(emulator, SWAP, OKX_MAIN, kind="conditional", side="sell", trigger="60000")
    book = gathered(run, okx)
    assert book.snapshot.account["okx-main"].open_orders == ()
    assert f"orders that close all of a position are not read: {number} of {OKX_LINEAR}" in [
        row.what for row in book.notes if row.account == "okx-main"
    ]


@pytest.mark.parametrize(
    ("config", "account", "waits", "stands"),
    [
        ("binance", "binance-usdm", "/fapi/v1/openAlgoOrders", "/fapi/v1/openOrders"),
        ("binance", "binance-coinm", "/dapi/v1/openAlgoOrders", "/dapi/v1/openOrders"),
        ("okx", "okx-main", "/api/v5/trade/orders-algo-pending", "/api/v5/trade/orders-pending"),
    ],
)
def test_what_waits_is_read_before_what_stands(
    run: Run, emulator: Emulator, request: pytest.FixtureRequest, config: str, account: str,
    waits: str, stands: str,
) -> None:  # fmt: skip
    async def work(opened: Opened) -> None:
        assert (await opened.venues[account].read()).complete

    run(request.getfixturevalue(config), work)
    log: Any = emulator.admin("GET", "requests")
    asked = [row["path"] for row in log if row["path"] in {waits, stands}]
    assert asked[-1] == stands
    assert asked.count(stands) == 1
    assert set(asked[:-1]) == {waits}
