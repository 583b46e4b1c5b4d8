from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Engine

from allocator.execution.leader import next_epoch
from allocator.execution.outside import Payment, paid
from allocator.models.service import AlertConfig
from allocator.risk.breaker import Breaker
from allocator.service.notify import (
    MOST_IN_A_DIGEST,
    NOBODY,
    Notifier,
)
from allocator.service.run import Service
from allocator.service.scheduler.slot import Asked, again, named_at
from allocator.service.telemetry import Redactor
from tests.execution.book import START, JumpingClock
from tests.service.boxes import Box, Taken
from tests.service.sites import config


@pytest.fixture
def box(lite: Engine) -> Box:
    return Box(lite)


def test_whatever_waits_is_told_in_one_digest_once(box: Box) -> None:
    box.alert("trigger", what="drift BTC")
    box.alert("slot_failed", why="venue down")
    assert box.deliver() == 2
    ((title, text),) = box.got
    assert title == "desk: a trigger fired; a cycle failed"
    assert "drift BTC" in text
    assert "venue down" in text
    assert box.deliver() == 0
    assert len(box.got) == 1


def test_same_alert_is_told_again_only_after_a_while(box: Box) -> None:
    box.alert("trigger", what="x")
    box.deliver()
    box.alert("trigger", what="x")
    assert box.deliver() == 0
    assert box.office.history.alerts() == ()
    box.clock.at += timedelta(seconds=60)
    box.alert("trigger", what="x")
    assert box.deliver() == 1


def test_money_that_is_told_of_twice_is_told_to_others_each_time(box: Box) -> None:
    """Two withdrawals that read alike are two, and a second person is to see both."""
    for _ in range(2):
        paid(box.office, Payment(Decimal(-500), "wire", "ann"), Decimal(5000))
        assert box.deliver() == 1
    paid(box.office, Payment(Decimal(-500), "wire", "ann"), Decimal(5000))
    paid(box.office, Payment(Decimal(-500), "wire", "ann"), Decimal(5000))
    assert box.deliver() == 2
    head, text = box.got[-1]
    assert head == "desk: money is said to have come from outside, or to have left"
    assert text.count("amount -500") == 2


def test_what_was_told_by_a_clock_ahead_silences_nothing_once_it_is_right(box: Box) -> None:
    box.clock.at += timedelta(days=300)
    box.alert("slot_failed", why="venue down")
    assert box.deliver() == 1
    box.clock.at -= timedelta(days=300)
    box.alert("slot_failed", why="venue down")
    assert box.deliver() == 1
    box.alert("slot_failed", why="venue down")
    assert box.deliver() == 0


def test_dead_man_is_told_although_the_instance_began_with_its_clock_ahead(
    lite: Engine, tmp_path: Path
) -> None:
    clock, taken = JumpingClock(), Taken()
    alerts = {"alerts": {"to": ["env:X"], "dead_man_s": 100}}
    service = Service(config(tmp_path, service=alerts), lite, clock=clock, send=taken.send)
    began = clock.now() + timedelta(days=300)
    for _ in range(30):
        began = asyncio.run(service.telling.alert(began))
        clock.at += timedelta(seconds=5)
    assert taken.titles == ["desk: the scheduler has not ticked"]


def test_what_may_be_told_again_is_not_remembered_for_ever(box: Box) -> None:
    for number in range(200):
        box.alert("trigger", what=str(number))
        box.deliver()
        box.clock.at += timedelta(seconds=1)
    assert len(box.notifier._told) <= 60


def test_every_halt_and_freeze_is_told_however_soon_after_the_last(box: Box) -> None:
    for _ in range(2):
        box.office.trip("global", Breaker.HALTED, "daily loss", "ann")
        box.office.freeze("a", "BREAK: position differs")
        assert box.deliver() == 2
        box.clock.at += timedelta(seconds=5)
        box.office.reset("global", "looked", "bob")
        box.office.thaw("a", "op", "looked")
        assert box.deliver() == 1
        box.clock.at += timedelta(seconds=5)
    told = [text.count("is halted") + text.count("stands still") for _, text in box.got]
    assert told == [2, 0, 2, 0]


