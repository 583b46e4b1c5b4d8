"""Sessions of many who come at once, and of one who comes very often."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from allocator.service.dashboard.sessions import MOST, Sessions
from tests.execution.book import START
from tests.service.sites import Place


@pytest.fixture
def hurried() -> Iterator[None]:
    """Threads that take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hurried")
def test_nobody_who_comes_in_with_others_is_lost(place: Place) -> None:
    for _ in range(20):
        sessions = Sessions(place.site.tokens)
        with ThreadPoolExecutor(8) as pool:
            asked = [
                pool.submit(sessions.begin, f"person {number}", START) for number in range(200)
            ]
            keys = [row.result() for row in asked]
        assert set(keys) == set(sessions._sessions)


def test_who_comes_in_very_often_puts_nobody_else_out(place: Place) -> None:
    sessions, now = Sessions(place.site.tokens), place.clock.now()
    hers = sessions.login(place.tokens["alice"], now)
    last = None
    for _ in range(2 * MOST):
        last = sessions.login(place.tokens["read"], now)
    assert sessions.find(hers, now) is not None
    assert sessions.find(last, now) is not None
    assert len(sessions._sessions) <= MOST
