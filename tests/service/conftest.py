"""Databases for the service's tests, the same as the journal's, and a loopback exchange."""

import pytest
from sqlalchemy import Engine

from tests.adapters.ccxt.conftest import emulator
from tests.execution.conftest import engine, journal, lite, new_journal, postgres_url
from tests.service.rooms import Room

__all__ = ["emulator", "engine", "journal", "lite", "new_journal", "postgres_url"]


@pytest.fixture
def room(lite: Engine) -> Room:
    return Room(lite)
