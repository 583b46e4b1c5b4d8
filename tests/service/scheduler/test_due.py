from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from allocator.models.service import Schedule
from allocator.service.scheduler.due import (
    GONE,
    PAUSED,
    Choice,
    choose,
    due,
    fires,
    next_fire,
    slot_name,
)
from allocator.service.scheduler.slot import Slot

NOW = datetime(2026, 11, 20, 8, 0, 30, tzinfo=UTC)
HOURLY = Schedule(id="hourly", cron="0 * * * *")


def every(seconds: int, grace: int = 300) -> Schedule:
    return Schedule(id="often", every_s=Decimal(seconds), grace_s=Decimal(grace))


def slot(number: int, due_at: datetime, **changes: Any) -> Slot:
    data = {"source": "often", "origin": "schedule", "kind": "plan", "status": "due"} | changes
    return Slot(id=number, name=f"s{number}", cause="test", due_at=due_at, **data)


def test_cron_is_read_in_utc() -> None:
    assert next_fire(HOURLY, NOW) == datetime(2026, 11, 20, 9, tzinfo=UTC)
    assert next_fire(HOURLY, datetime(2026, 11, 20, 9, tzinfo=UTC)) == datetime(
        2026, 11, 20, 10, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("field", "weekdays"),
    [
        ("0", "Sun"),
        ("7", "Sun"),
        ("1", "Mon"),
        ("1-5", "Mon Tue Wed Thu Fri"),
        ("6,0", "Sat Sun"),
        ("5-7", "Fri Sat Sun"),
        ("*/3", "Wed Sat Sun"),
        ("2/2", "Tue Thu Sat"),
        ("1-5/2", "Mon Wed Fri"),
        ("mon-fri", "Mon Tue Wed Thu Fri"),
        ("sat-sun", "Sat Sun"),
        ("Fri-sun,tue", "Tue Fri Sat Sun"),
        ("mon-sun", "Mon Tue Wed Thu Fri Sat Sun"),
        ("sun-thu", "Mon Tue Wed Thu Sun"),
        ("sun-sun", "Sun"),
        ("*", "Mon Tue Wed Thu Fri Sat Sun"),
    ],
)
def test_days_of_the_week_are_numbered_as_in_crontab(field: str, weekdays: str) -> None:
    monday = datetime(2026, 11, 23, tzinfo=UTC)
    schedule = Schedule(id="x", cron=f"0 9 * * {field}")
    found = fires(schedule, monday, monday + timedelta(days=7))
    assert " ".join(f"{moment:%a}" for moment in found) == weekdays


@pytest.mark.parametrize("field", ["8", "5-1", "1-8", "*/0", "moon"])
def test_days_of_the_week_that_there_are_not_are_refused(field: str) -> None:
    with pytest.raises(ValidationError, match=r"cron .*: day of week: "):
        Schedule(id="x", cron=f"0 9 * * {field}")


def test_cron_that_cannot_be_read_is_a_mistake_of_configuration() -> None:
    with pytest.raises(ValidationError, match="hour: '25' is beyond 0 to 23"):
        Schedule(id="x", cron="0 25 * * *")


@given(st.integers(1, 100_000), st.integers(0, 10_000_000))
def test_interval_slots_lie_on_one_grid_for_every_instance(seconds: int, offset: int) -> None:
    start = NOW + timedelta(seconds=offset)
    found = next_fire(every(seconds), start)
    assert found is not None
    assert start < found <= start + timedelta(seconds=seconds)
    assert int(found.timestamp()) % seconds == 0


def test_one_slot_of_many_missed_is_run() -> None:
    rows = due(every(60), NOW - timedelta(seconds=250), NOW)
    assert [row.status for row in rows] == ["missed", "missed", "missed", "due"]
    assert rows[-1].due_at == datetime(2026, 11, 20, 8, 0, tzinfo=UTC)


def test_slot_later_than_its_grace_is_missed() -> None:
    schedule = Schedule(id="hourly", cron="0 * * * *", grace_s=Decimal(29))
    (row,) = due(schedule, NOW - timedelta(minutes=10), NOW)
    assert (row.status, row.name) == ("missed", "hourly 2026-11-20T08:00:00Z")
    (row,) = due(schedule.model_copy(update={"grace_s": Decimal(30)}), NOW - timedelta(600), NOW)[
        -1:
    ]
    assert row.status == "due"


def test_a_slot_that_fell_due_days_ago_is_told_as_missed() -> None:
    weekly = Schedule(id="weekly", cron="0 8 * * 1")
    monday = datetime(2026, 11, 16, 8, tzinfo=UTC)
    (row,) = due(weekly, monday, monday + timedelta(days=9))
    assert (row.status, row.due_at, row.before) == ("missed", monday + timedelta(days=7), 0)


@pytest.mark.parametrize(
    "schedule", [every(60), Schedule(id="minute", cron="* * * * *")], ids=["every", "cron"]
)
def test_slots_that_are_too_many_to_be_written_down_are_counted(schedule: Schedule) -> None:
    rows = due(schedule, NOW, NOW + timedelta(hours=10))
    assert (len(rows), rows[0].before) == (100, 500)
    assert {row.before for row in rows[1:]} == {0}
    rows = due(schedule, NOW, NOW + timedelta(days=30))
    most = 30 * 1440 if schedule.every_s else 5_000 + 1440
    assert (len(rows), rows[0].before) == (100, most - 100)


