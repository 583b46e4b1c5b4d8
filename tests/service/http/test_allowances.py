"""What one name may leave in the database: so much, and nothing that is under way goes for it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, col, select

from allocator.execution.history import History
from allocator.models.base import json_value
from allocator.models.mandate import Mandate
from allocator.models.service_records import ReplyRow
from allocator.service.http.once import Reply
from tests.execution.book import START
from tests.service.sites import MANDATE, Place, snapshot
from tests.service.visitor import log_in, words

DAY = timedelta(days=1)
OTHER: dict[str, Any] = {**MANDATE, "targets": [{**MANDATE["targets"][0], "delta": "2"}]}
LIMITS = {
    "snapshots": 3,
    "snapshots_mb": 1,
    "drafts": 2,
    "drafts_days": 30,
    "drafts_mb": 1,
    "answers": 5,
    "answers_mb": 1,
    "replies_days": 7,
}


class Small(Place):
    """A site where a name may keep little."""

    def __init__(self, engine: Engine, folder: Path, **keep: int) -> None:
        history = {"folder": str(folder / "history")}
        super().__init__(
            engine,
            folder,
            service={
                "schedules": [{"id": "hourly", "cron": "0 * * * *"}],
                "history": history,
                "keep": {**LIMITS, **keep},
            },
        )
        self.gather()

    def snapshot(self, quantity: str, who: str = "plan", *, padded: int = 0) -> Any:
        """Post a snapshot, made longer by so many characters of an account's names of assets."""
        data: dict[str, Any] = json_value(snapshot(quantity))
        kept = {f"asset {number:090}": "1" for number in range(padded // 100)}
        data["accounts"][0]["ring_fenced"] = kept
        data["assets"] |= {name: {"price": "1"} for name in kept}
        return self.post("/v1/snapshots", data, who)

    def read(self, told: Any) -> int:
        return int(self.get(f"/v1/snapshots/{told.json()['snapshot_hash']}").status_code)

    def draft(self, who: str = "plan", mandate: Any = MANDATE, **how: Any) -> Any:
        return self.post("/v1/mandates", {"mandate": mandate, "note": "x"}, who, **how)


@pytest.fixture
def small(engine: Engine, tmp_path: Path) -> Iterator[Small]:
    made = Small(engine, tmp_path)
    with made.client:
        yield made
    made.site.jobs.close()


@pytest.fixture
def roomy(engine: Engine, tmp_path: Path) -> Iterator[Small]:
    """A site that bounds the length of answers, and not their number."""
    made = Small(engine, tmp_path, answers=1000)
    with made.client:
        yield made
    made.site.jobs.close()


def test_of_posted_snapshots_a_name_keeps_the_latest_and_takes_none_from_another(
    small: Small,
) -> None:
    theirs = small.snapshot("0.9", "alice")
    mine = [small.snapshot(f"0.{number}") for number in range(1, 6)]
    assert [row.status_code for row in mine] == [201] * 5
    assert [small.read(row) for row in mine] == [404, 404, 200, 200, 200]
    assert small.read(theirs) == 200
    gone = small.get(f"/v1/snapshots/{mine[0].json()['snapshot_hash']}").json()
    assert "service.keep" in gone["detail"], "what to do about it"


def test_posted_snapshots_are_bounded_by_their_length_too(roomy: Small) -> None:
    mine = [roomy.snapshot(f"0.{number}", padded=150_000) for number in range(1, 4)]
    assert [row.status_code for row in mine] == [201] * 3
    assert [roomy.read(row) for row in mine] == [404, 200, 200]


def test_a_snapshot_that_is_longer_than_all_that_a_name_may_keep_is_refused(roomy: Small) -> None:
    kept = roomy.snapshot("0.1")
    told = roomy.snapshot("0.2", padded=500_000)
    assert (told.status_code, told.json()["code"]) == (413, "SNAPSHOT_TOO_LONG")
    assert told.headers["content-type"] == "application/problem+json"
    assert "service.keep.snapshots_mb" in told.json()["detail"]
    assert roomy.read(kept) == 200, "and what was kept stays"


def test_what_a_cycle_gathered_makes_no_room_for_what_is_posted(small: Small) -> None:
    gathered = small.service.snapshots.newest()
    for number in range(1, 6):
        small.snapshot(f"0.{number}")
    assert small.service.snapshots.newest() == gathered


def test_drafts_of_one_name_are_so_many_and_the_oldest_is_named(small: Small) -> None:
    first, second = (small.draft().json()["version"] for _ in range(2))
    told = small.draft()
    assert (told.status_code, told.json()["code"]) == (429, "DRAFTS_FULL")
    assert f"oldest={first}" in told.json()["detail"]
    assert "service.keep.drafts" in told.json()["detail"]
    assert 0 < int(told.headers["retry-after"]) <= 30 * 86400
    assert small.draft("alice").status_code == 201, "of somebody else"
    published = small.post(f"/v1/mandates/{second}/publish", None, "bob")
    assert published.status_code == 200
    assert small.draft().status_code == 201


def long(characters: int) -> dict[str, Any]:
    """A mandate that is made longer by the source of a limit."""
    limit = {"id": "cap", "measure": "leverage", "scope": {"portfolio": True}, "max": "4"}
    return {**MANDATE, "limits": [{**limit, "source": "x" * characters}]}


def test_drafts_of_one_name_are_bounded_by_their_length_too(small: Small) -> None:
    alone = small.draft(mandate=long(1_100_000))
    assert (alone.status_code, alone.json()["code"]) == (413, "DRAFT_TOO_LONG")
    assert "service.keep.drafts_mb" in alone.json()["detail"]
    assert small.draft(mandate=long(600_000)).status_code == 201
    told = small.draft(mandate=long(600_000))
    assert (told.status_code, told.json()["code"]) == (429, "DRAFTS_FULL")
    assert small.draft(mandate=long(300_000)).status_code == 201


def test_versions_are_listed_a_page_at_a_time_and_what_holds_stays_in_sight(
    lite: Engine, tmp_path: Path
) -> None:
    place = Small(lite, tmp_path, drafts=60)
    for _ in range(55):
        assert place.service.mandates.draft(Mandate.model_validate(OTHER), "a", "", START)
    versions = [row["version"] for row in place.get("/v1/mandates").json()]
    assert versions == [*range(56, 6, -1)]
    assert [row["version"] for row in place.get("/v1/mandates", limit=2).json()] == [56, 55]
    assert place.get("/v1/mandates", limit=0).status_code == 422
    log_in(place, "alice")
    page = words(place.client.get("/health").text)
    assert "1 published" in page, "whatever was drafted since"
    place.site.jobs.close()


def test_a_refused_draft_frees_its_key_and_leaves_nothing(small: Small) -> None:
    for _ in range(2):
        small.draft()
    before = len(small.get("/v1/mandates").json())
    for _ in range(3):
        assert small.draft(key="again").status_code == 429
    assert len(small.get("/v1/mandates").json()) == before
    small.clock.at += 31 * DAY
    assert small.draft(key="again").status_code == 201


def test_drafts_that_nobody_published_go_and_the_audit_and_an_alert_say_so(small: Small) -> None:
    old = [small.draft(mandate=OTHER).json()["version"] for _ in range(2)]
    small.clock.at += 20 * DAY
    young = small.draft("alice").json()["version"]
    small.clock.at += 11 * DAY
    assert small.service.retention.tidy(small.clock.now()).drafts == 2
    kept = {row["version"]: row["status"] for row in small.get("/v1/mandates").json()}
    assert kept == {1: "published", young: "draft"}
    events = small.get("/v1/audit", limit=1000).json()
    dropped = [row["subject"] for row in events if row["what"] == "dropped"]
    assert dropped == [f"mandate:desk:{version}" for version in old]
    (alert,) = [row for row in History(small.service.engine).alerts() if "draft" in row.topic]
    assert alert.body["versions"] == ", ".join(map(str, old))
    assert History(small.service.engine).verify() == ()
    told = small.post(f"/v1/mandates/{old[0]}/publish", None, "bob")
    assert (told.status_code, told.json()["code"]) == (409, "NO_DRAFT")
    told = small.post(f"/v1/mandates/{young + 1}/publish", None, "bob")
    assert (told.status_code, told.json()["code"]) == (404, "NO_MANDATE")


def test_what_was_published_never_goes_nor_is_a_number_given_twice(small: Small) -> None:
    second = small.draft(mandate=OTHER).json()["version"]
    assert small.post(f"/v1/mandates/{second}/publish", None, "bob").status_code == 200
    last = small.draft().json()["version"]
    small.clock.at += 400 * DAY
    assert small.service.retention.tidy(small.clock.now()).drafts == 0
    assert [row["version"] for row in small.get("/v1/mandates").json()] == [last, second, 1]
    again = [small.draft().json()["version"] for _ in range(2)]
    assert again == [last + 1, last + 2], "and what is too old takes no room"


def keys(place: Place, who: str) -> int:
    with Session(place.service.engine) as session:
        return len(session.exec(select(ReplyRow).where(col(ReplyRow.principal) == who)).all())


def test_answers_of_one_name_are_so_many_and_a_stop_is_never_refused(small: Small) -> None:
    told = [small.post("/v1/schedules/hourly/run", None, "plan") for _ in range(6)]
    assert [row.status_code for row in told] == [202] * 5 + [429]
    assert told[-1].json()["code"] == "ANSWERS_FULL"
    assert "service.keep.answers" in told[-1].json()["detail"]
    assert 0 < int(told[-1].headers["retry-after"]) <= 7 * 86400
    assert keys(small, "plan") == 5
    assert small.post("/v1/plans", {}, "plan").status_code == 429
    assert small.post("/v1/plans", {}, "alice").status_code == 201, "somebody else"
    assert small.post("/v1/halt", {"reason": "odd prices"}, "plan").status_code == 200
    paused = small.post("/v1/schedules/hourly/pause", {"reason": "odd"}, "plan")
    assert paused.status_code == 200
    small.clock.at += 8 * DAY
    small.service.retention.tidy(small.clock.now())
    small.gather()
    assert small.post("/v1/plans", {}, "plan").status_code == 201


def test_a_request_that_was_answered_is_answered_again_although_no_more_are_kept(
    small: Small,
) -> None:
    first = small.post("/v1/plans", {}, "plan", key="first")
    for _ in range(4):
        small.post("/v1/schedules/hourly/run", None, "plan")
    again = small.post("/v1/plans", {}, "plan", key="first")
    assert (again.status_code, again.json()) == (201, first.json())


def test_of_long_answers_the_oldest_go_and_their_keys_act_no_second_time(
    engine: Engine, tmp_path: Path
) -> None:
    place = Small(engine, tmp_path, answers=1000)
    replies, now = place.site.replies, place.clock.now
    assert place.post("/v1/plans", {}, "plan", key="first").status_code == 201
    run = place.post("/v1/schedules/hourly/run", None, "plan", key="run").json()
    for name in ("long", "longer"):
        place.clock.at += timedelta(seconds=1)
        assert replies.begin("plan", name, "asked", now()) is None
        replies.keep("plan", name, Reply(200, "x" * 499_000))
    place.clock.at += timedelta(seconds=1)
    last = place.post("/v1/plans", {}, "plan", key="last").json()
    alices = place.post("/v1/plans", {}, "alice", key="first").json()
    told = place.post("/v1/plans", {}, "plan", key="first")
    assert (told.status_code, told.json()["code"]) == (409, "ANSWER_GONE")
    assert "another key" in told.json()["detail"]
    other = place.post("/v1/plans", {"propose": True}, "plan", key="first")
    assert other.json()["code"] == "IDEMPOTENCY_KEY_REUSED"
    assert place.post("/v1/plans", {}, "plan", key="last").json() == last
    assert place.post("/v1/plans", {}, "alice", key="first").json() == alices
    assert place.post("/v1/schedules/hourly/run", None, "plan", key="run").json() == run
    place.site.jobs.close()
