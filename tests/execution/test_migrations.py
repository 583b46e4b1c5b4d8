from __future__ import annotations

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, inspect, text

from allocator.execution import schema
from allocator.execution.schema import current, head, upgrade
from allocator.models.records import Record


def test_newest_schema_is_what_the_rows_say(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Record.metadata) == []


def test_upgrade_may_be_repeated(engine: Engine) -> None:
    assert current(engine) == head()
    upgrade(engine)
    assert current(engine) == head()


def test_downgrade_leaves_nothing_behind(engine: Engine) -> None:
    config = schema._config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    assert set(inspect(engine).get_table_names()) <= {"alembic_version"}
    upgrade(engine)
    assert "attempt" in inspect(engine).get_table_names()


def test_migrations_are_packaged() -> None:
    names = {path.name for path in (schema.MIGRATIONS / "versions").glob("*.py")}
    assert "0001_first_schema.py" in names
    assert (schema.MIGRATIONS / "env.py").is_file()
    assert (schema.MIGRATIONS / "script.py.mako").is_file()


def test_a_database_of_the_release_before_keeps_what_it_has(engine: Engine) -> None:
    """Revision 0003 had no table for what the monitor remembers."""
    config = schema._config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0003")
        after = {"mark_base", "venue_word", "seen_rates", "installation"}
        assert after.isdisjoint(inspect(connection).get_table_names())
        connection.execute(
            text(
                "INSERT INTO heartbeat (portfolio, holder, leads, at) "
                "VALUES ('desk', 'a', :yes, :at)"
            ),
            {"yes": True, "at": "2026-11-20 08:00:00+00:00"},
        )
    upgrade(engine)
    with engine.begin() as connection:
        assert connection.execute(text("SELECT holder FROM heartbeat")).scalar_one() == "a"
        for table in ("mark_base", "venue_word", "seen_rates"):
            assert connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() == 0


def test_a_database_in_use_belongs_to_whoever_led_it_last(engine: Engine) -> None:
    """Until revision 0006 several names could lead on one database."""
    config = schema._config()
    leaders = [("desk", "2026-11-20 08:00:00+00:00"), ("old", "2026-11-19 08:00:00+00:00")]
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0005")
        for name, since in leaders:
            connection.execute(
                text("INSERT INTO leader (name, epoch, holder, since) VALUES (:n, 1, 'x', :s)"),
                {"n": name, "s": since},
            )
    upgrade(engine)
    with engine.begin() as connection:
        found = connection.execute(text("SELECT id, installation FROM installation")).all()
    assert [tuple(row) for row in found] == [(1, "desk")]


@pytest.mark.parametrize(
    ("published", "cycles", "owner"),
    [(("old",), (), "old"), ((), ("old",), "old"), (("old", "desk"), (), None),
     (("desk",), ("old",), None), (("desk",), ("desk",), "desk")],
)  # fmt: skip
def test_a_database_that_several_traded_in_is_left_to_people(
    engine: Engine, published: tuple[str, ...], cycles: tuple[str, ...], owner: str | None
) -> None:
    """Whoever was taken for its owner would trade under the other's mandate."""
    config = schema._config()
    leader = "INSERT INTO leader (name, epoch, holder, since) VALUES (:n, 1, 'x', :s)"
    mandate = (
        "INSERT INTO mandate_version (portfolio, version, status, mandate_hash, mandate_json, note,"
        " author, created_at) VALUES (:n, 1, 'published', '', '{}', '', 'x', :s)"
    )
    cycle = (
        "INSERT INTO cycle (portfolio, slot, epoch, opened_at, status, note)"
        " VALUES (:n, 's', 1, :s, 'done', '')"
    )
    at = "2026-11-20 08:00:00+00:00"
    written = [(leader, "desk", at), (leader, "old", at.replace("-20", "-19"))]
    written += [(mandate, name, at) for name in published] + [(cycle, name, at) for name in cycles]
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0005")
        for statement, name, when in written:
            connection.execute(text(statement), {"n": name, "s": when})
    upgrade(engine)
    with engine.begin() as connection:
        found = connection.execute(text("SELECT installation FROM installation")).scalars().all()
    assert found == ([] if owner is None else [owner])


def test_slots_of_the_release_before_are_told_apart_by_their_cause(engine: Engine) -> None:
    config = schema._config()
    causes = {
        "margin": "schedule margin", "near": "trigger near: a 0.04 below 0.05",
        "schedule": "schedule asked for a plan", "again": "the book changed under the plan of: x",
    }  # fmt: skip
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0006")
        for source, cause in causes.items():
            connection.execute(
                text(
                    "INSERT INTO slot (portfolio, name, source, kind, cause, due_at, status, note)"
                    " VALUES ('desk', :s, :s, 'plan', :c, '2026-11-20 08:00:00+00:00', 'due', '')"
                ),
                {"s": source, "c": cause},
            )
    upgrade(engine)
    with engine.begin() as connection:
        found = connection.execute(text("SELECT source, origin FROM slot ORDER BY id")).all()
    assert [row[1] for row in found] == ["schedule", "trigger", "person", "again"]


def test_actions_at_work_are_found_by_an_index(engine: Engine) -> None:
    config = schema._config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0007")
        assert "ix_action_stage" not in {
            r["name"] for r in inspect(connection).get_indexes("action")
        }
    upgrade(engine)
    asked = "SELECT DISTINCT plan_hash FROM action WHERE stage = 'working' ORDER BY plan_hash"
    lite = engine.dialect.name == "sqlite"
    with engine.begin() as connection:
        if not lite:
            # Of an empty table it would read all.
            connection.execute(text("SET LOCAL enable_seqscan = off"))
        told = connection.execute(text(f"EXPLAIN {'QUERY PLAN ' if lite else ''}{asked}")).all()
    assert "ix_action_stage" in str(told)
