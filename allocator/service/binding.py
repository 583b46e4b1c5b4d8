"""A database is one installation's: whoever bears another name is turned away.

The lock and the epoch of a leader go by the installation's name, but what it carries out, its open
requests, breakers and proposals are all of the database's: under two names two would lead, and
both would carry out the same plan.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Engine
from sqlmodel import Session, select

from allocator.execution.database import READ_ONLY
from allocator.execution.office import write
from allocator.models.errors import RefusedError
from allocator.models.records import CycleRow
from allocator.models.service_records import BindingRow, MandateRow

ONLY = 1
"""Id of the only row."""


def bound_to(engine: Engine) -> str | None:
    """Tell whose a database is; None: nobody's yet."""
    with Session(engine.execution_options(**{READ_ONLY: True})) as session:
        row = session.get(BindingRow, ONLY)
        return None if row is None else row.installation


def bind(engine: Engine, installation: str, now: datetime, *, chosen: bool = False) -> None:
    """Take a database for an installation at its first use; later only make sure of it.

    Parameters
    ----------
    engine
        A database at this release's schema.
    chosen
        Whether somebody has said that of several who used it this one keeps it.

    Raises
    ------
    RefusedError
        When it is another installation's, or nobody's and others have traded in it.
    """
    found = bound_to(engine)
    others = frozenset[str]() if found or chosen else _users(engine) - {installation}
    if others:
        names = " and ".join(sorted({*others, installation}))
        raise RefusedError(
            f"SEVERAL_INSTALLATIONS: database={_shown(engine)} is nobody's yet, and others than "
            f"{installation} have mandates or cycles in it: of {names} one keeps it, by "
            "`allocator db keep -c` with its configuration; give every other a database of its own"
        )
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
        # With a mandate of its own it is no renamed one: it would trade under another's.
        own = installation in _users(engine)
        renamed = f"write `installation: {found}` in the configuration, or "
        raise RefusedError(
            f"OTHER_INSTALLATION: database={_shown(engine)} belongs to installation={found}, "
            f"not to {installation}: two names would lead and carry out one plan twice; "
            f"{'' if own else renamed}give {installation} a database of its own"
        )


def _users(engine: Engine) -> frozenset[str]:
    """Name who has a mandate or cycles in a database."""
    published = select(MandateRow.portfolio).where(MandateRow.status == "published").distinct()
    traded = select(CycleRow.portfolio).distinct()
    with Session(engine.execution_options(**{READ_ONLY: True})) as session:
        return frozenset((*session.exec(published), *session.exec(traded)))


def _shown(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=True)
