"""Versions of a portfolio's mandate: drafts are written, one is published, the rest is kept."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from allocator.execution.database import READ_ONLY
from allocator.execution.entries import Entry
from allocator.execution.office import write
from allocator.models.base import json_value
from allocator.models.canonical import canonical_json, mandate_hash
from allocator.models.config import Config
from allocator.models.errors import JournalError, RefusedError
from allocator.models.mandate import Mandate
from allocator.models.service import KeepConfig
from allocator.models.service_records import MandateRow
from allocator.risk.approvals import person
from allocator.service.allowances import MEGABYTE, FullError, TooLongError, octets
from allocator.service.fitting import Fitting
from allocator.service.mandate_versions import Unreadable, Version, listed, version_of
from allocator.service.snapshots import MissingError, Snapshots

CONFIGURED = "configuration"
"""Author of what came from the configuration's own mandate."""

REMEDY = (
    "publish another version (its draft on the Health page, POST /v1/mandates, or allocator config "
    "draft and config publish): nothing is planned until then"
)
"""What to do about a mandate that holds and cannot be read."""

MOST_VERSIONS = 1_000_000
"""No version has a higher number: databases hold whole numbers of a length only."""

MOST_WHY = 500
"""Characters of why it cannot be read that stand in a refusal, before what to do."""


class UnreadableError(RefusedError):
    """The mandate that holds cannot be read, so nobody can tell what may go under it."""

    code = "MANDATE_UNREADABLE"


@dataclass(frozen=True, slots=True)
class Seen:
    """What somebody had before their eyes who publishes.

    Attributes
    ----------
    hash
        Of the draft.
    instead_of
        The version that held then; None: no version did.
    """

    hash: str
    instead_of: int | None


