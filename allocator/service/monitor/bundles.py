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

BUNDLE = 32
"""Files that become one; fewer are read as they are. Two bundles of a size become one again, so
that a day's thousands of files are a handful."""

State = tuple[tuple[str, int, int], ...]
"""Name, time of change and size of each file of a bundle."""

log = logging.getLogger(__name__)


class Bundles:
    """Bundles of this process, in a folder that goes with it.

    The lock is held to look at what there is, never while files are read: a disk that does not
    answer keeps none waiting but those who ask for what lies on it.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._folder: Path | None = None
        self._known = dict[State, str | None]()
        self._making = set[State]()
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
        for batch in _batches(files):
            state = _state(batch) if len(batch) >= BUNDLE else None
            out += batch if state is None else self._few(state, used)
        with self._lock:
            self._forget(files, used)
        return out

    def _few(self, state: State, used: set[State]) -> list[str]:
        """Tell the bundle of files; where one of them cannot be read, those of either half."""
        used.add(state)
        bundle = self._bundle(state)
        if bundle is not None:
            return [bundle]
        return [path for half in _halves(state) for path in self._few(half, used)] or _paths(state)

    def _bundle(self, state: State) -> str | None:
        """Find or make a bundle, of two that there are or of the files.

        None: one is unreadable, or somebody else makes it just now, who may take long.
        """
        with self._lock:
            known = self._known.get(state)
            if known is not None and Path(known).exists():
                return known
            # What could not be read is not tried again until it has changed.
            if state in self._making or (known is None and state in self._known):
                return None
            self._making.add(state)
            there = [self._known.get(half) for half in _halves(state)]
        halves = [half for half in there if half is not None and Path(half).exists()]
        made: str | None = None
        try:
            if halves and len(halves) == len(there):
                made = self._make(halves)
            # A half may have been dropped meanwhile.
            made = made or self._make(_paths(state))
        finally:
            with self._lock:
                self._known[state] = made
                self._making.discard(state)
        return made

    def _make(self, files: Sequence[str]) -> str | None:
        import duckdb

        connection = duckdb.connect()
        try:
            path = str(self._place() / f"{next(self._numbers)}.parquet")
            rows = connection.read_parquet(list(files), union_by_name=True)
            rows.write_parquet(path)
        except (OSError, duckdb.Error) as error:
            # Whoever asks reads the files themselves, and tells what is wrong with them.
            log.debug("marks are not bundled: %s", error)
            return None
        finally:
            connection.close()
        return path

    def _place(self) -> Path:
        """Tell the folder; a new one where somebody has cleared temporary files away."""
        with self._lock:
            if self._folder is None or not self._folder.exists():
                self._folder = Path(tempfile.mkdtemp(prefix="marks-"))
                weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
            return self._folder

    def _forget(self, files: Sequence[str], used: set[State]) -> None:
        """Drop bundles of which a file has changed or gone, or that nobody needs any longer."""
        asked = set(files)
        for state in list(self._known):
            stale = state not in used and any(path in asked for path, _, _ in state)
            if stale or not Path(state[0][0]).exists():
                bundle = self._known.pop(state)
                if bundle is not None:
                    Path(bundle).unlink(missing_ok=True)


def _batches(files: Sequence[str]) -> Iterator[list[str]]:
    for _, day in itertools.groupby(files, key=lambda path: str(Path(path).parent)):
        rows, first = list(day), 0
        while len(rows) - first >= BUNDLE:
            # The largest power of two of bundles: what comes later leaves it as it is.
            size = BUNDLE << (((len(rows) - first) // BUNDLE).bit_length() - 1)
            yield rows[first : first + size]
            first += size
        if first < len(rows):
            yield rows[first:]


def _paths(state: State) -> list[str]:
    return [path for path, _, _ in state]


def _halves(state: State) -> tuple[State, ...]:
    """Part what is put together from two bundles."""
    half = len(state) // 2
    return (state[:half], state[half:]) if half >= BUNDLE else ()


def _state(files: Sequence[str]) -> State | None:
    try:
        found = [Path(path).stat() for path in files]
    except OSError:
        return None
    return tuple(
        (path, row.st_mtime_ns, row.st_size) for path, row in zip(files, found, strict=True)
    )
