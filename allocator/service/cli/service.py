"""Commands of the service: run, token, alerts."""

from __future__ import annotations

import asyncio
import sys
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from allocator.service.cli.output import Format, OutputOption, write_csv, write_json, write_table

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from allocator.models.config import Config
    from allocator.service.http.tokens import Tokens
    from allocator.service.run import Beside, Service

ConfigOption = Annotated[
    Path, typer.Option("--config", "-c", help="A configuration file.", show_default=False)
]

OF_TOKENS = """Say who may use the HTTP API and the dashboard.

\b
Example: allocator token make alice --scope read --scope approve -c config.yaml
"""
OF_ALERTS = """See to it that alerts arrive.

\b
Example: allocator alerts test -c config.yaml
"""
token = typer.Typer(add_completion=False, no_args_is_help=True, help=OF_TOKENS)
alerts = typer.Typer(add_completion=False, no_args_is_help=True, help=OF_ALERTS)


def run(
    config: ConfigOption,
    *,
    serve: Annotated[
        bool, typer.Option("--serve/--no-serve", help="Serve the API and the dashboard.")
    ] = True,
    shadow: Annotated[
        bool, typer.Option("--shadow", help="Plan beside the desk; send nothing.")
    ] = False,
    live: Annotated[
        bool, typer.Option("--live", help="Let orders out to accounts marked live.")
    ] = False,
) -> None:
    """Run the service: schedules, triggers, monitor, API, dashboard; SIGTERM ends it gracefully.

    Several instances may run on one PostgreSQL database; one of them leads. A configuration with
    several books runs them all; -c FILE#BOOK runs one. Real orders need
    three confirmations: mode live and an account marked live in the configuration, --live here,
    and an approval of each plan above the thresholds.

    \b
    Example: allocator run -c config.yaml
    """  # noqa: D301
    from allocator.models.errors import RefusedError
    from allocator.service.bootstrap import need_service

    need_service()
    loaded = _loaded(config, whole=True)
    if shadow:
        loaded = loaded.model_copy(update={"mode": "dry"})
    if loaded.mode == "live" and not live:
        raise RefusedError("NOT_LIVE: mode=live needs --live as well")
    if loaded.mode == "live" and not loaded.service.alerts.to:
        from allocator.service.notify import NOBODY

        print(f"WARNING: mode live, but {NOBODY}; name one in service.alerts.to", file=sys.stderr)
    asyncio.run(_run(loaded, serve=serve))


async def _run(config: Config, *, serve: bool) -> None:
    """Run every book of a configuration; they stop together."""
    from allocator.adapters.ccxt.budgets import Budgets
    from allocator.adapters.ccxt.secrets import secret
    from allocator.models.books import book_config
    from allocator.models.errors import ConfigError
    from allocator.service.bootstrap import open_database
    from allocator.service.database import database_errors, passwords
    from allocator.service.notify import apprise_sender
    from allocator.service.run import Service
    from allocator.service.signals import stop_on_signals
    from allocator.service.telemetry import Redactor, configure

    _tell_lacking(config)
    addresses = [secret(row).get_secret_value() for row in config.service.alerts.to]
    books = [book_config(config, row.id) for row in config.books] or [config]
    of_databases = [word for book in books for word in passwords(book.database)]
    redactor = Redactor([*addresses, *of_databases])
    for login in config.logins.values():
        for reference in login.references.values():
            # One that cannot be read is learnt once it is.
            with suppress(ConfigError):
                redactor.learn(secret(reference).get_secret_value())
    configure(redactor)
    send = apprise_sender(addresses) if addresses else None
    budgets = dict[str, Budgets]()
    with ExitStack() as stack:
        services = list[Service]()
        for book in books:
            with database_errors(book.database):
                engine = open_database(book)
            stack.callback(engine.dispose)
            services.append(Service(book, engine, send=send, redactor=redactor, budgets=budgets))
        stop_on_signals(*services)
        await _all(services, _beside(serve=serve))


def _tell_lacking(config: Config) -> None:
    """Name every login whose secrets cannot be read, and what rests until they can be.

    See docs/decisions/0010-an-account-without-its-secret.md for why the service starts all the
    same.

    Raises
    ------
    ConfigError
        When no account at all could be read: there is nothing that starting would serve.
    """
    from allocator.adapters.ccxt.keyring import lacking
    from allocator.models.errors import ConfigError, Problem
    from allocator.service.bootstrap import openable

    faults = lacking(config)
    if config.accounts and not openable(config)[0].accounts:
        raise ConfigError([Problem((), why) for why in faults.values()])
    for name, why in faults.items():
        mine = ", ".join(row.id for row in config.accounts if row.login == name)
        rests = f"{mine}: not read, and frozen" if mine else "no money goes between its members"
        print(f"WARNING: {why}; until then {rests}", file=sys.stderr)


