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
        "--database",
        help="URL of the service's database; its snapshots and those of its plans count as stored.",
    ),
]


def store(folder: Path, database: str | None) -> Store:
    """Look snapshots up by hash or ``latest``: in the folder, then in the database."""
    from allocator.whatif.folder import Folder

    def find(name: str) -> Any:
        found = Folder(folder).load("snapshots", name)
        return _recorded(database, name) if found is None and database is not None else found

    return find


def _recorded(url: str, name: str) -> Any:
    from allocator.execution.database import connect
    from allocator.service.database import database_errors
    from allocator.service.stored import stored_snapshot

    with database_errors(url):
        engine = connect(url)
        try:
            return stored_snapshot(engine, name)
        finally:
            engine.dispose()
