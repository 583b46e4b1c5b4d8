from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from allocator.adapters.emulator.testing import Emulator
from allocator.adapters.registry import Opened
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
from tests.adapters.times import ago, now

Run = Callable[[Config, Callable[[Opened], Awaitable[Any]]], Any]
ID = "0123456789abcdef0123456789abcdef"
USDM, COINM, SPOT = "binance:BTC/USDT:USDT", "binance:BTC/USD:BTC", "binance:BTC/USDT"
PLACES = {
    USDM: ("binance-usdm", "0.003", "USDT", "/fapi/v1/order"),
    COINM: ("binance-coinm", "5", "BTC", "/dapi/v1/order"),
    SPOT: ("binance-spot", "0.00312", "BTC", "/api/v3/order"),
}


def order(instrument: str = USDM, **changes: Any) -> OrderIntent:
    account, quantity, _, _ = PLACES[instrument]
    data = {
        "client_id": ID,
        "account": account,
        "instrument": instrument,
        "side": "buy",
        "quantity": quantity,
        "limit_price": "64100",
    }
    return OrderIntent.model_validate({**data, **changes})


def transfer(source: str, target: str, amount: str, **changes: Any) -> TransferIntent:
    data = {
        "client_id": ID,
        "route": f"internal:{source}>{target}:USDT",
        "source": source,
        "target": target,
        "asset": "USDT",
        "amount": amount,
    }
    return TransferIntent.model_validate({**data, **changes})


def made(emulator: Emulator, kind: str) -> list[int]:
    effects: Any = emulator.admin("GET", "effects")
    return [row["count"] for row in effects[kind]]


@pytest.mark.parametrize("instrument", list(PLACES))
def test_an_order_is_acknowledged_filled_and_found(
    run: Run, binance: Config, instrument: str
) -> None:
    sent = order(instrument)
    _, quantity, fee_coin, _ = PLACES[instrument]

    async def work(opened: Opened) -> None:
        venue = opened.venues[sent.account]
        assert isinstance(await venue.find(sent, ago()), AbsentNow)
        ack = await venue.submit(sent)
        assert isinstance(ack, Ack)
        found = await venue.find(sent, ago())
        assert isinstance(found, Found)
        assert (found.venue_id, found.state) == (ack.venue_id, "filled")
        assert found.filled == Decimal(quantity)
        assert found.average_price is not None
        assert 63900 < found.average_price <= 64100
        assert list(found.fees) == [fee_coin]

    run(binance, work)


@pytest.mark.parametrize("instrument", list(PLACES))
def test_a_resting_order_is_read_and_cancelled_once(
    run: Run, binance: Config, instrument: str
) -> None:
    resting = order(instrument, limit_price="63000", style="post_only")

    async def work(opened: Opened) -> None:
        venue = opened.venues[resting.account]
        assert isinstance(await venue.submit(resting), Ack)
        assert await venue.submit(resting) == await venue.submit(resting)
        reading = await venue.read()
        assert reading.complete
        assert [(o.instrument, o.quantity, o.price, o.client_id) for o in reading.open_orders] == [
            (instrument, resting.quantity, Decimal(63000), ID)
        ]
        assert isinstance(await venue.cancel(resting), Ack)
        assert isinstance(await venue.cancel(resting), Rejected)
        ended = await venue.find(resting, ago())
        assert isinstance(ended, Found)
        assert (ended.state, ended.filled) == ("cancelled", 0)

    run(binance, work)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"quantity": "0.0035"}, "-1111"),
        ({"quantity": "900", "client_id": "a" * 32}, "-2019"),
        ({"style": "post_only", "client_id": "b" * 32}, "-5022"),
        ({"instrument": SPOT, "account": "binance-spot", "quantity": "50"}, "-2010"),
        ({"instrument": SPOT, "account": "binance-spot", "quantity": "0.000015"}, "-1013"),
    ],
)
def test_what_the_venue_refuses_is_a_rejection_with_its_code(
    run: Run, binance: Config, changes: dict[str, Any], code: str
) -> None:
    sent = order(**changes)

    async def work(opened: Opened) -> None:
        outcome = await opened.venues[sent.account].submit(sent)
        assert isinstance(outcome, Rejected)
        assert outcome.code == code

    run(binance, work)


def test_too_many_requests_pause_the_venue_and_send_nothing(
    run: Run, binance: Config, emulator: Emulator
) -> None:
    async def work(opened: Opened) -> None:
        venue = opened.venues["binance-usdm"]
        await venue.server_time()
        emulator.fault({"kind": "429", "path": "/fapi/v1/order"})
        assert isinstance(await venue.submit(order()), Unknown)
        paused = await venue.submit(order(client_id="a" * 32))
        assert isinstance(paused, Rejected)
        assert paused.code == "NOT_SENT"
        assert isinstance(await venue.find(order(), ago()), Unsure)

    run(binance, work)
    assert made(emulator, "orders") == []


