"""What a form carries and no database keeps keeps nobody from halting."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine

from tests.service.sites import Place
from tests.service.visitor import log_in, send, the_plan


def test_reason_that_no_database_keeps_stops_no_halt(engine: Engine, tmp_path: Path) -> None:
    place = Place(engine, tmp_path)
    place.gather()
    csrf = log_in(place)
    assert send(place, "/halt", csrf, reason="odd\0prices").status_code == 303
    (row,) = place.service.office.history.breakers()
    assert (str(row.state), row.reason) == ("halted", "odd\ufffdprices")
    plan = the_plan(place)
    for deed in ("approve", "retract", "reject"):
        told = send(place, f"/plan/{plan}/{deed}", csrf, reason="seen\0")
        assert (told.status_code, told.headers["location"]) == (303, f"/plan/{plan}")


def test_plan_of_no_name_is_not_found(engine: Engine, tmp_path: Path) -> None:
    place = Place(engine, tmp_path)
    csrf = log_in(place)
    assert place.client.get("/plan/%00").status_code == 404
    for deed in ("approve", "reject", "retract", "execute", "frontier"):
        told = send(place, f"/plan/%00/{deed}", csrf, reason="seen")
        assert told.status_code in (404, 409), deed
