"""The one place that picks what stands behind the ports."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from allocator.adapters.registry import open_venues
from allocator.execution import schema
from allocator.execution.database import sqlite_path
from allocator.execution.executor import Executor
from allocator.execution.history import History
from allocator.execution.journal import Journal
from allocator.execution.leader import Lease, lead
from allocator.execution.office import Office
from allocator.execution.report import Progress, nothing
from allocator.models.config import Config
from allocator.models.errors import ConfigError
from allocator.models.status import Told
from allocator.ports import LookUps, MarketData, Venue
from allocator.service.anchors import Anchors, anchor_file
from allocator.service.binding import bind
from allocator.service.clock import SystemClock
from allocator.service.database import database_errors
from allocator.service.live import new_holder
from allocator.service.lookup import patient_connect
from allocator.service.mandates import Mandates
from allocator.service.monitor.memory import Memory
from allocator.service.words import Words
from allocator.verify import verify

EXCHANGES = "aiohttp", "ccxt"
SERVICE = (
    "apprise", "apscheduler", "duckdb", "fastapi", "polars", "prometheus_client", "structlog",
    "uvicorn",
)  # fmt: skip
"""Packages of the extras `exchanges` and `service`, as they are imported."""

if TYPE_CHECKING:
    from allocator.adapters.ccxt.budgets import Budgets

Watch = Callable[[Progress], None]
Learn = Callable[[str], None]


def unheard(_secret: str) -> None:
    """Learn nothing."""


@dataclass(frozen=True, slots=True)
class Desk:
    """A book that can be read and acted on.

    Attributes
    ----------
    venues
        By account.
    office
        Where people write what they say.
    lease
        By which it leads.
    words
        What venues said last, which plans are held against before they go.
    """

    config: Config
    market: MarketData
    venues: Mapping[str, Venue]
    executor: Executor
    history: History
    office: Office
    lease: Lease
    words: Words
    mandates: Mandates


def open_database(config: Config) -> Engine:
    """Open the database and bring it to this release's schema.

    Raises
    ------
    RefusedError
        When it is another installation's.
    """
    engine = patient_connect(config.database)
    schema.upgrade(engine)
    bind(engine, config.installation, SystemClock().now())
    return engine


def need_exchanges() -> None:
    """Check that the exchange client is installed: the clean core goes without it.

    Raises
    ------
    ConfigError
        When it is not.
    """
    for name in EXCHANGES:
        if find_spec(name) is None:
            raise ConfigError(f"{name} is not installed: pip install 'allocator[exchanges]'")


def need_service() -> None:
    """Check that what `allocator run` stands on is installed, the exchange client included.

    Raises
    ------
    ConfigError
        When something is not.
    """
    for name in (*EXCHANGES, *SERVICE):
        if find_spec(name) is None:
            remedy = "pip install 'allocator[exchanges,service]'"
            raise ConfigError(f"{name} is not installed: {remedy}")


@asynccontextmanager
async def open_market(
    config: Config, told: Mapping[str, Told] | None = None
) -> AsyncGenerator[MarketData]:
    """Open a book for reading only: no client that can trade is made.

    An account whose secrets cannot be read is one that is not read.

    Parameters
    ----------
    told
        What venues said of themselves last, where a record knows.
    """
    need_exchanges()
    opened = open_venues(config.model_copy(update={"mode": "dry"}), SystemClock(), told=told)
    try:
        yield opened.market
    finally:
        await opened.close()


@asynccontextmanager
async def open_look_ups(
    config: Config, names: Collection[str]
) -> AsyncGenerator[Mapping[str, LookUps]]:
    """Open some accounts for looking their actions up, by name; nothing but reads can leave.

    Nobody has to lead for it, and of the others no secret is read.

    Raises
    ------
    ConfigError
        When the configuration cannot be used, or a secret of these accounts is not there.
    """
    from allocator.adapters.ccxt.keyring import lacking

    need_exchanges()
    rows = tuple(row for row in config.accounts if row.id in names)
    mine = {row.login for row in rows}
    mine |= {config.logins[name].master or name for name in mine}
    logins = {name: row for name, row in config.logins.items() if name in mine}
    asked = config.model_copy(update={"mode": "dry", "accounts": rows, "logins": logins})
    if faults := lacking(asked):
        raise ConfigError("; ".join(faults.values()))
    opened = open_venues(asked, SystemClock())
    try:
        yield opened.look_ups
    finally:
        await opened.close()


def openable(config: Config) -> tuple[Config, dict[str, str]]:
    """Leave out accounts whose secrets cannot be read: for settling at once, never for planning.

    Returns
    -------
    tuple
        What is left of the configuration, and why by each account that is not in it.
    """
    from allocator.adapters.ccxt.keyring import lacking

    faults = lacking(config)
    why = {row.id: faults[row.login] for row in config.accounts if row.login in faults}
    left = tuple(row for row in config.accounts if row.id not in why)
    return (config.model_copy(update={"accounts": left}) if why else config), why


@asynccontextmanager
async def open_desk(  # noqa: PLR0913 - what it opens with
    config: Config,
    portfolio: str,
    *,
    holder: str | None = None,
    watch: Watch = nothing,
    budgets: dict[str, Budgets] | None = None,
    learn: Learn = unheard,
) -> AsyncGenerator[Desk]:
    """Open a book for acting on, as the portfolio's only leader.

    An account whose secrets cannot be read is like one whose venue does not answer, until they can
    be: nothing is sent there, and all others go on.

    Parameters
    ----------
    holder
        Names who leads; None: this process.
    budgets
        What may be asked of venues, where other books of this process ask too.
    learn
        Told every secret of a login as it is read, so that no log shows it.

    Raises
    ------
    ConfigError
        When the configuration cannot be used.
    NotLeaderError
        When another process leads this portfolio.
    RefusedError
        When the database is another installation's.
    StaleError
        When the database cannot be used.
    """
    with database_errors(config.database):
        asked = config, portfolio, holder or new_holder(), watch, budgets
        async with _desk(*asked, learn=learn) as desk:
            yield desk


@asynccontextmanager
async def _desk(  # noqa: PLR0913 - as `open_desk`
    config: Config,
    portfolio: str,
    holder: str,
    watch: Watch,
    budgets: dict[str, Budgets] | None,
    *,
    learn: Learn,
) -> AsyncGenerator[Desk]:
    need_exchanges()
    clock = SystemClock()
    with (
        _bound(config.database, portfolio, clock) as engine,
        lead(engine, portfolio, holder, clock.now()) as lease,
    ):
        words = Words(Memory(engine, portfolio), config.gather)
        told = words.memory.told()
        opened = open_venues(config, clock, budgets=budgets, told=told, learn=learn)
        try:
            history = History(engine)
            anchors = Anchors(anchor_file(config.service.history), history, clock)
            executor = Executor(
                Journal(engine, lease, clock),
                opened.venues,
                clock,
                release=verify,
                config=config.execution,
                controls=config.controls,
                approval=config.approval,
                max_age_s=config.gather.max_age_s,
                watch=watch,
                ended=anchors.keep,
            )
            office = Office(engine, portfolio, clock)
            try:
                yield Desk(
                    config,
                    opened.market,
                    opened.venues,
                    executor,
                    history,
                    office,
                    lease,
                    words,
                    Mandates(engine, portfolio, config),
                )
            finally:
                anchors.keep()
        finally:
            await opened.close()


@contextmanager
def _bound(url: str, portfolio: str, clock: SystemClock) -> Generator[Engine]:
    """Open a database at this release's schema, a portfolio's and nobody else's."""
    path = sqlite_path(url)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
    engine = patient_connect(url)
    try:
        schema.upgrade(engine)
        bind(engine, portfolio, clock.now())
        yield engine
    finally:
        engine.dispose()


