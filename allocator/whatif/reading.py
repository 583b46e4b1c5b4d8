"""Documents put together to one tree, with the way back from every part to its place."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from allocator.models.base import Value
from allocator.models.errors import Problem
from allocator.whatif.document import Document, FileError, Located, Where, in_order, read
from allocator.whatif.messages import REQUIRED, validation_problems
from allocator.whatif.schemas import unknown_keys

V = TypeVar("V", bound=Value)
LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Mount:
    """A document that is a part of the tree.

    Attributes
    ----------
    at
        Where in the tree.
    inside
        Which part of the document it is.
    """

    at: Where
    document: Document
    inside: Where = ()


class Reading:
    """Documents put together to one tree of data, with the way back from a path to its place."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.mounts = list[Mount]()
        self.moved = dict[Where, Where]()
        self.found = list[Located]()
        self.meant = set[Where]()

    def mount(self, source: str | Path | Mapping[str, Any], at: Where = ()) -> Any:
        """Read a file as the part of the tree at a path; None, with problems, if it cannot be.

        Data that a program has at hand is taken as it is.
        """
        data = self.mount_any(source, at)
        if data is not None and not isinstance(data, dict):
            self.add([Problem(at, "a mapping is wanted")])
            return None
        return data

    def mount_any(self, source: str | Path | Mapping[str, Any], at: Where, key: str = "") -> Any:
        """Read a file whatever it holds; `key`: that part of it, where it is a mapping with one."""
        if isinstance(source, Mapping):
            self.mounts.append(Mount(at, Document(self.file, dict(source))))
            return dict(source)
        try:
            document = read(source)
        except FileError as error:
            self.found += [row for row in error.problems if isinstance(row, Located)]
            return None
        data: Any = document.data
        inside: Where = ()
        if key and isinstance(data, dict) and key in data:
            data, inside = data[key], (key,)
        self.mounts.append(Mount(at, document, inside))
        self.found += document.problems
        if data is None:
            self.add([Problem(at, "a mapping is wanted")])
        return data

    def add(self, rows: Iterable[Problem], *, keys: bool = False) -> None:
        """Note problems with their places; `keys`: they concern keys, not values.

        What is wrong with a value whose text is refused already is no mistake of its own.
        """
        refused = {(m.document.file, path) for m in self.mounts for path in m.document.refused}
        located = (self._locate(row, keys) for row in rows)
        self.found += [row for row in located if keys or (row.file, row.path) not in refused]

    def add_unknown(self, kind: str, data: Any, at: Where = (), below: Where = ()) -> None:
        """Note the keys that a file's schema does not know, or those below a path only."""
        for row in unknown_keys(kind, data, at):
            if row.path[: len(below)] == below:
                self.add([row.problem], keys=True)
                if row.meant is not None:
                    self.meant.add(row.meant)

    def warn(self, rows: Iterable[Problem], remedy: str) -> None:
        """Log what is odd but has one sensible reading."""
        for row in rows:
            LOG.warning("%s; %s", self._locate(row, False), remedy)

    def _locate(self, row: Problem, keys: bool) -> Located:
        for end in range(len(row.path), 0, -1):
            place = self.moved.get(row.path[:end])
            if place is not None:
                return self._at(row.path, row.message, self.mounts[0].document, place, False)
        mount = max(
            (m for m in self.mounts if row.path[: len(m.at)] == m.at),
            key=lambda m: len(m.at),
            default=self.mounts[0] if self.mounts else Mount((), Document(self.file)),
        )
        path = (*mount.inside, *row.path[len(mount.at) :])
        return self._at(path, row.message, mount.document, path, keys)

    @staticmethod
    def _at(path: Where, message: str, document: Document, place: Where, keys: bool) -> Located:
        mark = document.mark(place, key=keys)
        return Located(path, message, document.file, mark.line, mark.column)

    def value(
        self, model: type[V], kind: str, data: Any, at: Where = (), *, whole: bool = True
    ) -> V | None:
        """Validate a part of the tree; None, with problems, if it is wrong.

        A required key that stands there misspelt is one mistake and is told once. `whole`:
        whether what concerns the part as a whole is told; it may have been told better before.
        """
        try:
            return model.model_validate(data)
        except ValidationError as error:
            self.add(
                row
                for row in validation_problems(error, data, at)
                if (row.message != REQUIRED or row.path not in self.meant)
                and (whole or row.path != at)
            )
        except (RecursionError, OverflowError) as error:
            self.add([Problem(at, f"is no {kind}: {error}")])
        return None

    def check(self, *values: object) -> None:
        """Raise what was found, if anything was or one of the values is missing.

        Raises
        ------
        FileError
            With every problem, in the order of the file.
        """
        if not self.found and None in values:
            self.add([Problem((), "cannot be used")])
        if self.found:
            raise FileError(in_order(self.found))