def test_two_halts_of_one_digest_are_both_told(box: Box) -> None:
    for state in (Breaker.HALTED, Breaker.REDUCING):
        for _ in range(2):
            box.office.trip("venue:x", state, "odd", "ann")
            box.clock.at += timedelta(seconds=1)
            box.office.reset("venue:x", "over", "bob")
    assert box.deliver() == 8
    ((_, text),) = box.got
    assert (text.count("is halted"), text.count("resumed")) == (2, 4)
    assert text.count("only reductions") == 2


def test_request_that_becomes_unknown_again_is_told_again(box: Box) -> None:
    for _ in range(2):
        box.alert("manual", client_id="x", why="no answer")
        assert box.deliver() == 1


def test_missed_slots_of_a_schedule_are_one_alert_whatever_they_count(box: Box) -> None:
    for count in (1, 2, 3):
        box.alert("slots_missed", cause="schedule hourly", slots=count, why=f"late by {count} s")
    box.alert("slots_missed", cause="schedule daily", slots=1, why="late by 5 s")
    assert box.deliver() == 2
    ((title, text),) = box.got
    assert title == "desk: slots were missed"
    assert text.count("schedule hourly") == text.count("schedule daily") == 1
    assert "slots 3" in text, "the latest stands for those before"
    box.alert("slots_missed", cause="schedule hourly", slots=4, why="late by 4 s")
    assert box.deliver() == 0
    assert box.office.history.alerts() == ()


def test_missed_slots_that_were_not_told_are_counted_by_the_next_alert(box: Box) -> None:
    def miss(count: int) -> None:
        box.alert("slots_missed", cause="schedule minute", slots=count, why="late")

    miss(1)
    assert box.deliver() == 1
    assert "untold" not in box.got[-1][1]
    for _ in range(29):
        box.clock.at += timedelta(seconds=2)
        miss(2)
        assert box.deliver() == 0
    box.clock.at += timedelta(seconds=2)
    for count in (3, 1):
        miss(count)
    box.works = False
    assert box.deliver() == 0
    box.works = True
    assert box.deliver() == 1
    assert "slots 1, why late, untold_before 61" in box.got[-1][1]
    box.clock.at += timedelta(seconds=60)
    miss(1)
    assert box.deliver() == 1
    assert "untold" not in box.got[-1][1]


def test_digest_waits_for_the_end_of_a_run_but_not_for_long(box: Box) -> None:
    box.alert("frozen", account="a")
    now = box.clock.now()
    assert asyncio.run(box.notifier.deliver(now, between_runs=False)) == 0
    late = now + timedelta(seconds=61)
    assert asyncio.run(box.notifier.deliver(late, between_runs=False)) == 1


def test_alert_that_did_not_get_through_is_tried_again(box: Box) -> None:
    box.alert("trigger", what="x")
    box.works = False
    assert box.deliver() == 0
    assert len(box.office.history.alerts()) == 1
    box.works = True
    assert box.deliver() == 1
    assert box.office.history.alerts() == ()


def test_slots_that_nothing_ran_are_told_by_the_notifier(lite: Engine, tmp_path: Path) -> None:
    taken, clock = Taken(), JumpingClock()
    minute = {"id": "minute", "every_s": "60", "grace_s": "90"}
    place = config(tmp_path)
    schedules = {"service": {**json.loads(place.service.model_dump_json()), "schedules": [minute]}}
    service = Service(config(tmp_path, **schedules), lite, clock=clock, send=taken.send)
    service.live.leads = True
    service.wake = lambda: None  # type: ignore[method-assign]
    timers = [service.timer() for _ in range(2)]
    clock.at += timedelta(seconds=12_000)
    for timer in timers:
        timer.tick()
    service.beats.beat("leader", leads=True, at=clock.now())
    asyncio.run(service.telling.alert(START))
    (text,) = taken.texts
    assert "slots were missed: cause schedule minute" in text
    assert "slots 199" in text, "100 of 200 are written down, and the last of these is run"
    counted = service.metrics.registry.get_sample_value
    assert counted("allocator_slots_total", {"status": "missed"}) == 199