async def _all(services: Sequence[Service], beside: Sequence[Beside]) -> None:
    """Run services side by side; when one cannot go on, the others are stopped gracefully."""
    from allocator.service.database import database_errors
    from allocator.service.telemetry import bind

    async def one(service: Service) -> None:
        if len(services) > 1:
            bind(book=service.portfolio)
        try:
            with database_errors(service.config.database):
                await service.run(beside)
        finally:
            for other in services:
                other.stop()

    results = await asyncio.gather(*(one(row) for row in services), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result


def _beside(*, serve: bool) -> list[Beside]:
    if not serve:
        return []
    from allocator.service.http.server import serving

    return [serving]


@token.command()
def make(
    name: Annotated[str, typer.Argument(help="Who it is for; stands in the audit.")],
    config: ConfigOption,
    *,
    scope: Annotated[
        list[str], typer.Option("--scope", "-s", help="read, plan, approve or execute.")
    ],
    days: Annotated[int | None, typer.Option(help="Days it is good for.", min=1)] = None,
) -> None:
    """Make a token and print it; it is stored hashed and cannot be shown again.

    \b
    Example: allocator token make alice --scope read --scope approve -c config.yaml
    """  # noqa: D301
    from datetime import UTC, datetime, timedelta

    now = datetime.now(UTC)
    expires = None if days is None else now + timedelta(days=days)
    with _tokens(config) as tokens:
        print(tokens.make(name, tuple(scope), now, expires))


@token.command()
def revoke(
    name: Annotated[str, typer.Argument(help="Whose token ends.")], config: ConfigOption
) -> None:
    """End a token at once.

    \b
    Example: allocator token revoke alice -c config.yaml
    """  # noqa: D301
    from datetime import UTC, datetime

    with _tokens(config) as tokens:
        tokens.revoke(name, datetime.now(UTC))
    print(f"the token of {name} has ended")


@token.command("list")
def list_(config: ConfigOption, *, output: OutputOption = Format.TABLE) -> None:
    """List who has a token, and what it is good for.

    \b
    Example: allocator token list -c config.yaml
    """  # noqa: D301
    from allocator.models.base import stamp

    columns = ("name", "scopes", "created", "expires", "revoked")
    with _tokens(config) as tokens:
        rows = [
            (
                row.name,
                " ".join(row.scopes),
                stamp(row.created_at),
                None if row.expires_at is None else stamp(row.expires_at),
                None if row.revoked_at is None else stamp(row.revoked_at),
            )
            for row in tokens.all()
        ]
    match output:
        case Format.JSON:
            write_json([dict(zip(columns, row, strict=True)) for row in rows])
        case Format.CSV:
            write_csv(columns, rows)
        case Format.TABLE:
            write_table(columns, rows)


@alerts.callback(help=OF_ALERTS)
def _group() -> None:
    """Keep this a group: one with a single command would be that command."""


@alerts.command()
def test(config: ConfigOption) -> None:
    """Send a test to every address; ends with 5 if it does not get through.

    \b
    Example: allocator alerts test -c config.yaml
    """  # noqa: D301
    from allocator.adapters.ccxt.secrets import secret
    from allocator.models.errors import ConfigError, StaleError
    from allocator.service.notify import apprise_sender

    loaded = _loaded(config)
    addresses = [secret(row).get_secret_value() for row in loaded.service.alerts.to]
    if not addresses:
        raise ConfigError("service.alerts.to is empty: nobody would be told")
    words = "If you read this, alerts arrive."
    if not apprise_sender(addresses)(f"{loaded.installation}: a test", words):
        raise StaleError("the test did not get through to every address")
    print(f"sent to {len(addresses)} addresses", file=sys.stderr)


def _loaded(path: Path, *, whole: bool = False) -> Config:
    from allocator.service.bootstrap import read_config

    return read_config(path, whole=whole)


@contextmanager
def _tokens(path: Path) -> Generator[Tokens]:
    from allocator.service.cli.records import own_database
    from allocator.service.http.tokens import Tokens

    loaded = _loaded(path)
    with own_database(loaded) as engine:
        yield Tokens(engine, loaded.installation)
