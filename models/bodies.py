"""What requests of the HTTP API carry."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from allocator.models.base import Value
from allocator.models.mandate import Mandate
from allocator.models.scenario import Depth
from allocator.models.snapshot import Snapshot

Line = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""One line of text."""

Reason = Annotated[
    str, Field(min_length=1, max_length=2000, pattern=r"^[^\x00]*[^\x00\s][^\x00]*$")
]
"""Why somebody does something; never blank."""

Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""sha256, hex."""

MOST_POINTS = 500
"""Points of a sweep on request; larger ones are for `allocator sweep`."""


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


class Retraction(Value):
    """That an approval is taken back; the reason may be left out."""

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


class Publication(Value):
    """What was seen of a draft that is to be published; left out: nothing is held against it.

    Attributes
    ----------
    mandate_hash
        Of the draft.
    instead_of
        The version that held then; None: no version did.
    """

    mandate_hash: Hash
    instead_of: int | None = Field(default=None, ge=1, le=1_000_000)


Shocks = Mapping[str, Any] | Annotated[tuple[Mapping[str, Any], ...], Field(max_length=50)]
"""One shock as in a scenario file, e.g. ``{"prices": {"BTC": "-20%"}}``, or several in order."""


class Case(Value):
    """What if: a scenario on the book as it is; its parts are those of a scenario file.

    Attributes
    ----------
    shock
        What happens, after the overrides: one shock, or a list of them, one after the other.
    override
        Values in place of others, by path, e.g. ``{"mandate.policy.margin_buffer": "0.4"}``.
    expect
        What it must come to, e.g. ``{"feasible": true}``.
    """

    name: Line
    shock: Shocks = Field(default_factory=dict[str, Any])
    override: Mapping[Line, Any] = Field(default_factory=dict[str, Any], max_length=100)
    expect: Mapping[str, Any] = Field(default_factory=dict[str, Any])


class WhatIfRequest(Value):
    """Cases to decide beside the book as it is."""

    cases: tuple[Case, ...] = Field(min_length=1, max_length=20)


class SweepRequest(Value):
    """Every combination of values, decided on the book as it is.

    Attributes
    ----------
    grid
        Lists of values by path, as in a scenario file:
        ``{"mandate.policy.order_cost": [0, 1, 5], "shock.prices.BTC": ["-10%", "-20%"]}``.
    shock, override
        What is done to the book at every point, as in a case.
    depth
        How far each point is decided.
    """

    grid: Mapping[Line, tuple[Any, ...]] = Field(min_length=1, max_length=8)
    shock: Shocks = Field(default_factory=dict[str, Any])
    override: Mapping[Line, Any] = Field(default_factory=dict[str, Any], max_length=100)
    depth: Depth = "plan"

    @model_validator(mode="after")
    def _is_small(self) -> SweepRequest:
        if not 1 <= prod(len(row) for row in self.grid.values()) <= MOST_POINTS:
            raise ValueError(f"a grid has 1 to {MOST_POINTS} points")
        return self