def test_missed_slots_whose_alert_was_not_written_are_alerted_and_counted_once(
    lite: Engine, tmp_path: Path
) -> None:
    taken, clock = Taken(), JumpingClock()
    service = Service(config(tmp_path), lite, clock=clock, send=taken.send)
    service.live.leads = True
    service.wake = lambda: None  # type: ignore[method-assign]
    timer = service.timer()
    full = "BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END"
    with lite.begin() as connection:
        connection.exec_driver_sql(f"CREATE TRIGGER full BEFORE INSERT ON outbox {full}")
    clock.at += timedelta(hours=5)
    timer.tick()
    with lite.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER full")
    clock.at += timedelta(seconds=5)
    timer.tick()
    timer.tick()
    service.beats.beat("leader", leads=True, at=clock.now())
    asyncio.run(service.telling.alert(START))
    (told,) = taken.texts
    assert "slots were missed: cause schedule hourly" in told
    counted = service.metrics.registry.get_sample_value
    missed = [row for row in service.slots.recent() if row.status == "missed"]
    assert counted("allocator_slots_total", {"status": "missed"}) == len(missed)


def test_trigger_of_a_limit_that_the_mandate_has_not_is_told_at_the_start(
    lite: Engine, tmp_path: Path
) -> None:
    rule = {"id": "near", "on": "utilisation", "of": "gone", "threshold": "0.9"}
    service = json.loads(config(tmp_path).service.model_dump_json())
    changed = {"service": {**service, "triggers": [rule, {**rule, "id": "any", "of": None}]}}
    place = Service(config(tmp_path, **changed), lite, clock=JumpingClock())
    place._take_mandate()
    (alert,) = [row for row in place.office.history.alerts() if row.topic == "limit_unknown"]
    assert (alert.body["trigger"], alert.body["limit"]) == ("near", "gone")


def test_alerts_of_now_are_not_folded_as_old_by_a_clock_that_is_not_believed(box: Box) -> None:
    for number in range(MOST_IN_A_DIGEST):
        box.alert("test", number=number)
    ahead = box.clock.now() + timedelta(days=2)
    assert asyncio.run(box.notifier.deliver(ahead, believed=False)) == MOST_IN_A_DIGEST
    assert "number 7\n" in box.got[-1][1]


def test_an_alert_of_a_clock_that_was_behind_folds_none_that_is_fresh(box: Box) -> None:
    for number in range(MOST_IN_A_DIGEST - 2):
        box.alert("test", number=number)
    box.clock.at -= timedelta(days=2)
    box.alert("test", number="behind")
    box.clock.at += timedelta(days=2)
    assert box.deliver() == MOST_IN_A_DIGEST - 1
    text = box.got[-1][1]
    assert "see the audit" not in text
    assert "number 0\n" in text


def test_an_alert_of_a_clock_that_was_ahead_keeps_none_from_being_folded_for_long(
    box: Box,
) -> None:
    for number in range(2 * MOST_IN_A_DIGEST):
        ahead = timedelta(days=9 if number == 1 else 0)
        box.clock.at += ahead
        box.alert("test", number=number)
        box.clock.at -= ahead
    box.clock.at += timedelta(days=2)
    for _ in range(3):
        box.deliver()
    assert len(box.got) == 2
    assert "50 alerts since" in box.got[-1][1]
    assert box.outbox.count() == 0


