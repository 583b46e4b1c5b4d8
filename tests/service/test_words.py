"""Plans that wait while a venue of theirs says that it shuts."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from allocator.models.config import GatherConfig
from allocator.models.status import VenueState, VenueStatus
from allocator.service.monitor.memory import Heard, Memory
from allocator.service.words import VenueShutError, Words
from tests.execution.book import START
from tests.service.rooms import SOMEBODY, Room
from tests.service.sites import Place

AT = START + timedelta(seconds=30)


def say(engine: Engine, state: VenueState, venue: str = "alpha") -> None:
    """Let the leader hear a venue."""
    word = VenueStatus(state=state, note="an upgrade")
    with Session(engine) as session, session.begin():
        Memory(engine, "desk").write(session, Heard({venue: word}), AT)


def waiting(place: Place) -> str:
    return place.site.views.plan_hashes(1)[0]


@pytest.mark.parametrize("state", ["maintenance", "cancel_only", "limited"])
def test_a_plan_of_a_venue_that_has_shut_is_not_approved(
    place: Place, lite: Engine, state: VenueState
) -> None:
    plan = waiting(place)
    venues = {row.account for row in place.site.views.proposal(plan)[0].plan.actions}
    assert "a" in venues
    say(lite, state)
    answer = place.post(f"/v1/plans/{plan}/approve", {"reason": "fine"})
    assert (answer.status_code, answer.json()["code"]) == (409, "VENUE_SHUT")
    words = state.replace("_", " ")
    assert answer.json()["detail"] == (
        f"VENUE_SHUT: plan_hash={plan} venue=alpha said_at=2026-11-20T08:00:30Z "
        f"says={words}: an upgrade; accounts=a; plan anew around it"
    )
    assert place.post(f"/v1/plans/{plan}/reject", {"reason": "shut"}, "bob").status_code == 200


def test_an_approved_plan_is_not_handed_on_once_its_venue_has_shut(
    place: Place, lite: Engine
) -> None:
    plan = waiting(place)
    assert place.post(f"/v1/plans/{plan}/approve", {"reason": "fine"}).status_code == 200
    say(lite, "maintenance")
    assert place.post(f"/v1/plans/{plan}/execute").json()["code"] == "VENUE_SHUT"
    say(lite, "open")
    assert place.post(f"/v1/plans/{plan}/execute").status_code == 202


def test_a_venue_that_the_plan_does_not_touch_or_nobody_follows_is_in_nobodys_way(
    lite: Engine, tmp_path: Path
) -> None:
    place = Place(lite, tmp_path, gather={"status": {"bybit": "tell"}})
    found = place.gather("0.5")
    (proposal, _) = place.site.views.proposal(found.plan_hash)
    given = (proposal.plan, proposal.snapshot, proposal.mandate)
    say(lite, "maintenance", "elsewhere")
    Words(Memory(lite, "desk"), GatherConfig()).check(*given)
    say(lite, "maintenance")
    Words(Memory(lite, "other"), GatherConfig()).check(*given)
    with pytest.raises(VenueShutError):
        Words(Memory(lite, "desk"), GatherConfig()).check(*given)
    told = GatherConfig.model_validate({"status": {"alpha": "tell"}})
    Words(Memory(lite, "desk"), told).check(*given)


def test_what_reduces_or_was_planned_around_the_word_goes_all_the_same(
    lite: Engine, tmp_path: Path
) -> None:
    place = Place(lite, tmp_path)
    found, _ = place.site.views.proposal(place.gather().plan_hash)
    words = Words(Memory(lite, "desk"), GatherConfig())
    say(lite, "limited")

    def changed(**over: Any) -> Any:
        rows = tuple(row.model_copy(update=over) for row in found.plan.actions)
        return found.plan.model_copy(update={"actions": rows})

    words.check(changed(reduce_only=True), found.snapshot, found.mandate)
    accounts = tuple(
        row.model_copy(update={"state": "reduce_only"}) for row in found.snapshot.accounts
    )
    around = found.snapshot.model_copy(update={"accounts": accounts})
    words.check(found.plan, around, found.mandate)
    say(lite, "maintenance")
    for plan, snapshot in (
        (changed(reduce_only=True), found.snapshot),
        (found.plan, around),
    ):
        with pytest.raises(VenueShutError):
            words.check(plan, snapshot, found.mandate)


def test_a_plan_that_waited_too_long_for_its_venue_is_planned_anew_and_sends_nothing(
    lite: Engine,
) -> None:
    room = Room(lite, SOMEBODY)
    plan = room.work().plan_hash
    assert plan is not None
    room.office.judge(plan, "ann", "approved", "")
    say(lite, "maintenance")
    with pytest.raises(VenueShutError, match="venue=alpha said_at="):
        room.work("execute", "e", plan)
    assert room.office.history.cycles() == ()
    (again,) = [row for row in room.slots.with_status("due") if row.source == "again"]
    assert (again.kind, again.cause) == ("plan", "a venue shut under the plan of: a test")
