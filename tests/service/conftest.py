"""Databases for the service's tests, the same as the journal's, a loopback exchange, a site."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from allocator.service import loopback
from allocator.service.anchors import Anchors
from allocator.service.http.readiness import Readiness
from tests.adapters.ccxt.conftest import emulator
from tests.execution.conftest import (
    emptied,
    engine,
    journal,
    lite,
    new_journal,
    postgres_url,
)
from tests.service.browsing import chromium, serving
from tests.service.rooms import Room
from tests.service.sites import Place

PATIENCE_S = 60
"""How long these tests wait for a disk, a database or a process that is late."""

__all__ = ["emptied", "emulator", "engine", "journal", "lite", "new_journal", "postgres_url"]


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let only what hangs be given up, not what is slow; a test may ask for less by itself."""
    monkeypatch.setitem(Anchors.__init__.__kwdefaults__, "patience_s", PATIENCE_S)
    monkeypatch.setattr(loopback, "START_TIMEOUT_S", float(PATIENCE_S))
    monkeypatch.setattr(loopback, "STOP_TIMEOUT_S", float(PATIENCE_S))
    monkeypatch.setattr(Readiness.__init__, "__defaults__", (PATIENCE_S,))


@pytest.fixture
def room(lite: Engine) -> Room:
    return Room(lite)


@pytest.fixture
def place(lite: Engine, tmp_path: Path) -> Iterator[Place]:
    """A site with one gathered book and one proposal that waits for one person."""
    made = Place(lite, tmp_path)
    made.gather()
    with made.client:
        yield made
    made.site.jobs.close()


@pytest.fixture
def served(place: Place) -> Iterator[str]:
    """The address of the place."""
    with serving(place) as address:
        yield address


@pytest.fixture
def browser() -> Iterator[Any]:
    with chromium() as made:
        yield made
