"""Commands about configurations and mandates: init, config."""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Generator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from allocator.service.cli.output import Format, OutputOption, write_csv, write_json, write_table
from allocator.service.private import write_private

if TYPE_CHECKING:
    from allocator.service.mandate_versions import Version
    from allocator.service.mandates import Mandates

ConfigOption = Annotated[
    Path, typer.Option("--config", "-c", help="A configuration file.", show_default=False)
]
CONFIG_HELP = """See the configuration; write, publish and list versions of the mandate.

\b
Example: allocator config show -c config.yaml
"""
config = typer.Typer(add_completion=False, no_args_is_help=True, help=CONFIG_HELP)


def init(
    folder: Annotated[Path, typer.Argument(help="Where.")] = Path(),
    *,
    from_accounts: Annotated[
        bool,
        typer.Option(
            "--from-accounts",
            help="Read the accounts of the configuration there; write what they hold.",
        ),
    ] = False,
) -> None:
    """Write a configuration with comments; with accounts, also what they hold.

    With --from-accounts the configuration in the folder is read, its accounts are gathered, and
    snapshot.json and mandate.yaml are written: a mandate that keeps things as they are. Nothing
    that is there is overwritten, and nothing is written unless every account was read.

    \b
    Example: allocator init desk
    """  # noqa: D301
    if from_accounts:
        _from_accounts(folder)
        return
    path = folder / "config.yaml"
    _refuse_existing(path)
    folder.mkdir(parents=True, exist_ok=True)
    source = files("allocator.service").joinpath("config.yaml")
    write_private(path, source.read_text(encoding="utf-8"))
    print(path)
    print("name your logins and accounts there, then: allocator doctor -c", path, file=sys.stderr)


def _refuse_existing(*paths: Path) -> None:
    from allocator.models.errors import ConfigError

    for path in paths:
        if path.exists():
            raise ConfigError(f"{path} is there already: it is not overwritten")


def _from_accounts(folder: Path) -> None:
    import asyncio

    from allocator.models.base import json_value
    from allocator.models.errors import StaleError
    from allocator.models.mandate import Mandate
    from allocator.service.bootstrap import open_market, read_config
    from allocator.whatif.resolution import plain_data, yaml_text

    loaded = read_config(folder / "config.yaml", whole=True)
    targets = folder / "snapshot.json", folder / "mandate.yaml"
    _refuse_existing(*targets)

    async def read() -> object:
        async with open_market(loaded) as market:
            gathered = await market.gather()
            for row in gathered.missing:
                print(f"missing: {row.account}: {row.what}", file=sys.stderr)
            if gathered.missing:
                raise StaleError("not every account could be read: nothing is written")
            return json_value(gathered.snapshot)

    write_private(targets[0], json.dumps(asyncio.run(read()), indent=1))
    keeps = Mandate(targets_default="hold")
    write_private(targets[1], yaml_text(plain_data(keeps)))
    for path in targets:
        print(path)


@config.command()
def show(config: ConfigOption) -> None:
    """Print the configuration with its defaults; secrets stay references, passwords are hidden.

    \b
    Example: allocator config show -c config.yaml
    """  # noqa: D301
    from allocator.models.base import json_value
    from allocator.service.database import shown_url
    from allocator.whatif.reader import load_config

    loaded = load_config(config, whole=True)
    shown = json_value(loaded)
    # What names a secret here is a reference; a URL may carry a password all the same.
    for row in (shown, *shown.get("books", ())):
        row["database"] = shown_url(row["database"])
    write_json(shown)


@config.command()
def draft(
    file: Annotated[Path, typer.Argument(help="A mandate.", show_default=False)],
    config: ConfigOption,
    *,
    note: Annotated[str, typer.Option(help="What it is for.")] = "",
) -> None:
    """Write a mandate down as a draft; it holds once somebody publishes it.

    Ends with 2 if it does not fit the book that was gathered last, or, where nothing was
    gathered yet, names what the configuration does not have.

    \b
    Example: allocator config draft mandate.yaml --note "less BTC" -c config.yaml
    """  # noqa: D301
    from datetime import UTC, datetime

    from allocator.whatif.reader import load_mandate

    mandate = load_mandate(file)
    with _mandates(config) as mandates:
        made = mandates.draft(mandate, getpass.getuser(), note, datetime.now(UTC))
    print(f"draft {made.version} {made.hash}")
    _tell_unchecked(made)


@config.command()
def publish(
    version: Annotated[int, typer.Argument(help="Which draft.")], config: ConfigOption
) -> None:
    """Let a draft of the mandate hold from the next cycle on.

    Ends with 2 if it does not fit the book by now, as `config draft` does, and with 6 if there is
    no such draft or you wrote it.

    \b
    Example: allocator config publish 2 -c config.yaml
    """  # noqa: D301
    from datetime import UTC, datetime

    from allocator.service.mandate_changes import changes
    from allocator.service.mandate_versions import Unreadable, Version

    with _mandates(config) as mandates:
        # What held may be unreadable: that is when another one is wanted most.
        before = next((row for row in mandates.all() if row.status == "published"), None)
        made = mandates.publish(version, getpass.getuser(), datetime.now(UTC))
    if isinstance(before, Unreadable):
        print(f"what held cannot be read: {before.why}", file=sys.stderr)
    held = before.mandate if isinstance(before, Version) else None
    for change in changes(held, made.mandate):
        print(f"{change.field}: {change.before or '-'} -> {change.after or '-'}")
    print(f"published {made.version} {made.hash}")
    _tell_unchecked(made)


def _tell_unchecked(made: Version) -> None:
    if made.unchecked:
        print(made.unchecked, file=sys.stderr)


@config.command()
def versions(config: ConfigOption, *, output: OutputOption = Format.TABLE) -> None:
    """List versions of the mandate, the latest first.

    \b
    Example: allocator config versions -c config.yaml
    """  # noqa: D301
    from allocator.models.base import stamp

    columns = ("version", "status", "mandate", "author", "published_by", "created", "note")
    with _mandates(config) as mandates:
        rows = [
            (r.version, r.status, r.hash, r.author, r.published_by, stamp(r.created_at), r.note)
            for r in mandates.all()
        ]
    match output:
        case Format.JSON:
            write_json([dict(zip(columns, row, strict=True)) for row in rows])
        case Format.CSV:
            write_csv(columns, rows)
        case Format.TABLE:
            write_table(columns, rows)


@contextmanager
def _mandates(path: Path) -> Generator[Mandates]:
    from allocator.service.bootstrap import read_config
    from allocator.service.cli.records import own_database
    from allocator.service.mandates import Mandates

    loaded = read_config(path)
    with own_database(loaded) as engine:
        yield Mandates(engine, loaded.installation, loaded)
