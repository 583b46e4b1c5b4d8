"""Several orders in one request at Bybit: each is taken, refused or unknown by itself."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from allocator.adapters.emulator.testing import Emulator
from allocator.adapters.registry import Opened
from allocator.models.config import Config
from allocator.models.intents import Ack, Found, OrderIntent, Unknown
from tests.adapters.ccxt.test_bybit_actions import LINEAR, SPOT, order, orders_made
from tests.adapters.ccxt.together import codes, sent
from tests.adapters.times import ago

Run = Callable[[Config, Callable[[Opened], Awaitable[Any]]], Any]
BATCH = "/v5/order/create-batch"


def named(number: int, **changes: Any) -> OrderIntent:
    return order(client_id=f"{number:032x}", **changes)


def arrived(emulator: Emulator) -> int:
    rows: Any = emulator.admin("GET", "requests")
    return sum(row["path"] == BATCH for row in rows)


def test_each_order_of_a_batch_is_taken_or_refused_by_itself(
    run: Run, bybit: Config, emulator: Emulator
) -> None:
    intents = [
        named(1), named(2, quantity="0.0035"), named(3, quantity="0.004"),
        named(4, reduce_only=True),
    ]  # fmt: skip
    outcomes = sent(bybit, intents)
    assert codes(outcomes) == [
        "ack", "10001", "ack", "110017",
    ]  # fmt: skip
    assert len(orders_made(emulator)) == 2
    assert arrived(emulator) == 1

    async def look(opened: Opened) -> Any:
        return await opened.venues["bybit-main"].find(intents[2], ago())

    found = run(bybit, look)
    assert isinstance(found, Found)
    assert found.filled == intents[2].quantity


def test_orders_of_two_categories_go_in_two_requests_and_keep_their_places(
    run: Run, bybit: Config, emulator: Emulator
) -> None:
    intents = [named(1, instrument=SPOT, quantity="0.001"), named(2, instrument=LINEAR),
               named(3, instrument=SPOT, quantity="0.002")]  # fmt: skip
    outcomes = sent(bybit, intents)
    assert [type(row) for row in outcomes] == [Ack] * 3
    assert arrived(emulator) == 2

    async def look(opened: Opened) -> list[Any]:
        return [await opened.venues["bybit-main"].find(intent, ago()) for intent in intents]

    found = run(bybit, look)
    assert [Ack(venue_id=row.venue_id) for row in found] == outcomes
    assert [row.filled for row in found] == [row.quantity for row in intents]


def test_a_known_client_id_in_a_batch_is_the_order_it_named(
    bybit: Config, emulator: Emulator
) -> None:
    first = sent(bybit, [named(1)])
    second = sent(bybit, [named(1), named(2)])
    assert second[0] == first[0]
    assert isinstance(second[1], Ack)
    assert len(orders_made(emulator)) == 2


@pytest.mark.parametrize("kind", ["drop_after", "html", "http_500_after", "truncate"])
def test_no_answer_leaves_every_order_unknown_and_sends_none_again(
    bybit: Config, emulator: Emulator, kind: str
) -> None:
    emulator.fault({"kind": kind, "path": BATCH, "times": 1})
    outcomes = sent(bybit, [named(1), named(2)])
    assert [type(row) for row in outcomes] == [Unknown] * 2
    assert arrived(emulator) == 1
    assert len(orders_made(emulator)) == 2


def test_more_orders_than_a_batch_holds_do_not_leave(bybit: Config, emulator: Emulator) -> None:
    outcomes = sent(bybit, [named(number) for number in range(11)])
    assert {getattr(row, "code", "") for row in outcomes} == {"NOT_SENT"}
    assert arrived(emulator) == 0