class Mandates:
    """Reads and writes the versions of one portfolio.

    Parameters
    ----------
    config
        Says whether somebody other than the author has to publish, how many drafts of a name wait,
        and what mandates are held against until something is gathered; None: somebody other, as
        many as by default, and against nothing.
    """

    def __init__(self, engine: Engine, portfolio: str, config: Config | None = None) -> None:
        self._engine = engine
        self._reads = engine.execution_options(**{READ_ONLY: True})
        self._portfolio = portfolio
        self._four_eyes = config is None or config.approval.four_eyes
        self._keep = KeepConfig() if config is None else config.service.keep
        self.fitting = Fitting(Snapshots(engine, portfolio), config)

    def published(self) -> Version | None:
        """Tell the version that holds; None: none was ever published.

        Raises
        ------
        JournalError
            When it is not what was hashed, or cannot be read. Other versions are not looked at.
        """
        holds = self._published()
        return None if holds is None else version_of(holds)

    def holds(self) -> Version | Unreadable | None:
        """Tell the version that holds, whether it can be read or not; None: none does."""
        holds = self._published()
        return None if holds is None else listed(holds)

    def number_of_holding(self) -> int | None:
        """Tell the number of the version that holds, without reading it; None: none does."""
        query = select(MandateRow.version).where(
            MandateRow.portfolio == self._portfolio, MandateRow.status == "published"
        )
        with Session(self._reads) as session:
            return session.exec(query.order_by(col(MandateRow.version).desc()).limit(1)).first()

    def after(self, mandate: Mandate, at: datetime) -> Version | None:
        """Tell the version that has taken the place of what a plan was made for.

        A repair plans with a narrowed mandate, which is no version: it is judged by its time.

        Parameters
        ----------
        mandate, at
            What the plan was made for, and when it was proposed.

        Returns
        -------
        The version that holds now; None: the plan is for what holds.

        Raises
        ------
        JournalError
            When what holds now cannot be read, be it what the plan was made for or not.
        """
        holds, made_for = self._published(), mandate_hash(mandate)
        if holds is None or holds.published_at is None:
            return None
        # Whatever its row is called by: a plan's own copy is no mandate, if nobody can read that.
        now = version_of(holds)
        if now.hash == made_for:
            return None
        # By hashes alone: an old version that this release cannot read any more holds up nothing.
        query = select(MandateRow.mandate_hash).where(
            MandateRow.portfolio == self._portfolio, MandateRow.status == "retired"
        )
        with Session(self._reads) as session:
            retired = session.exec(query).all()
        later = bool(retired) and holds.published_at > at
        return now if later or made_for in retired else None

    def check_holds(self, mandate: Mandate, at: datetime) -> None:
        """Refuse a plan that was made for what no longer holds; parameters as of `after`.

        Raises
        ------
        RefusedError
            When another version has been published since: it has to be planned anew.
        UnreadableError
            When the version that holds cannot be read: nothing goes until another is published.
        """
        try:
            holds = self.after(mandate, at)
        except JournalError as error:
            why = str(error)[:MOST_WHY]
            raise UnreadableError(f"{UnreadableError.code}: {why}; {REMEDY}") from error
        if holds is not None:
            raise RefusedError(
                f"MANDATE_RETIRED: version={holds.version} published_by={holds.published_by} "
                f"proposed_at={at.isoformat()}; plan anew under the mandate that holds"
            )

    def all(self, limit: int | None = None) -> tuple[Version | Unreadable, ...]:
        """List versions, the latest first; those that cannot be read hide none of the others."""
        query = select(MandateRow).where(MandateRow.portfolio == self._portfolio)
        latest = query.order_by(col(MandateRow.version).desc()).limit(limit)
        with Session(self._reads) as session:
            return tuple(listed(row) for row in session.exec(latest))

    def in_sight(self, most: int) -> tuple[Version | Unreadable, ...]:
        """List the latest versions, and the one that holds, whatever was drafted since."""
        rows, holds = self.all(most), self.holds()
        if holds is None or any(row.version == holds.version for row in rows):
            return rows
        return (*rows[:-1], holds)

    def listed(self, version: int) -> Version | Unreadable | None:
        """Tell a version, whether it can be read or not; None: there is none of that number."""
        row = self._row(version)
        return None if row is None else listed(row)

    def one(self, version: int) -> Version | None:
        """Tell a version; None: there is none of that number.

        Raises
        ------
        JournalError
            When it is not what was hashed, or cannot be read.
        """
        row = self._row(version)
        return None if row is None else version_of(row)

    def _row(self, version: int) -> MandateRow | None:
        if version > MOST_VERSIONS:
            return None
        query = select(MandateRow).where(
            MandateRow.portfolio == self._portfolio, MandateRow.version == version
        )
        with Session(self._reads) as session:
            return session.exec(query).first()

    def _published(self) -> MandateRow | None:
        query = select(MandateRow).where(
            MandateRow.portfolio == self._portfolio, MandateRow.status == "published"
        )
        with Session(self._reads) as session:
            return session.exec(query.order_by(col(MandateRow.version).desc()).limit(1)).first()

    def draft(self, mandate: Mandate, author: str, note: str, now: datetime) -> Version:
        """Write a draft down as the next version.

        Raises
        ------
        SnapshotError, ConfigError
            When it does not fit the book; see `Fitting.check`.
        TooLongError
            When it is longer than all that may wait of an author.
        FullError
            When as many drafts of the author wait as may, or as long ones.
        """
        unchecked = self.fitting.check(mandate)
        length, most = len(canonical_json(json_value(mandate)).encode()), self._most_bytes
        if length > most:
            raise TooLongError(
                f"DRAFT_TOO_LONG: bytes={length} most={most}; write a shorter one, or raise "
                "service.keep.drafts_mb"
            )
        with self._write(now) as entry:
            self._check_room(entry, author, length)
            return replace(version_of(self._new(entry, mandate, author, note)), unchecked=unchecked)

    def publish(self, version: int, by: str, now: datetime, seen: Seen | None = None) -> Version:
        """Let a draft hold from the next cycle on; what held before is retired.

        The audit and an alert tell it in the same transaction.

        Parameters
        ----------
        seen
            What was shown to whoever publishes; None: nothing was.

        Raises
        ------
        MissingError
            When there never was such a version.
        RefusedError
            When it is no draft (any longer), it or what holds is not what was shown, or its author
            publishes it where four eyes are wanted.
        SnapshotError, ConfigError
            When it does not fit the book as it is by now; see `Fitting.check`.
        """
        found = self._row(version)
        unchecked = "" if found is None else self.fitting.check(version_of(found).mandate)
        with self._write(now) as entry:
            rows = entry.session.exec(
                select(MandateRow).where(MandateRow.portfolio == self._portfolio).with_for_update()
            ).all()
            row = next((r for r in rows if r.version == version), None)
            if not 0 < version <= max((r.version for r in rows), default=0):
                raise MissingError(f"NO_MANDATE: version={version}")
            if row is None or row.status != "draft":
                raise RefusedError(f"NO_DRAFT: version={version}")
            if self._four_eyes and person(row.author) == person(by):
                raise RefusedError(f"SAME_EYES: author={row.author} publisher={by}")
            _check_seen(row, rows, seen)
            self._retire(entry, rows)
            self._publish(entry, row, by)
            facts = {"author": row.author, "by": by, "note": row.note}
            entry.alert("mandate_published", version=version, **facts)
            return replace(version_of(row), unchecked=unchecked)

    def from_config(
        self, mandate: Mandate, now: datetime
    ) -> tuple[Version | Unreadable, Version | None]:
        """Tell the version that holds; the configuration's mandate is the first one.

        Returns
        -------
        The version that holds, and a new draft when the configuration's mandate has changed since
        it was last taken in, or what was taken in cannot be read any more: it holds only once
        somebody publishes it.
        """
        with self._write(now) as entry:
            query = select(MandateRow).where(MandateRow.portfolio == self._portfolio)
            rows = entry.session.exec(query.order_by(col(MandateRow.version))).all()
            holds = next((row for row in rows if row.status == "published"), None)
            if holds is None:
                row = self._new(entry, mandate, CONFIGURED, "first start")
                self._publish(entry, row, CONFIGURED)
                return version_of(row), None
            configured = [row for row in rows if row.author == CONFIGURED]
            read = [row for row in map(listed, (holds, *configured[-1:])) if not row.why]
            if mandate_hash(mandate) in {row.hash for row in read}:
                return listed(holds), None
            row = self._new(entry, mandate, CONFIGURED, "the configuration changed")
            return listed(holds), version_of(row)

    def _write(self, now: datetime) -> AbstractContextManager[Entry]:
        return write(self._engine, self._portfolio, lambda: now)

    def _check_room(self, entry: Entry, author: str, length: int) -> None:
        lasts = timedelta(days=self._keep.drafts_days)
        text = octets(self._engine, col(MandateRow.mandate_json))
        query = select(MandateRow.version, MandateRow.created_at, text).where(
            MandateRow.portfolio == self._portfolio,
            MandateRow.status == "draft",
            MandateRow.author == author,
            # What is too old takes no room, though it may still stand there.
            col(MandateRow.created_at) >= entry.at - lasts,
        )
        rows = entry.session.exec(query.order_by(col(MandateRow.version))).all()
        size = sum(row[2] for row in rows)
        if len(rows) < self._keep.drafts and size + length <= self._most_bytes:
            return
        oldest, at, _ = rows[0]
        raise FullError(
            f"DRAFTS_FULL: author={author} drafts={len(rows)} bytes={size} oldest={oldest}; let "
            f"one of them be published, wait until the oldest goes (service.keep.drafts_days: "
            f"{self._keep.drafts_days}), or raise service.keep.drafts and drafts_mb",
            at + lasts - entry.at,
        )

    @property
    def _most_bytes(self) -> int:
        return self._keep.drafts_mb * MEGABYTE

    def _new(self, entry: Entry, mandate: Mandate, author: str, note: str) -> MandateRow:
        query = select(MandateRow.version).where(MandateRow.portfolio == self._portfolio)
        last = entry.session.exec(query.order_by(col(MandateRow.version).desc()).limit(1)).first()
        row = MandateRow(
            portfolio=self._portfolio,
            version=(last or 0) + 1,
            status="draft",
            mandate_hash=mandate_hash(mandate),
            mandate_json=canonical_json(json_value(mandate)),
            note=note,
            author=author,
            created_at=entry.at,
        )
        entry.session.add(row)
        facts = {"mandate": row.mandate_hash, "author": author, "note": note}
        entry.event(_subject(row), "drafted", **facts)
        return row

    def _publish(self, entry: Entry, row: MandateRow, by: str) -> None:
        row.status, row.published_by, row.published_at = "published", by, entry.at
        entry.session.add(row)
        facts = {"by": by, "mandate": row.mandate_hash, "author": row.author}
        entry.event(_subject(row), "published", **facts)

    def _retire(self, entry: Entry, rows: Iterable[MandateRow]) -> None:
        for row in rows:
            if row.status == "published":
                row.status = "retired"
                entry.session.add(row)
                entry.event(_subject(row), "retired")


def _check_seen(row: MandateRow, rows: Iterable[MandateRow], seen: Seen | None) -> None:
    """Refuse to publish what somebody did not see, or in the place of another than they saw.

    Raises
    ------
    RefusedError
        When either differs.
    """
    if seen is None:
        return
    if seen.hash != row.mandate_hash:
        raise RefusedError(
            f"DRAFT_DIFFERS: version={row.version} shown={seen.hash} is={row.mandate_hash}"
        )
    holds = next((other.version for other in rows if other.status == "published"), None)
    if seen.instead_of != holds:
        raise RefusedError(
            f"ANOTHER_HOLDS: version={holds} shown={seen.instead_of}; see what changes against it"
        )


def _subject(row: MandateRow) -> str:
    return f"mandate:{row.portfolio}:{row.version}"
