"""Databases for the service's tests: the same as the journal's."""

from tests.execution.conftest import engine, journal, lite, new_journal, postgres_url

__all__ = ["engine", "journal", "lite", "new_journal", "postgres_url"]
