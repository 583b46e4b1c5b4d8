"""Commands about the durable record: history, db."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from allocator.models.base import plain, stamp
from allocator.models.errors import JournalError, StaleError
from allocator.service.cli.codes import ExitCode
from allocator.service.cli.output import Format, OutputOption, write_csv, write_json, write_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Engine

DatabaseOption = Annotated[
    str | None, typer.Option("--database", "-d", help="URL; by default the configuration's.")
]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", help="A configuration file.", show_default=False)
]

HISTORY_HELP = """Read the record: cycles, their requests, and whether anybody rewrote it.

\b
Example: allocator history -d sqlite:///var/demo/journal.db
Example: allocator history -d sqlite:///var/demo/journal.db show 1
"""
DB_HELP = """Bring the database to this release's schema.

\b
Example: allocator db upgrade -d sqlite:///var/allocator.db
"""

history = typer.Typer(add_completion=False, invoke_without_command=True, help=HISTORY_HELP)
db = typer.Typer(add_completion=False, no_args_is_help=True, help=DB_HELP)


def open_database(database: str | None, config: Path | None, *, create: bool = False) -> Engine:
    """Open the database that the options name.

    Raises
    ------
    typer.BadParameter
        When neither option is given.
    StaleError
        When there is no such file, and none is to be made.
    """
    from allocator.execution.database import connect, sqlite_path

    if database is None:
        if config is None:
            raise typer.BadParameter("name the record by --database URL or --config FILE")
        from allocator.whatif.reader import load_config

        database = load_config(config).database
    path = sqlite_path(database)
    if path is not None and not path.exists() and not create:
        raise StaleError(f"there is no database at {path}: `allocator db upgrade` makes one")
    return connect(database)


@history.callback()
def cycles(
    ctx: typer.Context,
    *,
    database: DatabaseOption = None,
    config: ConfigOption = None,
    output: OutputOption = Format.TABLE,
) -> None:
    """List the latest cycles."""
    ctx.obj = (database, config, output)
    if ctx.invoked_subcommand is not None:
        return
    rows = [
        (row.id, row.slot, row.status, stamp(row.opened_at), row.plan_hash, row.note)
        for row in _record(ctx).cycles()
    ]
    _write(("cycle", "slot", "status", "opened", "plan", "note"), rows, output)


@history.command()
def show(
    ctx: typer.Context, cycle: Annotated[int, typer.Argument(help="Number of the cycle.")]
) -> None:
    """List the requests of a cycle: what was asked, under which id, what became of it.

    \b
    Example: allocator history -d sqlite:///var/demo/journal.db show 1
    """  # noqa: D301
    record = _record(ctx)
    hash_ = record.cycle(cycle).plan_hash
    attempts = () if hash_ is None else record.attempts(hash_)
    rows = [
        (
            row.seq,
            row.part,
            row.number,
            row.kind,
            row.client_id,
            str(row.state),
            plain(row.filled),
            None if row.average_price is None else plain(row.average_price),
            row.venue_id,
            row.reason,
        )
        for row in attempts
    ]
    columns = ("seq", "slice", "try", "kind", "client_id", "state", "filled", "price", "venue_id")
    _write((*columns, "note"), rows, ctx.obj[2])


@history.command()
def verify(ctx: typer.Context) -> None:
    """Check the record's hash chain; ends with 1 if somebody rewrote it.

    \b
    Example: allocator history -d sqlite:///var/demo/journal.db verify
    """  # noqa: D301
    record = _record(ctx)
    faults = record.verify()
    for fault in faults:
        print(fault, file=sys.stderr)
    if faults:
        raise JournalError(f"the record was rewritten in {len(faults)} places")
    print(f"the record is whole: {len(record.events())} events")


@db.command()
def upgrade(*, database: DatabaseOption = None, config: ConfigOption = None) -> None:
    """Create the tables or bring them to this release's schema.

    \b
    Example: allocator db upgrade -d sqlite:///var/allocator.db
    """  # noqa: D301
    from allocator.execution import schema

    engine = open_database(database, config, create=True)
    before = schema.current(engine)
    schema.upgrade(engine)
    print(f"{_told(before)} -> {schema.current(engine)}")
    engine.dispose()


@db.command()
def current(*, database: DatabaseOption = None, config: ConfigOption = None) -> None:
    """Tell the schema of the database; ends with 5 if it is not this release's.

    \b
    Example: allocator db current -d sqlite:///var/allocator.db
    """  # noqa: D301
    from allocator.execution import schema

    engine = open_database(database, config)
    found, wanted = schema.current(engine), schema.head()
    engine.dispose()
    print(f"at {_told(found)}, this release wants {wanted}")
    if found != wanted:
        raise typer.Exit(ExitCode.STALE)


def _told(revision: str | None) -> str:
    return "empty" if revision is None else revision


def _record(ctx: typer.Context) -> Any:
    from allocator.execution import schema
    from allocator.execution.history import History

    database, config, _ = ctx.obj
    engine = open_database(database, config)
    if schema.current(engine) != schema.head():
        raise StaleError("the database is not at this release's schema: run `allocator db upgrade`")
    return History(engine)


def _write(columns: Sequence[str], rows: Sequence[Sequence[object]], output: Format) -> None:
    match output:
        case Format.JSON:
            write_json([dict(zip(columns, row, strict=True)) for row in rows])
        case Format.CSV:
            write_csv(columns, rows)
        case Format.TABLE:
            write_table(columns, rows)
