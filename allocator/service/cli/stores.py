"""Where ``snapshot: {stored: ...}`` is looked up, and where what-ifs are kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from allocator.whatif.references import Store

FOLDER = Path("var/store")

StoreOption = Annotated[
    Path, typer.Option("--store", help="Folder of stored snapshots, what-ifs and sweeps.")
]
DatabaseOption = Annotated[
    str | None,
    typer.Option(
        "--database", help="URL of the record; snapshots of its plans count as stored too."
    ),
]


def store(folder: Path, database: str | None) -> Store:
    """Look snapshots up by hash or ``latest``: in the folder, then in the record.

    The record has the snapshot of every plan, found by the plan's hash.
    """
    from allocator.whatif.folder import Folder

    def find(name: str) -> Any:
        found = Folder(folder).load("snapshots", name)
        return _recorded(database, name) if found is None and database is not None else found

    return find


def _recorded(url: str, name: str) -> Any:
    from allocator.execution.database import connect
    from allocator.execution.history import History
    from allocator.models.base import json_value
    from allocator.service.database import database_errors

    with database_errors(url):
        engine = connect(url)
        try:
            history = History(engine)
            made = [row.plan_hash for row in history.cycles(10_000) if row.plan_hash is not None]
            wanted = made[:1] if name == "latest" else [name]
            record = history.plan(wanted[0]) if wanted else None
            return None if record is None else json_value(record.snapshot)
        finally:
            engine.dispose()
