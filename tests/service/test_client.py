from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from allocator.client import ApiError, Client
from allocator.models import bodies
from allocator.models.errors import ConfigError, StaleError
from allocator.models.mandate import Mandate
from tests.service.sites import Place


class Carrier(httpx2.BaseTransport):
    """Carries requests into the application, and loses answers on request."""

    def __init__(self, client: TestClient) -> None:
        self.client, self.loses = client, 0

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        answer = self.client.request(
            request.method,
            str(request.url),
            content=request.read(),
            headers={k: v for k, v in request.headers.items() if k != "host"},
        )
        if self.loses:
            self.loses -= 1
            raise httpx2.ReadError("the answer was lost")
        told = ("content-type", "retry-after")
        headers = {name: answer.headers[name] for name in told if name in answer.headers}
        return httpx2.Response(answer.status_code, content=answer.content, headers=headers)


@pytest.fixture
def carrier(place: Place) -> Carrier:
    return Carrier(place.client)


@pytest.fixture
def desk(place: Place, carrier: Carrier) -> Iterator[Client]:
    url = "http://testserver"
    with Client(url, place.tokens["alice"], transport=carrier) as client:
        yield client


def test_plan_goes_from_proposal_to_execution(desk: Client) -> None:
    (summary,) = desk.plans()
    assert summary.approval == "waiting"
    assert desk.plan(summary.plan_hash).plan.plan_hash == summary.plan_hash
    assert "BTC" in desk.explain(summary.plan_hash)
    assert desk.approve(summary.plan_hash, "fine").approval == "approved"
    assert desk.execute(summary.plan_hash).status == "due"
    assert desk.execution(summary.plan_hash).status == "due"
    assert desk.cancel(summary.plan_hash).status == "skipped"


def test_refusal_is_raised_with_its_code(desk: Client) -> None:
    with pytest.raises(ApiError, match="NOT_APPROVED") as caught:
        desk.execute(desk.plans()[0].plan_hash)
    assert caught.value.problem.status == 409


def test_refusal_says_its_code_once_and_which_field_is_wrong(desk: Client) -> None:
    with pytest.raises(ApiError) as caught:
        desk.run("daily")
    assert str(caught.value) == "NO_SCHEDULE: id=daily"
    with pytest.raises(ApiError) as caught:
        desk.approve(desk.plans()[0].plan_hash, "")
    assert str(caught.value).startswith("INVALID_REQUEST: the request is not as it has to be: ")
    assert "body.reason: String should have at least 1 character" in str(caught.value)


def test_lost_answer_is_asked_for_under_the_same_key(desk: Client, carrier: Carrier) -> None:
    mandate = desk.mandates()[0].mandate
    assert mandate is not None
    carrier.loses = 2
    assert desk.draft(mandate, "x").version == 2
    assert [row.version for row in desk.mandates()] == [2, 1]


def test_service_that_does_not_answer_is_stale(desk: Client, carrier: Carrier) -> None:
    carrier.loses = 3
    with pytest.raises(StaleError, match="does not answer"):
        desk.book()


def test_book_and_service_are_read_as_values(desk: Client) -> None:
    assert desk.book().equity == 200000
    assert [row.account for row in desk.accounts()] == ["a", "b"]
    assert desk.schedules()[0].id == "hourly"
    assert desk.pause("hourly", "x")[0].paused == "alice: x"
    assert desk.unpause("hourly")[0].paused == ""
    assert desk.run("hourly").status == "due"
    assert desk.halt("drill")[0].state == "halted"
    assert desk.resume("over")[0].state == "active"
    assert desk.profit() == ()
    assert desk.equity() == ()
    assert desk.ready().ok
    assert desk.verify().whole
    assert len(desk.audit()) == desk.audit()[-1].seq
    (stored,) = desk.snapshots()
    assert desk.post_snapshot(desk.snapshot(stored.snapshot_hash)).source == "posted by alice"
    assert desk.decide().plan_hash == desk.plans()[0].plan_hash
    kinds = [kind for kind, _ in desk.events(after=0, for_s=0)]
    assert set(kinds) == {"audit", "instance"}


def test_every_route_has_its_call(place: Place) -> None:
    """What the client asks for is there, and what is there can be asked for."""
    source = inspect.getsource(Client)
    paths: Any = place.app.openapi()["paths"]
    left = {"/healthz", "/metrics", "/v1/schemas/{name}", "/v1/plans/{plan_hash}/report"}
    for path in paths.keys() - left:
        wanted = path.replace("{schedule}", "{schedule}").replace("{job}", "{name}")
        assert f'"{wanted}' in source, path


def test_what_if_is_a_job(desk: Client) -> None:
    job = desk.what_if(bodies.Case(name="crash", shock={"prices": {"BTC": "-10%"}}))
    assert desk.job(job.id).kind == "what-if"
    (listed,) = desk.jobs()
    assert (listed.id, listed.kind, listed.result) == (job.id, "what-if", None)
    assert desk.frontier(desk.plans()[0].plan_hash, points=2).kind == "frontier"


def test_token_that_is_none_is_refused_and_not_told() -> None:
    for token in ("alc_secret\nvalue", "alc_secré", "alc_\ud800", "", " "):
        with pytest.raises(ConfigError, match="token") as caught:
            Client("http://127.0.0.1:9", token)
        assert "alc_" not in str(caught.value)
        assert caught.value.__cause__ is None


def test_token_as_it_was_read_from_its_file_is_good(place: Place, carrier: Carrier) -> None:
    with Client("http://testserver", f"{place.tokens['alice']}\n", transport=carrier) as client:
        assert client.jobs() == ()


def test_password_of_an_address_is_not_told(place: Place, carrier: Carrier) -> None:
    url = "http://al:canary-word@testserver"
    with Client(url, place.tokens["alice"], transport=carrier) as client:
        carrier.loses = 3
        with pytest.raises(StaleError, match="testserver does not answer") as caught:
            client.book()
        assert "canary" not in str(caught.value)


def test_service_that_does_not_answer_is_stale_however_it_is_asked(
    desk: Client, carrier: Carrier
) -> None:
    carrier.loses = 2
    with pytest.raises(StaleError, match="does not answer"):
        desk.ready()
    with pytest.raises(StaleError, match="does not answer"):
        list(desk.events(for_s=0))


def test_a_refusal_for_now_tells_when_to_ask_again(desk: Client, place: Place) -> None:
    most = place.service.config.service.keep.drafts
    for _ in range(most):
        desk.draft(Mandate())
    with pytest.raises(ApiError, match="DRAFTS_FULL") as told:
        desk.draft(Mandate())
    assert told.value.problem.status == 429
    assert told.value.again_s == 90 * 86400
    with pytest.raises(ApiError, match="NO_PLAN") as other:
        desk.plan("a" * 64)
    assert other.value.again_s is None
    assert len(desk.mandates(limit=3)) == 3


def test_a_draft_is_published_as_it_was_seen(desk: Client, place: Place) -> None:
    seen = desk.draft(Mandate())
    other = bodies.Publication(mandate_hash="a" * 64, instead_of=1)
    with Client(
        "http://testserver", place.tokens["bob"], transport=Carrier(place.client)
    ) as second:
        with pytest.raises(ApiError, match="DRAFT_DIFFERS"):
            second.publish(seen.version, other)
        held = bodies.Publication(mandate_hash=seen.mandate_hash, instead_of=1)
        assert second.publish(seen.version, held).status == "published"
