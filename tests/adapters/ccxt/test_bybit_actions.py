import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from allocator.adapters.ccxt import base
from allocator.adapters.emulator.bybit import positions
from allocator.adapters.emulator.testing import Emulator
from allocator.adapters.registry import Opened
from allocator.execution.transitions import State, of_found
from allocator.models.config import Config
from allocator.models.intents import (
    AbsentNow,
    Ack,
    Found,
    MoveIntent,
    OrderIntent,
    Rejected,
    TransferIntent,
    Unknown,
    Unsure,
)
from tests.adapters.ccxt.conftest import run_with
from tests.adapters.times import ago, now
from tests.patient import Patient

Run = Callable[[Config, Callable[[Opened], Awaitable[Any]]], Any]
ID = "0123456789abcdef0123456789abcdef"
LINEAR, INVERSE, SPOT = "bybit:BTC/USDT:USDT", "bybit:BTC/USD:BTC", "bybit:BTC/USDT"


def order(**changes: Any) -> OrderIntent:
    data = {
        "client_id": ID,
        "account": "bybit-main",
        "instrument": LINEAR,
        "side": "buy",
        "quantity": "0.003",
        "limit_price": "64100",
    }
    return OrderIntent.model_validate({**data, **changes})


def transfer(**changes: Any) -> TransferIntent:
    data = {
        "client_id": ID,
        "route": "internal:bybit-main>bybit-a:USDT",
        "source": "bybit-main",
        "target": "bybit-a",
        "asset": "USDT",
        "amount": "1000.1",
    }
    return TransferIntent.model_validate({**data, **changes})


def orders_made(emulator: Emulator) -> list[Any]:
    return list(emulator.admin("GET", "effects")["orders"])  # type: ignore[index,call-overload,arg-type]


@pytest.mark.parametrize(
    ("instrument", "quantity", "fee_coin"),
    [(LINEAR, "0.003", "USDT"), (INVERSE, "5000", "BTC"), (SPOT, "0.0035", "BTC")],
)
def test_an_order_is_acknowledged_filled_and_found(
    run: Run, bybit: Config, instrument: str, quantity: str, fee_coin: str
) -> None:
    sent = order(instrument=instrument, quantity=quantity)

    async def work(opened: Opened) -> None:
        venue = opened.venues["bybit-main"]
        ack = await venue.submit(sent)
        assert isinstance(ack, Ack)
        found = await venue.find(sent, ago())
        assert isinstance(found, Found)
        assert (found.venue_id, found.state) == (ack.venue_id, "filled")
        assert found.filled == Decimal(quantity)
        assert found.average_price is not None
        assert found.average_price <= 64100
        assert list(found.fees) == [fee_coin]
        assert found.fees[fee_coin] > 0

    run(bybit, work)


def test_a_quantity_off_the_step_goes_out_as_it_is_and_is_refused(run: Run, bybit: Config) -> None:
    """Nothing rounds on the way: 0.0035 at a step of 0.001 is neither 0.003 nor 0.004."""

    async def work(opened: Opened) -> None:
        outcome = await opened.venues["bybit-main"].submit(order(quantity="0.0035"))
        assert isinstance(outcome, Rejected)
        assert outcome.code == "10001"

    run(bybit, work)


def test_a_resting_order_is_read_and_cancelled_once(run: Run, bybit: Config) -> None:
    resting = order(limit_price="60000", style="post_only")

    async def work(opened: Opened) -> None:
        venue = opened.venues["bybit-main"]
        assert isinstance(await venue.submit(resting), Ack)
        found = await venue.find(resting, ago())
        assert isinstance(found, Found)
        assert found.state == "open"
        reading = await venue.read()
        assert reading.complete
        assert [(o.instrument, o.side, o.quantity, o.price) for o in reading.open_orders] == [
            (LINEAR, "buy", Decimal("0.003"), Decimal(60000))
        ]
        assert isinstance(await venue.cancel(resting), Ack)
        assert isinstance(await venue.cancel(resting), Rejected)
        ended = await venue.find(resting, ago())
        assert isinstance(ended, Found)
        assert (ended.state, ended.filled) == ("cancelled", 0)

    run(bybit, work)


def test_an_order_sent_twice_is_one_order(run: Run, bybit: Config, emulator: Emulator) -> None:
    async def work(opened: Opened) -> None:
        venue = opened.venues["bybit-main"]
        assert await venue.submit(order()) == await venue.submit(order())

    run(bybit, work)
    assert [row["count"] for row in orders_made(emulator)] == [1]


