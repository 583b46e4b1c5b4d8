"""Databases for the service's tests, the same as the journal's, and a loopback exchange."""

from tests.adapters.ccxt.conftest import emulator
from tests.execution.conftest import engine, journal, lite, new_journal, postgres_url

__all__ = ["emulator", "engine", "journal", "lite", "new_journal", "postgres_url"]
