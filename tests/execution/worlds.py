"""Every way in which the processes of one story may die, each state of the world walked once.

A process that dies leaves the database as it was last committed, and the exchange with its clock
as they are: a world. What follows depends on the world alone. So a process runs once, the world
is kept at each of its points, and the next process starts from there; points between which
nothing has changed share their world, and what follows from it.
"""

from __future__ import annotations

import asyncio
import io
import pickle
import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import event

from allocator.execution.database import connect
from allocator.models.account import Account
from allocator.models.market import Asset, Instrument
from allocator.models.plan import Plan
from allocator.models.snapshot import Snapshot
from tests.execution.crashes import (
    Crash,
    Fuse,
    Story,
    be,
    executor_of,
    faults_found,
    fresh,
)
from tests.execution.databases import template
from tests.execution.desk import Desk

CHANGES, SCHEMA_CHANGES, CHANGES_WHEN_SIZED = 24, 40, 92
"""Offsets of four-byte counters in SQLite's header (its file format, section 1.3)."""


@dataclass(frozen=True, slots=True)
class World:
    """What outlives a process: the committed database, and the exchange with its clock."""

    database: bytes
    exchange: bytes


@dataclass(frozen=True, slots=True)
class Life:
    """A process that ran from a world to its end.

    Attributes
    ----------
    deaths
        The world at each point, in order: what it would have left, had it died there. Empty if
        they were not kept.
    wrong
        What was doubled, lost or stuck at its end.
    """

    deaths: tuple[World, ...]
    wrong: tuple[str, ...]


_SHARED = dict[str, object]()


def _recall(name: str) -> object:
    return _SHARED[name]


class _Pickler(pickle.Pickler):
    """Leaves the snapshot and its rows, which nobody changes, outside."""

    def __init__(self, file: io.BytesIO, outside: Mapping[int, str]) -> None:
        super().__init__(file)
        self._outside = outside
        self.dispatch_table = dict.fromkeys((Snapshot, Account, Asset, Instrument), self._reduce)

    def _reduce(self, row: object) -> Any:
        name = self._outside.get(id(row))
        return row.__reduce_ex__(4) if name is None else (_recall, (name,))


def rows_of(start: Snapshot) -> dict[str, object]:
    """Name a snapshot and its rows."""
    rows = (*start.accounts, *start.instruments)
    return {
        "start": start,
        **{f"asset {name}": row for name, row in start.assets.items()},
        **{f"{type(row).__name__} {row.id}": row for row in rows},
    }


@dataclass
class Keeping(Fuse):
    """Keeps the world at every point."""

    tree: Tree = field(kw_only=True)
    desk: Desk = field(kw_only=True)
    seen: list[World] = field(default_factory=list[World])

    def point(self) -> None:
        self.seen.append(self.tree.world(self.desk))
        super().point()


class Scratch:
    """A database in memory that is set to whatever the next process finds."""

    def __init__(self) -> None:
        self.empty = template()
        self.engine = connect("sqlite://")
        self._source = sqlite3.connect(":memory:")
        self._raw: Any = self.engine.raw_connection().driver_connection
        self.commits = 0
        event.listen(self.engine, "commit", self._count)

    def _count(self, _connection: object) -> None:
        self.commits += 1

    def begin(self) -> None:
        """Empty it."""
        fresh(self.empty, self.engine)

    def set(self, database: bytes) -> None:
        """Make it what it was."""
        self._source.deserialize(database)
        self._source.backup(self._raw)

    @property
    def writing(self) -> bool:
        """Whether a transaction is open, so that what it holds is not only for good."""
        return bool(self._raw.in_transaction)

    def read(self) -> bytes:
        """Read all of it, without the header's counts of what was ever done to it."""
        out = bytearray(self._raw.serialize())
        for counter in (CHANGES, SCHEMA_CHANGES, CHANGES_WHEN_SIZED):
            out[counter : counter + 4] = bytes(4)
        return bytes(out)


class Tree:
    """The processes of one story.

    Parameters
    ----------
    scratch
        Where they find their database.
    """

    def __init__(self, scratch: Scratch, story: Story) -> None:
        self._scratch = scratch
        scratch.begin()
        desk = story.desk(scratch.engine)
        self.plan: Plan = story.plan(desk)
        self._start = desk.start
        self._rows = rows_of(desk.start)
        self._outside = {id(row): name for name, row in self._rows.items()}
        self._kept = (-1, b"")
        self._lives = dict[World, Life]()
        self._deaths = dict[tuple[World, int], World]()
        self.root = self.world(desk)

    @property
    def processes(self) -> int:
        """How many processes were run to their end."""
        return len(self._lives)

    def world(self, desk: Desk) -> World:
        """Tell what would be left, did the process die here."""
        if self._kept[0] != self._scratch.commits:
            assert not self._scratch.writing, "what was committed before was not kept"
            self._kept = (self._scratch.commits, self._scratch.read())
        file = io.BytesIO()
        _Pickler(file, self._outside).dump((desk.clock, desk.exchange, desk.venues))
        return World(self._kept[1], file.getvalue())

    def desk(self, world: World) -> Desk:
        """Put a world in place for the next process."""
        self._scratch.set(world.database)
        self._kept = (self._scratch.commits, world.database)
        _SHARED.update(self._rows)
        clock, exchange, venues = pickle.loads(world.exchange)
        return Desk(self._scratch.engine, clock, exchange, venues, self._start)

    def die(self, world: World, at: int) -> World:
        """Tell what a process leaves that starts here and dies at a point, if it gets there."""
        known = self._deaths.get((world, at))
        if known is not None:
            return known
        desk = self.desk(world)
        with suppress(Crash):
            asyncio.run(be(desk, self.plan, executor_of(desk, Fuse(at))))
        self._deaths[world, at] = self.world(desk)
        return self._deaths[world, at]

    def live(self, world: World, *, keep: bool = False) -> Life:
        """Run a process from here to its end, and keep the world at its points if that is asked."""
        known = self._lives.get(world)
        if known is None or (keep and not known.deaths):
            desk = self.desk(world)
            fuse = Keeping(tree=self, desk=desk) if keep else Fuse()
            executor = executor_of(desk, fuse)
            if keep:
                self.world(desk)  # To lead is to write, too.
            asyncio.run(be(desk, self.plan, executor))
            deaths = tuple(fuse.seen) if isinstance(fuse, Keeping) else ()
            known = self._lives[world] = Life(deaths, tuple(faults_found(desk, self.plan)))
        return known
