from __future__ import annotations

import doctest
import sqlite3
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import StatementError
from sqlmodel import Session

from allocator.execution import database
from allocator.execution.database import connect, journal_mode, sqlite_path
from allocator.execution.leader import next_epoch
from allocator.models.columns import ExactDecimal, UtcTime
from allocator.models.errors import ConfigError
from allocator.models.records import LeaderRow
from tests.execution.book import START

LITE, POSTGRES = sqlite.dialect(), postgresql.dialect()


def test_library_with_the_wal_reset_bug_keeps_a_rollback_journal() -> None:
    assert journal_mode((3, 7, 0)) == ("DELETE", "EXTRA")
    assert journal_mode((3, 51, 2)) == ("DELETE", "EXTRA")
    assert journal_mode((3, 51, 3)) == ("WAL", "FULL")
    assert journal_mode((3, 52, 0)) == ("WAL", "FULL")
    assert doctest.testmod(database).failed == 0


@pytest.mark.usefixtures("in_earnest")
def test_pragmas_are_set_on_every_connection(tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'deep' / 'x.db'}")
    mode, synchronous = journal_mode(sqlite3.sqlite_version_info)
    with engine.connect() as connection:
        assert str(connection.execute(text("PRAGMA journal_mode")).scalar()).upper() == mode
        level = {"FULL": 2, "EXTRA": 3}[synchronous]
        assert connection.execute(text("PRAGMA synchronous")).scalar() == level
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1
        assert connection.execute(text("PRAGMA busy_timeout")).scalar() == 15000
    engine.dispose()


def test_a_url_says_how_long_a_lock_is_waited_for(tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'x.db'}?timeout=0.25")
    with engine.connect() as connection:
        assert connection.execute(text("PRAGMA busy_timeout")).scalar() == 250
    engine.dispose()


def test_no_connection_waits_for_a_server_that_is_gone(postgres_url: str) -> None:
    engine = connect(str(make_url(postgres_url).difference_update_query(["connect_timeout"])))
    patient = connect(str(engine.url.update_query_dict({"connect_timeout": "60"})))
    for made, first_s in ((engine, "5"), (patient, "60")):
        with made.connect() as connection:
            driver: Any = connection.connection.driver_connection
            told = driver.info.get_parameters()
            assert told["connect_timeout"] == first_s
            assert told["tcp_user_timeout"] == "15000"
        made.dispose()


def test_writer_takes_the_lock_before_it_reads(lite: Engine) -> None:
    other = sqlite3.connect(str(lite.url.database), timeout=0, isolation_level=None)
    with Session(lite) as session:
        session.get(LeaderRow, "nobody")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
    other.close()


def test_reader_leaves_the_writers_lock_alone(lite: Engine) -> None:
    other = sqlite3.connect(str(lite.url.database), timeout=0, isolation_level=None)
    with Session(lite.execution_options(**{database.READ_ONLY: True})) as session:
        session.get(LeaderRow, "nobody")
        other.execute("BEGIN IMMEDIATE")
        other.execute("ROLLBACK")
    other.close()


@pytest.mark.parametrize("number", ["0.1", "0.30000000000000000000000000001", "-1E-12", "1E+20"])
def test_numbers_come_back_exactly(engine: Engine, number: str) -> None:
    column = ExactDecimal()
    kind = "NUMERIC" if engine.dialect.name == "postgresql" else "VARCHAR"
    with engine.begin() as connection:
        connection.execute(text(f"CREATE TABLE amount (x {kind})"))
        bound = column.process_bind_param(Decimal(number), engine.dialect)
        connection.execute(text("INSERT INTO amount VALUES (:x)"), {"x": bound})
        read = connection.execute(text("SELECT x FROM amount")).scalar()
        assert column.process_result_value(read, engine.dialect) == Decimal(number)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=18, max_value=10**15))
def test_text_of_a_number_is_the_number(number: Decimal) -> None:
    column = ExactDecimal()
    written = column.process_bind_param(number, LITE)
    assert isinstance(written, str)
    assert "E" not in written
    assert column.process_result_value(written, LITE) == number


@pytest.mark.parametrize("value", [0.1, float("nan"), Decimal("NaN"), Decimal("Infinity"), True])
def test_what_is_no_exact_number_is_refused(value: object) -> None:
    for dialect in (LITE, POSTGRES):
        with pytest.raises(ValueError, match="number"):
            ExactDecimal().process_bind_param(value, dialect)


def test_times_come_back_in_utc() -> None:
    column = UtcTime()
    at = datetime(2026, 11, 20, 9, 30, 0, 5, tzinfo=timezone(timedelta(hours=2)))
    written = column.process_bind_param(at, LITE)
    assert written == "2026-11-20T07:30:00.000005+00:00"
    read = column.process_result_value(written, LITE)
    assert read == at
    assert read is not None
    assert read.tzinfo is UTC


def test_time_without_a_zone_is_refused(lite: Engine) -> None:
    with Session(lite) as session:
        session.add(LeaderRow(name="x", epoch=1, holder="", since=datetime(2026, 1, 1)))
        with pytest.raises(StatementError, match="with its zone"):
            session.commit()


def test_other_databases_are_refused() -> None:
    with pytest.raises(ConfigError, match="mysql"):
        connect("mysql://x/y")


def test_path_of_a_database_in_memory_is_none() -> None:
    assert sqlite_path("sqlite://") is None
    assert sqlite_path("postgresql://x/y") is None
    assert sqlite_path("sqlite:////var/x.db") == Path("/var/x.db")


def test_times_are_kept_by_both_databases(engine: Engine) -> None:
    next_epoch(engine, "desk", "me", START)
    with Session(engine) as session:
        row = session.get(LeaderRow, "desk")
        assert row is not None
        assert row.since == START
