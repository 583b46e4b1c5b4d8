"""What is too old and needed by nothing goes; whatever anything refers to stays."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import Engine, text

from allocator.decide import decide
from allocator.execution.history import History
from allocator.execution.journal import Journal
from allocator.execution.leader import next_epoch
from allocator.execution.office import Office
from allocator.models.controls import ApprovalConfig
from allocator.models.mandate import Mandate
from allocator.models.service import KeepConfig, Schedule
from allocator.models.snapshot import Snapshot
from allocator.service.clock import Leaps
from allocator.service.http.once import Replies, Reply
from allocator.service.retention import Dropped, Retention
from allocator.service.scheduler.slot import Asked
from allocator.service.scheduler.slots import Slots
from allocator.service.scheduler.timer import Timer
from tests.execution.book import START, JumpingClock
from tests.service.sites import MANDATE, Place, snapshot

DAY = timedelta(days=1)
KEEP = KeepConfig(replies_days=7, slots_days=10, proposals_days=20)


def test_a_clock_that_is_ahead_from_the_first_tidying_on_drops_little(
    engine: Engine, tmp_path: Path
) -> None:
    history, keep = {"folder": str(tmp_path / "history")}, {"slots_days": 10}
    place = Place(engine, tmp_path, service={"schedules": [], "keep": keep, "history": history})
    service, clock, hour = place.service, place.clock, timedelta(hours=1)
    for number in range(20):
        at = clock.now() - 20 * DAY + number * hour
        service.slots.add(Asked(f"{number}", "x", "plan", "c", at, "missed", origin="schedule"))
    clock.at += 400 * DAY
    service._drop_old()
    assert len(service.slots.recent()) == 20
    clock.at += hour
    service._drop_old()
    assert len(service.slots.recent()) == 17
    clock.at -= 400 * DAY
    service._drop_old()
    assert len(service.slots.recent()) == 14


def test_the_first_tidying_of_an_empty_database_is_as_of_now(
    engine: Engine, tmp_path: Path
) -> None:
    service = Place(engine, tmp_path).service
    assert service.retention.first(START) == START


def test_the_database_is_tidied_by_a_believed_clock_and_in_small_steps(
    lite: Engine, tmp_path: Path
) -> None:
    history, keep = {"folder": str(tmp_path / "history")}, {"slots_days": 10}
    place = Place(lite, tmp_path, service={"schedules": [], "keep": keep, "history": history})
    service, clock, steady = place.service, place.clock, [0.0]
    service._leaps = Leaps(lambda: steady[0], clock.now())
    began, hour = clock.now(), timedelta(hours=1)
    for number in range(10):
        at = began - 10 * DAY + (number - 0.5) * hour
        service.slots.add(Asked(f"{number}", "x", "plan", "c", at, "missed", origin="schedule"))

    def left() -> int:
        service._drop_old()
        return len(service.slots.recent())

    assert left() == 10, "it is not known when it last was"
    clock.at += 400 * DAY
    assert left() == 10, "the clock is not believed"
    service._leaps.take(clock.now())
    clock.at += timedelta(seconds=130)
    steady[0] += 130
    service._leaps.take(clock.now())
    assert service.believes_time()
    assert left() == 7, "what three hours have made too old"
    service._leaps = None
    clock.at = began + 4 * hour
    assert left() == 5
    place.site.jobs.close()


class Store:
    """A database with a clock, and what fills it."""

    def __init__(self, engine: Engine, **rule: Any) -> None:
        self.engine, self.clock = engine, JumpingClock()
        self.office = Office(engine, "desk", self.clock)
        self.slots, self.replies = Slots(engine, "desk"), Replies(engine)
        approval = ApprovalConfig.model_validate({"max_age_s": "300", **rule})
        self.retention = Retention(engine, self.office, "desk", KEEP, approval)

    def tidy(self, at: datetime) -> Dropped:
        self.clock.at = at
        return self.retention.tidy(at)

    def slot(self, name: str, source: str, at: datetime, status: Any = "done") -> None:
        lease = next_epoch(self.engine, "desk", "x", at)
        begins: Any = "missed" if status == "missed" else "due"
        origin: Any = "person" if source == "alice" else "schedule"
        assert self.slots.add(Asked(name, source, "plan", "test", at, begins, origin=origin))
        row = self.slots.named(name)
        assert row is not None
        if status in ("running", "done", "failed"):
            self.slots.claim(lease, row, at)
        if status in ("done", "failed"):
            self.slots.finish(lease, row, status, at)
        if status == "skipped":
            assert self.slots.call_back(row, "no", at)

    def names(self) -> list[str]:
        return sorted(row.name for row in self.slots.recent(10_000))

    def begin(self, name: str) -> str:
        """Record a proposed plan as one that is carried out."""
        found = self.office.history.proposal(name)
        assert found is not None
        journal = Journal(
            self.engine, next_epoch(self.engine, "desk", "x", self.clock.now()), self.clock
        )
        cycle = journal.open_cycle("desk", f"execute {name}")
        assert cycle is not None
        journal.record_plan(cycle, found.plan, found.snapshot, found.mandate)
        return name

    def propose(self, quantity: str, at: datetime) -> str:
        self.clock.at = at
        row = snapshot(quantity).model_copy(update={"as_of": at})
        mandate = Mandate.model_validate(MANDATE)
        plan = decide(Snapshot.model_validate(dict(row)), mandate)
        assert self.office.propose(plan, row, mandate, "allocator")
        return plan.plan_hash


@pytest.fixture
def store(engine: Engine) -> Store:
    return Store(engine)


def test_a_key_holds_for_its_days_and_is_free_after_them(store: Store) -> None:
    for name, at in (("old", START), ("new", START + DAY)):
        assert store.replies.begin("alice", name, "asked", at) is None
        store.replies.keep("alice", name, Reply(200, "{}"))
    assert store.replies.begin("alice", "pending", "asked", START) is None
    assert not store.tidy(START + 7 * DAY)
    assert store.tidy(START + 7 * DAY + timedelta(seconds=1)).replies == 2
    again = START + 8 * DAY
    assert store.replies.begin("alice", "new", "asked", again) == Reply(200, "{}")
    assert store.replies.begin("alice", "old", "asked", again) is None


@pytest.mark.parametrize("name", ["replies_days", "slots_days", "proposals_days"])
def test_nothing_younger_than_a_week_is_ever_dropped(name: str) -> None:
    with pytest.raises(ValidationError):
        KeepConfig.model_validate({name: 6})


def test_slots_that_ended_go_and_what_scheduling_needs_stays(store: Store) -> None:
    for number, status in enumerate(("done", "failed", "missed", "skipped")):
        store.slot(f"old {status}", "hourly", START + timedelta(hours=number), status)
    store.slot("last of hourly", "hourly", START + timedelta(hours=9))
    store.slot("only one of daily", "daily", START, "missed")
    store.slot("still due", "alice", START, "due")
    store.slot("under way", "alice", START, "running")
    store.slot("young", "alice", START + 5 * DAY)
    assert Slots(store.engine, "other").add(Asked("theirs", "hourly", "plan", "c", START))
    assert store.tidy(START + 12 * DAY).slots == 4
    stay = ["last of hourly", "only one of daily", "still due", "under way", "young"]
    assert store.names() == stay
    assert store.slots.last_due("hourly", store.clock.at) == START + timedelta(hours=9)
    assert Slots(store.engine, "other").named("theirs") is not None


def test_a_timer_makes_up_no_slot_that_was_dropped(store: Store) -> None:
    often = Schedule(id="often", every_s=Decimal(3600), grace_s=Decimal(90))
    clock = store.clock
    timer = Timer((often,), store.slots, clock, wake=lambda: None, beat=lambda _at: None)
    for _ in range(15 * 24):
        clock.at += timedelta(hours=1)
        timer.tick()
        for row in store.slots.with_status("due"):
            lease = next_epoch(store.engine, "desk", "x", clock.now())
            store.slots.claim(lease, row, clock.now())
            store.slots.finish(lease, row, "done", clock.now())
    assert store.tidy(clock.now()).slots == 5 * 24 - 1
    before = store.names()
    again = Timer((often,), store.slots, clock, wake=lambda: None, beat=lambda _at: None)
    assert (timer.tick(), again.tick()) == (0, 0)
    assert store.names() == before


def test_proposals_that_came_to_nothing_go_and_the_audit_says_so(store: Store) -> None:
    old, asked = store.propose("0", START), store.propose("0.1", START + timedelta(seconds=1))
    young = store.propose("0.2", START + 15 * DAY)
    store.office.judge(old, "alice", "rejected", "too dear")
    request = Asked(f"execute {asked}", "bob", "execute", "test", START, plan_hash=asked)
    assert store.slots.add(request)
    begun = store.begin(store.propose("0.3", START + timedelta(seconds=2)))
    assert store.tidy(START + 21 * DAY).proposals == 1
    kept = [store.office.history.proposal(name) for name in (old, asked, young, begun)]
    assert [row is not None for row in kept] == [False, True, True, True]
    assert History(store.engine).verify() == ()
    assert not store.tidy(START + 22 * DAY)


def test_a_proposal_that_vanished_without_a_word_is_still_told(store: Store) -> None:
    name = store.propose("0", START)
    with store.engine.begin() as connection:
        connection.execute(text("DELETE FROM proposal"))
    (fault,) = History(store.engine).verify()
    assert fault.what == f"proposal:{name} is in the audit only"


def test_a_proposal_that_may_still_be_approved_stays(engine: Engine) -> None:
    store = Store(engine, max_age_s=str(30 * 86400))
    name = store.propose("0", START)
    assert store.tidy(START + 29 * DAY).proposals == 0
    assert store.office.history.proposal(name) is not None
    assert store.tidy(START + 31 * DAY).proposals == 1
