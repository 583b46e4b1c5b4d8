"""Where the parts of a book that a plan names are declared."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from allocator.models.plan import Plan
from allocator.whatif.document import Document, FileError, Where, read

LISTS = (("mandate", "limits"), ("snapshot", "accounts"), ("snapshot", "routes"))
"""Lists whose elements have ids that plans name."""


def declarations(path: str | Path) -> dict[str, str]:
    """Find where limits, accounts and routes of a scenario are declared.

    Returns
    -------
    Id -> ``file:line``; of two parts with one id the limit counts, then the account.
    """
    document = read(path)
    out = dict[str, str]()
    for half, key in LISTS:
        place, at = _half(document, half, Path(path).parent)
        if place is not None:
            for name, row in _ids(place, (*at, key)):
                out.setdefault(name, f"{place.file}:{place.mark(row).line}")
    return out


def blamed(plan: Plan, declared: dict[str, str]) -> list[tuple[str, str]]:
    """List what a plan's missing parts and conflicts name, with the places.

    Returns
    -------
    Name and ``file:line``, in the order in which the plan names them.
    """
    texts = [text for row in plan.infeasible for text in (row.what, *row.conflicts)]
    found = dict[str, str]()
    for text in [*texts, *plan.unrepairable]:
        words = set(text.replace("/", " ").replace("[", " ").replace("]", " ").split())
        found.update({name: place for name, place in declared.items() if name in words})
    return list(found.items())


def _half(document: Document, half: str, base: Path) -> tuple[Document | None, Where]:
    """Find the document that holds a half, and where in it."""
    data = document.data.get(half) if isinstance(document.data, dict) else None
    if isinstance(data, dict) and isinstance(data.get("file"), str):
        try:
            return read(base / data["file"]), ()
        except FileError:
            return None, ()
    return document, (half,)


def _ids(document: Document, at: Where) -> Iterator[tuple[str, Where]]:
    rows: Any = document.data
    for part in at:
        rows = rows.get(part) if isinstance(rows, dict) else None
    for i, row in enumerate(rows if isinstance(rows, list) else []):
        if isinstance(row, dict) and isinstance(row.get("id"), str):
            yield row["id"], (*at, i, "id")
