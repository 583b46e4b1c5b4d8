"""Orders, transfers and withdrawals at OKX: typed outcomes, and nothing sent twice."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from allocator.adapters.ccxt.failures import NotSentError
from allocator.adapters.ccxt.okx import FACTS, client_order_id
from allocator.adapters.emulator.testing import Emulator
from allocator.adapters.registry import Opened
from allocator.models.config import Config
from allocator.models.intents import (
    AbsentNow,
    Ack,
    Found,
    MoveIntent,
    Rejected,
    Unsure,
)
from tests.adapters.ccxt.okx_words import (
    ID,
    INVERSE,
    LINEAR,
    ORDER,
    SPOT,
    Run,
    effects,
    fault,
    order,
    resting,
    transfer,
)
from tests.adapters.times import ago, now


@pytest.mark.parametrize(
    ("instrument", "quantity", "fee_coin"),
    [(LINEAR, "0.35", "USDT"), (INVERSE, "50.1", "BTC"), (SPOT, "0.00350001", "BTC")],
)
def test_an_order_is_acknowledged_filled_and_found(
    run: Run, okx: Config, instrument: str, quantity: str, fee_coin: str
) -> None:
    intent = order(instrument=instrument, quantity=quantity)

    async def work(opened: Opened) -> None:
        venue = opened.venues["okx-main"]
        ack = await venue.submit(intent)
        assert isinstance(ack, Ack)
        found = await venue.find(intent, ago())
        assert isinstance(found, Found)
        assert (found.venue_id, found.state) == (ack.venue_id, "filled")
        assert found.filled == Decimal(quantity)
        assert found.average_price is not None
        assert found.average_price <= 64100
        assert list(found.fees) == [fee_coin]
        assert found.fees[fee_coin] > 0

    run(okx, work)


def test_a_contract_counts_as_many_as_was_sent(run: Run, okx: Config) -> None:
    async def work(opened: Opened) -> None:
        venue = opened.venues["okx-main"]
        before = (await venue.read()).position(LINEAR)
        await venue.submit(order())
        assert (await venue.read()).position(LINEAR) - before == Decimal("0.35")

    run(okx, work)


@pytest.mark.parametrize("quantity", ["0.035", "0.351"])
def test_a_quantity_off_the_step_goes_out_as_it_is_and_is_refused(
    run: Run, okx: Config, quantity: str
) -> None:
    async def work(opened: Opened) -> None:
        outcome = await opened.venues["okx-main"].submit(order(quantity=quantity))
        assert isinstance(outcome, Rejected)
        assert outcome.code == "51121"

    run(okx, work)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"account": "okx-a", "side": "sell", "quantity": "5000", "limit_price": "63900"}, "51008"),
        ({"quantity": "20000"}, "51008"),
        ({"side": "buy", "reduce_only": True}, "51169"),
        ({"limit_price": "64100.05"}, "51150"),
        ({"limit_price": "70000"}, "51006"),
        ({"instrument": SPOT, "quantity": "0.000001"}, "51020"),
    ],
)
def test_a_refusal_carries_the_code_of_the_order(
    run: Run, okx: Config, emulator: Emulator, changes: dict[str, Any], code: str
) -> None:
    async def work(opened: Opened) -> None:
        intent = order(**changes)
        outcome = await opened.venues[intent.account].submit(intent)
        assert isinstance(outcome, Rejected)
        assert outcome.code == code

    run(okx, work)
    assert effects(emulator, "orders") == []


def test_every_definitive_code_is_no_other_kind() -> None:
    kinds = [FACTS.definitive, FACTS.duplicate, FACTS.gone - {"51603"}, FACTS.stale]
    assert sum(map(len, kinds)) == len(frozenset().union(*kinds))
    unsure = {"1", "50001", "50004", "50011", "50013", "50026", "50061", "51054", "51149"}
    assert not unsure & frozenset().union(*kinds)


@pytest.mark.parametrize("client_id", ["a-b", "x" * 33, "", "ä"])
def test_a_client_id_outside_the_venue_s_charset_is_not_shortened(client_id: str) -> None:
    with pytest.raises(NotSentError):
        client_order_id(client_id)


def test_a_resting_order_sent_again_is_one_order_and_cancelled_once(
    run: Run, okx: Config, emulator: Emulator
) -> None:
    async def work(opened: Opened) -> None:
        venue = opened.venues["okx-main"]
        first = await venue.submit(resting())
        assert isinstance(first, Ack)
        assert await venue.submit(resting()) == first
        reading = await venue.read()
        assert [(o.instrument, o.quantity, o.price) for o in reading.open_orders] == [
            (LINEAR, Decimal("0.35"), Decimal(62000))
        ]
        assert isinstance(await venue.cancel(resting()), Ack)
        assert isinstance(await venue.cancel(resting()), Rejected)
        ended = await venue.find(resting(), ago())
        assert isinstance(ended, Found)
        assert (ended.state, ended.filled) == ("cancelled", 0)

    run(okx, work)
    assert effects(emulator, "orders") == [1]


@pytest.mark.parametrize("stale_reads", [1, 2])
def test_an_order_is_found_in_the_history_and_the_archive_where_the_lookup_by_id_lags(
    run: Run, okx: Config, emulator: Emulator, stale_reads: int
) -> None:
    since = ago(5)

    async def work(opened: Opened) -> None:
        venue = opened.venues["okx-main"]
        assert isinstance(await venue.find(order(), since), AbsentNow)
        ack = await venue.submit(order())
        assert isinstance(ack, Ack)
        fault(emulator, "stale", ORDER, "GET", stale_reads)
        found = await venue.find(order(), since)
        assert isinstance(found, Found)
        assert found.venue_id == ack.venue_id

    run(okx, work)
    requests: Any = emulator.admin("GET", "requests")
    assert sum(row["fault"] == "stale" for row in requests) == stale_reads


@pytest.mark.parametrize("kind", ["drop_after", "truncate", "html", "http_500_after"])
def test_a_lookup_that_fails_is_never_an_absence(
    run: Run, okx: Config, emulator: Emulator, kind: str
) -> None:
    """Twice, because aiohttp itself repeats a GET whose kept connection died."""
    paths = ("trade/order", "trade/orders-history", "trade/orders-history-archive", "public/time")

    async def work(opened: Opened) -> None:
        venue = opened.venues["okx-main"]
        await venue.server_time()
        for path in paths:
            fault(emulator, kind, path, "GET", 2)
            assert isinstance(await venue.find(order(), ago()), Unsure)
        fault(emulator, kind, "asset/transfer-state", "GET", 2)
        assert isinstance(await venue.find(transfer(), ago()), Unsure)
        emulator.fault()
        for intent in (order(), transfer()):
            assert isinstance(await venue.find(intent, ago()), AbsentNow)

    run(okx, work)


@pytest.mark.parametrize("word", [order, transfer])
def test_an_action_stamped_before_the_window_is_refused(
    run: Run, okx: Config, emulator: Emulator, word: Callable[..., Any]
) -> None:
    async def work(opened: Opened) -> None:
        venue = opened.venues["okx-main"]
        outcome = await venue.submit(word(stamped_at=ago(5)))
        assert isinstance(outcome, Rejected)
        assert outcome.code in FACTS.stale
        assert effects(emulator, "orders") + effects(emulator, "transfers") == []
        assert isinstance(await venue.submit(word(stamped_at=ago(4.999))), Ack)

    run(okx, work)


def test_an_order_the_venue_comes_to_too_late_is_refused_by_its_deadline(
    run: Run, okx: Config, emulator: Emulator
) -> None:
    """So old a stamp the gateway refuses as well, whichever of them is the first to tell."""

    async def work(opened: Opened) -> None:
        venue = opened.venues["okx-main"]
        await venue.server_time()
        stamp = now()
        emulator.admin("POST", "clock", advance_ms=4999)
        assert isinstance(await venue.submit(order(stamped_at=stamp)), Ack)
        emulator.admin("POST", "clock", advance_ms=1)
        outcome = await venue.submit(order(client_id="late1", stamped_at=stamp))
        assert isinstance(outcome, Rejected)
        assert outcome.code in {"50036", "50102"}

    run(okx, work)


def test_what_the_venue_cannot_do_is_told_and_not_tried(
    run: Run, okx: Config, emulator: Emulator
) -> None:
    moved = MoveIntent(
        client_id=ID, source="okx-main", target="okx-a", instrument=LINEAR, side="buy",
        quantity=Decimal(1), price=Decimal(64000),
    )  # fmt: skip

    async def work(opened: Opened) -> None:
        able = {name: venue.capabilities for name, venue in opened.venues.items()}
        assert not any(row.moves for row in able.values())
        assert [name for name, row in able.items() if row.withdrawals] == ["okx-main-fund"]
        assert not able["okx-main-fund"].orders
        outcome = await opened.venues["okx-main"].submit(moved)
        assert isinstance(outcome, Rejected)
        assert outcome.code == "NOT_SENT"

    run(okx, work)
    requests: Any = emulator.admin("GET", "requests")
    assert requests == []


def test_a_quote_is_dated_and_ordered(run: Run, okx: Config) -> None:
    async def work(opened: Opened) -> None:
        for name in (LINEAR, SPOT):
            quote = await opened.venues["okx-main"].quote(name)
            assert quote.bid < quote.mark < quote.ask
            assert abs((quote.at - now()).total_seconds()) < 5

    run(okx, work)


def test_a_reading_that_fails_in_part_says_which(run: Run, okx: Config, emulator: Emulator) -> None:
    async def work(opened: Opened) -> None:
        venue = opened.venues["okx-main"]
        await venue.server_time()
        emulator.fault({"kind": "html", "path": "/api/v5/account/positions"})
        reading = await venue.read()
        assert not reading.complete
        assert "positions" in reading.missing[0]
        assert reading.wallets["USDT"] == 180000

    run(okx, work)
