"""A scenario file: snapshot, mandate and what is asked of them (interface.md)."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from allocator.models.base import Num, Value, plain
from allocator.models.mandate import Mandate
from allocator.models.plan import PlanStatus
from allocator.models.snapshot import Snapshot

Depth = Literal["plan", "quick", "relaxed"]
"""How far a point of a sweep is decided.

``plan``: as `allocator.decide` does; ``quick``: a verified plan with less effort and a looser
bound; ``relaxed``: the relaxed program and its bound alone.
"""


Along = Literal["actions", "tracking", "margin_buffer"]
"""What changes along a frontier."""


class Range(Value):
    """Inclusive bounds of an expected figure."""

    min: Num | None = None
    max: Num | None = None

    @model_validator(mode="after")
    def _is_some(self) -> Range:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {plain(self.min)} is above max {plain(self.max)}")
        return self


class Expect(Value):
    """What a scenario must come to; checked when it is run.

    Attributes
    ----------
    feasible
        Whether nothing is broken after the plan.
    status
        The plan's status.
    actions, orders, transfers, moves
        Counts of actions.
    worst_margin_ratio
        The smallest margin ratio after the plan.
    total, saving
        Cost of the plan, and do_nothing - total, numeraire.
    gap_relative, shortfall
        Of the certificate.
    exposure
        After the plan, by underlying, numeraire.
    binding, infeasible, unrepairable
        Names that must occur among the binding limits, in what is reported missing, or among
        what is broken and frozen.
    """

    feasible: bool | None = None
    status: PlanStatus | None = None
    actions: Range | None = None
    orders: Range | None = None
    transfers: Range | None = None
    moves: Range | None = None
    worst_margin_ratio: Range | None = None
    total: Range | None = None
    saving: Range | None = None
    gap_relative: Range | None = None
    shortfall: Range | None = None
    exposure: dict[str, Range] = Field(default_factory=dict[str, Range])
    binding: tuple[str, ...] = ()
    infeasible: tuple[str, ...] = ()
    unrepairable: tuple[str, ...] = ()


class Scenario(Value):
    """One scenario, with shocks and overrides already applied to snapshot and mandate.

    Attributes
    ----------
    shock, override, grid
        As the file had them; `allocator.whatif` applies them while it loads.
    depth
        Of a sweep over the grid.
    """

    version: Literal[1] = 1
    name: str
    description: str = ""
    snapshot: Snapshot
    mandate: Mandate
    shock: dict[str, Any] | list[Any] | None = None
    override: dict[str, Any] | None = None
    grid: dict[str, Any] | None = None
    depth: Depth = "plan"
    expect: Expect | None = None
