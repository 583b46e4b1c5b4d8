"""A database is one installation's: whoever bears another name is turned away.

The lock and the epoch of a leader go by the installation's name, but what it carries out, its open
requests, breakers and proposals are all of the database's: under two names two would lead, and
both would carry out the same plan.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Engine
from sqlmodel import Session

from allocator.execution.database import READ_ONLY
from allocator.execution.office import write
from allocator.models.errors import RefusedError
from allocator.models.service_records import BindingRow

ONLY = 1
"""Id of the only row."""


def bound_to(engine: Engine) -> str | None:
    """Tell whose a database is; None: nobody's yet."""
    with Session(engine.execution_options(**{READ_ONLY: True})) as session:
        row = session.get(BindingRow, ONLY)
        return None if row is None else row.installation


def bind(engine: Engine, installation: str, now: datetime) -> None:
    """Take a database for an installation at its first use; later only make sure of it.

    Parameters
    ----------
    engine
        A database at this release's schema.

    Raises
    ------
    RefusedError
        When it is another installation's.
    """
    found = bound_to(engine)
    if found is None:
        with write(engine, installation, lambda: now) as entry:
            # Writers wait for one another here, so whoever comes second sees the first one's row.
            row = entry.session.get(BindingRow, ONLY)
            if row is None:
                row = BindingRow(id=ONLY, installation=installation, bound_at=now)
                entry.session.add(row)
                entry.event(f"installation:{installation}", "bound")
            found = row.installation
    if found != installation:
        shown = engine.url.render_as_string(hide_password=True)
        raise RefusedError(
            f"OTHER_INSTALLATION: database={shown} belongs to installation={found}, not to "
            f"{installation}: two names would lead and carry out one plan twice; write "
            f"`installation: {found}` in the configuration, or give {installation} a database "
            "of its own"
        )
