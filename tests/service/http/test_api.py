from __future__ import annotations

import json
import re
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from allocator.execution.leader import next_epoch
from allocator.models.status import VenueState, VenueStatus
from allocator.service.dashboard import charts
from tests.execution.book import START
from tests.service.sites import CANARY, MANDATE, Place


def test_second_request_under_a_key_acts_no_second_time(place: Place) -> None:
    body = {"mandate": MANDATE, "note": "x"}
    first = place.post("/v1/mandates", body, key="k")
    second = place.post("/v1/mandates", body, key="k")
    assert first.status_code == second.status_code == 201
    assert first.json() == second.json()
    assert second.headers["idempotent-replay"] == "true"
    assert [row.version for row in place.service.mandates.all()] == [2, 1]


def test_key_stands_for_one_request_of_one_person(place: Place) -> None:
    place.post("/v1/mandates", {"mandate": MANDATE}, key="k")
    other = place.post("/v1/mandates", {"mandate": {}}, key="k")
    assert (other.status_code, other.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert place.post("/v1/mandates", {"mandate": {}}, "bob", key="k").status_code == 201


def test_refused_request_frees_its_key(place: Place) -> None:
    assert place.post("/v1/mandates", {"mandate": {"x": 1}}, key="k").status_code == 422
    assert place.post("/v1/mandates", {"mandate": {}}, key="k").status_code == 201


def test_request_that_broke_off_keeps_its_key(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(place.service.mandates, "draft", broken)
    assert place.post("/v1/mandates", {"mandate": {}}, key="k").status_code == 500
    again = place.post("/v1/mandates", {"mandate": {}}, key="k")
    assert again.json()["code"] == "IDEMPOTENCY_KEY_PENDING"


def rename(place: Place, before: str, after: str) -> None:
    with place.service.engine.begin() as connection:
        connection.execute(text(f"ALTER TABLE {before} RENAME TO {after}"))


def test_request_that_the_database_failed_before_it_wrote_frees_its_key(place: Place) -> None:
    path = f"/v1/plans/{place.site.views.plan_hashes(1)[0]}/reject"
    rename(place, "event", "away")
    failed = place.post(path, {"reason": "no"}, key="k")
    assert (failed.status_code, failed.json()["code"]) == (503, "DATABASE_UNAVAILABLE")
    rename(place, "away", "event")
    assert place.post(path, {"reason": "no"}, key="k").status_code == 200
    assert place.get("/v1/plans").json()[0]["approval"] == "rejected"


def test_request_that_the_database_failed_after_it_wrote_keeps_its_key(place: Place) -> None:
    path = f"/v1/plans/{place.site.views.plan_hashes(1)[0]}/execute"
    approve = path.replace("execute", "approve")
    assert place.post(approve, {"reason": "yes"}, "alice").status_code == 200
    assert place.post(path, None, "execute", key="k").status_code == 202
    cancel = path.replace("plans", "executions").replace("execute", "cancel")
    rename(place, "event", "away")
    failed = place.post(cancel, None, key="k")
    assert (failed.status_code, failed.json()["code"]) == (503, "DATABASE_UNAVAILABLE")
    rename(place, "away", "event")
    assert place.post(cancel, None, key="k").json()["code"] == "IDEMPOTENCY_KEY_PENDING"


@pytest.mark.parametrize(
    "key", [b"", b"x" * 201, b"a b", b"\xe9", "\u00e9".encode(), b"a\x7f", b"a\tb"]
)
def test_post_without_a_key_as_it_is_described_is_refused(place: Place, key: bytes) -> None:
    headers = {name: value.encode() for name, value in place.headers("alice").items()}
    headers |= {"Idempotency-Key": key}
    response = place.client.post("/v1/halt", json={"reason": "x"}, headers=headers)
    assert (response.status_code, response.json()["code"]) == (400, "IDEMPOTENCY_KEY_WANTED")
    assert response.headers["content-type"] == "application/problem+json"
    assert place.site.views.breakers() == ()


def test_book_tells_what_is_known_and_what_is_not(place: Place) -> None:
    book = place.get("/v1/book").json()
    assert book["equity"] == "200000"
    first = book["accounts"][0]
    assert (first["account"], first["equity"], first["live"]) == ("a", "100000", True)
    assert first["age_s"] == "10"
    place.service.live.marks = place.service.live.marks.model_copy(  # type: ignore[union-attr]
        update={"accounts": (), "unread": {"a": "timeout", "b": "timeout"}}
    )
    book = place.get("/v1/book").json()
    assert book["equity"] is None
    assert book["accounts"][0]["state"] == "unread"
    assert book["accounts"][0]["equity"] is None
    assert book["accounts"][0]["missing"] == "timeout"


def test_halt_is_kept_until_an_approver_resumes(place: Place) -> None:
    rows = place.post("/v1/halt", {"reason": "drill", "scope": "venue:bybit"}).json()
    assert [(row["scope"], row["state"], row["who"]) for row in rows] == [
        ("venue:bybit", "halted", "alice")
    ]
    assert place.post("/v1/halt", {"reason": "x", "scope": "what"}).json()["code"] == (
        "BREAKER_SCOPE"
    )
    rows = place.post("/v1/resume", {"reason": "over", "scope": "venue:bybit"}, "approve").json()
    assert rows[0]["state"] == "active"


def test_half_a_character_is_refused_by_name(place: Place) -> None:
    key = {"content-type": "application/json", "idempotency-key": "half"}
    body = b'{"reason": "odd \\ud83d prices"}'
    answer = place.client.post("/v1/halt", content=body, headers=place.headers("alice") | key)
    assert answer.status_code == 422, answer.text


@pytest.mark.parametrize("scope", ["venue:bybitt", "venue: bybit", "account:c", "account:A"])
def test_halt_of_what_is_not_there_is_refused(place: Place, scope: str) -> None:
    answer = place.post("/v1/halt", {"reason": "drill", "scope": scope})
    assert (answer.status_code, answer.json().get("code")) == (409, "NOT_KNOWN")
    assert place.site.views.breakers() == ()


def test_plan_tells_itself_in_words_and_as_a_page(place: Place) -> None:
    plan = place.site.views.plan_hashes(1)[0]
    assert "BTC" in place.get(f"/v1/plans/{plan}/explain").text
    assert place.get(f"/v1/plans/{plan}/report").text.startswith("<!doctype html>")
    other = place.gather("0.5").plan_hash
    lines = place.get(f"/v1/plans/{other}/diff", other=plan).json()["lines"]
    assert any(line.startswith("order") for line in lines), lines


def wait_for(place: Place, job: str) -> Any:
    gate = threading.Event()
    for _ in range(6000):
        found = place.get(f"/v1/jobs/{job}").json()
        if found["status"] != "running":
            return found
        gate.wait(0.05)
    raise AssertionError("the job did not end")


def test_what_if_sets_cases_beside_the_book(place: Place) -> None:
    cases = [
        {"name": "crash", "shock": {"prices": {"BTC": "-20%"}}},
        {"name": "buffer", "override": {"mandate.policy.margin_buffer": "0.4"}},
        {"name": "typo", "override": {"mandate.policy.margin_bufer": "0.4"}},
        {"name": "unknown", "shock": {"prices": {"DOGE": "-20%"}}},
    ]
    response = place.post("/v1/what-if", {"cases": cases})
    assert response.status_code == 202
    found = wait_for(place, response.json()["id"])
    assert found["status"] == "done", found
    rows = {row["name"]: row for row in found["result"]["decided"]}
    assert list(rows) == ["as it is", "crash", "buffer", "typo", "unknown"]
    assert rows["as it is"]["status"] == rows["crash"]["status"] == "act"
    assert rows["crash"]["total"] != rows["as it is"]["total"]
    assert "did you mean" in rows["typo"]["error"]
    assert "DOGE" in rows["unknown"]["error"]


def test_a_case_takes_what_a_scenario_file_takes(place: Place) -> None:
    """Shocks in order, overrides, what is expected; files of the server are out of reach."""
    halves = [{"prices": {"BTC": "-50%"}}, {"prices": {"BTC": "100%"}}]
    cases = [
        {"name": "there and back", "shock": halves},
        {"name": "half", "shock": halves[:1], "expect": {"actions": {"max": 0}, "status": "act"}},
        {"name": "typo", "shock": [halves[0], {"price": {"BTC": "-1%"}}]},
        {"name": "file", "shock": [{"file": "/etc/hostname"}]},
        {"name": "number", "shock": {"volatility": {"multiply": "1.5"}}},
    ]
    found = wait_for(place, place.post("/v1/what-if", {"cases": cases}).json()["id"])
    assert found["status"] == "done", found
    base, back, half, typo, file, number = found["result"]["decided"]
    assert back["plan"]["actions"] == base["plan"]["actions"]
    assert back["done"] == ["prices {BTC: -50%}", "prices {BTC: 100%}"]
    assert half["total"] != base["total"]
    assert half["wrong"][0].startswith("actions")
    assert typo["error"] == "shock[1].price: unknown key 'price' - did you mean 'prices'?"
    assert file["error"] == "shock[0].file: files cannot be referred to here"
    assert (number["error"], number["status"]) == ("", "act")


def test_a_sweep_takes_shocks_overrides_and_a_depth(place: Place) -> None:
    body = {
        "grid": {"shock[1].fees.multiply": ["1", "2"]},
        "shock": [{"prices": {"BTC": "-5%"}}, {"fees": {"multiply": "1"}}],
        "override": {"mandate.policy.order_cost": "3"},
        "depth": "quick",
    }
    found = wait_for(place, place.post("/v1/sweeps", body).json()["id"])
    assert found["status"] == "done", found
    cheap, dear = (float(row["total"]) for row in found["result"]["rows"])
    assert cheap < dear


def test_sweep_decides_every_point_of_a_grid(place: Place) -> None:
    grid = {"mandate.policy.order_cost": ["0", "5"], "shock.prices.BTC": ["-10%", "10%"]}
    found = wait_for(place, place.post("/v1/sweeps", {"grid": grid}).json()["id"])
    assert found["status"] == "done", found
    assert len(found["result"]["rows"]) == 4
    assert {row["status"] for row in found["result"]["rows"]} == {"act"}
    large = {"mandate.policy.order_cost": [str(i) for i in range(501)]}
    assert place.post("/v1/sweeps", {"grid": large}).status_code == 422
    wrong = {"mandate.policy.order_cots": ["1"]}
    found = wait_for(place, place.post("/v1/sweeps", {"grid": wrong}).json()["id"])
    assert found["status"] == "failed"


@pytest.mark.parametrize("along", ["actions", "tracking", "margin_buffer"])
def test_frontier_is_computed_beside_requests(place: Place, along: str) -> None:
    plan = place.site.views.plan_hashes(1)[0]
    job = place.post(f"/v1/plans/{plan}/frontier?points=3&along={along}").json()["id"]
    found = wait_for(place, job)
    assert found["status"] == "done", found
    curve = found["result"]["frontier"]
    assert curve["along"] == along
    drawn = charts.frontier(curve)["points"]
    assert len(drawn) == len(curve["points"]) > 0
    at = {"actions": "count", "tracking": "tracking_error", "margin_buffer": "margin_buffer"}[along]
    for (x, y), row in zip(drawn, curve["points"], strict=True):
        cost = {name: float(value) for name, value in row["cost"].items()}
        off = cost["tracking"] if along == "tracking" else 0
        assert (x, y) == (float(row[at]), pytest.approx(cost["total"] - off))


def test_events_go_on_where_the_reader_stopped(place: Place) -> None:
    place.post("/v1/halt", {"reason": "drill"})
    text = place.get("/v1/events", after=0, for_s=0).text
    frames = [row for row in text.split("\n\n") if "data:" in row]
    before, last = (json.loads(row.split("data: ", 1)[1]) for row in frames[-2:])
    assert (before["subject"], last["subject"]) == ("breaker:global", "alert:1")
    headers = place.headers("read") | {"Last-Event-ID": str(last["seq"] - 1)}
    text = place.client.get("/v1/events?for_s=0", headers=headers).text
    assert text.count("event: audit") == 1
    assert f"id: {last['seq']}" in text


def test_event_of_a_number_beyond_all_is_followed_by_none(place: Place) -> None:
    place.post("/v1/halt", {"reason": "drill"})
    headers = place.headers("read") | {"Last-Event-ID": "9" * 5000}
    answer = place.client.get("/v1/events?for_s=0", headers=headers)
    assert (answer.status_code, answer.text.count("event: audit")) == (200, 0)


def test_asking_for_a_cycle_many_times_asks_for_one(place: Place) -> None:
    names = list[str]()
    for who in ("alice", "alice", "bob"):
        place.clock.at += timedelta(seconds=1)
        names.append(place.post("/v1/schedules/hourly/run", who=who).json()["name"])
    assert names[0] == names[1] != names[2]
    (slot, _) = place.service.slots.with_status("due")
    lease = next_epoch(place.service.engine, "desk", "x", place.clock.now())
    place.service.slots.claim(lease, slot, place.clock.now())
    assert place.post("/v1/schedules/hourly/run").json()["name"] not in names


def test_audit_holds_what_people_did(place: Place) -> None:
    place.post("/v1/schedules/hourly/pause", {"reason": "maintenance"})
    assert place.get("/v1/schedules").json()[0]["paused"] == "alice: maintenance"
    (alert,) = place.service.office.history.alerts()
    paused = {"schedule": "hourly", "by": "alice", "reason": "maintenance"}
    assert (alert.topic, alert.body) == ("schedule_paused", paused)
    assert 'allocator_schedules_paused{book="desk"} 1.0' in place.get("/metrics").text
    answer = place.post("/v1/schedules/hourly/run")
    assert (answer.status_code, answer.json()["code"]) == (409, "SCHEDULE_PAUSED")
    assert place.service.slots.with_status("due") == ()
    assert place.post("/v1/schedules/hourly/resume", None, "plan").status_code == 403
    place.post("/v1/schedules/hourly/resume")
    assert place.get("/v1/schedules").json()[0]["paused"] == ""
    told = [(row["subject"], row["what"]) for row in place.get("/v1/audit").json()]
    assert ("schedule:hourly", "paused") in told
    assert ("schedule:hourly", "resumed") in told
    check = place.get("/v1/audit/verify").json()
    assert check["whole"] is True
    assert check["events"] == len(told)


def test_readiness_falls_with_the_last_tick(place: Place) -> None:
    assert place.get("/readyz", None).status_code == 200
    place.clock.at += timedelta(seconds=901)
    response = place.get("/readyz", None)
    assert response.status_code == 503
    assert any("a leader last ticked" in row for row in response.json()["faults"])
    assert place.get("/healthz", None).status_code == 200


def test_metrics_tell_the_book_the_leader_and_the_slots(place: Place) -> None:
    text = place.get("/metrics").text
    for line in (
        'allocator_account_equity{account="a",book="desk"} 100000.0',
        'allocator_leader{book="desk"} 0.0',
        'allocator_slots_total{book="desk",status="done"} 0.0',
        'allocator_exposure{book="desk",underlying="BTC"} 0.0',
        'allocator_leader_tick_age_seconds{book="desk"} 1.0',
    ):
        assert line in text


SAID = {"bybit": VenueStatus(state="maintenance", until=START, note="an upgrade")}


def test_the_book_and_the_metrics_tell_how_venues_say_they_stand(place: Place) -> None:
    place.gather(statuses=SAID)
    words = "maintenance until 2026-11-20T08:00:00Z: an upgrade"
    assert place.get("/v1/book").json()["venues"] == [
        {"venue": "binance", "state": None, "until": None, "words": ""},
        {"venue": "bybit", "state": "maintenance", "until": "2026-11-20T08:00:00Z",
         "words": words},
    ]  # fmt: skip
    frozen = {row["account"]: row["frozen"] for row in place.get("/v1/accounts").json()}
    assert frozen == {"a": f"bybit says {words}", "b": ""}
    assert 'allocator_venue_open{book="desk",venue="bybit"} 0.0' in place.get("/metrics").text
    assert place.get("/readyz", None).status_code == 200, "the service itself is well"


@pytest.mark.parametrize(("state", "told"), [("open", ["1.0"]), ("unknown", [])])
def test_what_is_not_known_of_a_venue_is_no_figure(
    place: Place, state: VenueState, told: list[str]
) -> None:
    place.gather(statuses={"bybit": VenueStatus(state=state)})
    series = re.escape('allocator_venue_open{book="desk",venue="bybit"} ')
    lines = re.findall(f"{series}(.*)", place.get("/metrics").text)
    assert lines == told


def test_a_venue_that_is_only_told_of_keeps_no_account_still(lite: Engine, tmp_path: Path) -> None:
    place = Place(lite, tmp_path, gather={"status": {"bybit": "tell"}})
    place.gather(statuses=SAID)
    with place.client:
        assert place.get("/v1/book").json()["venues"][1]["state"] == "maintenance"
        assert {row["frozen"] for row in place.get("/v1/accounts").json()} == {""}
        assert 'allocator_venue_open{book="desk",venue="bybit"} 0.0' in place.get("/metrics").text
    place.site.jobs.close()


def test_what_a_venue_told_last_is_its_figure_while_it_cannot_be_read(place: Place) -> None:
    place.gather(statuses={"bybit": VenueStatus(state="unknown", before="limited")})
    assert 'allocator_venue_open{book="desk",venue="bybit"} 0.0' in place.get("/metrics").text


def test_secret_is_in_no_reply(place: Place) -> None:
    plan = place.site.views.plan_hashes(1)[0]
    place.post("/v1/halt", {"reason": "drill"})
    seen = ""
    for path in ("book", "accounts", "plans", f"plans/{plan}", "audit", "schedules", "slots",
                 "mandates", "snapshots", "openapi.json"):  # fmt: skip
        response = place.get(f"/v1/{path}")
        assert response.status_code == 200
        seen += response.text + str(response.headers)
    seen += place.get("/metrics").text
    for secret in (CANARY, *place.tokens.values()):
        assert secret not in seen


def test_every_reply_keeps_browsers_in_line(place: Place) -> None:
    headers = place.get("/v1/book").headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
