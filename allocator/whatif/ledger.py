"""The rows of a sweep in a file: appended durably, found again after a kill.

One line of JSON a row, under a heading line that names the study. A line counts once it is whole:
it ends in a line feed and carries a check sum. What a kill left of the last line is cut off.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from allocator.models.canonical import canonical_json
from allocator.models.errors import ConfigError, InputError
from allocator.whatif.grid import Study
from allocator.whatif.points import Row

CHECK = 16
"""Characters of a line's check sum."""


class Ledger:
    """Rows of one study, by the key of their point.

    Parameters
    ----------
    path
        Made, with its folder, if it is not there.

    Raises
    ------
    ConfigError
        When the file is of another study, or damaged, or written by another process now.
    """

    def __init__(self, path: Path, study: Study) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self.handle = path.open("a+b")
        try:
            self._lock()
            self.rows = self._read(study)
        except BaseException:
            self.handle.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.handle.close()

    def append(self, rows: Iterable[Row]) -> None:
        """Write rows; they are on the disk when this returns."""
        rows = list(rows)
        self._write(rows)
        self.rows.update({row["key"]: row for row in rows})

    def _lock(self) -> None:
        try:
            fcntl.flock(self.handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConfigError(f"{self.path}: another sweep writes it now") from error

    def _write(self, lines: Iterable[Any]) -> None:
        self.handle.write(b"".join(map(_line, lines)))
        self.handle.flush()
        os.fsync(self.handle.fileno())

    def _read(self, study: Study) -> dict[str, Row]:
        self.handle.seek(0)
        lines = self.handle.read().splitlines(keepends=True)
        whole = list[Any]()
        for number, line in enumerate(lines, 1):
            data = _whole(line)
            if data is None and number < len(lines):
                raise ConfigError(f"{self.path}:{number}: is damaged; remove the file")
            if data is None:
                self.handle.truncate(sum(map(len, lines[:-1])))
            else:
                whole.append(data)
        if not whole:
            self._write([{"study": study.hash, "points": study.count, "depth": study.depth}])
            return {}
        if whole[0].get("study") != study.hash:
            raise InputError(
                f"{self.path}: holds another sweep: of another scenario, grid, depth or release; "
                "name another folder, or remove the file"
            )
        return {row["key"]: row for row in whole[1:]}


def _line(data: Any) -> bytes:
    text = canonical_json(data)
    return f"{_sum(text)} {text}\n".encode()


def _sum(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:CHECK]


def _whole(line: bytes) -> Any:
    """Read a line; None: it is not whole."""
    if not line.endswith(b"\n"):
        return None
    check, _, text = line[:-1].decode("utf-8", "replace").partition(" ")
    return json.loads(text) if check == _sum(text) else None
