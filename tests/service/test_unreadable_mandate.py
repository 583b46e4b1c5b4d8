"""A service whose published mandate cannot be read: it starts, tells, and goes on."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from allocator.execution.leader import next_epoch
from allocator.models.errors import RefusedError
from allocator.models.mandate import Mandate
from allocator.service.cycles import request
from allocator.service.mandate_versions import Unreadable, Version
from allocator.service.mandates import Mandates
from allocator.service.run import Service
from allocator.service.scheduler.slot import executing
from allocator.service.scheduler.worker import Worker
from tests.execution.book import START
from tests.service.rooms import CAP, SOMEBODY, Room
from tests.service.sites import MANDATE, Place, config, snapshot


def spoil(engine: Engine) -> None:
    """Let nobody read what the first version says."""
    with engine.begin() as connection:
        connection.execute(text("UPDATE mandate_version SET mandate_json = '{' WHERE version = 1"))


REFUSED = "MANDATE_UNREADABLE: UNREADABLE: mandate version 1: .*; publish another version"


def told(service: Service) -> list[Any]:
    rows = service.office.history.alerts()
    return [row.body for row in rows if row.topic == "mandate_unreadable"]


def test_service_starts_serves_and_stops_by_its_kill_switch_though_its_mandate_cannot_be_read(
    lite: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Service(config(tmp_path), lite)._take_mandate()
    spoil(lite)
    place = Place(lite, tmp_path)
    (alert,) = told(place.service)
    assert alert["version"] == "1"
    assert "UNREADABLE: mandate version 1" in alert["why"]
    assert "publish another version" in alert["do"]
    assert any(row.levelno == logging.ERROR for row in caplog.records)

    ready = place.client.get("/readyz")
    assert ready.status_code == 200, "else nobody could reach it to publish another"
    assert any("mandate version 1 cannot be read" in row for row in ready.json()["faults"])
    assert place.post("/v1/halt", {"scope": "global", "reason": "x"}).status_code == 200

    second = next(row for row in place.get("/v1/mandates").json() if row["status"] == "draft")
    assert second["author"] == "configuration", "what the configuration says waits to be published"
    assert place.post(f"/v1/mandates/{second['version']}/publish").status_code == 200
    assert not any("cannot be read" in row for row in place.client.get("/readyz").json()["faults"])


def test_instance_runs_though_its_mandate_cannot_be_read(lite: Engine, tmp_path: Path) -> None:
    Service(config(tmp_path), lite)._take_mandate()
    spoil(lite)
    service = Service(config(tmp_path, service={"retry_s": "0.01"}), lite)

    async def shown(_service: Service) -> AsyncGenerator[None]:
        yield
        assert service.live.holder

    async def go() -> None:
        running = asyncio.create_task(service.run([shown]))
        while not (running.done() or service.live.led_at):
            await asyncio.sleep(0.01)
        service.stop()
        await running

    asyncio.run(asyncio.wait_for(go(), 240))
    assert len(told(service)) == 1


def test_what_the_configuration_says_is_drafted_once_where_what_held_cannot_be_read(
    lite: Engine,
) -> None:
    book, says = Mandates(lite, "desk"), Mandate.model_validate(MANDATE)
    book.from_config(says, START)
    spoil(lite)
    holds, draft = book.from_config(says, START)
    assert isinstance(holds, Unreadable)
    assert draft is not None
    assert (holds.version, draft.version, draft.mandate) == (1, 2, says)
    assert book.from_config(says, START) == (holds, None)
    assert book.holds() == holds
    book.publish(2, "bob", START)
    published = book.holds()
    assert isinstance(published, Version)
    assert book.from_config(says, START) == (published, None)


def test_what_cannot_be_read_is_told_once_by_looks_and_planned_under_after_another_holds(
    lite: Engine,
) -> None:
    room = Room(lite)
    spoil(lite)
    asyncio.run(room.cycles.look())
    assert room.live.unreadable is not None
    assert room.live.unreadable.version == 1
    with pytest.raises(Exception, match="UNREADABLE: mandate version 1"):
        room.work()
    room.clock.at += timedelta(seconds=1)
    draft = room.mandates.draft(Mandate.model_validate(MANDATE), "ann", "", room.clock.now())
    room.mandates.publish(draft.version, "bob", room.clock.now())
    asyncio.run(room.cycles.look())
    assert room.live.unreadable is None
    assert room.work(name="t").status == "done"


@pytest.mark.parametrize("kind", ["plan", "repair"])
def test_approved_plan_is_refused_once_the_mandate_that_holds_cannot_be_read(
    lite: Engine, kind: str
) -> None:
    mandate = Mandate.model_validate({**MANDATE, "limits": [CAP]})
    room = Room(lite, SOMEBODY, start=snapshot("1"), mandate=mandate)
    plan = room.work(kind).plan_hash
    assert plan is not None
    room.office.judge(plan, "ann", "approved", "")
    due = len(room.slots.with_status("due"))
    spoil(lite)
    with pytest.raises(RefusedError, match=REFUSED):
        room.work("execute", "e", plan)
    assert room.office.history.cycles() == ()
    assert len(room.slots.with_status("due")) == due + 1, "nothing can be planned anew by then"


def test_refusal_of_a_plan_whose_mandate_cannot_be_read_is_written_down(lite: Engine) -> None:
    room, ended = Room(lite, SOMEBODY), list[tuple[str, str]]()
    plan = room.work().plan_hash
    assert plan is not None
    room.office.judge(plan, "ann", "approved", "")
    room.slots.add(request("ann", "execute", room.clock.now(), plan))
    spoil(lite)
    worker = Worker(
        room.slots, next_epoch(lite, "desk", "t", START), room.clock, graces={},
        work=room.cycles.work, wake=asyncio.Event(),
        ended=lambda name, _cause, status, note: ended.append((status, note)),
    )  # fmt: skip
    while asyncio.run(worker.step()):
        pass
    slot = room.slots.named(executing(plan))
    assert slot is not None
    assert (slot.status, re.search(REFUSED, slot.note) is not None) == ("failed", True)
    assert (slot.status, slot.note) in ended, "so that it is alerted"


def test_nobody_approves_or_hands_on_a_plan_whose_mandate_cannot_be_read(
    lite: Engine, tmp_path: Path
) -> None:
    place = Place(lite, tmp_path)
    place.gather()
    (plan,) = place.site.views.plan_hashes(1)
    spoil(lite)
    for path in ("approve", "execute"):
        answer = place.post(
            f"/v1/plans/{plan}/{path}", {"reason": "fine"} if path == "approve" else None
        )
        assert (answer.status_code, answer.json()["code"]) == (409, "MANDATE_UNREADABLE")
    assert place.post(f"/v1/plans/{plan}/reject", {"reason": "no"}, "bob").status_code == 200


def test_looks_log_what_cannot_be_read_only_as_it_changes(
    lite: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    service = Service(config(tmp_path), lite)
    service._take_mandate()
    spoil(lite)

    def logged() -> int:
        return sum("cannot be read" in row.getMessage() for row in caplog.records)

    caplog.set_level(logging.INFO)
    found = service.mandates.holds()
    assert isinstance(found, Unreadable)
    for unreadable, times in ((found, 1), (found, 1), (replace(found, why="x"), 2), (None, 2)):
        service.holding.look(unreadable)
        assert logged() == times
    service.holding.look(found)
    assert (logged(), len(told(service))) == (3, 3)
    assert any("can be read again" in row.getMessage() for row in caplog.records)
