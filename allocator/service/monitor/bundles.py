"""Many small files of marks as few: read once, and kept together beside them.

A day has thousands of files until it is over, and every question would open each of them anew.
"""

from __future__ import annotations

import itertools
import logging
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, cast

BUNDLE = 128
"""Files that become one; fewer are read as they are."""

State = tuple[tuple[str, int, int], ...]
"""Name, time of change and size of each file of a bundle."""

log = logging.getLogger(__name__)


class Bundles:
    """Bundles of this process, in a folder that goes with it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._folder: Path | None = None
        self._known = dict[State, str]()
        self._numbers = itertools.count()

    def few(self, files: Sequence[str]) -> list[str]:
        """Tell fewer files that hold the same rows.

        Parameters
        ----------
        files
            In order of name; of one day, those that come later only follow. Files that cannot be
            read, or are gone by now, are told as they were given.
        """
        out, used = list[str](), set[State]()
        with self._lock:
            for batch in _batches(files):
                state = _state(batch) if len(batch) == BUNDLE else None
                bundle = None if state is None else self._bundle(state)
                if bundle is None or state is None:
                    out += batch
                else:
                    used.add(state)
                    out.append(bundle)
            self._forget(files, used)
        return out

    def _bundle(self, state: State) -> str | None:
        if state not in self._known:
            made = self._make([path for path, _, _ in state])
            if made is None:
                return None
            self._known[state] = made
        return self._known[state]

    def _make(self, files: Sequence[str]) -> str | None:
        import polars

        try:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="marks-"))
                weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
            path = self._folder / f"{next(self._numbers)}.parquet"
            frames: list[Any] = [polars.read_parquet(row) for row in files]
            cast("Any", polars.concat(frames)).write_parquet(path)
        except (OSError, polars.exceptions.PolarsError) as error:
            # Whoever asks reads the files themselves, and tells what is wrong with them.
            log.debug("marks are not bundled: %s", error)
            return None
        return str(path)

    def _forget(self, files: Sequence[str], used: set[State]) -> None:
        """Drop bundles of which a file has changed or gone, or that nobody needs any longer."""
        asked = set(files)
        for state in list(self._known):
            stale = state not in used and any(path in asked for path, _, _ in state)
            if stale or not Path(state[0][0]).exists():
                Path(self._known.pop(state)).unlink(missing_ok=True)


def _batches(files: Sequence[str]) -> Iterator[list[str]]:
    for _, day in itertools.groupby(files, key=lambda path: str(Path(path).parent)):
        rows = list(day)
        for first in range(0, len(rows), BUNDLE):
            yield rows[first : first + BUNDLE]


def _state(files: Sequence[str]) -> State | None:
    try:
        found = [Path(path).stat() for path in files]
    except OSError:
        return None
    return tuple(
        (path, row.st_mtime_ns, row.st_size) for path, row in zip(files, found, strict=True)
    )
