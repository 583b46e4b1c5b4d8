"""Of several windows one that is not understood hides none that is under way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from allocator.adapters.ccxt import statuses
from allocator.models.errors import VenueError
from tests.adapters.ccxt.test_statuses import UNTIL, bybit, event, okx, window

VENUES = {"bybit": (bybit, window), "okx": (okx, event)}
AMISS: tuple[tuple[str, Any], ...] = (
    ("bybit", window("paused")),
    ("bybit", window("ongoing", serviceTypes=["all"])),
    ("bybit", {"title": "no state"}),
    ("bybit", "no row"),
    ("okx", event("halted")),
    ("okx", {"title": "no state"}),
    ("okx", None),
)


@pytest.mark.parametrize(("venue", "amiss"), AMISS)
def test_a_window_that_is_not_understood_hides_none_that_is_under_way(
    venue: str, amiss: Any
) -> None:
    answer, row = VENUES[venue]
    for rows in ((row("ongoing"), amiss), (amiss, row("ongoing"))):
        told = statuses.SOURCES[venue].read(answer(*rows))
        assert (told.state, told.until) == ("maintenance", UNTIL)
        assert "; not understood: " in told.note


@pytest.mark.parametrize(("venue", "amiss"), AMISS)
@pytest.mark.parametrize("state", ["completed", "scheduled"])
def test_where_no_window_is_under_way_it_is_not_taken_for_open(
    venue: str, amiss: Any, state: str
) -> None:
    answer, row = VENUES[venue]
    with pytest.raises(VenueError):
        statuses.SOURCES[venue].read(answer(row(state), amiss))


def test_of_a_window_that_has_ended_nothing_else_has_to_be_understood() -> None:
    ended = window("completed", serviceTypes=["all"], begin="soon", end="later")
    assert statuses.bybit(bybit(ended)).state == "open"


@pytest.mark.parametrize("end", ["", "0", 0, None, "tomorrow"])
@pytest.mark.parametrize("venue", sorted(VENUES))
def test_an_end_that_is_none_is_not_told(venue: str, end: object) -> None:
    answer: Callable[..., Any]
    answer, row = VENUES[venue]
    told = statuses.SOURCES[venue].read(answer(row("ongoing", end=end)))
    assert (told.state, told.until) == ("maintenance", None)


def test_a_plan_without_a_beginning_is_no_note() -> None:
    told = statuses.okx(okx(event("scheduled", begin="0"), event("scheduled")))
    assert told.note.startswith("planned from 2025-07-04T02:41:42Z")
