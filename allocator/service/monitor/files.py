"""Files of marks: written whole or not at all, joined by the day, set aside where torn."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

ASIDE = ".unreadable"
"""What is put behind the name of a file that cannot be read."""

DAY = "day.parquet"
"""The one file of a day that is over."""

MAGIC = b"PAR1"
"""What a parquet file begins and ends with."""

log = logging.getLogger(__name__)


def put(path: Path, frame: Any) -> None:
    """Write a file whole or not at all, so that a power cut leaves no torn one either."""
    _make(path.parent)
    draft = path.with_suffix(".draft")
    try:
        frame.write_parquet(draft)
        _sync(draft)
        os.replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def torn(path: Path) -> bool:
    """Tell whether a file lacks its beginning or its end, at the price of a look at both."""
    with path.open("rb") as file:
        begins = file.read(len(MAGIC))
        file.seek(-min(file.seek(0, os.SEEK_END), len(MAGIC)), os.SEEK_END)
        return begins != MAGIC or file.read() != MAGIC


def sound(path: Path) -> bool:
    """Tell whether the whole of a file can be read."""
    try:
        return _read(path) is not None
    except OSError:
        return False


def set_aside(path: Path) -> str:
    """Rename a file that cannot be read; tells its new name, after its folder's."""
    aside = path.with_name(path.name + ASIDE)
    os.replace(path, aside)
    log.error("marks cannot be read: set aside", extra={"file": str(aside)})
    return "/".join(aside.parts[-3:])


def join(day: Path) -> tuple[bool, tuple[str, ...]]:
    """Make one file of a day's; a crash between the steps leaves rows twice to be joined.

    Returns
    -------
    Whether something was joined, and what could not be read and was set aside.
    """
    import polars

    files = sorted(day.glob("*.parquet"))
    if len(files) < 2:
        return False, ()
    frames = {path: _read(path) for path in files}
    aside = tuple(set_aside(path) for path, frame in frames.items() if frame is None)
    read = {path: frame for path, frame in frames.items() if frame is not None}
    if len(read) < 2:
        return False, aside
    frame = polars.concat(read.values(), how="diagonal")
    put(day / DAY, frame.unique(maintain_order=True).sort("marked_at", maintain_order=True))
    for path in read:
        if path.name != DAY:
            path.unlink()
    return True, aside


def _read(path: Path) -> Any:
    """Read a file; None: what is in it is no parquet."""
    import polars
    from polars.exceptions import PanicException, PolarsError

    try:
        return polars.read_parquet(path)
    except (PolarsError, PanicException):
        return None


def _make(folder: Path) -> None:
    """Make a folder and those above it, so that a power cut does not lose it."""
    if folder.is_dir():
        return
    _make(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync(folder.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
