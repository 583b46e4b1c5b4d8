"""Actions that a venue's records tell apart by amount and time only."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest

from allocator.adapters.ccxt import okx_funds
from allocator.adapters.ccxt.alike import KEPT, Alike
from allocator.adapters.ccxt.failures import RefusalError
from allocator.adapters.emulator.wire import Call, Reply
from allocator.adapters.registry import Opened
from allocator.models.intents import (
    AbsentNow,
    Ack,
    Found,
    Rejected,
    TransferIntent,
    Unknown,
    Unsure,
)
from tests.adapters.ccxt import gateio_payloads as gate
from tests.adapters.ccxt import kraken_payloads as kraken
from tests.adapters.ccxt import kucoin_payloads as kucoin
from tests.adapters.ccxt import portfolio_payloads as pm
from tests.adapters.ccxt.conftest import run_with
from tests.adapters.ccxt.recorded import KEY, Recorded, playing, sent
from tests.adapters.times import now

FIRST, SECOND = "a" * 32, "b" * 32
AT = datetime(2026, 11, 20, 8, tzinfo=UTC)
REFUSALS = {
    "kucoinfutures": kucoin.no("200003"),
    "gate": Reply({"label": "BALANCE_NOT_ENOUGH", "message": "no"}, 400),
}


def two_equal(recorded: Recorded) -> tuple[TransferIntent, TransferIntent]:
    first, second = (
        recorded.transfer().model_copy(update={"client_id": name}) for name in (FIRST, SECOND)
    )
    return first, second


def transfer(key: str, **changes: Any) -> TransferIntent:
    return TransferIntent.model_validate(
        {"client_id": key, "route": "r", "source": "a", "target": "b", "asset": "USDT",
         "amount": Decimal(5), **changes}
    )  # fmt: skip


@pytest.mark.parametrize("recorded", [kucoin.RECORDED, gate.RECORDED], ids=lambda one: one.venue)
def test_a_refusal_is_not_told_as_an_equal_transfer_whose_record_bears_another_id(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first is in the book under an id of the book's: nobody can say whose it is."""
    taken = recorded.table()[recorded.moved]
    sent = list[str]()

    def answer(call: Call) -> Any:
        sent.append(call.path)
        return taken if len(sent) == 1 else REFUSALS[recorded.venue]

    async def work(opened: Opened) -> tuple[Any, ...]:
        venue = opened.venues[recorded.sends]
        intent = recorded.transfer()
        first = intent.model_copy(update={"client_id": FIRST})
        second = intent.model_copy(update={"client_id": SECOND})
        outcomes = (await venue.submit(first), await venue.submit(second))
        return *outcomes, await venue.find(second, now())

    with playing(recorded, monkeypatch) as (venue, _, config):
        assert recorded.transferred is not None
        venue.table |= {**recorded.transferred(SECOND), recorded.moved: answer}
        first, second, found = run_with(config, work)
    assert isinstance(first, Ack)
    assert isinstance(second, Unknown)
    assert isinstance(found, Unsure)
    assert "looks the same" in found.why


