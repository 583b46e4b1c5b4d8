"""The numbered cases that every venue behind the ports passes, paper and real client alike."""

from collections.abc import Iterator
from contextlib import ExitStack
from decimal import Decimal

import pytest

from allocator.models.errors import VenueError
from allocator.models.intents import (
    AbsentNow,
    Ack,
    Found,
    Rejected,
    Unknown,
    Unsure,
)
from tests.adapters.contract_subjects import ID, SUBJECTS, Subject, Venues
from tests.adapters.times import ago, now


@pytest.fixture(params=SUBJECTS, ids=[row.__name__ for row in SUBJECTS])
def subject(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Subject]:
    with ExitStack() as stack:
        yield request.param(stack, monkeypatch)


def test_c01_an_acknowledged_order_is_found_by_its_client_id(subject: Subject) -> None:
    async def work(venues: Venues) -> None:
        venue = venues[subject.source]
        ack = await venue.submit(subject.order())
        assert isinstance(ack, Ack)
        found = await venue.find(subject.order(), ago())
        assert isinstance(found, Found)
        assert (found.venue_id, found.state) == (ack.venue_id, "filled")
        assert found.filled == Decimal(subject.quantity)
        assert all(fee > 0 for fee in found.fees.values())
        assert found.fees

    subject.run(work)


def test_c02_what_was_never_sent_is_absent_at_the_venues_time(subject: Subject) -> None:
    async def work(venues: Venues) -> None:
        for intent in (subject.order(), subject.transfer()):
            absent = await venues[subject.source].find(intent, ago())
            assert isinstance(absent, AbsentNow)
            assert abs((absent.venue_time - now()).total_seconds()) < 5

    subject.run(work)


def test_c03_a_resting_order_sent_again_is_one_order(subject: Subject) -> None:
    async def work(venues: Venues) -> None:
        venue = venues[subject.source]
        first = await venue.submit(subject.resting())
        assert isinstance(first, Ack)
        assert await venue.submit(subject.resting()) == first
        assert len((await venue.read()).open_orders) == 1

    subject.run(work)
    assert subject.effects() == 1


@pytest.mark.parametrize("how", ["before", "after"])
@pytest.mark.parametrize("kind", ["order", "transfer"])
def test_c04_no_answer_is_unknown_and_a_lookup_tells(subject: Subject, kind: str, how: str) -> None:
    intent = subject.order() if kind == "order" else subject.transfer()

    async def work(venues: Venues) -> None:
        venue = venues[subject.source]
        subject.lose(kind, how)
        assert isinstance(await venue.submit(intent), Unknown)
        finding = await venue.find(intent, ago())
        assert isinstance(finding, AbsentNow if how == "before" else Found)

    subject.run(work)
    assert subject.effects() == (how == "after")


def test_c05_a_lookup_without_an_answer_is_unsure(subject: Subject) -> None:
    async def work(venues: Venues) -> None:
        subject.lose("find", "after")
        assert isinstance(await venues[subject.source].find(subject.order(), ago()), Unsure)

    subject.run(work)


def test_c06_a_reading_without_an_answer_is_incomplete(subject: Subject) -> None:
    async def work(venues: Venues) -> None:
        subject.lose("read", "after")
        reading = await venues[subject.source].read()
        assert not reading.complete
        assert reading.missing

    subject.run(work)


def test_c07_an_order_is_cancelled_once(subject: Subject) -> None:
    async def work(venues: Venues) -> None:
        venue = venues[subject.source]
        assert isinstance(await venue.submit(subject.resting()), Ack)
        assert isinstance(await venue.cancel(subject.resting()), Ack)
        assert isinstance(await venue.cancel(subject.resting()), Rejected)
        found = await venue.find(subject.resting(), ago())
        assert isinstance(found, Found)
        assert (found.state, found.filled) == ("cancelled", 0)

    subject.run(work)


def test_c08_a_fill_shows_in_the_position(subject: Subject) -> None:
    async def work(venues: Venues) -> None:
        venue = venues[subject.source]
        before = (await venue.read()).position(subject.instrument)
        await venue.submit(subject.order())
        after = (await venue.read()).position(subject.instrument)
        assert after - before == Decimal(subject.quantity)

    subject.run(work)