@given(st.integers(1, 500), st.lists(st.integers(0, 2000), max_size=12))
def test_every_slot_is_named_once_however_often_the_timer_ticks(
    seconds: int, gaps: list[int]
) -> None:
    schedule, last, seen = every(seconds), NOW, list[str]()
    now = NOW
    for gap in gaps:
        now += timedelta(seconds=gap)
        rows = due(schedule, last, now)
        last = max([last, *(row.due_at for row in rows)])
        seen += [row.name for row in rows]
    assert len(seen) == len(set(seen))
    if gaps and max(gaps) < 100 * seconds:
        assert seen == [slot_name("often", at) for at in fires(schedule, NOW, now)]


def test_repair_comes_first_then_what_was_approved() -> None:
    rows = [
        slot(1, NOW, source="a"),
        slot(2, NOW, source="b", kind="execute"),
        slot(3, NOW, source="c", kind="repair"),
    ]
    order = []
    while rows:
        run = choose(rows, dict.fromkeys("abc", Decimal(300)), NOW).run
        assert run is not None
        order.append(run.id)
        rows.remove(run)
    assert order == [3, 2, 1]


def test_overlapped_slots_of_a_schedule_give_way_to_the_latest() -> None:
    rows = [slot(i, NOW + timedelta(seconds=i)) for i in range(3)]
    choice = choose(rows, {"often": Decimal(300)}, NOW + timedelta(seconds=5))
    assert choice.run == rows[2]
    assert [row.id for row, _ in choice.aside] == [0, 1]


def test_a_slot_that_a_clock_ahead_wrote_waits_for_its_time_and_overtakes_none() -> None:
    ahead, real = slot(1, NOW + timedelta(days=1)), slot(2, NOW)
    person = slot(3, NOW + timedelta(days=1), origin="person", source="ann")
    graces = {"often": Decimal(300)}
    assert choose([real, ahead], graces, NOW) == Choice(real)
    assert choose([ahead], graces, NOW) == Choice(None)
    assert choose([ahead], graces, NOW + timedelta(days=1)) == Choice(ahead)
    begun = slot(1, NOW + timedelta(days=1), status="running")
    assert choose([begun], graces, NOW) == Choice(begun), "what was begun is carried on"
    assert choose([person], graces, NOW) == Choice(person), "nobody else would ask again"


def test_slots_of_a_paused_schedule_are_set_aside_and_no_others() -> None:
    planned = slot(1, NOW)
    others = [slot(2, NOW, origin="trigger", kind="repair"), slot(3, NOW, origin="person")]
    choice = choose((planned, *others), {"often": Decimal(300)}, NOW, {"often"})
    assert choice.run == others[0]
    assert choice.aside == ((planned, PAUSED),)
    begun = slot(4, NOW, status="running")
    assert choose((begun,), {"often": Decimal(300)}, NOW, {"often"}).run == begun


def test_slots_of_a_schedule_that_was_taken_out_are_dropped_and_no_others() -> None:
    gone, kept = slot(1, NOW, source="gone"), slot(2, NOW)
    begun = slot(3, NOW, source="gone", status="running")
    old = replace(slot(4, NOW, source="gone", origin="person"), cause="schedule gone")
    others = [
        slot(5, NOW, source="gone", origin="trigger", kind="repair"),
        slot(6, NOW, source="gone", origin="person"),
        slot(7, NOW, source="gone", origin="again"),
    ]
    rows = [gone, kept, begun, old, *others]
    choice = choose(rows, {"often": Decimal(300)}, NOW)
    assert choice.aside == ((gone, GONE), (begun, GONE), (old, GONE))
    assert choice.run == others[0]
    assert choose([gone], {}, NOW) == Choice(None, ((gone, GONE),))
    assert choose([gone], {"gone": Decimal(300)}, NOW).run == gone, "it was put back"


def test_a_trigger_of_a_schedules_id_is_neither_overtaken_nor_late() -> None:
    repair = slot(1, NOW, origin="trigger", kind="repair")
    planned = slot(2, NOW + timedelta(seconds=20))
    at = NOW + timedelta(seconds=21)
    choice = choose((repair, planned), {"often": Decimal(30)}, at)
    assert (choice.run, choice.aside) == (repair, ())
    late = choose((repair,), {"often": Decimal(30)}, NOW + timedelta(seconds=31))
    assert (late.run, late.aside) == (repair, ())


def test_requests_of_people_are_all_kept() -> None:
    rows = [slot(i, NOW, source="alice", origin="person") for i in range(3)]
    choice = choose(rows, {"often": Decimal(300)}, NOW)
    assert choice.run == rows[0]
    assert choice.aside == ()


def test_slot_that_a_release_before_wrote_is_its_schedules_all_the_same() -> None:
    """It has no origin; what a person asks for has another cause."""
    graces = {"often": Decimal(60)}
    old = replace(slot(1, NOW - timedelta(hours=5), origin="person"), cause="schedule often")
    asked = slot(2, NOW - timedelta(hours=5), origin="person")
    choice = choose([old, asked], graces, NOW)
    assert choice.run == asked
    assert [row for row, _ in choice.aside] == [old]
    assert choose([replace(old, due_at=NOW)], graces, NOW, {"often"}).aside[0][1] == PAUSED