@pytest.mark.parametrize("recorded", [kucoin.RECORDED, gate.RECORDED], ids=lambda one: one.venue)
def test_a_refusal_of_the_only_transfer_that_looks_like_what_was_booked_is_unknown(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(opened: Opened) -> tuple[Any, ...]:
        venue = opened.venues[recorded.sends]
        outcome = await venue.submit(recorded.transfer())
        return outcome, await venue.find(recorded.transfer(), now())

    with playing(recorded, monkeypatch) as (venue, _, config):
        venue.table[recorded.moved] = REFUSALS[recorded.venue]
        refused, absent = run_with(config, work)
        assert recorded.transferred is not None
        venue.table |= recorded.transferred(FIRST)
        unknown, found = run_with(config, work)
    assert (type(refused), type(absent)) == (Rejected, AbsentNow)
    assert (type(unknown), type(found)) == (Unknown, Found)


@pytest.mark.parametrize("recorded", [kucoin.RECORDED, kraken.RECORDED], ids=lambda one: one.venue)
def test_of_two_equal_transfers_that_were_taken_neither_is_found_by_the_others_record(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The acknowledgement's id is in no record: the only one there is may be the other's."""

    async def work(opened: Opened) -> tuple[Any, ...]:
        venue, since = opened.venues[recorded.sends], now()
        first, second = two_equal(recorded)
        acks = (await venue.submit(first), await venue.submit(second))
        return tuple(
            [await venue.find(one, since, ack.venue_id)
             for one, ack in zip((first, second), acks, strict=True)]
        )  # fmt: skip

    with playing(recorded, monkeypatch) as (venue, _, config):
        assert recorded.transferred is not None
        venue.table |= recorded.transferred(SECOND)
        told = run_with(config, work)
    assert [row.finding for row in told] == ["unsure", "unsure"]
    assert all("looks the same" in row.why for row in told)


@pytest.mark.parametrize("recorded", [kucoin.RECORDED, kraken.RECORDED], ids=lambda one: one.venue)
def test_a_transfer_whose_record_is_known_is_no_rival_of_the_next(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(opened: Opened) -> tuple[Any, ...]:
        venue, since = opened.venues[recorded.sends], now()
        first, second = two_equal(recorded)
        ack = await venue.submit(first)
        assert isinstance(ack, Ack)
        before = await venue.find(first, since, ack.venue_id)
        ack = await venue.submit(second)
        assert isinstance(ack, Ack)
        after = await venue.find(second, since, ack.venue_id)
        return before, after, await venue.find(first, since, before.venue_id)

    with playing(recorded, monkeypatch) as (venue, _, config):
        assert recorded.transferred is not None
        venue.table |= recorded.transferred(SECOND)
        before, after, again = run_with(config, work)
    assert isinstance(before, Found)
    assert after.finding != "found"
    assert again == before


def test_what_was_refused_is_no_rival_and_what_was_taken_has_its_id() -> None:
    alike = Alike()
    alike.send("okx", transfer(FIRST), AT)
    assert alike.rivals("okx", transfer(SECOND), AT)
    assert not alike.rivals("okx", transfer(FIRST), AT)
    alike.end(FIRST, Ack(venue_id="7"))
    assert alike.taken(SECOND) == {"7"}
    assert alike.taken(FIRST) == frozenset()
    alike.end(FIRST, Rejected(code="1", message="no"))
    assert not alike.rivals("okx", transfer(SECOND), AT)


def test_what_a_record_names_is_no_rival_and_what_we_named_ourselves_is() -> None:
    alike = Alike()
    alike.send("okx", transfer(FIRST), AT)
    for name in (FIRST, f"moved:{FIRST}"):
        alike.name(FIRST, name)
        assert alike.rivals("okx", transfer(SECOND), AT)
    alike.name(FIRST, "ledger:7")
    assert not alike.rivals("okx", transfer(SECOND), AT)


def test_a_rival_is_equal_at_the_same_venue_and_sent_in_the_time_looked_at() -> None:
    alike = Alike()
    alike.send("okx", transfer(FIRST), AT)
    second = transfer(SECOND, target="c")
    assert alike.rivals("okx", second, AT + timedelta(seconds=2))
    assert not alike.rivals("okx", second, AT + timedelta(seconds=3))
    assert not alike.rivals("bybit", second, AT)
    assert not alike.rivals("okx", transfer(SECOND, amount=Decimal(6)), AT)
    assert not alike.rivals("okx", transfer(SECOND, asset="BTC"), AT)


def test_an_action_is_forgotten_after_a_day() -> None:
    alike = Alike()
    alike.send("okx", transfer(FIRST), AT)
    alike.end(FIRST, Ack(venue_id="7"))
    alike.send("okx", transfer(SECOND), AT + KEPT + timedelta(seconds=1))
    assert alike.taken(SECOND) == frozenset()


@pytest.mark.parametrize(
    ("recorded", "refusal"),
    [
        (kraken.RECORDED, {"result": "error", "error": "insufficientFunds"}),
        (pm.RECORDED, Reply({"code": -1013, "msg": "Filter failure: MAX_POSITION"}, 400)),
    ],
    ids=["kraken", "binance"],
)
def test_a_refusal_that_the_first_copy_of_an_order_brought_about_hides_no_effect(
    recorded: Recorded, refusal: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Margin that is bound, a position that is there: by what the same request did before."""
    with playing(recorded, monkeypatch) as (venue, _, config):
        venue.table[recorded.order] = refusal
        refused = sent(config, recorded.intent())
        venue.table |= recorded.found(KEY)
        carried_out = sent(config, recorded.intent())
    assert isinstance(refused, Rejected)
    assert isinstance(carried_out, Ack)


@pytest.mark.parametrize(
    ("words", "absent"),
    [("clientId is incorrect or clientId does not match with 'type'", True),
     ("ClientID is incorrect", True), ("Parameter type is incorrect", False)],
)  # fmt: skip
def test_a_refusal_of_a_look_up_that_is_not_about_its_id_is_no_absence(
    words: str, absent: bool
) -> None:
    class Login:
        async def call(self, endpoint: str, asked: Any) -> Any:
            raise RefusalError("58129", words)

    login = Login()
    odd = cast(Any, SimpleNamespace(login=login, master=login))
    look = okx_funds.find_transfer(odd, odd, transfer(FIRST))
    if absent:
        assert asyncio.run(look) is None
    else:
        with pytest.raises(RefusalError, match="type is incorrect"):
            asyncio.run(look)