def test_c09_a_transfer_leaves_one_wallet_and_arrives_in_the_other(subject: Subject) -> None:
    async def work(venues: Venues) -> None:
        source, target = venues[subject.source], venues[subject.target]
        before = [(await row.read()).wallets["USDT"] for row in (source, target)]
        assert isinstance(await source.submit(subject.transfer()), Ack)
        found = await source.find(subject.transfer(), ago())
        assert isinstance(found, Found)
        assert (found.state, found.filled) == ("settled", Decimal("100.5"))
        after = [(await row.read()).wallets["USDT"] for row in (source, target)]
        assert [b - a for a, b in zip(before, after, strict=True)] == [
            Decimal("-100.5"),
            Decimal("100.5"),
        ]

    subject.run(work)


def test_c10_more_than_there_is_does_not_leave(subject: Subject) -> None:
    async def work(venues: Venues) -> None:
        outcome = await venues[subject.source].submit(subject.transfer("99999999"))
        assert isinstance(outcome, Rejected)

    subject.run(work)
    assert subject.effects() == 0


def test_c11_an_order_off_its_steps_is_refused_not_rounded(subject: Subject) -> None:
    async def work(venues: Venues) -> None:
        outcome = await venues[subject.source].submit(subject.order(quantity="0.0035"))
        assert isinstance(outcome, Rejected)
        assert outcome.code != "NOT_SENT"

    subject.run(work)
    assert subject.effects() == 0


def test_c12_a_request_stamped_before_the_window_is_refused(subject: Subject) -> None:
    async def work(venues: Venues) -> None:
        venue = venues[subject.source]
        assert venue.capabilities.receive_window_s <= 5
        outcome = await venue.submit(subject.order(stamped_at=ago(6)))
        assert isinstance(outcome, Rejected)

    subject.run(work)
    assert subject.effects() == 0


def test_c13_prices_are_ordered_and_an_unknown_market_has_none(subject: Subject) -> None:
    async def work(venues: Venues) -> None:
        venue = venues[subject.source]
        quote = await venue.quote(subject.instrument)
        assert quote.bid <= quote.mark <= quote.ask
        venue_name = subject.instrument.split(":", maxsplit=1)[0]
        with pytest.raises(VenueError):
            await venue.quote(f"{venue_name}:NO/SUCH:THING")

    subject.run(work)


def test_c14_a_post_only_order_that_would_take_never_fills(subject: Subject) -> None:
    async def work(venues: Venues) -> None:
        venue = venues[subject.source]
        outcome = await venue.submit(subject.order(style="post_only"))
        if isinstance(outcome, Ack):
            found = await venue.find(subject.order(), ago())
            assert isinstance(found, Found)
            assert (found.state, found.filled) == ("cancelled", 0)
        else:
            assert isinstance(outcome, Rejected)
        assert not (await venue.read()).open_orders

    subject.run(work)


def test_c15_reduce_only_never_adds(subject: Subject) -> None:
    async def work(venues: Venues) -> None:
        venue = venues[subject.source]
        held = (await venue.read()).position(subject.instrument)
        side = "buy" if held >= 0 else "sell"
        limit = "64100" if side == "buy" else "63900"
        adding = subject.order(side=side, limit_price=limit, reduce_only=True)
        outcome = await venue.submit(adding)
        assert isinstance(outcome, Rejected)
        assert (await venue.read()).position(subject.instrument) == held

    subject.run(work)


def test_c20_an_open_order_bears_the_client_id_of_its_intent(subject: Subject) -> None:
    async def work(venues: Venues) -> None:
        venue = venues[subject.source]
        ids = [ID, ID[::-1]]
        for id_ in ids:
            assert isinstance(await venue.submit(subject.resting(client_id=id_)), Ack)
        reading = await venue.read()
        assert sorted(str(row.client_id) for row in reading.open_orders) == sorted(ids)

    subject.run(work)
