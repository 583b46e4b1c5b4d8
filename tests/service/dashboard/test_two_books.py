"""Two books of one host in one browser, which tells cookies apart by host and name, not by port."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.execution.databases import lite_at
from tests.service.sites import Place
from tests.service.visitor import log_in, send

PORTS = 8401, 8402


@pytest.mark.parametrize(
    ("names", "ports"), [(("desk-a", "desk-b"), (8400, 8400)), (("desk", "desk"), PORTS)]
)
def test_who_comes_into_one_stays_in_the_other(
    tmp_path: Path, names: tuple[str, str], ports: tuple[int, int]
) -> None:
    places = list[Place]()
    for number, name, port in zip("12", names, ports, strict=True):
        folder = tmp_path / number
        folder.mkdir()
        engine = lite_at(folder / "journal.db")
        service = {"history": {"folder": str(folder)}, "http": {"port": port}}
        places.append(Place(engine, folder, installation=name, service=service))
    secrets = list[str]()
    for place, other in zip(places, reversed(places), strict=True):
        secrets.append(log_in(place))
        other.client.cookies.update(place.client.cookies)
    for place, csrf in zip(places, secrets, strict=True):
        assert place.client.get("/book", follow_redirects=False).status_code == 200
        told = send(place, "/halt", csrf, reason="odd prices")
        assert (told.status_code, told.headers["location"]) == (303, "/health")
    send(places[0], "/logout", secrets[0])
    places[1].client.cookies.update(places[0].client.cookies)
    assert places[0].client.get("/book", follow_redirects=False).status_code == 303
    assert places[1].client.get("/book", follow_redirects=False).status_code == 200
    for place in places:
        place.service.engine.dispose()
