"""Commands about the durable record: history, db."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from allocator.models.base import plain, stamp
from allocator.models.errors import AllocatorError, InputError, JournalError, StaleError
from allocator.service.cli.codes import ExitCode
from allocator.service.cli.output import Format, OutputOption, write_csv, write_json, write_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Engine

    from allocator.execution.history import History
    from allocator.execution.recorded import Cycle
    from allocator.models.config import Config
    from allocator.service.anchors import Kept

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
DB_HELP = """Look after the database: its schema, whose it is, backup and restore.

\b
Example: allocator db upgrade -d sqlite:///var/allocator.db
Example: allocator db backup var/backup.db -c config.yaml
"""

history = typer.Typer(add_completion=False, invoke_without_command=True, help=HISTORY_HELP)
db = typer.Typer(add_completion=False, no_args_is_help=True, help=DB_HELP)


@contextmanager
def open_database(
    database: str | None, config: Path | None, *, create: bool = False
) -> Generator[Engine]:
    """Open the database that the options name.

    Raises
    ------
    typer.BadParameter
        When neither option is given.
    ConfigError
        When what they name is no database.
    StaleError
        When it cannot be used, or there is no such file and none is to be made.
    """
    from allocator.execution.database import connect, sqlite_path
    from allocator.service.database import database_errors

    database = _url(database, config)
    with database_errors(database):
        path = sqlite_path(database)
        if path is not None and not path.exists() and not create:
            raise StaleError(f"there is no database at {path}: `allocator db upgrade` makes one")
        engine = connect(database)
        try:
            yield engine
        finally:
            engine.dispose()


@contextmanager
def own_database(config: Config) -> Generator[Engine]:
    """Open a configuration's database, at this release's schema and its installation's.

    Raises
    ------
    RefusedError
        When it is another installation's.
    ConfigError, StaleError
        As `open_database`.
    """
    from allocator.execution import schema
    from allocator.service.binding import bind
    from allocator.service.clock import SystemClock

    with open_database(config.database, None, create=True) as engine:
        schema.upgrade(engine)
        bind(engine, config.installation, SystemClock().now())
        yield engine


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
    with _record(ctx) as record:
        rows = [
            (row.id, row.slot, row.status, stamp(row.opened_at), row.plan_hash, row.note)
            for row in record.cycles()
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
    with _record(ctx) as record:
        hash_ = need_cycle(record, cycle).plan_hash
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


def need_cycle(record: History, number: int, *, planned: bool = False) -> Cycle:
    """Read a cycle that somebody named.

    Parameters
    ----------
    planned
        Whether it has to have a plan.

    Raises
    ------
    InputError
        When it is not in the record, or has no plan.
    """
    try:
        found = record.cycle(number)
    except JournalError as error:
        if not str(error).startswith("NO_CYCLE"):
            raise
        raise InputError(
            f"cycle {number} is not in the record: `allocator history` lists them"
        ) from error
    if planned and found.plan_hash is None:
        raise InputError(f"cycle {number} had no plan")
    return found


@history.command()
def verify(
    ctx: typer.Context,
    anchor: Annotated[
        Path | None,
        typer.Option(
            "--anchor",
            help="Heads kept outside the database; by default the configuration's, if there are.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Check the record's hash chain; ends with 1 if somebody rewrote it.

    Lines cut off at its end are told by the heads alone that were kept outside the database.

    \b
    Example: allocator history -d sqlite:///var/demo/journal.db verify
    Example: allocator history -c config.yaml verify --anchor /mnt/elsewhere/audit-heads
    """  # noqa: D301
    with _record(ctx) as record:
        kept = _heads(anchor, ctx.obj[1], record)
        faults = kept.verify(record)
        for fault in faults:
            place = "" if fault.seq is None else f"event {fault.seq}: "
            print(f"{place}{fault.what}", file=sys.stderr)
        if faults:
            raise JournalError(f"the record does not hold in {len(faults)} places")
        head = record.head()
        count = 0 if head is None else head.seq
    against = "no heads kept"
    if kept.path is not None:
        against = f"with all {len(kept.heads)} heads of {kept.path}"
    print(f"the record is whole: {count} events, {against}")


@db.command()
def upgrade(*, database: DatabaseOption = None, config: ConfigOption = None) -> None:
    """Create the tables or bring them to this release's schema.

    \b
    Example: allocator db upgrade -d sqlite:///var/allocator.db
    """  # noqa: D301
    from allocator.execution import schema

    with open_database(database, config, create=True) as engine:
        before = schema.current(engine)
        schema.upgrade(engine)
        print(f"{_told(before)} -> {schema.current(engine)}")


