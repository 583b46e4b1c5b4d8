"""What is not known, or is old, is shown as that, and never as none."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from allocator.models.mandate import Mandate
from allocator.service.monitor.marks import marks_of
from tests.service.monitor.watched import MANDATE, snapshot
from tests.service.sites import Place
from tests.service.visitor import log_in, words

NONE = "The mandate has no limits on states"


def shown(place: Place, name: str) -> str:
    log_in(place)
    return words(place.client.get(f"/{name}").text)


def marked(place: Place, *, mandate: Mandate | None = MANDATE, **unread: str) -> Any:
    place.service.live.marks = marks_of(snapshot(), mandate, unread)
    return place.get("/v1/book").json()


def test_a_limit_of_an_account_that_was_not_read_is_unknown(lite: Engine, tmp_path: Path) -> None:
    place = Place(lite, tmp_path)
    told = marked(place, b="gone")
    assert {row["limit"] for row in told["limits"]} == {"gross", "lever", "floor"}
    assert {(row["used"], row["share"]) for row in told["limits"]} == {(None, None)}
    page = shown(place, "exposure")
    assert NONE not in page
    assert "gross max – 400,000.00 unknown" in page


def test_limits_and_exposures_that_the_mandate_keeps_from_being_told_are_not_none(
    lite: Engine, tmp_path: Path
) -> None:
    place = Place(lite, tmp_path)
    told = marked(place, mandate=None)
    assert told["unfit"] == "there is no mandate that can be read"
    page = shown(place, "exposure")
    assert NONE not in page
    assert "not known: there is no mandate that can be read" in page


def test_before_anything_was_marked_no_limit_is_said_to_be_none(
    lite: Engine, tmp_path: Path
) -> None:
    assert NONE not in shown(Place(lite, tmp_path), "exposure")


def test_a_mandate_without_limits_has_none(lite: Engine, tmp_path: Path) -> None:
    place = Place(lite, tmp_path)
    marked(place, mandate=MANDATE.model_copy(update={"limits": ()}))
    assert NONE in shown(place, "exposure")


@pytest.mark.parametrize("name", ["book", "exposure"])
def test_figures_that_are_old_are_shown_as_old(lite: Engine, tmp_path: Path, name: str) -> None:
    place = Place(lite, tmp_path)
    marked(place)
    assert "not marked since" not in shown(place, name)
    place.clock.at += timedelta(minutes=12)
    page = shown(place, name)
    assert "not marked since 2026-11-20 08:00:00 UTC, 12 min ago" in page
