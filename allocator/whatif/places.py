"""Where the parts of a book that a plan names are declared, as ``file:line:column``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from allocator.models.explain import path_of
from allocator.models.reasons import Place
from allocator.whatif.document import Document, FileError, Where, read

HALVES = ("snapshot", "mandate")


def places(path: str | Path) -> Callable[[Place], str]:
    """Read a scenario's places.

    Returns
    -------
    What tells the place of a declaration, or of the innermost part of its path that the file
    has; its path with dots where the file has none of it.

    Raises
    ------
    FileError
        When the scenario cannot be read.
    """
    document = read(path)
    halves = {half: _half(document, half, Path(path).parent) for half in HALVES}

    def tell(place: Place) -> str:
        found, at = halves.get(place[0], (None, ())) if place else (None, ())
        if found is None:
            return path_of(place)
        where = _within(found, at, place[1:])
        if where == at:
            return path_of(place)
        mark = found.mark(where, key=not _is_element(where))
        return f"{found.file}:{mark.line}:{mark.column}"

    return tell


def _half(document: Document, half: str, base: Path) -> tuple[Document | None, Where]:
    """Find the document that holds a half, and where in it."""
    data = document.data.get(half) if isinstance(document.data, dict) else None
    if isinstance(data, dict) and isinstance(data.get("file"), str):
        try:
            return read(base / data["file"]), ()
        except FileError:
            return None, ()
    return document, (half,)


def _within(document: Document, at: Where, names: Place) -> Where:
    """Follow names as far as they lead: keys of mappings, ids of list elements."""
    value: Any = document.data
    for part in at:
        value = value.get(part) if isinstance(value, dict) else None
    for name in names:
        if isinstance(value, dict) and name in value:
            at, value = (*at, name), value[name]
        elif isinstance(value, list):
            number = next((n for n, row in enumerate(value) if _names(row, name)), None)
            if number is None:
                break
            at, value = (*at, number), value[number]
        else:
            break
    return at


def _names(row: Any, name: str) -> bool:
    """Tell whether a list's element is the one of that name: a target goes by its underlying."""
    return isinstance(row, dict) and name in (row.get("id"), row.get("underlying"))


def _is_element(where: Where) -> bool:
    return isinstance(where[-1], int)
