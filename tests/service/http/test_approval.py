from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from sqlalchemy import Engine

from allocator.service.snapshots import GATHERED
from tests.execution.book import START
from tests.service.sites import Place


def the_plan(place: Place) -> str:
    return place.site.views.plan_hashes(1)[0]


def test_plan_that_one_person_approved_is_handed_to_the_leader_once(place: Place) -> None:
    plan = the_plan(place)
    assert place.post(f"/v1/plans/{plan}/execute").json()["code"] == "NOT_APPROVED"
    summary = place.post(f"/v1/plans/{plan}/approve", {"reason": "fine"}).json()
    assert (summary["approval"], summary["needed"]) == ("approved", 1)
    assert summary["verdicts"][0]["who"] == "alice"
    assert summary["verdicts"][0]["reason"] == "fine"
    response = place.post(f"/v1/plans/{plan}/execute")
    assert response.status_code == 202
    assert response.json()["kind"] == "execute"
    assert place.post(f"/v1/plans/{plan}/execute").json()["code"] == "ASKED_BEFORE"
    assert [row.plan_hash for row in place.service.slots.with_status("due")] == [plan]


def test_stale_approval_is_refused(place: Place) -> None:
    plan = the_plan(place)
    place.post(f"/v1/plans/{plan}/approve", {"reason": "fine"})
    place.clock.at = START + timedelta(seconds=301)
    response = place.post(f"/v1/plans/{plan}/execute")
    assert response.status_code == 409
    assert "status=expired" in response.json()["detail"]


def test_plan_whose_snapshot_is_too_old_cannot_be_approved(place: Place) -> None:
    place.clock.at = START + timedelta(seconds=301)
    response = place.post(f"/v1/plans/{the_plan(place)}/approve", {"reason": "fine"})
    assert (response.status_code, response.json()["code"]) == (409, "PLAN_EXPIRED")


def test_approval_of_another_hash_lets_nothing_go(place: Place) -> None:
    first = the_plan(place)
    place.post(f"/v1/plans/{first}/approve", {"reason": "fine"})
    second = place.gather("0.5").plan_hash
    assert second != first
    assert place.post(f"/v1/plans/{second}/execute").json()["code"] == "NOT_APPROVED"
    changed = ("0" if first[0] != "0" else "1") + first[1:]
    assert place.post(f"/v1/plans/{changed}/approve", {"reason": "fine"}).status_code == 404
    assert place.post(f"/v1/plans/{changed}/execute").status_code == 404


