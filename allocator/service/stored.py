"""Snapshots that a database holds, by name: those of plans, and those that were gathered."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from allocator.execution.database import READ_ONLY
from allocator.models.base import json_value
from allocator.models.canonical import snapshot_hash
from allocator.models.errors import ConfigError
from allocator.models.records import PlanRow, ProposalRow
from allocator.models.service_records import SnapshotRow
from allocator.models.snapshot import Snapshot

LATEST: Final = "latest"
SHORTEST: Final = 6
"""Characters of a hash that name what it is of."""


def stored_snapshot(engine: Engine, name: str) -> Any:
    """Find a snapshot as plain data; None: there is none of that name.

    Parameters
    ----------
    name
        Hash of a snapshot, or of a plan that was proposed or recorded, or six characters of its
        beginning at least; ``latest``: the newest by its own time.

    Raises
    ------
    ConfigError
        When several begin so, or when what is stored is not what was hashed.
    """
    with Session(engine.execution_options(**{READ_ONLY: True})) as session:
        if name == LATEST:
            found = _newest(session)
        elif len(name) >= SHORTEST and name.isalnum():
            found = _named(session, name)
        else:
            found = None
    return None if found is None else json_value(found)


def _newest(session: Session) -> Snapshot | None:
    texts = (
        session.exec(select(PlanRow.snapshot_json).order_by(col(PlanRow.cycle_id).desc()).limit(1)),
        session.exec(
            select(ProposalRow.snapshot_json).order_by(col(ProposalRow.at).desc()).limit(1)
        ),
        session.exec(
            select(SnapshotRow.snapshot_json)
            .order_by(col(SnapshotRow.as_of).desc(), col(SnapshotRow.id).desc())
            .limit(1)
        ),
    )
    found = [Snapshot.model_validate_json(text) for rows in texts for text in rows]
    return max(found, key=lambda row: row.as_of, default=None)


def _named(session: Session, name: str) -> Snapshot | None:
    """Read what is of a name; a plan and its gathered snapshot are one."""
    found = dict[str, Snapshot]()
    plans = select(PlanRow.snapshot_json).where(
        col(PlanRow.plan_hash).startswith(name) | col(PlanRow.snapshot_hash).startswith(name)
    )
    proposals = select(ProposalRow.snapshot_json).where(col(ProposalRow.plan_hash).startswith(name))
    for text in (*session.exec(plans).all(), *session.exec(proposals).all()):
        snapshot = Snapshot.model_validate_json(text)
        found[snapshot_hash(snapshot)] = snapshot
    gathered = select(SnapshotRow.snapshot_hash, SnapshotRow.snapshot_json).where(
        col(SnapshotRow.snapshot_hash).startswith(name)
    )
    for hash_, text in session.exec(gathered).all():
        snapshot = Snapshot.model_validate_json(text)
        if snapshot_hash(snapshot) != hash_:
            raise ConfigError(f"snapshot {hash_}: is not what was stored: its hash is another")
        found[hash_] = snapshot
    if len(found) > 1:
        raise ConfigError(f"snapshot {name!r} may be any of {len(found)} that begin so")
    return next(iter(found.values()), None)