def test_a_request_stamped_before_the_window_is_refused(
    run: Run, binance: Config, emulator: Emulator
) -> None:
    async def work(opened: Opened) -> None:
        venue = opened.venues["binance-usdm"]
        outcome = await venue.submit(order(stamped_at=ago(5.001)))
        assert isinstance(outcome, Rejected)
        assert outcome.code == "-1021"
        assert made(emulator, "orders") == []
        assert isinstance(await venue.submit(order(stamped_at=ago(5))), Ack)

    run(binance, work)


@pytest.mark.parametrize("kind", ["drop_after", "drop_before"])
def test_a_transfer_without_a_key_is_found_by_what_was_sent(
    run: Run, binance: Config, emulator: Emulator, kind: str
) -> None:
    sent = transfer("binance-spot", "binance-usdm", "1234.5")

    async def work(opened: Opened) -> None:
        venue = opened.venues["binance-spot"]
        assert not venue.capabilities.transfer_key
        assert isinstance(await venue.find(sent, ago(5)), AbsentNow)
        emulator.fault({"kind": kind, "path": "/sapi/v1/asset/transfer", "method": "POST"})
        assert isinstance(await venue.submit(sent), Unknown)
        found = await venue.find(sent, ago(5))
        if kind == "drop_before":
            assert isinstance(found, AbsentNow)
        else:
            assert isinstance(found, Found)
            assert (found.state, found.filled) == ("settled", Decimal("1234.5"))
            assert isinstance(await venue.find(sent, ago(5), found.venue_id), Found)
            assert isinstance(await venue.find(sent, ago(5), "1"), AbsentNow)

    run(binance, work)


def test_two_transfers_that_look_the_same_are_not_told_apart_by_guess(
    run: Run, binance: Config
) -> None:
    sent = transfer("binance-spot", "binance-usdm", "100")

    async def work(opened: Opened) -> None:
        venue = opened.venues["binance-spot"]
        first = await venue.submit(sent)
        assert isinstance(first, Ack)
        assert isinstance(await venue.submit(sent), Ack)
        assert isinstance(await venue.find(sent, ago(5)), Unsure)
        assert isinstance(await venue.find(sent, ago(5), first.venue_id), Found)

    run(binance, work)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("binance-spot", "sub1-usdm"),
        ("sub1-usdm", "binance-spot"),
        ("sub1-spot", "binance-usdm"),
        ("binance-usdm", "sub1-spot"),
    ],
)
def test_money_moves_between_members_once_under_its_key(
    run: Run, binance: Config, emulator: Emulator, source: str, target: str
) -> None:
    sent = transfer(source, target, "250.25")

    async def work(opened: Opened) -> None:
        venue = opened.venues[source]
        before = (await opened.venues[target].read()).wallets["USDT"]
        assert isinstance(await venue.find(sent, ago()), AbsentNow)
        ack = await venue.submit(sent)
        assert isinstance(ack, Ack)
        assert await venue.submit(sent) == ack
        found = await venue.find(sent, ago())
        assert isinstance(found, Found)
        assert (found.state, found.filled) == ("settled", sent.amount)
        assert (await opened.venues[target].read()).wallets["USDT"] == before + sent.amount

    run(binance, work)
    assert made(emulator, "transfers") == [1]


def test_more_than_margin_spares_does_not_move(run: Run, binance: Config) -> None:
    async def work(opened: Opened) -> None:
        sent = transfer("sub1-usdm", "sub1-spot", "5000")
        outcome = await opened.venues["sub1-usdm"].submit(sent)
        assert isinstance(outcome, Rejected)
        assert outcome.code == "-5013"

    run(binance, work)


def test_only_usd_m_positions_are_moved(run: Run, binance: Config, emulator: Emulator) -> None:
    moved = MoveIntent(
        client_id=ID,
        source="binance-coinm",
        target="sub1-usdm",
        instrument=COINM,
        side="buy",
        quantity=Decimal(1),
        price=Decimal(64000),
    )

    async def work(opened: Opened) -> None:
        outcome = await opened.venues["binance-coinm"].submit(moved)
        assert isinstance(outcome, Rejected)
        assert outcome.code == "NOT_SENT"

    run(binance, work)


@pytest.mark.parametrize("instrument", list(PLACES))
def test_a_quote_is_ordered(run: Run, binance: Config, instrument: str) -> None:
    async def work(opened: Opened) -> None:
        quote = await opened.venues[PLACES[instrument][0]].quote(instrument)
        assert quote.bid < quote.mark < quote.ask
        assert abs((quote.at - now()).total_seconds()) < 5

    run(binance, work)