def test_plan_for_a_mandate_that_no_longer_holds_neither_stands_nor_goes(place: Place) -> None:
    first = the_plan(place)
    place.post(f"/v1/plans/{first}/approve", {"reason": "fine"})
    place.clock.at += timedelta(seconds=1)
    version = place.post("/v1/mandates", {"mandate": {}}).json()["version"]
    assert place.post(f"/v1/mandates/{version}/publish", None, "bob").status_code == 200
    late = place.gather("0.5").plan_hash
    for answer in (
        place.post(f"/v1/plans/{first}/execute"),
        place.post(f"/v1/plans/{first}/approve", {"reason": "fine"}, "bob"),
        place.post(f"/v1/plans/{late}/approve", {"reason": "fine"}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "MANDATE_RETIRED")
    assert place.post(f"/v1/plans/{first}/reject", {"reason": "old"}, "bob").status_code == 200


def test_approval_needs_a_reason(place: Place) -> None:
    plan = the_plan(place)
    for body in ({}, {"reason": ""}, {"reason": "  "}):
        assert place.post(f"/v1/plans/{plan}/approve", body).status_code in (409, 422)
    assert place.get("/v1/plans").json()[0]["verdicts"] == []


def test_rejection_needs_a_reason_and_is_for_good(place: Place) -> None:
    plan = the_plan(place)
    assert place.post(f"/v1/plans/{plan}/reject", {"reason": "  "}).status_code == 422
    assert place.post(f"/v1/plans/{plan}/reject", {"reason": "no"}).status_code == 200
    assert (
        place.post(f"/v1/plans/{plan}/approve", {"reason": "fine"}, "bob").json()["code"]
        == "PLAN_REJECTED"
    )
    assert "status=rejected" in place.post(f"/v1/plans/{plan}/execute").json()["detail"]


def test_an_approval_is_taken_back_by_who_gave_it(place: Place) -> None:
    plan = the_plan(place)
    place.post(f"/v1/plans/{plan}/approve", {"reason": "fine"})
    answer = place.post(f"/v1/plans/{plan}/retract", {}, "bob")
    assert (answer.status_code, answer.json()["code"]) == (409, "NOT_APPROVED_BY")
    summary = place.post(f"/v1/plans/{plan}/retract", {"reason": "too soon"}).json()
    assert summary["approval"] == "waiting"
    assert [row["verdict"] for row in summary["verdicts"]] == ["retracted"]
    assert place.post(f"/v1/plans/{plan}/execute").json()["code"] == "NOT_APPROVED"
    assert (
        place.post(f"/v1/plans/{plan}/approve", {"reason": "fine"}).json()["approval"] == "approved"
    )
    assert place.post(f"/v1/plans/{plan[::-1]}/retract", {}).status_code == 404


def test_an_approval_ends_with_the_token_of_who_gave_it(place: Place) -> None:
    plan = the_plan(place)
    place.post(f"/v1/plans/{plan}/approve", {"reason": "fine"})
    place.site.tokens.revoke("alice", place.clock.now())
    summary = place.get("/v1/plans").json()[0]
    assert summary["approval"] == "waiting"
    assert [(row["who"], row["verdict"], row["reason"]) for row in summary["verdicts"]] == [
        ("alice", "retracted", "the token of alice was revoked")
    ]
    assert place.post(f"/v1/plans/{plan}/execute", None, "bob").json()["code"] == "NOT_APPROVED"
    assert place.post(f"/v1/plans/{plan}/approve", {"reason": "fine"}, "bob").status_code == 200
    place.site.tokens.revoke("alice", place.clock.now())
    assert place.get("/v1/plans").json()[0]["approval"] == "approved"
    history = place.service.office.history
    told = [row.what for row in history.events() if row.subject == f"verdict:{plan}:alice"]
    assert told == ["approved", "retracted"]
    assert history.verify() == ()


def test_second_person_is_needed_above_the_threshold(lite: Engine, tmp_path: Path) -> None:
    rules = {"auto_below": "100", "second_above": "10000", "max_age_s": "300"}
    place = Place(lite, tmp_path, approval=rules)
    plan = place.gather().plan_hash
    summary = place.post(f"/v1/plans/{plan}/approve", {"reason": "fine"}).json()
    assert (summary["approval"], summary["needed"]) == ("waiting", 2)
    assert (
        place.post(f"/v1/plans/{plan}/approve", {"reason": "fine"}).json()["code"]
        == "ALREADY_JUDGED"
    )
    assert place.post(f"/v1/plans/{plan}/execute").json()["code"] == "NOT_APPROVED"
    assert (
        place.post(f"/v1/plans/{plan}/approve", {"reason": "fine"}, "bob").json()["approval"]
        == "approved"
    )
    assert place.post(f"/v1/plans/{plan}/execute").status_code == 202


def test_proposer_does_not_approve(place: Place) -> None:
    body = {"propose": True, "mandate_version": None}
    place.gather("0.25")
    latest = place.post("/v1/plans", body, "alice")
    assert latest.status_code == 201
    plan = latest.json()["plan_hash"]
    stands = place.get(f"/v1/plans/{plan}").json()["summary"]
    if stands["proposer"] == "alice":
        assert (
            place.post(f"/v1/plans/{plan}/approve", {"reason": "fine"}, "alice").json()["code"]
            == "SAME_EYES"
        )
    assert place.post(f"/v1/plans/{plan}/approve", {"reason": "fine"}, "bob").status_code == 200


def test_plan_for_what_was_not_gathered_is_not_proposed(place: Place) -> None:
    row = place.service.snapshots.latest().model_dump(mode="json", by_alias=True)
    response = place.post("/v1/plans", {"snapshot": row, "propose": True})
    assert (response.status_code, response.json()["code"]) == (409, "NOT_OURS")
    assert place.post("/v1/plans", {"snapshot": row}).status_code == 201


def test_plan_for_a_posted_snapshot_is_not_proposed_by_its_hash(place: Place) -> None:
    kept = place.service.snapshots
    row = kept.latest().model_dump(mode="json", by_alias=True) | {"as_of": "2099-01-01T00:00:00Z"}
    posted = place.post("/v1/snapshots", row).json()["snapshot_hash"]
    response = place.post("/v1/plans", {"snapshot_hash": posted, "propose": True})
    assert (response.status_code, response.json()["code"]) == (409, "NOT_OURS")
    assert place.post("/v1/plans", {"snapshot_hash": posted}).status_code == 201
    gathered = kept.keep(kept.latest(), GATHERED).snapshot_hash
    body = {"snapshot_hash": gathered, "propose": True}
    assert place.post("/v1/plans", body).status_code == 201


def test_dry_service_hands_nothing_on(lite: Engine, tmp_path: Path) -> None:
    place = Place(lite, tmp_path, mode="dry")
    plan = place.gather().plan_hash
    place.post(f"/v1/plans/{plan}/approve", {"reason": "fine"})
    assert place.post(f"/v1/plans/{plan}/execute").json()["code"] == "DRY_RUN"


def test_execution_is_called_back_until_it_begins(place: Place) -> None:
    plan = the_plan(place)
    path = f"/v1/executions/{plan}/cancel"
    assert place.post(path).status_code == 404
    place.post(f"/v1/plans/{plan}/approve", {"reason": "fine"})
    place.post(f"/v1/plans/{plan}/execute")
    assert place.get(f"/v1/executions/{plan}").json()["status"] == "due"
    assert place.post(path).json()["status"] == "skipped"
    assert place.post(path).json()["code"] == "EXECUTION_BEGUN"


def test_what_was_called_back_may_be_asked_for_again_and_once(place: Place) -> None:
    plan = the_plan(place)
    place.post(f"/v1/plans/{plan}/approve", {"reason": "fine"})
    place.post(f"/v1/plans/{plan}/execute")
    place.post(f"/v1/executions/{plan}/cancel")
    place.clock.at += timedelta(seconds=5)
    again = place.post(f"/v1/plans/{plan}/execute", who="bob")
    assert (again.status_code, again.json()["status"]) == (202, "due")
    assert again.json()["cause"].startswith("bob asked")
    assert place.post(f"/v1/plans/{plan}/execute").json()["code"] == "ASKED_BEFORE"
    assert place.post(f"/v1/executions/{plan}/cancel").json()["status"] == "skipped"
    undone = place.post(f"/v1/plans/{plan}/execute", who="bob")
    assert undone.json()["code"] == "ASKED_BEFORE", "alice has called bob's back: he asks in vain"
    what = [row["what"] for row in place.get("/v1/audit").json()]
    assert what.count("execution asked for") == 2
