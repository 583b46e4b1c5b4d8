"""What requests of the HTTP API carry to have something decided, judged, halted or drafted."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from allocator.models.api import Hash, Line, Reason
from allocator.models.base import Value
from allocator.models.mandate import Mandate
from allocator.models.snapshot import Snapshot


class PlanRequest(Value):
    """What to decide about.

    Attributes
    ----------
    snapshot, snapshot_hash
        The book, or a stored one; neither: the latest that the service has gathered.
    mandate, mandate_version
        What is wanted, or a version; neither: the published one.
    propose
        Whether people may approve the plan: only for a stored snapshot and the published mandate.
    """

    snapshot: Snapshot | None = None
    snapshot_hash: Hash | None = None
    mandate: Mandate | None = None
    mandate_version: int | None = Field(default=None, ge=1, le=1_000_000)
    propose: bool = False


class ReasonBody(Value):
    """Why; required."""

    reason: Reason


class Approval(Value):
    """A yes; the reason may be left out."""

    reason: Annotated[str, Field(max_length=2000, pattern=r"^[^\x00]*$")] = ""


class Halt(Value):
    """What stops, and how far.

    Attributes
    ----------
    scope
        ``global``, ``venue:NAME`` or ``account:NAME``.
    state
        ``halted``: nothing is sent; ``reducing``: only what reduces risk.
    """

    scope: Line = "global"
    state: Literal["halted", "reducing"] = "halted"
    reason: Reason


class Resume(Value):
    """What may act again."""

    scope: Line = "global"
    reason: Reason


class MandateDraft(Value):
    """A mandate to be published by somebody."""

    mandate: Mandate
    note: Annotated[str, Field(max_length=2000, pattern=r"^[^\x00]*$")] = ""
