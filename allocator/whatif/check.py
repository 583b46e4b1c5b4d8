"""Checking a file whatever it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from allocator.whatif.document import fail, read
from allocator.whatif.grid import MOST_POINTS
from allocator.whatif.reader import (
    check_scenario,
    load_config,
    load_mandate,
    load_plan,
    load_snapshot,
)

LOADERS: Final[Mapping[str, Callable[[Path], Any]]] = {
    "snapshot": load_snapshot,
    "mandate": load_mandate,
    "scenario": check_scenario,
    "plan": load_plan,
    "config": load_config,
}
SIGNS: Final = (
    ("plan", {"schema", "plan_hash", "actions"}),
    ("scenario", {"snapshot", "shock", "override", "expect", "grid"}),
    ("config", {"logins", "mode", "database", "installation", "loopback_url"}),
    ("snapshot", {"as_of", "instruments", "accounts", "assets"}),
    ("mandate", {"targets", "limits", "policy", "targets_default"}),
)
"""Kinds of files by the keys that only they have, the most telling first."""


def kind_of(data: Any) -> str | None:
    """Tell what plain data is meant to be; None: nothing that is known."""
    keys = set(data) if isinstance(data, dict) else set[str]()
    return next((kind for kind, signs in SIGNS if keys & signs), None)


def validate(path: Path, kind: str | None = None, most_points: int = MOST_POINTS) -> str:
    """Check a file.

    Parameters
    ----------
    kind
        One of `LOADERS`; None: the file's keys tell.
    most_points
        How many points the grid of a scenario may have.

    Returns
    -------
    What it is, of a grid with the number of its points.

    Raises
    ------
    FileError
        With every problem of the file.
    """
    if kind is None:
        kind = kind_of(read(path).data)
    if kind is None:
        raise fail(str(path), f"is none of {', '.join(LOADERS)} by its keys; say which with --as")
    if kind != "scenario":
        LOADERS[kind](path)
        return kind
    count = check_scenario(path, most_points)
    return f"{kind}, a grid of {count:,} point{'s' * (count > 1)}" if count else kind