def test_too_little_margin_is_a_rejection(run: Run, bybit: Config) -> None:
    async def work(opened: Opened) -> None:
        outcome = await opened.venues["bybit-a"].submit(
            order(account="bybit-a", side="sell", quantity="5", limit_price="63900")
        )
        assert isinstance(outcome, Rejected)
        assert outcome.code == "110007"

    run(bybit, work)


@pytest.mark.parametrize("kind", ["drop_after", "truncate", "html", "http_500_after"])
def test_a_lookup_that_fails_is_never_an_absence(
    run: Run, bybit: Config, emulator: Emulator, kind: str
) -> None:
    """Twice, because aiohttp itself repeats a GET whose kept connection died."""

    async def work(opened: Opened) -> None:
        venue = opened.venues["bybit-main"]
        await venue.server_time()
        for path in ("/v5/order/realtime", "/v5/order/history", "/v5/market/time"):
            emulator.fault({"kind": kind, "path": path, "times": 2})
            assert isinstance(await venue.find(order(), ago()), Unsure)
        emulator.fault()
        assert isinstance(await venue.find(order(), ago()), AbsentNow)

    run(bybit, work)


def test_a_request_stamped_before_the_window_is_refused(
    run: Run, bybit: Config, emulator: Emulator
) -> None:
    async def work(opened: Opened) -> None:
        venue = opened.venues["bybit-main"]
        outcome = await venue.submit(order(stamped_at=ago(5.001)))
        assert isinstance(outcome, Rejected)
        assert outcome.code == "10002"
        assert orders_made(emulator) == []
        assert isinstance(await venue.submit(order(stamped_at=ago(5))), Ack)

    run(bybit, work)


def test_money_moves_between_members_and_wallets_under_its_own_key(
    run: Run, bybit: Config, emulator: Emulator
) -> None:
    own = transfer(client_id="f" * 32, target="bybit-fund", amount="0.1")

    async def work(opened: Opened) -> None:
        main = opened.venues["bybit-main"]
        for intent in (transfer(), own):
            assert isinstance(await main.find(intent, ago()), AbsentNow)
            ack = await main.submit(intent)
            assert isinstance(ack, Ack)
            assert await main.submit(intent) == ack
            found = await main.find(intent, ago())
            assert isinstance(found, Found)
            assert (found.state, found.filled) == ("settled", intent.amount)
        sub = await opened.venues["bybit-a"].read()
        assert sub.wallets["USDT"] == Decimal("10700.1")
        fund = await opened.venues["bybit-fund"].read()
        assert fund.wallets["USDT"] == Decimal("50000.1")

    run(bybit, work)
    made = emulator.admin("GET", "effects")["transfers"]  # type: ignore[index,call-overload]
    assert [row["count"] for row in made] == [1, 1]  # type: ignore[union-attr,index,call-overload]


def test_a_sub_account_sends_to_another_through_the_master(run: Run, bybit: Config) -> None:
    async def work(opened: Opened) -> None:
        sent = transfer(source="bybit-b", target="bybit-a")
        assert isinstance(await opened.venues["bybit-b"].submit(sent), Ack)
        found = await opened.venues["bybit-b"].find(sent, ago())
        assert isinstance(found, Found)

    run(bybit, work)


def test_more_than_there_is_does_not_move(run: Run, bybit: Config) -> None:
    async def work(opened: Opened) -> None:
        outcome = await opened.venues["bybit-main"].submit(transfer(amount="99999999"))
        assert isinstance(outcome, Rejected)
        assert outcome.code == "131212"

    run(bybit, work)


def test_a_position_moves_between_members_and_is_found_by_its_id(run: Run, bybit: Config) -> None:
    moved = MoveIntent(
        client_id=ID,
        source="bybit-main",
        target="bybit-b",
        instrument=LINEAR,
        side="buy",
        quantity=Decimal(1),
        price=Decimal(64000),
    )

    async def work(opened: Opened) -> None:
        venue = opened.venues["bybit-main"]
        assert isinstance(await venue.find(moved, ago(5)), AbsentNow)
        ack = await venue.submit(moved)
        assert isinstance(ack, Ack)
        for venue_id in (ack.venue_id, None):
            found = await venue.find(moved, ago(5), venue_id)
            assert isinstance(found, Found)
            assert (found.state, found.filled) == ("settled", 1)
        assert (await venue.read()).position(LINEAR) == 2
        assert (await opened.venues["bybit-b"].read()).position(LINEAR) == 1

    run(bybit, work)