def test_alert_that_nobody_can_be_told_is_logged_once_and_goes_on_waiting(
    box: Box, caplog: pytest.LogCaptureFixture
) -> None:
    alone = Notifier(box.outbox, AlertConfig(), None, Redactor(["canary-value"]), "desk")
    box.office.freeze("a", "BREAK canary-value")
    for _ in range(2):
        asyncio.run(alone.deliver(box.clock.now()))
    (logged,) = caplog.records
    assert NOBODY in logged.getMessage()
    assert "stands still" in str(vars(logged))
    assert "canary-value" not in str(vars(logged)["text"])
    assert [row.topic for row in box.office.history.alerts()] == ["frozen"]
    assert "delivered" not in [row.what for row in box.office.history.events()]
    assert box.deliver() == 1, "once there is an address it is told"


def left(box: Box, count: int, age: timedelta, topic: str = "trigger") -> None:
    """Leave alerts of old, with the audit's lines."""
    at, box.clock.at = box.clock.at, box.clock.at - age
    with box.office.write() as entry:
        for number in range(count):
            entry.alert(topic, what=f"{topic} {number} {age}")
    box.clock.at = at


def test_what_was_logged_is_not_read_again(box: Box) -> None:
    alone = Notifier(box.outbox, AlertConfig(), None, Redactor(), "desk")
    left(box, 120, timedelta(days=9))
    looks = [asyncio.run(alone.deliver(box.clock.now())) for _ in range(2)]
    assert looks == [50, 0], "of very many the latest, and these once"
    left(box, 60, timedelta(0))
    assert [asyncio.run(alone.deliver(box.clock.now())) for _ in range(3)] == [50, 10, 0]
    assert box.outbox.count() == 180


@pytest.mark.parametrize("works", [True, False])
def test_old_alerts_are_one_line_once_there_is_an_address(box: Box, works: bool) -> None:
    left(box, 700, timedelta(days=9))
    left(box, 1, timedelta(days=8), "frozen")
    left(box, 60, timedelta(days=2))
    left(box, 70, timedelta(hours=2))
    box.office.trip("global", Breaker.HALTED, "daily loss", "ann")
    box.works = works
    if not works:
        assert box.deliver() == 0
        box.works = True
    assert box.deliver() == 50
    title, text = box.got[-1]
    assert title.startswith("desk: an account stands still; trading is halted; a trigger fired")
    assert "761 alerts since 2026-" in text
    assert text.endswith("see the audit")
    assert len(text.splitlines()) == 51
    assert box.outbox.count() == 22
    assert box.deliver() == 22
    assert "see the audit" not in box.got[-1][1]
    assert box.office.history.verify() == ()
    assert [len(rows) for rows in (box.office.history.alerts(), box.outbox.latest(9))] == [0, 0]
    if not works:
        assert box.got[0] == box.got[1], "as it is tried again it is the same"


def test_a_few_old_alerts_are_told_as_themselves(box: Box) -> None:
    left(box, 20, timedelta(days=9))
    assert box.deliver() == 20
    assert "see the audit" not in box.got[0][1]


def test_secret_is_in_no_alert(box: Box) -> None:
    box.alert("slot_failed", why="key canary-value refused")
    box.deliver()
    assert "canary-value" not in str(box.got)


def test_a_slot_of_the_same_trigger_that_fails_for_the_same_is_told_once(
    lite: Engine, tmp_path: Path
) -> None:
    clock, taken = JumpingClock(), Taken()
    service = Service(config(tmp_path), lite, clock=clock, send=taken.send)
    lease = next_epoch(lite, "desk", "a", clock.now())
    for of, figure, why, count in (
        ("used cap", "1.2", "venue down", 1),
        ("used cap", "1.3", "venue down", 1),
        ("used cap", "1.3", "too old", 2),
        ("used other", "1.3", "too old", 3),
    ):
        clock.at += timedelta(minutes=1)
        cause = f"trigger used: utilisation cap {figure} above 1"
        asked = Asked(again(named_at(of, clock.at)), "used", "plan", cause, clock.at)
        slot = service.slots.add_one(asked)
        service.slots.finish(lease, slot, "failed", clock.at, note=why)
        asyncio.run(service.telling._notifier.deliver(clock.now()))
        assert len(taken.texts) == count
    assert "trigger used: utilisation cap 1.2 above 1" in taken.texts[0]
