"""Several orders in one request at OKX, and its dead man's switch."""

from decimal import Decimal
from typing import Any

import pytest

from allocator.adapters.ccxt.base import CcxtVenue
from allocator.adapters.ccxt.failures import RefusalError, UnansweredError
from allocator.adapters.ccxt.okx import _each_refused
from allocator.adapters.emulator.testing import Emulator
from allocator.adapters.registry import Opened
from allocator.models.config import Config
from allocator.models.intents import (
    AbsentNow,
    Ack,
    Found,
    Unknown,
)
from tests.adapters.ccxt.okx_words import (
    BATCH,
    EVERY_FAULT,
    SPOT,
    Run,
    effects,
    fault,
    found_at_last,
    order,
    resting,
    sent,
)
from tests.adapters.ccxt.together import codes
from tests.adapters.times import ago


@pytest.mark.parametrize(("kind", "executed"), EVERY_FAULT)
def test_a_batch_without_an_answer_is_unknown_order_by_order(
    run: Run, okx: Config, emulator: Emulator, kind: str, executed: bool
) -> None:
    intents = [order(client_id=f"batch{number}", quantity="0.01") for number in range(3)]

    async def work(opened: Opened) -> None:
        venue = opened.venues["okx-main"]
        assert isinstance(venue, CcxtVenue)
        await venue.server_time()
        fault(emulator, kind, BATCH)
        outcomes = await venue.submit_together(intents)
        assert [type(row) for row in outcomes] == [Unknown] * 3
        for intent in intents:
            finding = await found_at_last(venue, intent)
            assert isinstance(finding, Found if executed else AbsentNow)

    run(okx, work)
    assert effects(emulator, "orders") == ([1, 1, 1] if executed else [])
    assert sent(emulator, BATCH) == 1


def test_a_batch_tells_each_order_its_own_outcome(
    run: Run, okx: Config, emulator: Emulator
) -> None:
    intents = [
        order(client_id="good1", quantity="0.01"),
        order(client_id="bad1", quantity="0.011"),
        order(client_id="good2", quantity="0.02"),
        order(client_id="bad2", limit_price="70000"),
    ]

    async def work(opened: Opened) -> None:
        venue = opened.venues["okx-main"]
        assert isinstance(venue, CcxtVenue)
        assert venue.capabilities.batch_orders == 20
        outcomes = await venue.submit_together(intents)
        assert codes(outcomes) == [
            "ack", "51121", "ack", "51006",
        ]  # fmt: skip
        failed = await venue.submit_together([intents[1], intents[3]])
        assert codes(failed) == ["51121", "51006"]
        found = await venue.find(intents[2], ago())
        assert isinstance(found, Found)
        assert found.filled == Decimal("0.02")

    run(okx, work)
    assert effects(emulator, "orders") == [1, 1]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ('{"code":"50113","msg":"Invalid signature.","data":[]}', RefusalError),
        ('{"code":"1","data":[{"sCode":"51008"}]}', UnansweredError),
        ('{"code":"1","data":{"sCode":"51008"}}', UnansweredError),
    ],
)
def test_a_refused_batch_whose_rows_are_not_its_orders_tells_nothing_of_them(
    body: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        _each_refused(RefusalError("51008", "", body), 2)


def test_more_orders_than_a_batch_holds_do_not_leave(
    run: Run, okx: Config, emulator: Emulator
) -> None:
    intents = [order(client_id=f"many{number}") for number in range(21)]

    async def work(opened: Opened) -> None:
        venue = opened.venues["okx-main"]
        assert isinstance(venue, CcxtVenue)
        outcomes = await venue.submit_together(intents)
        assert {getattr(row, "code", "") for row in outcomes} == {"NOT_SENT"}

    run(okx, work)
    assert sent(emulator, BATCH) == 0


def test_silence_cancels_every_order_and_a_call_in_time_does_not(
    run: Run, okx_data: dict[str, Any], emulator: Emulator
) -> None:
    """The switch takes one call a second: a wait for that would be a part of the silence."""
    often = {"venue": "okx", "scope": "key", "units": 1000, "window_s": 2}
    okx = Config.model_validate({**okx_data, "rates": [often]})

    async def work(opened: Opened) -> None:
        venue = opened.venues["okx-main"]
        assert isinstance(venue, CcxtVenue)
        await venue.submit(resting())
        await venue.submit(resting(client_id="spot1", instrument=SPOT, quantity="0.001"))
        for _ in range(2):
            assert isinstance(await venue.cancel_after(10), Ack)
            emulator.admin("POST", "clock", advance_ms=8_000)
        assert len((await venue.read()).open_orders) == 2
        emulator.admin("POST", "clock", advance_ms=3_000)
        assert (await venue.read()).open_orders == ()

    run(okx, work)
