"""Every fault against every action at Deribit: the outcome is typed right, nothing is resent."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from allocator.adapters.emulator.testing import Emulator
from allocator.adapters.registry import Opened
from allocator.models.config import Config
from allocator.models.intents import AbsentNow, Ack, Found, Rejected, Unknown, Unsure
from tests.adapters.ccxt.deribit_words import (
    FAULTS,
    PRIVATE,
    WRITES,
    ago,
    arrived,
    count,
    order,
)

Run = Callable[[Config, Callable[[Opened], Awaitable[Any]]], Any]


@pytest.mark.parametrize("name", list(WRITES))
@pytest.mark.parametrize("kind", list(FAULTS))
def test_no_answer_is_unknown_nothing_is_resent_and_the_truth_is_found(
    run: Run, deribit_out: Config, emulator: Emulator, kind: str, name: str
) -> None:
    write, executed = WRITES[name], FAULTS[kind]

    async def work(opened: Opened) -> None:
        venue = opened.venues["deribit-main"]
        await venue.server_time()
        emulator.fault({"kind": kind, "path": PRIVATE + write.path})
        assert isinstance(await venue.submit(write.intent), Unknown)
        finding = await venue.find(write.intent, ago())
        while isinstance(finding, Unsure):
            assert kind == "429"
            assert "pause" in finding.why
            finding = await venue.find(write.intent, ago())
        assert isinstance(finding, Found if executed else AbsentNow)

    run(deribit_out, work)
    assert count(emulator, write.effects) == executed
    assert arrived(emulator, PRIVATE + write.path) == 1


@pytest.mark.parametrize("name", list(WRITES))
def test_an_answer_that_comes_late_is_an_answer(
    run: Run, deribit_out: Config, emulator: Emulator, name: str
) -> None:
    write = WRITES[name]

    async def work(opened: Opened) -> None:
        venue = opened.venues["deribit-main"]
        await venue.server_time()
        emulator.fault({"kind": "delay", "path": PRIVATE + write.path, "delay_s": 0.05})
        assert isinstance(await venue.submit(write.intent), Ack)

    run(deribit_out, work)
    assert count(emulator, write.effects) == 1


@pytest.mark.parametrize("kind", list(FAULTS))
def test_a_cancel_without_an_answer_is_unknown_and_sent_once(
    run: Run, deribit_out: Config, emulator: Emulator, kind: str
) -> None:
    resting = order(limit_price="60000", style="post_only")

    async def work(opened: Opened) -> None:
        venue = opened.venues["deribit-main"]
        assert isinstance(await venue.submit(resting), Ack)
        emulator.fault({"kind": kind, "path": f"{PRIVATE}cancel"})
        assert isinstance(await venue.cancel(resting), Unknown)

    run(deribit_out, work)
    assert arrived(emulator, f"{PRIVATE}cancel") == 1
    state: Any = emulator.admin("GET", "state")
    assert state["order"][0]["status"] == ("cancelled" if FAULTS[kind] else "open")


@pytest.mark.parametrize("kind", ["drop_after", "truncate", "html", "http_500_after"])
@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("order", "private/get_order_state_by_label"),
        ("order", "private/get_order_history_by_instrument"),
        ("order", "public/get_time"),
        ("transfer", "private/get_transfers"),
        ("withdrawal", "private/get_withdrawals"),
        ("move", "private/get_transaction_log"),
    ],
)
def test_a_lookup_that_fails_is_never_an_absence(
    run: Run, deribit_out: Config, emulator: Emulator, kind: str, name: str, path: str
) -> None:
    """Twice, because aiohttp itself repeats a GET whose connection broke."""
    intent = WRITES[name].intent

    async def work(opened: Opened) -> None:
        venue = opened.venues["deribit-main"]
        await venue.server_time()
        emulator.fault({"kind": kind, "path": f"/api/v2/{path}", "times": 2})
        assert isinstance(await venue.find(intent, ago()), Unsure)
        emulator.fault()
        assert isinstance(await venue.find(intent, ago()), AbsentNow)

    run(deribit_out, work)


@pytest.mark.parametrize("kind", ["drop_after", "html", "http_500_after"])
def test_an_order_whose_label_cannot_be_looked_up_first_is_not_sent(
    run: Run, deribit_out: Config, emulator: Emulator, kind: str
) -> None:
    async def work(opened: Opened) -> None:
        venue = opened.venues["deribit-main"]
        await venue.server_time()
        path = f"{PRIVATE}get_order_state_by_label"
        emulator.fault({"kind": kind, "path": path, "times": 2})
        outcome = await venue.submit(order())
        assert isinstance(outcome, Rejected)
        assert outcome.code == "NOT_SENT"

    run(deribit_out, work)
    assert arrived(emulator, f"{PRIVATE}buy") == 0
