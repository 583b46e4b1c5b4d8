"""Several mandates in one configuration: each rules a book of accounts of its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, model_validator

from allocator.models.base import Name, Value
from allocator.models.mandate import Mandate
from allocator.models.service import (
    Schedule,
    ServiceConfig,
    TriggerRule,
    check_ids,
    check_rests,
)

if TYPE_CHECKING:
    from allocator.models.config import Config


class BookConfig(Value):
    """One of several books: what is not given here is the configuration's.

    Attributes
    ----------
    id
        Names it: ``-c FILE#id`` is this book, and its installation is the configuration's and it.
    accounts
        Its accounts; each account is in one book, and accounts of one login are in one.
    database
        URL of its own record.
    mandate
        Its first version.
    schedules
        Its own.
    triggers
        Its own.
    port
        Where its API and dashboard listen; None: the configuration's port and so many after it
        as books come before.
    """

    id: Annotated[Name, Field(pattern=r"^[A-Za-z0-9_.-]+$")]
    accounts: tuple[Name, ...] = Field(min_length=1)
    database: str
    mandate: Mandate = Mandate()
    schedules: tuple[Schedule, ...] = ()
    triggers: tuple[TriggerRule, ...] = ()
    port: int | None = Field(default=None, ge=0, le=65535)

    @model_validator(mode="after")
    def _names_differ(self) -> BookConfig:
        check_ids(self.schedules, self.triggers)
        check_rests(self.triggers)
        return self


def book_problems_of(config: Config) -> Iterator[str]:
    """Tell why the books of a configuration are not apart from each other."""
    books, service = config.books, config.service
    yield from _shared("database", {row.id: (row.database,) for row in books})
    yield from _shared("name", {str(i): (row.id,) for i, row in enumerate(books)})
    yield from _shared("account", {row.id: row.accounts for row in books})
    ports = {row.id: (str(port_of(config, row.id)),) for row in books if port_of(config, row.id)}
    yield from _shared("port", ports)
    home = {name: row.id for row in books for name in row.accounts}
    known = {row.id: row for row in config.accounts}
    yield from (f"books: no account {name}" for name in home.keys() - known.keys())
    yield from (f"account {name} is in no book" for name in known.keys() - home.keys())
    logins = defaultdict[str, list[str]](list)
    for name, row in known.items():
        if name in home and home[name] not in logins[row.login]:
            logins[row.login].append(home[name])
    yield from (
        f"login {name} serves the books {' and '.join(rows)}: its requests are counted as one"
        for name, rows in logins.items()
        if len(rows) > 1
    )
    ways = [("route", row.source, row.target) for row in config.routes]
    ways += [("move", row.source, row.target) for row in config.moves]
    for what, source, target in ways:
        if home.get(source) != home.get(target):
            yield f"{what} {source} to {target} leads from one book into another"
    if config.mandate != Mandate() or service.schedules or service.triggers:
        yield "with books, mandate, schedules and triggers are each book's own"


def _shared(what: str, given: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Name what is in more than one book, or twice in one."""
    where = defaultdict[str, list[str]](list)
    for book, names in given.items():
        for name in names:
            where[name].append(book)
    for name, rows in where.items():
        if len(rows) > 1:
            books = "" if what == "name" else f" in the books {' and '.join(rows)}"
            told = _place(name) if what == "database" else name
            yield f"{what} {told} is given twice{books}"


def _place(url: str) -> str:
    """Tell a database without user, password and settings: where it is."""
    scheme, apart, rest = url.partition("://")
    kept = rest if scheme.startswith("sqlite") else rest.rpartition("@")[2].partition("?")[0]
    return f"{scheme}{apart}{kept}"


def port_of(config: Config, name: str) -> int:
    """Tell where a book listens; 0: at a free port."""
    first = config.service.http.port
    for number, row in enumerate(config.books):
        if row.id == name:
            if row.port is not None:
                return row.port
            return first + number if first else 0
    raise KeyError(name)


def book_config(config: Config, name: str) -> Config:
    """Make the configuration of one book alone.

    Raises
    ------
    KeyError
        When there is no such book.
    """
    row = next((row for row in config.books if row.id == name), None)
    if row is None:
        raise KeyError(name)
    mine = tuple(account for account in config.accounts if account.id in row.accounts)
    used = {account.login for account in mine}
    used |= {master for login in used if (master := config.logins[login].master) is not None}
    routes = tuple(route for route in config.routes if route.source in row.accounts)
    changes = {
        "installation": f"{config.installation}-{name}",
        "database": row.database,
        "accounts": mine,
        "logins": {key: login for key, login in config.logins.items() if key in used},
        "routes": routes,
        "addresses": {
            key: value
            for key, value in config.addresses.items()
            if key in {route.id for route in routes}
        },
        "moves": tuple(move for move in config.moves if move.source in row.accounts),
        "mandate": row.mandate,
        "service": _service(config, row),
        "books": (),
    }
    return config.model_copy(update=changes)


def _service(config: Config, row: BookConfig) -> ServiceConfig:
    """Give one book an address, a folder and a file of heads of its own."""
    http = config.service.http.model_copy(update={"port": port_of(config, row.id)})
    history = config.service.history
    kept = {"folder": f"{history.folder}/{row.id}"}
    if history.anchors is not None:
        kept["anchors"] = f"{history.anchors}.{row.id}"
    return config.service.model_copy(
        update={
            "schedules": row.schedules,
            "triggers": row.triggers,
            "http": http,
            "history": history.model_copy(update=kept),
        }
    )