def refused_move() -> MoveIntent:
    """A move that the receiver has no margin for."""
    return MoveIntent(client_id=ID, source="bybit-main", target="bybit-b", instrument=LINEAR,
                      side="buy", quantity=Decimal(30), price=Decimal(64000))  # fmt: skip


def test_a_move_that_is_taken_and_then_rejected_moved_nothing(run: Run, bybit: Config) -> None:
    moved = refused_move()

    async def work(opened: Opened) -> None:
        venues = [opened.venues[name] for name in (moved.source, moved.target)]
        before = [(await venue.read()).position(LINEAR) for venue in venues]
        ack = await venues[0].submit(moved)
        assert isinstance(ack, Ack)
        found = await venues[0].find(moved, ago(5), ack.venue_id)
        assert isinstance(found, Found)
        assert (found.venue_id, found.state, found.filled) == (ack.venue_id, "rejected", 0)
        assert found.why == "110007: ab not enough for new order: rejected by Maker"
        assert of_found("move", found, moved.quantity, Decimal(0)) is State.REJECTED
        assert [(await venue.read()).position(LINEAR) for venue in venues] == before

    run(bybit, work)


def test_a_rejected_move_that_is_known_by_its_likeness_alone_is_no_end(
    run: Run, bybit: Config, emulator: Emulator
) -> None:
    """It may be another's: what ours is, its absence has to show."""
    moved = refused_move()

    async def work(opened: Opened) -> None:
        venue = opened.venues[moved.source]
        await venue.server_time()
        emulator.fault({"kind": "drop_after", "method": "POST"})
        assert isinstance(await venue.submit(moved), Unknown)
        assert isinstance(await venue.find(moved, ago(5)), AbsentNow)

    run(bybit, work)


def test_a_position_that_is_still_being_moved_is_asked_after_again(
    run: Run, bybit: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A move is on its way in no state of ours: told as such it would go to an operator at once."""
    moved = MoveIntent(client_id=ID, source="bybit-main", target="bybit-b", instrument=LINEAR,
                       side="buy", quantity=Decimal(1), price=Decimal(64000))  # fmt: skip
    told = positions._moved

    def processing(*asked: Any) -> Any:
        return {**told(*asked), "status": "Processing"}

    async def work(opened: Opened) -> None:
        venue = opened.venues["bybit-main"]
        ack = await venue.submit(moved)
        assert isinstance(ack, Ack)
        with monkeypatch.context() as early:
            early.setattr(positions, "_moved", processing)
            assert isinstance(await venue.find(moved, ago(5), ack.venue_id), Unsure)
        found = await venue.find(moved, ago(5), ack.venue_id)
        assert isinstance(found, Found)
        assert of_found("move", found, moved.quantity, Decimal(0)) is State.SETTLED

    run(bybit, work)


def test_a_quote_is_dated_and_ordered(run: Run, bybit: Config) -> None:
    async def work(opened: Opened) -> None:
        quote = await opened.venues["bybit-main"].quote(LINEAR)
        assert quote.bid < quote.mark < quote.ask
        assert abs((quote.at - now()).total_seconds()) < 5

    run(bybit, work)


def test_a_reading_that_fails_in_part_says_which(
    run: Run, bybit: Config, emulator: Emulator
) -> None:
    async def work(opened: Opened) -> None:
        venue = opened.venues["bybit-main"]
        await venue.server_time()
        emulator.fault({"kind": "html", "path": "/v5/position/list"})
        reading = await venue.read()
        assert not reading.complete
        assert "positions" in reading.missing[0]
        assert reading.wallets["USDT"] == 250000

    run(bybit, work)


def test_a_clock_that_hangs_holds_a_refusal_no_longer_than_it_may(
    bybit: Config, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "CLOCK_S", 0.2)

    async def work(opened: Opened) -> None:
        venue, loop = opened.venues["bybit-main"], asyncio.get_running_loop()
        await venue.server_time()
        emulator.admin("POST", "clock", advance_ms=60_000)
        emulator.fault({"kind": "delay", "path": "/v5/market/time", "delay_s": 30, "times": 99})
        began = loop.time()
        outcome = await venue.cancel(order())
        assert isinstance(outcome, Rejected)
        assert outcome.code == "10002"
        assert loop.time() - began < 1

    run_with(bybit, work, Patient)