@db.command()
def current(*, database: DatabaseOption = None, config: ConfigOption = None) -> None:
    """Tell the schema of the database; ends with 5 if it is not this release's.

    \b
    Example: allocator db current -d sqlite:///var/allocator.db
    """  # noqa: D301
    from allocator.execution import schema

    with open_database(database, config) as engine:
        found, wanted = schema.current(engine), schema.head()
    print(f"at {_told(found)}, this release wants {wanted}")
    if found != wanted:
        raise typer.Exit(ExitCode.STALE)


@db.command()
def keep(
    config: Annotated[Path, typer.Option("--config", "-c", help="Of the one that keeps it.")],
) -> None:
    """Say which installation keeps a database that several have used.

    Every other one is refused from then on, and needs a database of its own.

    \b
    Example: allocator db keep -c config.yaml
    """  # noqa: D301
    from allocator.execution import schema
    from allocator.service.binding import bind
    from allocator.service.bootstrap import read_config
    from allocator.service.clock import SystemClock

    loaded = read_config(config)
    with open_database(loaded.database, None) as engine:
        schema.upgrade(engine)
        bind(engine, loaded.installation, SystemClock().now(), chosen=True)
    print(f"the database belongs to {loaded.installation}")


@db.command()
def backup(
    target: Annotated[Path, typer.Argument(help="Where the copy goes.")],
    *,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Copy the database while it is in use, and check the copy's audit.

    Of a configuration with several books each is copied, into a file with its name before the
    ending, whatever becomes of the others; -c FILE#BOOK copies one.

    \b
    Example: allocator db backup var/backup.db -d sqlite:///var/allocator.db
    """  # noqa: D301
    from allocator.service.backup import backup as copy

    failures = list[AllocatorError]()
    for book, url in _urls(database, config):
        file = target.with_name(f"{target.stem}.{book}{target.suffix}") if book else target
        try:
            print(f"{file}: {copy(url, file)} lines of audit, whole")
        except AllocatorError as error:
            failures.append(error)
            if book:
                print(f"book {book}: {error}", file=sys.stderr)
    if failures:
        raise failures[0]


@db.command()
def restore(
    source: Annotated[Path, typer.Argument(help="A backup.")],
    *,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Put a backup in the place of a database that is not there; its audit is checked first.

    Everything is halted then until somebody resumes it: halts, freezes and requests that came after
    the backup are not in it. With -c it is held against the heads that were kept outside the
    database: lines that are lost are told, and it ends with 1 if what is left is not what was kept.

    \b
    Example: allocator db restore var/backup.db -c config.yaml
    Example: allocator db restore var/backup.db -d sqlite:///var/allocator.db
    """  # noqa: D301
    from allocator.service.backup import restore as put_back
    from allocator.service.cli.restoring import take_over

    url = _url(database, config)
    count = put_back(url, source)
    print(f"restored: {count} lines of audit, whole", flush=True)
    take_over(url, count, config)


def _urls(database: str | None, config: Path | None) -> list[tuple[str, str]]:
    """Name the databases that are meant, with their books; one without a book has no name."""
    if database is None and config is not None:
        from allocator.service.bootstrap import read_config

        books = read_config(config, whole=True).books
        if books:
            return [(row.id, row.database) for row in books]
    return [("", _url(database, config))]


def _url(database: str | None, config: Path | None) -> str:
    if database is not None:
        return database
    if config is None:
        raise typer.BadParameter("name the record by --database URL or --config FILE")
    from allocator.service.bootstrap import read_config

    return read_config(config).database


def _told(revision: str | None) -> str:
    return "empty" if revision is None else revision


def _heads(anchor: Path | None, config: Path | None, record: History) -> Kept:
    """Read the heads that are kept of a record outside its database."""
    from allocator.service.anchors import Kept, kept_heads, known_heads
    from allocator.service.bootstrap import read_config

    if anchor is not None:
        return kept_heads(anchor)
    if config is None:
        return Kept()
    return known_heads(read_config(config).service.history, record)


@contextmanager
def _record(ctx: typer.Context) -> Generator[Any]:
    from allocator.execution import schema
    from allocator.execution.history import History

    database, config, _ = ctx.obj
    with open_database(database, config) as engine:
        if schema.current(engine) != schema.head():
            remedy = "run `allocator db upgrade`"
            raise StaleError(f"the database is not at this release's schema: {remedy}")
        yield History(engine)


def _write(columns: Sequence[str], rows: Sequence[Sequence[object]], output: Format) -> None:
    match output:
        case Format.JSON:
            write_json([dict(zip(columns, row, strict=True)) for row in rows])
        case Format.CSV:
            write_csv(columns, rows)
        case Format.TABLE:
            write_table(columns, rows)
