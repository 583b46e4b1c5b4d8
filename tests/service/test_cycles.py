"""A slot's way from the accounts to the record, on the paper exchange."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from allocator.adapters.paper.faults import Fault
from allocator.decide import decide
from allocator.models.errors import RefusedError, StaleError
from allocator.models.mandate import Mandate
from allocator.models.plan import Order
from allocator.service.cycles import request
from allocator.service.monitor.history import MarkStore
from allocator.service.monitor.lines import firing_name
from allocator.service.monitor.marks import Marks
from allocator.service.monitor.profit import Earned
from allocator.service.repairs import repairing
from allocator.service.scheduler.slot import Asked, Kind, Slot, again
from allocator.service.snapshots import Snapshots
from allocator.state import Book, State
from allocator.verify import shortfall, verify
from allocator.whatif.reader import load_scenario
from tests.execution.book import START
from tests.service.record import ROOT
from tests.service.rooms import CAP, SOMEBODY, Room
from tests.service.sites import MANDATE, snapshot


def test_plan_below_the_threshold_is_carried_out_at_once(room: Room) -> None:
    result = room.work()
    assert (result.status, result.note) == ("done", "done")
    (cycle,) = room.office.history.cycles()
    assert (cycle.slot, cycle.plan_hash) == ("s", result.plan_hash)
    held = sum(
        row.holding(name).quantity
        for row in room.exchange.holdings.values()
        for name in ("alpha:BTC/USDT:USDT", "beta:BTC/USDT:USDT")
    )
    assert held > 0
    assert room.live.busy == ""


def test_plan_that_needs_somebody_waits_and_tells_so(lite: Engine) -> None:
    room = Room(lite, SOMEBODY)
    result = room.work()
    assert result.note == "waits for 1 to approve"
    assert room.office.history.cycles() == ()
    (alert,) = room.office.history.alerts()
    assert (alert.topic, alert.body["plan"]) == ("approval_wanted", result.plan_hash)
    assert result.plan_hash is not None
    with pytest.raises(RefusedError, match="NOT_APPROVED"):
        room.work("execute", "e", result.plan_hash)
    room.office.judge(result.plan_hash, "alice", "approved")
    assert room.work("execute", "f", result.plan_hash).note == "done"
    with pytest.raises(RefusedError, match="PLAN_KNOWN"):
        room.work("execute", "g", result.plan_hash)


def test_approval_that_has_become_stale_is_refused_by_the_executor(lite: Engine) -> None:
    room = Room(lite, SOMEBODY)
    plan_hash = room.work().plan_hash
    assert plan_hash is not None
    room.office.judge(plan_hash, "alice", "approved")
    room.clock.at = START + timedelta(seconds=301)
    with pytest.raises((RefusedError, StaleError), match=r"expired|SNAPSHOT_AGE"):
        room.work("execute", "e", plan_hash)
    assert room.office.history.cycles() == ()


def test_dry_service_proposes_and_sends_nothing(lite: Engine) -> None:
    room = Room(lite, dry=True)
    assert room.work().note == "proposed; dry: nothing is sent"
    with pytest.raises(RefusedError, match="DRY_RUN"):
        room.work("execute", "e", "0" * 64)
    assert room.office.history.cycles() == ()


def test_slot_that_became_a_cycle_gets_no_second_one(room: Room) -> None:
    room.work()
    slot = room.slots.named("s")
    assert slot is not None
    again = asyncio.run(room.cycles.work(slot))
    assert again.note.startswith("carried on where an earlier leader had stopped")
    assert len(room.office.history.cycles()) == 1


def test_what_a_slot_that_broke_off_left_open_is_settled(room: Room) -> None:
    asyncio.run(room.cycles.settle())
    journal = room.cycles._ports.executor._shell.journal
    assert journal.open_cycle("desk", "broken off") is not None
    asyncio.run(room.cycles.settle())
    assert [row.status for row in room.office.history.cycles()] == ["superseded"]
    assert room.live.busy == ""


def test_urgent_slot_does_nothing_where_nothing_is_broken(room: Room) -> None:
    assert room.work("repair").note == "nothing is broken: nothing to repair"
    assert room.office.history.proposals() == ()


def test_what_was_earned_by_a_cycle_adds_up_to_the_change_of_equity(
    lite: Engine, tmp_path: Path
) -> None:
    room = Room(lite, folder=tmp_path / "history")
    asyncio.run(room.cycles.look())
    first = room.live.marks
    room.work()
    room.clock.at += timedelta(seconds=1)
    asyncio.run(room.cycles.look())
    last = room.live.marks
    assert first is not None
    assert last is not None
    assert first.equity is not None
    assert last.equity is not None
    since, until = START - timedelta(1), START + timedelta(1)
    (row,) = MarkStore(tmp_path / "history").profit("book", since, until)
    parts = ("realised", "unrealised", "funding", "fees", "revaluation", "other", "flows")
    assert sum(row[part] for part in parts) == last.equity - first.equity
    assert row["fees"] < 0
    assert row["other"] == 0


SCENARIOS = ("margin-rescue-by-transfer", "stress-forces-collateral", "position-move",
             "owner-cap-beats-splitting", "two-venue-delta-move")  # fmt: skip


@pytest.mark.parametrize("name", SCENARIOS)
def test_repair_only_shrinks_positions_and_mends_what_is_broken(name: str) -> None:
    scenario = load_scenario(ROOT / "scenarios" / f"{name}.yaml")
    before = Book.of(scenario.snapshot, scenario.mandate)
    missing = shortfall(before, State.start(before)).total
    asked = repairing(scenario.snapshot, scenario.mandate)
    assert (asked is None) == (missing == 0)
    if asked is None:
        return
    plan = decide(*asked)
    assert plan.status in ("act", "infeasible", "nothing")
    for action in plan.actions:
        if isinstance(action, Order):
            held = before.quantity[action.account, action.instrument]
            assert held * action.signed < 0
            assert action.quantity <= abs(held)
    assert verify(*asked, plan) == ()
    if plan.certificate is not None:
        assert plan.certificate.shortfall <= missing


def test_cycle_that_reads_no_account_has_failed(lite: Engine) -> None:
    room = Room(lite, dry=True)
    for name in ("a", "b"):
        room.exchange.faults.add(Fault("gather", "error", account=name))
    result = room.work()
    assert (result.status, result.plan_hash) == ("failed", None)
    assert result.note.startswith("no account was read: a: ")
    room.exchange.faults.add(Fault("gather", "error", account="b"))
    assert room.work(name="t").status == "done"


def test_urgent_slot_repairs_while_a_venue_is_dead(
    lite: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    mandate = Mandate.model_validate({**MANDATE, "limits": [CAP]})
    room = Room(lite, start=snapshot("1"), mandate=mandate)
    room.exchange.faults.add(Fault("gather", "error", account="b"))
    before = room.exchange.holdings["a"].holding("alpha:BTC/USDT:USDT").quantity
    assert before == 1
    result = room.work("repair")
    assert (result.status, result.note) == ("done", "done")
    after = room.exchange.holdings["a"].holding("alpha:BTC/USDT:USDT").quantity
    assert 0 < after * 50_000 <= 30_000
    assert room.office.history.breakers() == ()
    told = [vars(row)["missing"] for row in caplog.records if "not read" in row.message]
    assert [list(missing) for missing in told] == [["b"]]


def test_what_a_repair_is_narrowed_to_is_not_taken_for_the_book(lite: Engine) -> None:
    """What-ifs and proposals begin from the latest snapshot that was gathered."""
    mandate = Mandate.model_validate({**MANDATE, "limits": [CAP]})
    room = Room(lite, start=snapshot("1"), mandate=mandate, dry=True)
    plan = room.office.history.proposal(str(room.work("repair").plan_hash))
    kept = Snapshots(lite, "desk")
    assert {row.status for row in kept.latest().instruments} == {"open"}
    assert plan is not None
    assert {row.status for row in plan.snapshot.instruments} == {"reduce_only"}
    assert kept.read(plan.plan.snapshot_hash) == plan.snapshot
    assert not kept.was_gathered(plan.plan.snapshot_hash)


def test_plan_that_adds_is_refused_while_a_venue_is_dead(lite: Engine) -> None:
    room = Room(lite)
    room.exchange.faults.add(Fault("gather", "error", account="b"))
    with pytest.raises(RefusedError, match="MISSING_ACCOUNTS: control=DAT-02 of=b"):
        room.work()
    assert room.office.history.cycles() == ()
    assert room.office.history.breakers() == ()


def test_slot_of_a_schedule_that_was_paused_after_it_began_plans_nothing(room: Room) -> None:
    now = room.clock.now()
    room.slots.add(Asked("s", "hourly", "plan", "schedule hourly", now, origin="schedule"))
    room.slots.pause("hourly", "ann", "stop", now)
    slot = room.slots.named("s")
    assert slot is not None
    result = asyncio.run(room.cycles.work(slot))
    assert (result.status, result.note) == ("skipped", "the schedule is paused")
    assert room.office.history.proposals() == ()


def test_a_cycle_that_fails_tells_where_the_audit_ends_as_well(room: Room) -> None:
    ended = list[str]()
    room.cycles._ports.executor.ended = lambda: ended.append(room.live.busy)
    assert room.work(name="s").status == "done"
    assert ended[-1] == "s"
    with pytest.raises(RefusedError, match="NOT_PROPOSED"):
        room.work("execute", "refused", "0" * 64)
    assert ended[-1] == "refused"


def test_requests_of_people_have_names_that_do_not_clash() -> None:
    first = request("alice", "plan", START)
    second = request("alice", "plan", START + timedelta(microseconds=1))
    assert first.name != second.name
    long = [request("a" * 200, "plan", START + timedelta(microseconds=n)).name for n in (0, 1)]
    fired = [firing_name("r" * 90, "s" * 110, START + timedelta(microseconds=n)) for n in (0, 1)]
    for one, other in (long, fired):
        assert one != other
        assert len(again(again(other))) <= 200
        assert again(again(other)) != again(other)
    assert request("alice", "execute", START, "a" * 64) == request(
        "alice", "execute", START, "a" * 64
    )


def test_book_that_changed_under_a_plan_is_planned_again_so_many_times(room: Room) -> None:
    slot: Any = Slot(1, "s", "x", "plan", "c", START, "running")
    room.cycles._again(slot, "the book changed")
    (again,) = room.slots.with_status("due")
    assert again.name == "s again"
    room.cycles._again(again, "the book changed")
    twice = room.slots.named("s again again")
    assert twice is not None
    room.cycles._again(twice, "the book changed")
    assert len(room.slots.with_status("due")) == 2


@pytest.mark.parametrize("kind", ["plan", "repair"])
def test_what_takes_the_place_of_an_approved_plan_is_made_as_that_was(
    room: Room, kind: Kind
) -> None:
    room.slots.add(Asked("first", "x", kind, "c", START, plan_hash="f" * 64))
    slot: Any = Slot(9, f"execute {'f' * 64}", "alice", "execute", "c", START, "running",
                     plan_hash="f" * 64)  # fmt: skip
    room.cycles._again(slot, "the book changed")
    room.cycles._plan_anew("f" * 64, "the book changed")
    kinds = [row.kind for row in room.slots.with_status("due") if row.source == "again"]
    assert kinds == [kind, kind]


def test_mark_under_way_ends_before_the_look_that_is_broken_off(
    lite: Engine, tmp_path: Path
) -> None:
    room = Room(lite, folder=tmp_path)
    monitor = room.cycles._monitor
    assert monitor is not None
    begun, go_on = threading.Event(), threading.Event()

    class Slow(MarkStore):
        """Writes when it is told to go on."""

        def write(self, marks: Marks, earned: Mapping[str, Earned]) -> None:
            begun.set()
            assert go_on.wait(60)
            super().write(marks, earned)

    monitor._store = Slow(tmp_path)

    async def work() -> None:
        looking = asyncio.create_task(room.cycles.look())
        await asyncio.to_thread(begun.wait, 60)
        looking.cancel()
        asyncio.get_running_loop().call_later(0.01, go_on.set)
        with pytest.raises(asyncio.CancelledError):
            await looking
        assert monitor.latest is not None

    asyncio.run(work())
