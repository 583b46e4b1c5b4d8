"""One version of a mandate as its row tells it, whether it can be read back or not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from allocator.models.canonical import mandate_text_hash
from allocator.models.errors import JournalError
from allocator.models.mandate import Mandate
from allocator.models.service_records import MandateRow


@dataclass(frozen=True, slots=True)
class Version:
    """One version; fields as in `MandateRow`.

    Attributes
    ----------
    unchecked
        What could not be checked as it was drafted or published just now; empty: nothing.
    """

    version: int
    status: str
    hash: str
    mandate: Mandate
    note: str
    author: str
    created_at: datetime
    published_by: str | None
    published_at: datetime | None
    unchecked: str = ""

    @property
    def why(self) -> str:
        """What is the matter with it: nothing."""
        return ""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """One version of which the record does not tell what it says; fields as of `Version`.

    Attributes
    ----------
    why
        What is the matter with it.
    """

    version: int
    status: str
    hash: str
    note: str
    author: str
    created_at: datetime
    published_by: str | None
    published_at: datetime | None
    why: str


def listed(row: MandateRow) -> Version | Unreadable:
    """Read a version back, or tell why it cannot be read."""
    try:
        return version_of(row)
    except JournalError as error:
        return Unreadable(
            version=row.version,
            status=row.status,
            hash=row.mandate_hash,
            note=row.note,
            author=row.author,
            created_at=row.created_at,
            published_by=row.published_by,
            published_at=row.published_at,
            why=str(error),
        )


def version_of(row: MandateRow) -> Version:
    """Read a version back.

    Raises
    ------
    JournalError
        When it is not what was hashed, or this release does not know what it says.
    """
    try:
        same = mandate_text_hash(row.mandate_json) == row.mandate_hash
        mandate = Mandate.model_validate_json(row.mandate_json) if same else None
    except (ValueError, TypeError, LookupError) as error:
        told = " ".join(str(error).split())
        raise JournalError(f"UNREADABLE: mandate version {row.version}: {told}") from error
    if mandate is None:
        raise JournalError(f"MANDATE_CHANGED: version={row.version}: it is not what was hashed")
    return Version(
        version=row.version,
        status=row.status,
        hash=row.mandate_hash,
        mandate=mandate,
        note=row.note,
        author=row.author,
        created_at=row.created_at,
        published_by=row.published_by,
        published_at=row.published_at,
    )
