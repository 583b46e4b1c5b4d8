"""Every route with every role: who may, and who may not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute

from allocator.models.api import SCOPES
from tests.service.sites import Place

OPEN = {("GET", "/healthz"), ("GET", "/readyz")}
ANY_ACT = {"plan", "approve", "execute"}
ACTS: dict[str, set[str]] = {
    "/v1/snapshots": {"plan"},
    "/v1/plans": {"plan"},
    "/v1/plans/{plan_hash}/approve": {"approve"},
    "/v1/plans/{plan_hash}/reject": {"approve"},
    "/v1/plans/{plan_hash}/retract": {"approve"},
    "/v1/plans/{plan_hash}/execute": {"execute"},
    "/v1/plans/{plan_hash}/frontier": {"plan"},
    "/v1/executions/{plan_hash}/cancel": ANY_ACT,
    "/v1/what-if": {"plan"},
    "/v1/sweeps": {"plan"},
    "/v1/schedules/{schedule}/run": {"plan"},
    "/v1/schedules/{schedule}/pause": ANY_ACT,
    "/v1/schedules/{schedule}/resume": {"execute"},
    "/v1/halt": ANY_ACT,
    "/v1/resume": {"approve"},
    "/v1/mandates": {"plan"},
    "/v1/mandates/{version}/publish": {"approve"},
}
BODIES: dict[str, Any] = {
    "/v1/plans": {},
    "/v1/plans/{plan_hash}/approve": {"reason": "fine"},
    "/v1/plans/{plan_hash}/reject": {"reason": "no"},
    "/v1/plans/{plan_hash}/retract": {},
    "/v1/what-if": {"cases": [{"name": "x", "shock": {"prices": {"BTC": "-10%"}}}]},
    "/v1/sweeps": {"grid": {"mandate.policy.order_cost": ["1"]}},
    "/v1/schedules/{schedule}/pause": {"reason": "maintenance"},
    "/v1/halt": {"reason": "drill"},
    "/v1/resume": {"reason": "over"},
    "/v1/mandates": {"mandate": {}},
}


def api_routes(place: Place) -> Iterator[tuple[str, str]]:
    for row in walk(place.app.routes):
        if row.path.startswith(("/v1", "/healthz", "/readyz", "/metrics")):
            for method in sorted(row.methods or ()):
                yield method, row.path


def walk(rows: Any) -> Iterator[APIRoute]:
    """List routes, those of included routers too."""
    for row in rows:
        if isinstance(row, APIRoute):
            yield row
        else:
            yield from walk(getattr(getattr(row, "original_router", row), "routes", ()))


def wanted(method: str, path: str) -> set[str]:
    if (method, path) in OPEN:
        return set(SCOPES) | {"nobody"}
    return {"read"} if method == "GET" else ACTS[path]


def ask(place: Place, method: str, path: str, who: str | None, plan_hash: str) -> int:
    url = path.replace("{plan_hash}", plan_hash).replace("{snapshot_hash}", "0" * 64)
    url = url.replace("{schedule}", "hourly").replace("{version}", "1").replace("{job}", "x")
    url = url.replace("{name}", "plan")
    if path == "/v1/events":
        url += "?for_s=0"
    if path.endswith("/diff"):
        url += f"?other={plan_hash}"
    response = (
        place.get(url, who) if method == "GET" else place.post(url, BODIES.get(path, {}), who)
    )
    return int(response.status_code)


def test_matrix_of_roles_and_routes(
    place: Place, record_property: Callable[[str, object], None]
) -> None:
    plan_hash, rows, wrong = place.site.views.plan_hashes(1)[0], [], []
    routes = list(api_routes(place))
    for method, path in routes:
        row = []
        for role in ("nobody", *SCOPES):
            status = ask(place, method, path, None if role == "nobody" else role, plan_hash)
            may = role in wanted(method, path)
            refused = 401 if role == "nobody" else 403
            row.append(str(status))
            if (status != refused) != may or status >= 500:
                wrong.append(f"{method} {path} as {role}: {status}")
        rows.append(f"| {method} {path} | {' | '.join(row)} |")
    record_property("matrix", "\n".join(rows))
    assert wrong == []
    assert len(routes) == len(OPEN) + 1 + len(ACTS) + 21
    assert {path for method, path in routes if method == "POST"} == set(ACTS)


@pytest.mark.parametrize(
    "token", ["", "alc_", "alc_" + "A" * 43, "Bearer", "\u00e9" * 3, "x" * 5000]
)
def test_token_that_is_nobodys_is_refused(place: Place, token: str) -> None:
    headers = {b"authorization": b"Bearer " + token.encode()}
    response = place.client.get("/v1/book", headers=list(headers.items()))
    assert response.status_code == 401
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["www-authenticate"] == "Bearer"


def test_token_ends_when_it_is_revoked_or_expires(place: Place) -> None:
    from datetime import timedelta

    now = place.clock.now()
    place.tokens["guest"] = place.site.tokens.make("guest", ("read",), now, now + timedelta(1))
    assert place.get("/v1/book", "guest").status_code == 200
    place.clock.at = now + timedelta(1)
    assert place.get("/v1/book", "guest").status_code == 401
    assert place.get("/v1/book", "read").status_code == 200
    place.site.tokens.revoke("read", now)
    assert place.get("/v1/book", "read").status_code == 401


def test_token_is_stored_as_its_hash_alone(place: Place, tmp_path: Any) -> None:
    from sqlalchemy import text

    with place.service.engine.connect() as connection:
        rows = connection.execute(text("SELECT * FROM api_token")).all()
    assert rows
    assert not any(token in str(rows) for token in place.tokens.values())
