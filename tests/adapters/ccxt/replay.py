"""A venue that answers from a table: method and path to what its documentation shows.

It stands on the loopback server of the emulator, so that faults and the request log work on it. It
checks no signature and keeps no state: what it proves is how a request looks and how an answer is
read.
"""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from allocator.adapters.ccxt.dialects import DIALECTS
from allocator.adapters.ccxt.place import Place
from allocator.adapters.ccxt.sessions import Sessions
from allocator.adapters.emulator.errors import Refused, VenueError
from allocator.adapters.emulator.exchange import Exchange, Intent, World
from allocator.adapters.emulator.market import Instrument
from allocator.adapters.emulator.records import ApiKey
from allocator.adapters.emulator.testing import Emulator, running
from allocator.adapters.emulator.wire import Call, Endpoint, Json, Reply
from allocator.models.config import Config

Answer = Any
"""JSON with status 200, a `Reply`, or what makes one of them of the call."""

BROKEN = Reply("Service unavailable", 503)
"""An answer that carries none of the venue's codes."""


@dataclass
class Replay:
    """A venue's table, and what was asked of it.

    Attributes
    ----------
    table
        Answers by ``METHOD path``; by ``METHOD path#type`` where one path takes requests or actions
        of many types.
    calls
        Every call that reached its answer, in order.
    """

    host: str
    table: dict[str, Answer]
    calls: list[Call] = field(default_factory=list[Call])
    name: str = "replay"
    others: tuple[str, ...] = ()

    @property
    def hosts(self) -> tuple[str, ...]:
        return (self.host, *self.others)

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        paths = sorted({row.partition("#")[0] for row in self.table})
        return [
            Endpoint(host, *row.split(" ", 1), "public", self.handle, ("recorded",), "-")
            for row in paths for host in self.hosts
        ]  # fmt: skip

    def row(self, call: Call) -> str:
        """Name the row that answers a call."""
        plain = f"{call.method} {call.path}"
        try:
            told = json.loads(call.body or "{}")
        except ValueError:
            return plain
        told = told.get("action") or told if isinstance(told, dict) else {}
        typed = f"{plain}#{told.get('type')}"
        return typed if typed in self.table else plain

    def handle(self, call: Call) -> Json:
        self.calls.append(call)
        return None

    def asked(self, row: str) -> list[Call]:
        """List the calls of one ``METHOD path``."""
        return [call for call in self.calls if self.row(call) == row]

    def body(self, row: str) -> dict[str, Any]:
        """Read the body of the only call of one ``METHOD path``."""
        (call,) = self.asked(row)
        found: dict[str, Any] = json.loads(call.body)
        return found

    def answer(self, call: Call, body: object) -> Reply:
        found = self.table[self.row(call)]
        if isinstance(found, Callable):
            found = found(call)
        return found if isinstance(found, Reply) else Reply(found)

    def wallet(self, instrument: Instrument) -> str:
        raise NotImplementedError

    def admit(self, exchange: Exchange, intent: Intent) -> None:
        raise NotImplementedError

    def transferable(self, exchange: Exchange, user: str, wallet: str, coin: str) -> Decimal:
        raise NotImplementedError

    def authenticate(self, call: Call, endpoint: Endpoint) -> ApiKey | None:
        return None

    def limit(self, call: Call, endpoint: Endpoint) -> Mapping[str, str]:
        return {}

    def refuse(self, call: Call, error: VenueError | Refused | ValueError) -> Reply:
        raise AssertionError(f"{call.method} {call.path}: {error!r}")

    def unknown(self, call: Call) -> Reply:
        """Answer a row that came into the table after the server had read it."""
        if self.row(call) not in self.table:
            raise AssertionError(f"nothing is recorded for {self.row(call)} {call.body}")
        self.handle(call)
        return self.answer(call, None)


@contextmanager
def replaying(venue: Replay) -> Iterator[Emulator]:
    """Serve a table on the loopback interface."""
    with running(lambda: Exchange(World((), (), (), ()), [venue])) as emulator:
        yield emulator


def credited(config: Config, account: str, asked: list[tuple[str, str]]) -> list[bool]:
    """Ask an account's dialect whether transactions, each an asset and an id, were credited."""

    async def whole() -> list[bool]:
        sessions = Sessions(config, reads_only=True)
        try:
            mine = next(row for row in config.accounts if row.id == account)
            login = sessions.logins[mine.login]
            await login.prepare()
            place = Place(mine, login, login)
            dialect = DIALECTS[place.venue]
            return [bool(await dialect.deposits(place, asset, txid)) for asset, txid in asked]
        finally:
            await sessions.close()

    return asyncio.run(whole())