def read_config(path: Path, *, whole: bool = False) -> Config:
    """Read a configuration, with what it names beside it; see `load_config`.

    Raises
    ------
    ConfigError
        When its database is none, or a schedule's cron line cannot be read, beside what it is
        refused for there.
    """
    from allocator.service.scheduler.due import timer_trigger
    from allocator.whatif.reader import load_config

    config = anchored(load_config(path, whole=whole), path.parent)
    if find_spec("apscheduler") is not None:
        for schedule in (
            *config.service.schedules,
            *(s for b in config.books for s in b.schedules),
        ):
            timer_trigger(schedule)
    return config


def anchored(config: Config, folder: Path) -> Config:
    """Read paths as relative to the configuration's folder, wherever a command is typed.

    These are ``file:`` references, SQLite databases, the history's folder and its file of heads.
    """
    logins = {
        name: row.model_copy(
            update={field: _anchor(told, folder) for field, told in row.references.items()}
        )
        for name, row in config.logins.items()
    }
    service = config.service
    alerts = [_anchor(reference, folder) for reference in service.alerts.to]
    history = service.history
    anchors = None if history.anchors is None else _path(history.anchors, folder)
    kept = {"folder": _path(history.folder, folder), "anchors": anchors}
    service = service.model_copy(
        update={
            "alerts": service.alerts.model_copy(update={"to": tuple(alerts)}),
            "history": history.model_copy(update=kept),
        }
    )
    books = tuple(
        row.model_copy(update={"database": _database(row.database, folder)}) for row in config.books
    )
    return config.model_copy(
        update={
            "logins": logins,
            "service": service,
            "database": _database(config.database, folder),
            "books": books,
        }
    )


def _path(told: str, folder: Path) -> str:
    return str((folder / Path(told).expanduser()).resolve())


def _database(url: str, folder: Path) -> str:
    with database_errors(url):
        path = sqlite_path(url)
    if path is None:
        return url
    _, asks, rest = url.partition("?")
    return f"sqlite:///{(folder / path.expanduser()).resolve()}{asks}{rest}"


def _anchor(reference: str, folder: Path) -> str:
    kind, _, name = reference.partition(":")
    return f"file:{_path(name, folder)}" if kind == "file" else reference
