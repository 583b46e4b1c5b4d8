"""Adapters that fail, hang, or answer in words that no record holds: nothing ends by them."""

from __future__ import annotations

import asyncio
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine

from allocator.adapters.paper import Fault
from allocator.execution import asking
from allocator.models.errors import VenueError
from allocator.models.intents import (
    AccountReading,
    Ack,
    Finding,
    Intent,
    Outcome,
    Quote,
    Rejected,
    Unknown,
)
from allocator.ports import Venue
from tests.execution.book import BTC_A, order
from tests.execution.desk import Desk
from tests.execution.standing import Standing


class Silent(Standing):
    """Never answers a request, and fails in ways no port allows."""

    async def submit(self, intent: Intent) -> Outcome:
        await self._venue.submit(intent)
        raise RuntimeError("a bug that shows a key: hunter2")

    async def find(self, intent: Intent, since: datetime, venue_id: str | None = None) -> Finding:
        return await self._venue.find(intent, since, venue_id)


def test_adapter_that_fails_leaves_an_unknown_outcome(lite: Engine) -> None:
    desk = Desk.open(lite)
    desk.venues = {**desk.venues, "a": Silent(desk.venues["a"])}
    report = desk.run(order(1, "a", "sell", "0.5"))
    assert report.status == "done"
    assert set(desk.exchange.received.values()) == {1}
    told = [str(row.facts) for row in desk.journal().history.events()]
    assert any("RuntimeError" in row for row in told)
    assert not any("hunter2" in row for row in told)


class Hanging(Standing):
    """Answers no question: its connection hangs and has no deadline."""

    def __init__(self, venue: Venue, question: str) -> None:
        super().__init__(venue)
        self._question = question

    async def read(self) -> AccountReading:
        if self._question == "read":
            await asyncio.Event().wait()
        return await self._venue.read()

    async def quote(self, instrument: str) -> Quote:
        if self._question == "quote":
            await asyncio.Event().wait()
        return await self._venue.quote(instrument)


@pytest.mark.parametrize(
    ("question", "reason"),
    [("read", "not read completely: a (no answer in time)"), ("quote", "no answer in time")],
)
def test_adapter_that_hangs_holds_up_no_plan(
    lite: Engine, monkeypatch: pytest.MonkeyPatch, question: str, reason: str
) -> None:
    monkeypatch.setattr(asking, "QUESTION_S", 0.01)
    desk = Desk.open(lite)
    desk.venues = {**desk.venues, "a": Hanging(desk.venues["a"], question)}
    report = desk.run(order(1, "a", "sell", "0.5"))
    assert reason in report.actions[0].reason
    assert not desk.exchange.received


def test_adapter_that_fails_to_read_has_read_nothing(lite: Engine) -> None:
    class Failing(Standing):
        async def read(self) -> AccountReading:
            raise RuntimeError("a bug that shows a key: hunter2")

    desk = Desk.open(lite)
    desk.venues = {**desk.venues, "a": Failing(desk.venues["a"])}
    report = desk.run(order(1, "a", "sell", "0.5"))
    assert "not read completely: a (the adapter failed: RuntimeError)" in report.actions[0].reason
    assert "hunter2" not in str(report)


def test_adapter_that_fails_to_tell_prices_leaves_no_cycle_open(lite: Engine) -> None:
    class Failing(Standing):
        async def quote(self, instrument: str) -> Quote:
            raise KeyError("bid")

    desk = Desk.open(lite)
    desk.venues = {**desk.venues, "a": Failing(desk.venues["a"])}
    report = desk.run(order(1, "a", "sell", "0.5"))
    assert "the adapter failed: KeyError" in report.actions[0].reason
    assert not desk.journal().history.unfinished()


class Breaking:
    """An adapter whose look-ups fail in a way no port allows, until it is mended."""

    broken = True

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def __getattr__(self, name: str) -> Any:
        return getattr(self._venue, name)

    async def find(self, *asked: Any) -> Finding:
        if self.broken:
            raise KeyError("orderStatus")
        return await self._venue.find(*asked)


@pytest.mark.parametrize("lost", ["lost_after", "lost_before"])
def test_an_adapter_that_breaks_while_it_looks_is_unsure(lite: Engine, lost: str) -> None:
    desk = Desk.open(lite, faults=[Fault("order", lost)])  # type: ignore[arg-type]
    venue = Breaking(desk.venues["a"])
    desk.venues = {**desk.venues, "a": venue}  # type: ignore[dict-item]
    report = desk.run(order(1, "a", "sell", "0.4", reduce_only=True))
    assert report.actions[0].stage == "manual"
    assert set(report.frozen) == {"a"}


def test_a_look_up_that_is_cancelled_is_cancelled(lite: Engine) -> None:
    desk = Desk.open(lite)

    class Ending(Breaking):
        async def find(self, *_asked: Any) -> Finding:
            raise asyncio.CancelledError

    desk.venues = {**desk.venues, "a": Ending(desk.venues["a"])}  # type: ignore[dict-item]
    with pytest.raises(asyncio.CancelledError):
        desk.run(order(1, "a", "sell", "0.4", reduce_only=True))


def _says(desk: Desk, words: str) -> dict[str, tuple[str, Any]]:
    """Name what answers in these words, and how, by kind of answer."""

    async def refuse(intent: Intent) -> Outcome:
        return Rejected(code="51000", message=words)

    async def unknown(intent: Intent) -> Outcome:
        return Unknown(why=words)

    async def read() -> AccountReading:
        return AccountReading(account="a", at=desk.clock.now(), complete=False, missing=(words,))

    async def quote(instrument: str) -> Quote:
        raise VenueError(words)

    return {
        "refused": ("submit", refuse),
        "unknown": ("submit", unknown),
        "unread": ("read", read),
        "prices": ("quote", quote),
    }


@pytest.mark.parametrize("odd", ["\x00", "\ud83d"], ids=["nul", "half"])
@pytest.mark.parametrize("kind", ["refused", "unknown", "unread", "prices"])
def test_words_of_a_venue_that_no_database_holds_end_nothing(
    engine: Engine, kind: str, odd: str
) -> None:
    desk = Desk.open(engine)
    name, answer = _says(desk, f"bad {odd} gateway")[kind]
    setattr(desk.venues["a"], name, answer)
    report = desk.run(order(1, "a", "buy", "0.2"))
    assert report.status != "done"
    history = desk.journal().history
    assert history.unfinished() == ()
    assert history.verify() == ()


def test_an_id_that_the_record_does_not_hold_is_an_unknown_outcome(engine: Engine) -> None:
    desk = Desk.open(engine)
    submit = desk.venues["a"].submit

    async def long(intent: Intent) -> Outcome:
        await submit(intent)
        return Ack(venue_id="7" * 201)

    desk.venues["a"].submit = long
    assert desk.run(order(1, "a", "buy", "0.2")).status == "done"
    assert desk.held("a", BTC_A) == Decimal("1.2")
    assert desk.journal().history.verify() == ()
