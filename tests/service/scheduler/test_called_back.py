"""A slot that somebody calls back as it begins: one of the two holds, and is told."""

from __future__ import annotations

import asyncio
import threading
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, event

from allocator.execution.leader import next_epoch
from allocator.models.errors import JournalError
from allocator.service.scheduler.slots import Slots
from tests.execution.book import START, JumpingClock
from tests.service.scheduler.bench import Bench
from tests.service.scheduler.test_slots import NOW, asked

PATIENCE_S = 0.5


def test_what_is_told_as_called_back_does_not_begin(engine: Engine) -> None:
    slots, lease = Slots(engine, "desk"), next_epoch(engine, "desk", "a", NOW)
    slots.add(asked(kind="execute", plan_hash="f" * 64))
    (row,) = slots.with_status("due")
    told = list[bool]()
    person = threading.Thread(target=lambda: told.append(slots.call_back(row, "bob", NOW)))

    def between(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        begins = threading.current_thread() is threading.main_thread()
        if begins and "FROM slot" in statement and not person.ident:
            person.start()
            # He may have to wait until it has begun.
            person.join(PATIENCE_S)

    event.listen(engine, "after_cursor_execute", between)
    began = True
    try:
        slots.claim(lease, row, NOW)
    except JournalError:
        began = False
    event.remove(engine, "after_cursor_execute", between)
    person.join()
    (row,) = slots.recent()
    assert told == [not began]
    assert row.status == ("running" if began else "skipped")


class Person(JumpingClock):
    """A clock at whose third look of a step somebody calls the slot back that was chosen."""

    slots: Slots
    looks = 0

    def now(self) -> datetime:
        self.looks += 1
        if self.looks == 3:
            (row,) = self.slots.with_status("due")
            assert self.slots.call_back(row, "bob", START)
        return super().now()


def test_leader_whose_slot_is_called_back_as_it_begins_goes_on(lite: Engine) -> None:
    clock = Person()
    bench = Bench(lite, clock)
    clock.slots = bench.slots
    bench.slots.add(asked(name="one", kind="execute", plan_hash="f" * 64))
    clock.looks = 0
    asyncio.run(bench.worker.step())
    assert clock.looks >= 3
    bench.slots.add(asked(name="two", kind="execute", plan_hash="e" * 64))
    bench.steps()
    assert [row.name for row in bench.done] == ["two"]
    assert bench.statuses() == [("one", "skipped"), ("two", "done")]
