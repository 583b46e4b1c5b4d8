"""A venue's list of markets: an old one serves while a new one cannot be had."""

import time
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from allocator.adapters.ccxt import market_list
from allocator.adapters.emulator.testing import Emulator
from allocator.adapters.registry import Opened
from allocator.models.config import Config
from allocator.models.intents import AbsentNow, Ack, Found, OrderIntent
from tests.adapters.ccxt import kraken_payloads as kraken
from tests.adapters.ccxt.conftest import Run, run_with
from tests.adapters.ccxt.recorded import KEY, playing
from tests.adapters.times import ago

LISTS = {"bybit": "/v5/market/instruments-info", "okx": "/api/v5/public/instruments"}
RESTING = OrderIntent(
    client_id=KEY, account="bybit-a", instrument="bybit:BTC/USDT:USDT", side="buy",
    quantity=Decimal("0.01"), limit_price=Decimal(50000), style="post_only",
)  # fmt: skip


def asked(emulator: Emulator, venue: str) -> int:
    log: Any = emulator.admin("GET", "requests")
    return sum(row["path"] == LISTS[venue] for row in log)


def age(emulator: Emulator, venue: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the list that was loaded be old, and no other come."""
    monkeypatch.setattr(market_list, "MARKETS_AGE_S", 0.0)
    emulator.fault({"kind": "drop_before", "path": LISTS[venue], "times": 1000})


def test_an_order_is_cancelled_looked_up_and_read_of_while_no_list_comes(
    run: Run, bybit: Config, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(opened: Opened) -> None:
        venue = opened.venues["bybit-a"]
        assert isinstance(await venue.submit(RESTING), Ack)
        age(emulator, "bybit", monkeypatch)
        loads = asked(emulator, "bybit")
        assert isinstance(await venue.cancel(RESTING), Ack)
        assert asked(emulator, "bybit") == loads
        assert isinstance(await venue.find(RESTING, ago()), Found)
        assert (await venue.read()).complete
        other = RESTING.model_copy(update={"client_id": KEY[::-1]})
        assert isinstance(await venue.find(other, ago()), AbsentNow)
        assert isinstance(await venue.submit(other), Ack)

    run(bybit, work)


def test_the_dead_mans_switch_waits_for_no_list_of_markets(
    run: Run, okx: Config, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(opened: Opened) -> None:
        venue = opened.venues["okx-a"]
        assert isinstance(await venue.cancel_after(20), Ack)
        age(emulator, "okx", monkeypatch)
        loads = asked(emulator, "okx")
        assert isinstance(await venue.cancel_after(20), Ack)
        assert asked(emulator, "okx") == loads

    run(okx, work)


def test_a_list_that_did_not_come_is_named_and_asked_for_again_a_while_later(
    run: Run, bybit: Config, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(opened: Opened) -> None:
        assert (await opened.market.gather()).notes == ()
        age(emulator, "bybit", monkeypatch)
        book = await opened.market.gather()
        assert book.missing == ()
        assert {row.account for row in book.notes} == {row.id for row in bybit.accounts}
        assert all("the list of markets is of" in row.what for row in book.notes)
        loads = asked(emulator, "bybit")
        await opened.market.gather()
        assert asked(emulator, "bybit") == loads
        emulator.fault()
        monkeypatch.setattr(market_list, "RETRY_S", 0.0)
        assert (await opened.market.gather()).notes == ()
        assert asked(emulator, "bybit") > loads

    run(bybit, work)


def test_where_no_list_was_ever_loaded_nothing_is_sent(
    run: Run, bybit: Config, emulator: Emulator
) -> None:
    async def work(opened: Opened) -> None:
        emulator.fault({"kind": "drop_before", "path": LISTS["bybit"], "times": 1000})
        outcome = await opened.venues["bybit-a"].submit(RESTING)
        assert (outcome.outcome, outcome.code) == ("rejected", "NOT_SENT")
        assert not (await opened.venues["bybit-a"].read()).complete
        emulator.fault()
        assert isinstance(await opened.venues["bybit-a"].submit(RESTING), Ack)

    run(bybit, work)


@pytest.mark.parametrize(("later_s", "anew"), [(290, False), (301, True)])
def test_a_list_serves_for_five_minutes(
    run: Run, bybit: Config, emulator: Emulator, monkeypatch: pytest.MonkeyPatch,
    later_s: float, anew: bool,
) -> None:  # fmt: skip
    """Whoever shuts a market tells it nowhere else at some venues."""

    async def work(opened: Opened) -> None:
        await opened.market.gather()
        loads = asked(emulator, "bybit")
        jumped = SimpleNamespace(monotonic=lambda: time.monotonic() + later_s)
        monkeypatch.setattr(market_list, "time", jumped)
        await opened.market.gather()
        assert (asked(emulator, "bybit") > loads) == anew

    run(bybit, work)


LISTED = [kraken.contract("PF_XBTUSD", "BTC"), kraken.contract("PF_ETHUSD", "ETH"),
          {**kraken.contract("PI_XBTUSD", "BTC"), "type": "futures_inverse"}]  # fmt: skip
MANY = [*LISTED, *(kraken.contract(f"PF_C{n}USD", f"C{n}") for n in range(6))]


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ([], "the newer one is empty"),
        (LISTED[:2] + MANY[3:], "the newer one has no inverse markets"),
        (LISTED[2:], "the newer one has no linear markets"),
        (MANY[:3], "the newer one has 2 linear markets of 8"),
        (MANY[1:], "the newer one has no BTC/USD:USD"),
    ],
)
def test_a_list_that_lost_its_markets_does_not_replace_the_one_before(
    monkeypatch: pytest.MonkeyPatch, told: list[Any], why: str
) -> None:
    """Answered well, for all that its status says: what stands is read by the older one."""
    recorded, path = kraken.RECORDED, f"GET {kraken.V3}/instruments"
    with playing(recorded, monkeypatch) as (venue, _, config):

        async def work(opened: Opened) -> None:
            monkeypatch.setattr(market_list, "MARKETS_AGE_S", 0.0)
            venue.table[path] = kraken.ok(instruments=MANY)
            assert (await opened.market.gather()).notes == ()
            venue.table[path] = kraken.ok(instruments=told)
            for _ in range(2):
                book = await opened.market.gather()
                assert book.snapshot.account["flex"].state == "open"
                assert "flex" not in {row.account for row in book.missing}
                assert recorded.instrument in book.snapshot.instrument
                notes = {row.what for row in book.notes if row.account == "flex"}
                assert all("the list of markets is of" in note and why in note for note in notes)
                assert len(notes) == 1
            assert isinstance(await opened.venues["flex"].submit(recorded.intent()), Ack)
            # What nobody uses may go, half of a kind at a time.
            venue.table[path] = kraken.ok(instruments=[*MANY[:3], *MANY[7:]])
            monkeypatch.setattr(market_list, "RETRY_S", 0.0)
            assert (await opened.market.gather()).notes == ()

        run_with(config, work)


def test_where_the_first_list_is_empty_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = kraken.RECORDED
    with playing(recorded, monkeypatch) as (venue, _, config):
        venue.table[f"GET {kraken.V3}/instruments"] = kraken.ok(instruments=[])

        async def work(opened: Opened) -> None:
            outcome = await opened.venues["flex"].submit(recorded.intent())
            assert (outcome.outcome, outcome.code) == ("rejected", "NOT_SENT")
            assert "the list of markets is empty" in outcome.message
            reading = await opened.venues["flex"].read()
            assert not reading.complete
            venue.table[f"GET {kraken.V3}/instruments"] = kraken.ok(instruments=LISTED)
            assert isinstance(await opened.venues["flex"].submit(recorded.intent()), Ack)

        run_with(config, work)
