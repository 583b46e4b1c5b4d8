"""A person who asks for a cycle several times at once has asked for one."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine

from allocator.models import api
from allocator.service import deeds
from tests.execution.book import START, JumpingClock
from tests.service.sites import Place

AT_ONCE = 10


class GatheringClock(JumpingClock):
    """A clock that tells no two readers the same time, and none before so many have come."""

    def __init__(self, readers: int) -> None:
        super().__init__(START + timedelta(seconds=9))
        self._lock = threading.Lock()
        self._gate = threading.Barrier(readers, timeout=60)

    def now(self) -> datetime:
        self._gate.wait()
        with self._lock:
            self.at += timedelta(milliseconds=1)
            return self.at


def ask(place: Place, *people: str) -> list[api.SlotView]:
    """Ask for a cycle at once, each in a thread."""
    told = list[api.SlotView]()
    place.service.clock = GatheringClock(len(people))

    def one(who: str) -> None:
        told.append(deeds.run_now(place.site, "hourly", who))

    threads = [threading.Thread(target=one, args=(who,)) for who in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return told


def test_one_person_who_asks_at_once_gets_one_cycle(engine: Engine, tmp_path: Path) -> None:
    place = Place(engine, tmp_path)
    told = ask(place, *["ann"] * AT_ONCE)
    (row,) = place.service.slots.with_status("due")
    assert [one.name for one in told] == [row.name] * AT_ONCE


def test_people_who_ask_at_once_get_a_cycle_each(engine: Engine, tmp_path: Path) -> None:
    place = Place(engine, tmp_path)
    ask(place, "ann", "bob")
    assert {row.source for row in place.service.slots.with_status("due")} == {"ann", "bob"}


def test_who_asks_once_more_after_the_first_was_called_back_gets_another(
    engine: Engine, tmp_path: Path
) -> None:
    place = Place(engine, tmp_path)
    (first,) = ask(place, "ann")
    row = place.service.slots.named(first.name)
    assert row is not None
    assert place.service.slots.call_back(row, "ann", place.clock.now())
    place.service.clock = place.clock
    second = deeds.run_now(place.site, "hourly", "ann")
    assert second.name != first.name
