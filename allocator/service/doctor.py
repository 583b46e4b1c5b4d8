"""Checks of everything a run stands on: each with what was found and what to do about it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from allocator.models.account import Account
from allocator.models.config import Config
from allocator.models.errors import AllocatorError, ConfigError
from allocator.ports import Gathered
from allocator.service.belonging import belonging
from allocator.service.database import passwords
from allocator.service.findings import Finding
from allocator.service.remedies import remedy, remedy_for
from allocator.service.telemetry import Redactor

if TYPE_CHECKING:
    from allocator.adapters.ccxt.rights import Rights

PACKAGES = ("cvxpy", "clarabel", "piqp", "osqp", "highspy", "ccxt")
SQLITE_REMEDY = "use Python with a newer SQLite library, or PostgreSQL"


def examine(config: Config | None) -> Iterator[Finding]:
    """Check packages and database; with a configuration, secrets and venues as well."""
    yield from _packages(needs_exchanges=config is not None)
    yield _sqlite()
    if config is None:
        return
    yield _mode(config)
    yield _database(config)
    yield _alerts(config)
    yield from _secrets(config)
    from allocator.service.bootstrap import openable

    if openable(config)[0].accounts:
        yield from _venues(config)
        yield from _keys(config)


def _packages(*, needs_exchanges: bool) -> Iterator[Finding]:
    for name in PACKAGES:
        try:
            yield Finding(f"package {name}", "ok", version(name))
        except PackageNotFoundError:
            needed = name != "ccxt" or needs_exchanges
            remedy = "pip install 'allocator[exchanges]'" if name == "ccxt" else f"install {name}"
            state: Literal["note", "wrong"] = "wrong" if needed else "note"
            yield Finding(f"package {name}", state, "not installed", remedy)


def _sqlite() -> Finding:
    from allocator.execution.database import journal_mode

    journal, synchronous = journal_mode(sqlite3.sqlite_version_info)
    told = f"SQLite {sqlite3.sqlite_version}: journal {journal}, synchronous {synchronous}"
    if journal == "WAL":
        return Finding("sqlite", "ok", told)
    why = "its write-ahead log can be corrupted on reset; the slower, safe mode is used"
    return Finding("sqlite", "note", f"{told}: {why}", SQLITE_REMEDY)


def _mode(config: Config) -> Finding:
    match config.mode:
        case "dry":
            return Finding("mode", "ok", "dry: nothing can be sent")
        case "loopback":
            return Finding("mode", "ok", f"loopback: {config.loopback_url}")
        case "live":
            live = [row.id for row in config.accounts if row.live]
            return Finding("mode", "note", f"live for {', '.join(live) or 'no account'}")


def _alerts(config: Config) -> Finding:
    from allocator.service.notify import NOBODY

    to = config.service.alerts.to
    if to:
        return Finding("alerts", "ok", f"told to {len(to)} address{'es' if len(to) > 1 else ''}")
    state: Literal["note", "wrong"] = "wrong" if config.mode == "live" else "note"
    return Finding("alerts", state, NOBODY, "name one in service.alerts.to")


def _database(config: Config) -> Finding:
    from allocator.execution import schema
    from allocator.execution.database import connect, sqlite_path

    remedy = "allocator db upgrade --config FILE"
    path = sqlite_path(config.database)
    if path is not None and not path.exists():
        return Finding("database", "note", f"{path} is not there yet", remedy)
    engine = connect(config.database)
    try:
        found, wanted = schema.current(engine), schema.head()
    except Exception as error:  # noqa: BLE001 - whatever a driver raises is the finding
        remedy = "start the database, or mend `database` in the configuration"
        told = Redactor(passwords(config.database)).text(str(error))
        return Finding("database", "wrong", f"cannot be opened: {told}", remedy)
    finally:
        engine.dispose()
    if found != wanted:
        return Finding("database", "wrong", f"schema {found}, this release: {wanted}", remedy)
    return Finding("database", "ok", f"schema {found}")


def _secrets(config: Config) -> Iterator[Finding]:
    from allocator.adapters.ccxt.keyring import cure
    from allocator.adapters.ccxt.secrets import secret

    for name, login in config.logins.items():
        for kind, reference in login.references.items():
            try:
                secret(reference)
            except ConfigError as error:
                yield Finding(f"{kind} of {name}", "wrong", str(error), cure(name, kind, reference))
            else:
                yield _private(f"{kind} of {name}", reference)


def _private(check: str, reference: str) -> Finding:
    kind, _, name = reference.partition(":")
    if kind == "file" and Path(name).stat().st_mode & 0o077:
        return Finding(check, "wrong", f"{name} can be read by others", f"chmod 600 {name}")
    return Finding(check, "ok", reference)


def _venues(config: Config) -> Iterator[Finding]:
    from allocator.service.bootstrap import open_market

    async def read() -> Gathered:
        async with open_market(config) as market:
            return await market.gather()

    try:
        gathered = asyncio.run(read())
    except AllocatorError as error:
        yield Finding("venues", "wrong", str(error), "mend the configuration")
        return
    for row in config.accounts:
        yield from _account(row.id, config.logins[row.login].venue, gathered)


def _account(name: str, venue: str, gathered: Gathered) -> Iterator[Finding]:
    """Tell how an account was read, what was left out of it, and its position mode."""
    failed = [row.what for row in gathered.missing if row.account == name]
    if not failed:
        yield Finding(f"account {name}", "ok", "read in full")
    for what in failed:
        yield Finding(f"account {name}", "wrong", what, remedy_for(what, venue))
    for row in gathered.notes:
        if row.account == name:
            yield Finding(f"account {name}", "note", row.what, remedy_for(row.what, venue))
    if name in gathered.snapshot.account:
        yield from _position_mode(gathered.snapshot.account[name])


def _position_mode(account: Account) -> Iterator[Finding]:
    """Name the markets an account holds in two legs: they are read and not traded."""
    hedged = sorted(name for name, row in account.positions.items() if row.legs is not None)
    if hedged:
        told = f"hedge mode, not traded: {', '.join(hedged)}"
        cure = remedy("hedge", account.venue)
        yield Finding(f"position mode of {account.id}", "wrong", told, cure)


def _keys(config: Config) -> Iterator[Finding]:
    """Tell what each key may do, and whether it belongs to whom the configuration says."""
    from allocator.adapters.ccxt.keyring import lacking
    from allocator.adapters.ccxt.keys import keys

    told, faults = asyncio.run(keys(config)), lacking(config)
    rights = {name: row for name, row in told.rights.items() if name not in faults}
    yield from _rights(config, rights)
    yield from belonging(config, told.users)


def _rights(config: Config, rights: Mapping[str, Rights]) -> Iterator[Finding]:
    """Name a key that may withdraw although no route does, or may not although one does.

    So is one that any address may use.
    """
    owner = {row.id: row.login for row in config.accounts}
    used = {owner[row.source] for row in config.routes if row.kind == "onchain"}
    used |= {master for name in used if (master := config.logins[name].master)}
    for name, told in rights.items():
        yield _right(f"rights of {name}", told.withdraws, config, name, used=name in used)
        if told.anywhere:
            cure = remedy("anywhere", config.logins[name].venue)
            yield Finding(f"addresses of {name}", "note", "any address may use the key", cure)


def _right(check: str, told: bool | str, config: Config, name: str, *, used: bool) -> Finding:
    from allocator.adapters.ccxt.rights import WITH_TRANSFERS

    venue = config.logins[name].venue
    if isinstance(told, str):
        return Finding(check, "note", f"not known: {told}", remedy("rights", venue))
    if not told and used and config.logins[name].master is None:
        what = "may not withdraw, and a route does"
        return Finding(check, "wrong", what, remedy("no withdraw", venue))
    if not told:
        return Finding(check, "ok", "may not withdraw")
    if used:
        return Finding(check, "ok", "may withdraw, as a route does")
    if venue in WITH_TRANSFERS and _has_kin(config, name):
        what = "may withdraw: the venue gives no right to transfer without it"
        return Finding(check, "note", what, remedy("withdraw", venue))
    what = "may withdraw, and no route withdraws with it"
    return Finding(check, "wrong", what, remedy("withdraw", venue))


def _has_kin(config: Config, name: str) -> bool:
    """Tell whether a login has others of its master, or another wallet, to transfer to."""
    if sum(row.login == name for row in config.accounts) > 1:
        return True
    root = config.logins[name].master or name
    return any(
        other != name and (row.master or other) == root for other, row in config.logins.items()
    )
