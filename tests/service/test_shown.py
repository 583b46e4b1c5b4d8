"""What pages and API say of executions, instances and times is so."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from allocator.execution.journal import Journal
from allocator.execution.leader import next_epoch
from allocator.service.beats import FORGOTTEN, GONE
from tests.service.sites import Place
from tests.service.visitor import log_in, words


def journal(place: Place, holder: str = "leader") -> Journal:
    engine, clock = place.service.engine, place.clock
    return Journal(engine, next_epoch(engine, "desk", holder, clock.now()), clock)


@pytest.mark.parametrize(
    ("status", "execution", "shown"),
    [
        ("open", "open", "being carried out"),
        ("parked", "parked", "parked"),
        ("superseded", "superseded", "given up"),
        ("failed", "failed", "failed"),
        ("ended", "partial", "carried out in part"),
    ],
)
def test_plan_that_was_begun_says_how_that_stands(
    place: Place, status: str, execution: str, shown: str
) -> None:
    hash_ = place.site.views.plan_hashes(1)[0]
    found, _ = place.site.views.proposal(hash_)
    writer = journal(place)
    cycle = writer.open_cycle("desk", "s")
    assert cycle is not None
    writer.record_plan(cycle, found.plan, found.snapshot, found.mandate)
    if status != "open":
        writer.close_cycle(cycle, status)
    (summary,) = place.get("/v1/plans").json()
    assert (summary["begun"], summary["execution"]) == (True, execution)
    log_in(place)
    page = place.client.get(f"/plan/{hash_}").text
    (badge,) = re.findall(r'id="carried">([^<]*)<', page)
    assert badge == shown
    assert ("carried out" in words(page)) == ("carried out" in shown)


def test_plan_that_was_not_begun_has_no_execution(place: Place) -> None:
    (summary,) = place.get("/v1/plans").json()
    assert (summary["begun"], summary["execution"]) == (False, "")


def test_only_who_holds_the_lease_and_ticks_is_said_to_lead(place: Place) -> None:
    beats, now = place.service.beats, place.clock.now()
    beats.leave("leader")
    for holder in ("killed", "second", "first"):
        journal(place, holder)
        beats.beat(holder, leads=True, at=now - (GONE * 2 if holder == "killed" else GONE / 2))
    assert beats.leader(now) == "first"
    log_in(place)
    page = words(place.client.get("/health").text)
    told = dict(re.findall(r"(killed|second|first) (gone|leads|stands by)", page))
    assert told == {"killed": "gone", "second": "stands by", "first": "leads"}
    assert beats.leader(now + GONE) is None


def test_signs_of_instances_long_gone_are_dropped_when_another_starts(place: Place) -> None:
    beats, now = place.service.beats, place.clock.now()
    beats.beat("old", leads=True, at=now)
    later = now + FORGOTTEN + timedelta(seconds=1)
    beats.beat("new", leads=False, at=later)
    assert [row.holder for row in beats.all()] == ["new"]


def test_signs_of_life_of_a_future_hide_no_leader_and_no_death(place: Place) -> None:
    beats, now = place.service.beats, place.clock.now()
    journal(place, "killed")
    beats.leave("leader")
    beats.beat("killed", leads=True, at=now + FORGOTTEN)
    assert beats.leader(now) is None
    assert beats.leader_at(now) is None
    assert beats.leader_at(now + FORGOTTEN) == now + FORGOTTEN
    beats.beat("other", leads=True, at=now)
    assert beats.leader_at(now) == now
    assert "killed" not in {row.holder for row in beats.all()}


def test_an_instance_whose_clock_is_put_back_takes_back_its_sign(place: Place) -> None:
    beats, now = place.service.beats, place.clock.now()
    beats.leave("leader")
    for holder in ("dead", "leads"):
        beats.beat(holder, leads=True, at=now + FORGOTTEN)
    beats.beat("leads", leads=True, at=now)
    assert beats.leader_at(now + FORGOTTEN) == now


def test_time_of_another_day_is_shown_with_its_date(place: Place) -> None:
    log_in(place)
    hash_ = place.site.views.plan_hashes(1)[0]
    assert "good until 08:05:00 UTC" in words(place.client.get(f"/plan/{hash_}").text)
    place.clock.at += timedelta(days=1)
    log_in(place)
    page = words(place.client.get(f"/plan/{hash_}").text)
    assert "good until 2026-11-20 08:05:00 UTC" in page
    assert "marked 2026-11-20 08:00:00 UTC" in words(place.client.get("/book").text)
