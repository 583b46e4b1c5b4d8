"""A what-if says of when its book is, and is on the latest that was read whole."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from allocator.models.mandate import Mandate
from allocator.service.monitor.marks import marks_of
from tests.service.sites import MANDATE, Place, snapshot
from tests.service.visitor import answered, log_in, send, words

HOLDS = Mandate.model_validate(MANDATE)


def asked(place: Place) -> Any:
    case = {"name": "x", "override": {"mandate.policy.order_cost": "1"}}
    job = place.post("/v1/what-if", {"cases": [case]}, "plan").json()["id"]
    while (found := place.get(f"/v1/jobs/{job}").json())["status"] == "running":
        pass
    return found["result"]


def test_what_if_says_of_when_its_book_is(place: Place) -> None:
    place.clock.at += timedelta(hours=23)
    result = asked(place)
    assert result["as_of"] == "2026-11-20T08:00:00Z"
    assert float(result["age_s"]) == pytest.approx(23 * 3600 + 10)
    csrf = log_in(place)
    response = send(place, "/what-if", csrf, name="x", volatility="1.5")
    page = words(answered(place, response.headers["location"]))
    assert "as it was read at 2026-11-20 08:00:00 UTC, 23 h before" in page


@pytest.mark.parametrize(
    ("missing", "unclear", "used"),
    [({}, "", True), ({"b": "timeout"}, "", False), ({}, "5 USDT of a to b", False)],
)
def test_what_if_is_on_the_last_look_if_that_read_everything(
    place: Place, missing: dict[str, str], unclear: str, used: bool
) -> None:
    live = place.service.live
    place.clock.at += timedelta(minutes=5)
    seen = snapshot("0.9").model_copy(update={"as_of": place.clock.now()})
    live.snapshot, live.missing, live.unclear = seen, missing, unclear
    live.marks = marks_of(seen, HOLDS, missing)
    result = asked(place)
    assert (float(result["age_s"]) == 0) == used
    assert (result["decided"][0]["plan"]["exposure"]["BTC"]["before"] == "45000") == used


def test_a_sweep_says_of_when_its_book_is(place: Place) -> None:
    job = place.post("/v1/sweeps", {"grid": {"mandate.policy.order_cost": ["1"]}}, "plan").json()
    while (found := place.get(f"/v1/jobs/{job['id']}").json())["status"] == "running":
        pass
    assert found["result"]["as_of"] == "2026-11-20T08:00:00Z"


def test_a_look_that_read_everything_is_no_book_before_anything_was_gathered(
    lite: Engine, tmp_path: Path
) -> None:
    place = Place(lite, tmp_path)
    assert place.post("/v1/what-if", {"cases": [{"name": "x"}]}, "plan").status_code == 404
