"""The venues' clocks as witnesses of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar

import pytest

from allocator.adapters.paper import open_paper
from allocator.adapters.paper.faults import Fault
from allocator.ports import Venue
from allocator.service import agreeing
from allocator.service.agreeing import Agreeing
from tests.execution.book import JumpingClock
from tests.patient import Patient
from tests.service.sites import snapshot

Answer = TypeVar("Answer")
NAMES = {"a": "alpha", "b": "beta"}


def patiently(work: Coroutine[Any, Any, Answer]) -> Answer:
    """Run it by a clock that stands while the machine works: half of the way is no difference."""
    with asyncio.Runner(loop_factory=Patient) as runner:
        return runner.run(work)


@pytest.mark.parametrize(
    ("ahead_s", "silent", "agrees"),
    [
        ("0", "", True),
        ("0.9", "", True),
        ("1.1", "", False),
        ("-1.1", "", False),
        ("3600", "", False),
        ("0", "a", True),
        ("0", "ab", False),
        ("3600", "a", False),
    ],
)
def test_a_clock_is_right_where_all_venues_that_answer_agree(
    ahead_s: str, silent: str, agrees: bool
) -> None:
    theirs, ours = JumpingClock(), JumpingClock()
    exchange, _, venues = open_paper(snapshot(), theirs)
    for name in silent:
        exchange.faults.add(Fault("time", "error", account=name))
    ours.at += timedelta(seconds=float(ahead_s))
    asked = Agreeing(venues, NAMES, ours, Decimal(1))
    assert patiently(asked.ask()) is agrees


def test_one_venue_that_differs_is_enough_to_wait() -> None:
    right, wrong = JumpingClock(), JumpingClock()
    wrong.at += timedelta(hours=1)
    first, second = (open_paper(snapshot(), clock)[2] for clock in (right, wrong))
    asked = Agreeing({"a": first["a"], "b": second["b"]}, NAMES, right, Decimal(1))
    assert not patiently(asked.ask())


def test_nobody_agrees_where_nothing_can_be_sent() -> None:
    nobody = dict[str, Venue]()
    assert not patiently(Agreeing(nobody, NAMES, JumpingClock(), Decimal(1)).ask())


def test_venues_are_asked_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = JumpingClock()
    asked = Agreeing(open_paper(snapshot(), clock)[2], NAMES, clock, Decimal(1))

    async def twice() -> list[bool]:
        return [await asked.ask() for _ in range(2)]

    assert patiently(twice()) == [True, False]
    monkeypatch.setattr(agreeing, "REST_S", 0.0)
    again = Agreeing(open_paper(snapshot(), clock)[2], NAMES, clock, Decimal(1))
    asked = again
    assert patiently(twice()) == [True, True]
