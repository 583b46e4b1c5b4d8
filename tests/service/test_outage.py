"""A database that is away is told in one line, with what is to be done and nothing secret."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from allocator.models.errors import StaleError
from allocator.service.database import database_errors
from allocator.service.outage import Outage, is_away, words_of
from allocator.service.telemetry import Redactor, configure
from allocator.service.trying import STUCK_S, Trying
from tests.execution.book import START, JumpingClock

URL = "postgresql://desk:hunter22@db/desk"
WORDS = (
    'connection failed: connection to server at "10.0.0.1", port 5432 failed: Connection refused\n'
    "\tIs the server running on that host?\n"
    "Multiple connection attempts failed. All failures were:\n- host: db, password=hunter22"
)
SECRETS = ("hunter22", "SELECT", "4711", "\n", "Background", "Multiple")


def lost() -> OperationalError:
    return OperationalError("SELECT x FROM paid WHERE amount = %s", ("4711",), OSError(WORDS))


def stale() -> StaleError:
    with pytest.raises(StaleError) as caught, database_errors(URL):
        raise lost()
    return caught.value


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    kept, level, stream = root.handlers[:], root.level, io.StringIO()
    configure(Redactor(["hunter22"]), stream=stream)
    yield stream
    root.handlers[:] = kept
    root.setLevel(level)


@pytest.mark.parametrize("error", [lost(), stale()], ids=["driver", "ours"])
def test_what_is_away_since_when_and_what_to_do_is_one_line(error: Exception) -> None:
    clock = JumpingClock()
    outage = Outage(URL, clock.now, 5)
    first = outage.take(error)
    clock.at += timedelta(minutes=2)
    assert outage.take(error) == first
    assert [outage.is_news(first) for _ in range(2)] == [True, False]
    assert first.startswith("database postgresql://desk:***@db/desk cannot be used since 20")
    assert "Connection refused; this instance does not lead, and sends nothing" in first
    assert "tries again every 5 s: see that it can be used from here, or mend `database`" in first
    assert not [word for word in SECRETS if word in first]
    assert outage.over().startswith("database postgresql://desk:***@db/desk is back")
    assert outage.over() == ""


def test_a_bug_is_no_outage() -> None:
    assert not is_away(ValueError("x"))
    assert not is_away(StaleError("a venue does not answer"))
    assert not is_away(OperationalError("SELECT", None, OSError("no such table: slot")))
    assert is_away(PoolTimeoutError("QueuePool limit of size 5 overflow 10 reached"))
    assert Outage(URL, JumpingClock().now, 5).take(ValueError("x")) == ""


def test_what_is_alerted_of_it_has_neither_statement_nor_parameters() -> None:
    at_s = [0.0]
    trying = Trying(lambda: at_s[0])
    trying.begins()
    trying.failed(lost())
    at_s[0] = STUCK_S + 1
    told = trying.stuck(None, START)
    assert "Connection refused" in told
    assert not [word for word in SECRETS if word in told]
    assert words_of(lost()) == f"OperationalError: {WORDS.partition(chr(10))[0]}"


@pytest.mark.parametrize("error", [lost(), stale()], ids=["driver", "ours"])
def test_a_log_of_it_has_no_trace(logged: io.StringIO, error: Exception) -> None:
    try:
        raise error
    except (OperationalError, StaleError):
        logging.getLogger("x").exception("tick")
    (line,) = logged.getvalue().splitlines()
    row = json.loads(line)
    assert (row["event"], "exception" in row) == ("tick", False)
    assert "Connection refused" in row["why"]
    assert not [word for word in SECRETS if word in row["why"]]


def test_a_log_of_a_bug_keeps_its_trace(logged: io.StringIO) -> None:
    try:
        raise ValueError("a bug")
    except ValueError:
        logging.getLogger("x").exception("tick")
    assert "Traceback" in json.loads(logged.getvalue())["exception"]
