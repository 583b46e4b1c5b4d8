from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine

from allocator.execution.leader import FencedError, next_epoch
from allocator.models.errors import JournalError
from allocator.service.scheduler.slot import Asked
from allocator.service.scheduler.slots import Slots

NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)


def asked(name: str = "s", **changes: Any) -> Asked:
    return Asked(**{"name": name, "source": "x", "kind": "plan", "cause": "c", "due_at": NOW}
                 | changes)  # fmt: skip


def test_slot_is_written_once(engine: Engine) -> None:
    slots = Slots(engine, "desk")
    assert slots.add(asked())
    assert not slots.add(asked())
    assert Slots(engine, "other desk").add(asked())
    assert [row.name for row in slots.with_status("due")] == ["s"]


def test_instances_that_write_at_once_write_one_slot(engine: Engine) -> None:
    won, gate = list[bool](), threading.Barrier(4)

    def write() -> None:
        gate.wait()
        won.append(Slots(engine, "desk").add(asked()))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False, False, False, True]


def test_slot_is_begun_once_by_one_leader(engine: Engine) -> None:
    slots, lease = Slots(engine, "desk"), next_epoch(engine, "desk", "a", NOW)
    slots.add(asked())
    (row,) = slots.with_status("due")
    slots.claim(lease, row, NOW)
    with pytest.raises(JournalError, match="SLOT_BEGUN"):
        slots.claim(lease, row, NOW)
    slots.finish(lease, row, "done", NOW, plan_hash="f" * 64)
    with pytest.raises(JournalError, match="SLOT_BEGUN"):
        slots.claim(lease, row, NOW)
    (row,) = slots.recent()
    assert (row.status, row.epoch, row.plan_hash) == ("done", 1, "f" * 64)


def test_leader_that_was_followed_begins_and_ends_nothing(engine: Engine) -> None:
    slots, old = Slots(engine, "desk"), next_epoch(engine, "desk", "a", NOW)
    slots.add(asked())
    (row,) = slots.with_status("due")
    slots.claim(old, row, NOW)
    new = next_epoch(engine, "desk", "b", NOW)
    with pytest.raises(FencedError):
        slots.finish(old, row, "done", NOW)
    (row,) = slots.with_status("running")
    slots.claim(new, row, NOW)
    assert slots.with_status("running")[0].epoch == 2


def test_pause_is_kept_with_its_reason(engine: Engine) -> None:
    slots = Slots(engine, "desk")
    slots.pause("hourly", "alice", "maintenance", NOW)
    slots.pause("hourly", "bob", "again", NOW)
    assert slots.paused() == {"hourly": "alice: maintenance"}
    slots.resume("hourly", NOW)
    assert slots.paused() == {}


@pytest.mark.parametrize("end", ["due", "running", "done", "failed", "missed"])
def test_only_what_was_called_back_is_due_again(engine: Engine, end: Any) -> None:
    slots, lease = Slots(engine, "desk"), next_epoch(engine, "desk", "a", NOW)
    slots.add(asked())
    (row,) = slots.recent()
    if end != "due":
        slots.claim(lease, row, NOW)
    if end not in ("due", "running"):
        slots.finish(lease, row, end, NOW)
    assert not slots.ask_again(asked())
    assert not slots.ask_again(asked("unknown"))
    assert [row.status for row in slots.recent()] == [end]


def test_a_slot_that_was_called_back_begins_once_it_is_asked_for_again(engine: Engine) -> None:
    slots, lease = Slots(engine, "desk"), next_epoch(engine, "desk", "a", NOW)
    slots.add(asked())
    assert slots.call_back(slots.recent()[0], "bob", NOW)
    assert not slots.ask_again(asked(source="ann"))
    assert slots.recent()[0].status == "skipped"
    assert slots.ask_again(asked(cause="anew", source="bob"))
    assert not slots.ask_again(asked(source="bob"))
    (row,) = slots.with_status("due")
    assert (row.cause, row.source, row.note, row.ended_at) == ("anew", "bob", "", None)
    slots.claim(lease, row, NOW)
