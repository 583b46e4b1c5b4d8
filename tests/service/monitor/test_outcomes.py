"""Urgent triggers whose repair came to nothing."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from allocator.execution.history import History
from allocator.models.mandate import Mandate
from allocator.models.service import TriggerRule
from allocator.service.bootstrap import read_config
from allocator.service.cycles import request
from allocator.service.monitor.monitor import Monitor
from allocator.service.monitor.outcomes import Outcomes
from allocator.service.scheduler.slot import Asked, Status
from allocator.service.scheduler.worker import Worker
from tests.execution.book import START
from tests.service.monitor.watched import Watched
from tests.service.record import ROOT
from tests.service.rooms import SOMEBODY, Room
from tests.service.sites import MANDATE, snapshot

CAPPED = Mandate.model_validate(
    {
        **MANDATE,
        "targets": [],
        "targets_default": "hold",
        "limits": [
            {"id": "cap", "measure": "gross_notional", "scope": {"portfolio": True},
             "max": "30000"},
        ],
    }
)  # fmt: skip


@pytest.fixture
def watched(lite: Engine, tmp_path: Path) -> Watched:
    made = Watched(lite, tmp_path / "history")
    made.monitor._outcomes = Outcomes(made.slots, History(lite), SOMEBODY, dry=False)
    return made


def end(watched: Watched, status: Status) -> None:
    for slot in watched.slots.with_status("due"):
        watched.slots.finish(watched.monitor._lease, slot, status, START, note="venue down")


@pytest.mark.parametrize(
    ("status", "again"), [("failed", True), ("missed", True), ("done", True), ("skipped", False)]
)
def test_an_urgent_trigger_whose_slot_came_to_no_plan_fires_again_after_its_cooldown(
    watched: Watched, status: Status, again: bool
) -> None:
    assert watched.look(0, wallet="300", busy=True) == ["margin"]
    end(watched, status)
    assert watched.look(1, wallet="300", busy=True) == []
    assert watched.look(9.9, wallet="300", busy=True) == []
    assert watched.look(10, wallet="300", busy=True) == ["margin"] * again
    assert watched.look(11, wallet="300", busy=True) == [], "its second slot is due"


def test_nothing_is_said_to_have_come_to_nothing_by_a_clock_that_is_not_believed(
    watched: Watched,
) -> None:
    watched.look(0, wallet="300", busy=True)
    end(watched, "failed")
    watched.believed = False
    assert watched.look(20, wallet="300", busy=True) == []
    watched.believed = True
    assert watched.look(21, wallet="300", busy=True) == ["margin"]


@pytest.mark.parametrize(
    ("statuses", "again"),
    [
        (["failed"], True),
        (["missed"], True),
        (["done", "failed"], True),
        (["done", "done"], True),
        (["done", "due"], False),
        (["failed", "due"], False),
    ],
)
def test_a_repair_whose_successor_comes_to_no_plan_fires_again(
    watched: Watched, statuses: list[Status], again: bool
) -> None:
    watched.look(0, wallet="300", busy=True)
    (slot,) = watched.slots.with_status("due")
    end(watched, "done")
    name = slot.name
    for status in statuses:
        name += " again"
        watched.slots.add(Asked(name, "again", "repair", "c", START, origin="again"))
        if status != "due":
            end(watched, status)
    assert watched.look(20, wallet="300", busy=True) == ["margin"] * again


@pytest.mark.parametrize(("status", "again"), [("failed", True), ("done", False)])
def test_a_repair_whose_approved_plan_is_not_carried_out_fires_again(
    watched: Watched, status: Status, again: bool
) -> None:
    watched.look(0, wallet="300", busy=True)
    (slot,) = watched.slots.with_status("due")
    watched.slots.finish(watched.monitor._lease, slot, "done", START, plan_hash="f" * 64)
    watched.slots.add(request("alice", "execute", START, "f" * 64))
    assert watched.look(20, wallet="300", busy=True) == []
    end(watched, status)
    assert watched.look(21, wallet="300", busy=True) == ["margin"] * again


def test_a_repair_that_fails_fires_again_after_minutes_however_short_its_cooldown(
    watched: Watched,
) -> None:
    rule = {"id": "margin", "on": "margin_ratio", "threshold": "1.5", "urgent": True}
    watched.monitor._rules = (TriggerRule.model_validate({**rule, "cooldown_s": "0"}),)
    fired = list[float]()
    for half in range(15):
        fired += [half / 2] * len(watched.look(half / 2, wallet="300", busy=True))
        end(watched, "failed")
    assert fired == [0, 1, 3, 7]


def test_another_trigger_fires_once_whatever_came_of_it(watched: Watched) -> None:
    watched.look(0)
    assert watched.look(1, a="1.1") == ["drift"]
    end(watched, "failed")
    assert watched.look(20, a="1.1") == []


def test_what_came_back_meanwhile_does_not_fire_again(watched: Watched) -> None:
    watched.look(0, wallet="300", busy=True)
    end(watched, "failed")
    assert watched.look(10, busy=True) == []


def monitor_of(room: Room, *, dry: bool = False) -> Monitor:
    rule = {"id": "used", "on": "utilisation", "threshold": "1", "release": "0.9", "urgent": True}
    monitor = room.cycles._monitor
    assert monitor is not None
    monitor._rules = (TriggerRule.model_validate(rule),)
    monitor._outcomes = Outcomes(room.slots, room.office.history, SOMEBODY, dry=dry)
    return monitor


@pytest.mark.parametrize("dry", [False, True])
def test_a_repair_that_nobody_let_go_in_time_is_told_and_planned_anew(
    lite: Engine, tmp_path: Path, dry: bool
) -> None:
    start = snapshot("1")
    room = Room(lite, SOMEBODY, start=start, mandate=CAPPED, folder=tmp_path, dry=dry)
    monitor = monitor_of(room, dry=dry)
    worker = Worker(
        room.slots, monitor._lease, room.clock, graces={}, work=room.cycles.work,
        wake=asyncio.Event(),
    )  # fmt: skip

    async def go() -> None:
        for minute in range(0, 20, 4):
            room.clock.at = START + timedelta(minutes=minute)
            await room.cycles.look()
            while await worker.step():
                pass

    asyncio.run(go())
    urgent = [row for row in room.slots.recent() if row.source == "used"]
    minutes = [(row.due_at - START).total_seconds() // 60 for row in reversed(urgent)]
    told = [row.body["plan"] for row in room.office.history.alerts() if "expired" in row.topic]
    assert minutes == ([0] if dry else [0, 12])
    assert told == ([] if dry else [urgent[-1].plan_hash])
    assert room.office.history.verify() == ()


@pytest.mark.parametrize("name", ["config.yaml", "demo.yaml"])
def test_urgent_triggers_of_the_shipped_configurations_try_again(name: str) -> None:
    config = read_config(ROOT / "allocator" / "service" / name)
    urgent = [row for row in config.service.triggers if row.urgent]
    assert urgent
    for row in urgent:
        assert row.repeat
        assert row.cooldown_s > config.approval.max_age_s, "a plan expires before the next"
