"""A cycle and the mandate: what is published meanwhile, retired or cannot be read."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from allocator.adapters.paper.faults import Fault
from allocator.execution.report import Progress
from allocator.models.canonical import mandate_text_hash
from allocator.models.errors import RefusedError, SnapshotError
from allocator.models.mandate import Mandate
from allocator.service.snapshots import GATHERED, Snapshots
from tests.service.rooms import CAP, SOMEBODY, Room
from tests.service.sites import MANDATE, snapshot

OUT = {"targets": [{"underlying": "BTC", "delta": "0", "unit": "base", "band": "0.001"}]}
SLICED = {**MANDATE, "policy": {"risk_aversion": "0.00001", "max_slice": "1000"}}


def test_plan_approved_under_another_mandate_is_not_carried_out(lite: Engine) -> None:
    room = Room(lite, SOMEBODY)
    plan = room.work().plan_hash
    assert plan is not None
    room.office.judge(plan, "ann", "approved", "")
    room.clock.at += timedelta(seconds=1)
    version = room.mandates.draft(Mandate(), "ann", "stop", room.clock.now()).version
    room.mandates.publish(version, "bob", room.clock.now())
    with pytest.raises(RefusedError, match="MANDATE_RETIRED: version=2 published_by=bob"):
        room.work("execute", "e", plan)


def publish(room: Room, **changes: Any) -> None:
    """Let another mandate hold from now on."""
    room.clock.at += timedelta(seconds=1)
    mandate = Mandate.model_validate({**MANDATE, **changes})
    version = room.mandates.draft(mandate, "ann", "", room.clock.now()).version
    room.mandates.publish(version, "bob", room.clock.now())


def test_first_look_already_is_what_mandates_are_held_against(lite: Engine) -> None:
    room, kept = Room(lite), Snapshots(lite, "desk")
    room.exchange.faults.add(Fault("gather", "error", account="b"))
    for after in (0, 1, 1):
        asyncio.run(room.cycles.look())
        assert len(kept.all(9)) == after
    with pytest.raises(SnapshotError, match="unknown underlying 'DOGE'"):
        publish(room, targets=[{"underlying": "DOGE", "delta": "1", "unit": "base"}])


def test_first_look_at_other_accounts_is_what_mandates_are_held_against(lite: Engine) -> None:
    room, kept = Room(lite), Snapshots(lite, "desk")
    alone = room.start.model_copy(update={"accounts": room.start.accounts[:1]})
    kept.keep(alone, GATHERED)
    scope = {"account": "b"}
    with pytest.raises(SnapshotError, match="unknown account 'b'"):
        publish(room, limits=[{**CAP, "scope": scope}])
    for _ in range(2):
        asyncio.run(room.cycles.look())
        assert len(kept.all(9)) == 2
    publish(room, limits=[{**CAP, "scope": scope}])


@pytest.mark.parametrize("kind", ["plan", "repair"])
def test_mandate_published_while_a_plan_is_made_stops_it_and_plans_anew(
    lite: Engine, kind: str
) -> None:
    mandate = Mandate.model_validate({**MANDATE, "limits": [CAP]})
    room = Room(lite, start=snapshot("1"), mandate=mandate)

    def published(step: str, _seconds: float) -> None:
        if step == "decide":
            publish(room, **OUT)

    room.cycles._observed = published
    result = room.work(kind)
    assert (result.status, result.plan_hash) == ("done", None)
    assert "another mandate was published" in result.note
    assert room.office.history.cycles() == ()
    assert room.office.history.proposals() == ()
    (again,) = room.slots.with_status("due")[1:]
    assert (again.kind, again.source) == (kind, "again")


def parked(room: Room, steps: int) -> str:
    """Begin a plan and stop it on its way, as a leader that is asked to stop does."""
    executor, seen = room.cycles._ports.executor, list[Progress]()

    def watch(progress: Progress) -> None:
        seen.append(progress)
        if len(seen) == steps:
            executor.stop()

    room.told = watch
    result = room.work(name="first")
    assert result.note.startswith("parked"), result
    executor._shell.stopping.clear()
    assert result.plan_hash is not None
    return result.plan_hash


def held(room: Room) -> Decimal:
    return sum(
        (row.holding(name).quantity for row in room.exchange.holdings.values()
         for name in ("alpha:BTC/USDT:USDT", "beta:BTC/USDT:USDT")), Decimal(0)
    )  # fmt: skip


@pytest.mark.parametrize("how", ["settle", "slot", "same slot"])
def test_parked_plan_is_given_up_once_another_mandate_holds(lite: Engine, how: str) -> None:
    room = Room(lite, mandate=Mandate.model_validate(SLICED))
    parked(room, 3)
    before = held(room)
    assert before < 1
    publish(room, targets=[])
    if how == "settle":
        asyncio.run(room.cycles.settle())
    else:
        room.work("repair" if how == "slot" else "plan", "first" if how == "same slot" else "next")
    assert held(room) == before
    (cycle,) = room.office.history.cycles()
    assert cycle.status == "superseded"
    assert "another mandate was published since: version 2, by bob" in cycle.note
    assert room.office.history.unfinished() == ()
    assert room.office.history.open_attempts() == ()
    anew = [row for row in room.slots.with_status("due") if row.source == "again"]
    assert len(anew) == (how != "slot")


def test_parked_plan_goes_on_while_its_mandate_holds(lite: Engine) -> None:
    room = Room(lite, mandate=Mandate.model_validate(SLICED))
    parked(room, 3)
    before = held(room)
    asyncio.run(room.cycles.settle())
    assert before < Decimal("0.9") < held(room)


def spoil(room: Room, version: int, how: str) -> None:
    """Make a version one that cannot be read: rewritten, or of a release that knows more."""
    with room.slots._engine.begin() as connection:
        asked: dict[str, Any] = {"version": version}
        read = "SELECT mandate_json FROM mandate_version WHERE version = :version"
        told = str(connection.execute(text(read), asked).scalar_one())
        if how == "rewritten":
            wrong, digest = told.replace("1000", "1001"), mandate_text_hash(told)
        else:
            wrong = json.dumps({**json.loads(told), "of_another_release": "x"})
            digest = mandate_text_hash(wrong)
        written = "UPDATE mandate_version SET mandate_json = :told, mandate_hash = :hash"
        asked |= {"told": wrong, "hash": digest}
        connection.execute(text(f"{written} WHERE version = :version"), asked)


@pytest.mark.parametrize("how", ["rewritten", "of another release"])
def test_retired_version_that_cannot_be_read_holds_up_nothing(
    lite: Engine, tmp_path: Path, how: str
) -> None:
    room = Room(lite, mandate=Mandate.model_validate(SLICED), folder=tmp_path / "history")
    publish(room, **{**SLICED, "targets": MANDATE["targets"], "limits": [CAP]})
    parked(room, 3)
    before = held(room)
    spoil(room, 1, how)
    asyncio.run(room.cycles.look())
    assert room.live.marks is not None
    asyncio.run(room.cycles.settle())
    assert held(room) > before
    assert room.work("repair", "r").note == "nothing is broken: nothing to repair"


@pytest.mark.parametrize("how", ["rewritten", "of another release"])
def test_plan_of_which_nobody_can_tell_what_it_was_made_for_is_settled_and_given_up(
    lite: Engine, tmp_path: Path, how: str
) -> None:
    room = Room(lite, mandate=Mandate.model_validate(SLICED), folder=tmp_path / "history")
    parked(room, 3)
    before = held(room)
    publish(room, **{**SLICED, "limits": [CAP]})
    spoil(room, 2, how)
    asyncio.run(room.cycles.look())
    assert room.live.marks is not None
    asyncio.run(room.cycles.settle())
    assert held(room) == before
    (cycle,) = room.office.history.cycles()
    assert cycle.status == "superseded"
    assert "what it was made for cannot be told from the mandates" in cycle.note
    assert room.office.history.open_attempts() == ()


def test_parked_plan_is_settled_and_given_up_once_its_own_mandate_cannot_be_read(
    lite: Engine,
) -> None:
    room = Room(lite, mandate=Mandate.model_validate(SLICED))
    parked(room, 3)
    before = held(room)
    with lite.begin() as connection:
        connection.execute(text("UPDATE mandate_version SET mandate_json = '{' WHERE version = 1"))
    asyncio.run(room.cycles.settle())
    assert held(room) == before
    (cycle,) = room.office.history.cycles()
    assert (cycle.status, "mandate version 1" in cycle.note) == ("superseded", True)
    assert room.office.history.open_attempts() == ()
