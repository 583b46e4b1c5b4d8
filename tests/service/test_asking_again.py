"""An approved execution that failed before its plan was begun may be asked for again."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import Engine, text

from allocator.models.mandate import Mandate
from allocator.service.cycles import request
from allocator.service.scheduler.slot import Asked, Slot, again, executing
from allocator.service.scheduler.worker import Worker
from tests.service.rooms import SOMEBODY, Room
from tests.service.sites import MANDATE


class Desk:
    """A room with an approved plan, and a worker."""

    def __init__(self, engine: Engine) -> None:
        self.room = Room(engine, SOMEBODY)
        plan = self.room.work().plan_hash
        assert plan is not None
        self.plan = plan
        self.room.office.judge(plan, "ann", "approved", "")
        lease = self.room.cycles._ports.executor._shell.journal._lease
        self.worker = Worker(
            self.room.slots, lease, self.room.clock, graces={},
            work=self.room.cycles.work, wake=asyncio.Event(),
        )  # fmt: skip

    def asks(self) -> bool:
        asked = request("bob", "execute", self.room.clock.now(), self.plan)
        return self.room.slots.add(asked) or self.room.slots.ask_again(asked)

    def works(self) -> Slot:
        while asyncio.run(self.worker.step()):
            pass
        slot = self.room.slots.named(executing(self.plan))
        assert slot is not None
        return slot


def test_what_failed_for_a_passing_reading_is_asked_for_again_and_carried_out(
    lite: Engine,
) -> None:
    desk = Desk(lite)
    with lite.begin() as session:
        session.execute(text("ALTER TABLE mandate_version RENAME TO away"))
    assert desk.asks()
    failed = desk.works()
    assert (failed.status, failed.note) == ("failed", "INTERNAL: OperationalError")
    with lite.begin() as session:
        session.execute(text("ALTER TABLE away RENAME TO mandate_version"))
    assert desk.asks()
    assert not desk.asks(), "it waits"
    done = desk.works()
    assert done.status == "done"
    assert [row.status for row in desk.room.office.history.cycles()] == ["ended"]
    assert not desk.asks()
    assert desk.room.office.history.verify() == ()


def test_what_failed_between_its_cycle_and_its_plan_is_carried_out_when_asked_for_again(
    lite: Engine,
) -> None:
    desk = Desk(lite)
    full = "CREATE TRIGGER full BEFORE INSERT ON plan BEGIN SELECT RAISE(ABORT, 'full'); END"
    with lite.begin() as session:
        session.execute(text(full))
    assert desk.asks()
    assert desk.works().status == "failed"
    assert len(desk.room.office.history.cycles()) == 1
    with lite.begin() as session:
        session.execute(text("DROP TRIGGER full"))
    assert desk.asks()
    done = desk.works()
    assert (done.status, done.note) == ("done", "done")
    assert [row.status for row in desk.room.office.history.cycles()] == ["ended"]
    assert desk.room.exchange.received
    assert desk.room.office.history.verify() == ()


def test_what_failed_once_its_plan_was_begun_is_not_asked_for_again(lite: Engine) -> None:
    desk = Desk(lite)
    assert desk.asks()
    assert desk.works().status == "done"
    with lite.begin() as session:
        session.execute(text("UPDATE slot SET status = 'failed' WHERE kind = 'execute'"))
    assert not desk.asks(), "something may have come of it"


def test_what_is_planned_anew_in_its_place_is_not_asked_for_again(lite: Engine) -> None:
    desk = Desk(lite)
    other = Mandate.model_validate({**MANDATE, "targets": [], "targets_default": "hold"})
    now = desk.room.clock.now()
    version = desk.room.mandates.draft(other, "ann", "", now)
    desk.room.mandates.publish(version.version, "bob", now)
    assert desk.asks()
    assert desk.works().status == "failed"
    assert desk.room.slots.named(again(executing(desk.plan))) is not None
    assert not desk.asks()


@pytest.mark.parametrize("kind", ["plan", "repair"])
def test_only_executions_are_asked_for_again(lite: Engine, kind: str) -> None:
    desk = Desk(lite)
    asked = Asked("x", "bob", kind, "c", desk.room.clock.now())  # type: ignore[arg-type]
    desk.room.slots.add(asked)
    with lite.begin() as session:
        session.execute(text("UPDATE slot SET status = 'failed' WHERE name = 'x'"))
    assert not desk.room.slots.ask_again(asked)
