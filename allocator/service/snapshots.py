"""Snapshots that cycles gathered or people posted, by their hash; the latest are kept.

Of those that were posted a name keeps no more than `service.keep` says.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, Engine, delete
from sqlmodel import Session, col, select

from allocator.execution.database import READ_ONLY
from allocator.models.api import SnapshotView
from allocator.models.base import json_value
from allocator.models.canonical import canonical_json, snapshot_hash
from allocator.models.errors import RefusedError
from allocator.models.service import KeepConfig
from allocator.models.service_records import SnapshotRow
from allocator.models.snapshot import Snapshot
from allocator.service.allowances import MEGABYTE, TooLongError, beyond, octets

GATHERED = "gathered"
NARROWED = "narrowed to repairs"
"""Source of what an urgent plan was made for: the book, in which nothing may grow."""

OURS = frozenset({GATHERED, NARROWED})
"""Sources of what the service itself has made; the others are people."""

MOST_KEPT = 500
"""Snapshots of the service itself, of each source."""


class MissingError(RefusedError):
    """There is nothing of that name."""

    code = "NOT_FOUND"


class Snapshots:
    """The stored snapshots of one portfolio.

    Parameters
    ----------
    keep
        How much of what one name has posted is kept.
    """

    def __init__(self, engine: Engine, portfolio: str, keep: KeepConfig | None = None) -> None:
        self._engine = engine
        self._reads = engine.execution_options(**{READ_ONLY: True})
        self._portfolio = portfolio
        self._keep = keep or KeepConfig()

    def keep(self, snapshot: Snapshot, source: str) -> SnapshotView:
        """Store a snapshot; of one source the same one is stored once.

        Raises
        ------
        TooLongError
            When somebody posts one that is longer than all that is kept of a name.
        """
        name, text = snapshot_hash(snapshot), canonical_json(json_value(snapshot))
        self._check_length(text, source)
        mine = (
            col(SnapshotRow.portfolio) == self._portfolio,
            col(SnapshotRow.source) == source,
        )
        with Session(self._engine) as session, session.begin():
            same = select(SnapshotRow.id).where(*mine, SnapshotRow.snapshot_hash == name)
            if session.exec(same).first() is None:
                session.add(
                    SnapshotRow(
                        portfolio=self._portfolio,
                        snapshot_hash=name,
                        as_of=snapshot.as_of,
                        source=source,
                        snapshot_json=text,
                    )
                )
                session.flush()
            if source in OURS:
                self._drop_old(session, *mine)
            else:
                self._drop_beyond(session, *mine)
        return SnapshotView(snapshot_hash=name, as_of=snapshot.as_of, source=source)

    def _check_length(self, text: str, source: str) -> None:
        length, most = len(text.encode()), self._keep.snapshots_mb * MEGABYTE
        if source not in OURS and length > most:
            raise TooLongError(
                f"SNAPSHOT_TOO_LONG: bytes={length} most={most}; post one of fewer accounts and "
                "instruments, or raise service.keep.snapshots_mb"
            )

    def _drop_old(self, session: Session, *mine: ColumnElement[bool]) -> None:
        kept = select(SnapshotRow.id).where(*mine).order_by(col(SnapshotRow.id).desc())
        oldest = session.exec(kept.offset(MOST_KEPT - 1).limit(1)).first()
        if oldest is not None:
            old = delete(SnapshotRow).where(*mine, col(SnapshotRow.id) < oldest)
            session.connection().execute(old)

    def _drop_beyond(self, session: Session, *mine: ColumnElement[bool]) -> None:
        length = octets(self._engine, col(SnapshotRow.snapshot_json))
        rows = select(SnapshotRow.id, length).where(*mine).order_by(col(SnapshotRow.id).desc())
        most = self._keep.snapshots, self._keep.snapshots_mb * MEGABYTE
        gone = beyond(session.exec(rows), *most)
        if gone:
            old = delete(SnapshotRow).where(col(SnapshotRow.id).in_(gone))
            session.connection().execute(old)

    def read(self, name: str) -> Snapshot:
        """Read a snapshot by its hash.

        Raises
        ------
        MissingError
            When there is none, or it is not kept any longer.
        """
        return self._one(col(SnapshotRow.snapshot_hash) == name, name)

    def was_gathered(self, name: str) -> bool:
        """Tell whether a cycle gathered a snapshot: one that was only posted is nobody's book."""
        query = select(SnapshotRow.id).where(
            SnapshotRow.portfolio == self._portfolio,
            SnapshotRow.snapshot_hash == name,
            SnapshotRow.source == GATHERED,
        )
        with Session(self._reads) as session:
            return session.exec(query).first() is not None

    def latest(self) -> Snapshot:
        """Read the latest snapshot that was gathered.

        Raises
        ------
        MissingError
            When none was.
        """
        return self._one(col(SnapshotRow.source) == GATHERED, "latest")

    def newest(self) -> SnapshotView | None:
        """Name the latest snapshot that was gathered; None: none was."""
        query = (
            select(SnapshotRow.snapshot_hash, SnapshotRow.as_of)
            .where(SnapshotRow.portfolio == self._portfolio, SnapshotRow.source == GATHERED)
            .order_by(col(SnapshotRow.id).desc())
            .limit(1)
        )
        with Session(self._reads) as session:
            found = session.exec(query).first()
        if found is None:
            return None
        return SnapshotView(snapshot_hash=found[0], as_of=found[1], source=GATHERED)

    def all(self, limit: int) -> tuple[SnapshotView, ...]:
        """List snapshots, the latest stored first."""
        query = (
            select(SnapshotRow.snapshot_hash, SnapshotRow.as_of, SnapshotRow.source)
            .where(SnapshotRow.portfolio == self._portfolio)
            .order_by(col(SnapshotRow.id).desc())
            .limit(limit)
        )
        with Session(self._reads) as session:
            return tuple(
                SnapshotView(snapshot_hash=name, as_of=as_of, source=source)
                for name, as_of, source in session.exec(query)
            )

    def _one(self, which: ColumnElement[bool], name: str) -> Snapshot:
        query = (
            select(SnapshotRow.snapshot_json)
            .where(SnapshotRow.portfolio == self._portfolio, which)
            .order_by(col(SnapshotRow.id).desc())
            .limit(1)
        )
        with Session(self._reads) as session:
            found = session.exec(query).first()
        if found is None:
            raise MissingError(
                f"NO_SNAPSHOT: snapshot={name}; of what one name posts service.keep tells how much "
                f"is kept, of what was gathered the latest {MOST_KEPT}"
            )
        return Snapshot.model_validate_json(found)
