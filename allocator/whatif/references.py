"""What a scenario file refers to: snapshots, mandates and shocks that stand elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from allocator.models.errors import Problem
from allocator.whatif.document import Where
from allocator.whatif.reading import Reading
from allocator.whatif.shock import Shock

ShockFrom = str | Path | Mapping[str, Any]
"""A file of shocks, or the data of one shock."""

Store = Callable[[str], Any]
"""Gives the plain data of a stored snapshot by its name, e.g. ``latest``; None: no such one."""


@dataclass(slots=True)
class Shocks:
    """The shocks of a file in the order they happen.

    Attributes
    ----------
    data, values
        As plain data and as values, one after the other.
    places
        Where each stands in the tree.
    """

    data: list[Any] = field(default_factory=list[Any])
    values: list[Shock] = field(default_factory=list[Shock])
    places: list[Where] = field(default_factory=list[Where])


class Files:
    """Follows the references of one file.

    Parameters
    ----------
    base
        The folder that references are relative to; None: files may not be referred to.
    store
        Where stored snapshots are looked up; None: nowhere.
    """

    def __init__(self, reading: Reading, base: Path | None, store: Store | None) -> None:
        self.reading, self.base, self.store = reading, base, store

    def half(self, data: Mapping[str, Any], key: str) -> Any:
        """Find the data of snapshot or mandate, inline or elsewhere."""
        half = data.get(key)
        if key not in data:
            self._complain((key,), "is required")
            return None
        if not isinstance(half, dict):
            self._complain((key,), "a mapping is wanted")
            return None
        if isinstance(half.get("file"), str):
            inner = self._file(half, (key,))
            if inner is not None:
                self.reading.add_unknown(key, inner, (key,))
            return inner
        if key == "snapshot" and isinstance(half.get("stored"), str):
            self._alone(half, (key, "stored"))
            return self._stored(half["stored"])
        return half

    def shocks(self, data: Mapping[str, Any], more: Sequence[ShockFrom] = ()) -> Shocks:
        """Collect the shocks of a file, those of other files in their place, then more of them."""
        out, told = Shocks(), data.get("shock")
        rows = list(enumerate(told)) if isinstance(told, list) else [(None, told)]
        for i, row in rows:
            if row is not None or i is not None:
                self._shock(row, ("shock",) if i is None else ("shock", i), out)
        for i, source in enumerate(more):
            at: Where = ("more", i)
            self._several(self.reading.mount_any(source, at, "shock"), at, out)
        return out

    def _shock(self, row: Any, at: Where, out: Shocks) -> None:
        if not isinstance(row, dict):
            self._complain(at, "a mapping is wanted")
        elif isinstance(row.get("file"), str):
            self._several(self._file(row, at, key="shock"), at, out)
        else:
            self._take(row, at, out)

    def _several(self, inner: Any, at: Where, out: Shocks) -> None:
        """Take the shock, or the list of shocks, that a file holds."""
        for j, part in enumerate(inner if isinstance(inner, list) else [inner]):
            place = (*at, j) if isinstance(inner, list) else at
            if isinstance(part, dict):
                self.reading.add_unknown("shock", part, place)
                self._take(part, place, out)
            elif inner is not None:
                self._complain(place, "a shock is wanted")

    def _take(self, row: dict[str, Any], at: Where, out: Shocks) -> None:
        value = self.reading.value(Shock, "shock", row, at)
        if value is not None:
            out.data.append(row)
            out.values.append(value)
            out.places.append(at)

    def _file(self, half: Mapping[str, Any], at: Where, key: str = "") -> Any:
        path = (*at, "file")
        self._alone(half, path)
        if self.base is None:
            self._complain(path, "files cannot be referred to here")
            return None
        file = self.base / half["file"]
        if not file.is_file():
            self._complain(path, f"there is no file {file}; a path counts from this file's folder")
            return None
        if key:
            return self.reading.mount_any(file, at, key)
        return self.reading.mount(file, at)

    def _alone(self, half: Mapping[str, Any], path: Where) -> None:
        if len(half) > 1:
            self._complain(path, "is a reference: nothing else may stand beside it")

    def _stored(self, name: str) -> Any:
        path = ("snapshot", "stored")
        if self.store is None:
            message = "there is no store of snapshots here; refer to a file: {file: ...}"
            self._complain(path, message)
            return None
        data = self.store(name)
        if data is None:
            self._complain(path, f"no snapshot {name!r} is stored")
        return data

    def _complain(self, path: Where, message: str) -> None:
        self.reading.add([Problem(path, message)])
