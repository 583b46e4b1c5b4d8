"""Rows by key, with indexes and an undo.

A request mutates tables; `changes` goes to the store, which commits it before the reply leaves, and
`accept` forgets the undo. When anything raises on the way, `rollback` restores what was there.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Generic, TypeVar

Row = TypeVar("Row")
Change = tuple[str, str, object | None]


class Table(Generic[Row]):
    """Rows by key, with named indexes; remembers what changed since the last commit."""

    def __init__(
        self,
        kind: str,
        row: type[Row],
        key: Callable[[Row], str],
        indexes: Mapping[str, Callable[[Row], Hashable]] | None = None,
    ) -> None:
        self.kind = kind
        self.row = row
        self._key = key
        self._rows: dict[str, Row] = {}
        self._before: dict[str, Row | None] = {}
        self._index_of = dict(indexes or {})
        self._index: dict[tuple[str, Hashable], dict[str, None]] = {}

    def __iter__(self) -> Iterator[Row]:
        return iter(list(self._rows.values()))

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, key: str) -> bool:
        return key in self._rows

    def __getitem__(self, key: str) -> Row:
        return self._rows[key]

    def get(self, key: str) -> Row | None:
        """Return the row at `key`, or None."""
        return self._rows.get(key)

    def by(self, index: str, value: Hashable) -> list[Row]:
        """Return the rows whose `index` equals `value`, oldest insertion first."""
        return [self._rows[key] for key in self._index.get((index, value), {})]

    def put(self, row: Row) -> Row:
        """Insert or replace a row and return it."""
        key = self._key(row)
        self._before.setdefault(key, self._rows.get(key))
        self._set(key, row)
        return row

    def remove(self, key: str) -> None:
        """Delete the row at `key`."""
        self._before.setdefault(key, self._rows.get(key))
        self._set(key, None)

    def load(self, key: str, row: Row) -> None:
        """Insert a row read back from the store."""
        self._set(key, row)

    def changes(self) -> list[Change]:
        """Return `(kind, key, row or None)` for what changed since the last `accept`."""
        return [(self.kind, key, self._rows.get(key)) for key in self._before]

    def accept(self) -> None:
        """Forget the old rows: what changed stays."""
        self._before.clear()

    def rollback(self) -> None:
        """Restore every row changed since the last `accept`."""
        for key, row in self._before.items():
            self._set(key, row)
        self._before.clear()

    def _set(self, key: str, row: Row | None) -> None:
        old = self._rows.get(key)
        for name, value_of in self._index_of.items():
            if old is not None:
                self._index.get((name, value_of(old)), {}).pop(key, None)
            if row is not None:
                self._index.setdefault((name, value_of(row)), {})[key] = None
        if row is None:
            self._rows.pop(key, None)
        else:
            self._rows[key] = row
