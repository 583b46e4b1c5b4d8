"""State on disk: one SQLite file, one transaction for each request that changed something."""

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from pydantic import TypeAdapter

from allocator.adapters.emulator.ledger import Ledger
from allocator.adapters.emulator.tables import Change

SCHEMA = """
CREATE TABLE IF NOT EXISTS rows (
    kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (kind, key)
);
CREATE TABLE IF NOT EXISTS requests (
    id INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, host TEXT NOT NULL, method TEXT NOT NULL,
    path TEXT NOT NULL, signed_by TEXT NOT NULL, agent TEXT NOT NULL, status INTEGER NOT NULL,
    code TEXT NOT NULL, fault TEXT NOT NULL
);
"""


class Store:
    """Rows and the request log in `directory/emulator.sqlite3`.

    A commit survives the death of the process (write-ahead log); `None` keeps all in memory.
    """

    def __init__(self, directory: Path | None) -> None:
        if directory is not None:
            directory.mkdir(parents=True, exist_ok=True)
        path = ":memory:" if directory is None else str(directory / "emulator.sqlite3")
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute("PRAGMA synchronous=NORMAL")
        self.connection.executescript(SCHEMA)
        self._adapters: dict[str, TypeAdapter[object]] = {
            table.kind: TypeAdapter(table.row) for table in Ledger().tables()
        }

    def load(self, ledger: Ledger) -> bool:
        """Fill the ledger's tables in the order the rows were first written; False when empty."""
        tables = {table.kind: table for table in ledger.tables()}
        found = False
        for kind, key, text in self.connection.execute(
            "SELECT kind, key, value FROM rows ORDER BY rowid"
        ):
            tables[kind].load(key, self._adapters[kind].validate_json(text))
            found = True
        return found

    def commit(self, changes: Iterable[Change]) -> None:
        """Write changed rows and delete removed ones, all or nothing."""
        pending = list(changes)
        if not pending:
            return
        with self.connection:
            self.connection.execute("BEGIN IMMEDIATE")
            for kind, key, row in pending:
                self._write(kind, key, row)

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    def _write(self, kind: str, key: str, row: object | None) -> None:
        if row is None:
            self.connection.execute("DELETE FROM rows WHERE kind=? AND key=?", (kind, key))
            return
        text = self._adapters[kind].dump_json(row).decode()
        self.connection.execute(
            "INSERT INTO rows (kind, key, value) VALUES (?, ?, ?) "
            "ON CONFLICT (kind, key) DO UPDATE SET value=excluded.value",
            (kind, key, text),
        )
