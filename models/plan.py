"""The plan: ordered actions with costs, states and certificate, as problem.md section 5 has it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from allocator.models.account import Side
from allocator.models.base import ZERO, Name, Num, Positive, Value
from allocator.models.reasons import Binding, Idle, Infeasible, Obstacle, Reason, Shortage

PlanStatus = Literal["act", "nothing", "infeasible", "refused"]


class Transfer(Value):
    """Send money over a route; amount in asset units, charges on top."""

    seq: int = Field(ge=1)
    kind: Literal["transfer"] = "transfer"
    route: Name
    source: Name = Field(alias="from")
    target: Name = Field(alias="to")
    asset: Name
    amount: Positive
    after: tuple[int, ...] = ()


class Order(Value):
    """Trade in a book; quantity in contracts, limit_price the worst price ever accepted."""

    seq: int = Field(ge=1)
    kind: Literal["order"] = "order"
    account: Name
    instrument: Name
    side: Side
    quantity: Positive
    limit_price: Positive
    reduce_only: bool = False
    group: Name | None = None
    after: tuple[int, ...] = ()

    @property
    def signed(self) -> Decimal:
        """Contracts, positive for a buy."""
        return self.quantity if self.side == "buy" else -self.quantity


class PositionMove(Value):
    """Carry a position from one account to another at mark; quantity in contracts, unsigned."""

    seq: int = Field(ge=1)
    kind: Literal["move"] = "move"
    source: Name = Field(alias="from")
    target: Name = Field(alias="to")
    instrument: Name
    quantity: Positive
    after: tuple[int, ...] = ()


Action = Annotated[Transfer | Order | PositionMove, Field(discriminator="kind")]

COST_PARTS = (
    "tracking",
    "fees",
    "spread",
    "impact",
    "transfers",
    "carry",
    "concentration",
    "actions",
)
"""The parts of the cost law, in its order."""

CONTROLLABLE = ("tracking", "fees", "spread", "impact", "transfers", "actions")
"""The parts that a plan works on: the denominator of the relative gap."""


class Cost(Value):
    """The cost law of a plan, numeraire, lower is better."""

    tracking: Num = ZERO
    fees: Num = ZERO
    spread: Num = ZERO
    impact: Num = ZERO
    transfers: Num = ZERO
    carry: Num = ZERO
    concentration: Num = ZERO
    actions: Num = ZERO
    total: Num = ZERO
    do_nothing: Num = ZERO

    @property
    def worked(self) -> Decimal:
        """The controllable parts together."""
        return sum((getattr(self, name) for name in CONTROLLABLE), ZERO)


class Exposure(Value):
    """Aggregate exposure to one underlying, numeraire."""

    before: Num
    after: Num
    target: Num
    band: Num


class AccountState(Value):
    """An account before and after the plan, numeraire.

    Attributes
    ----------
    margin_ratio_after
        Collateral over maintenance margin; None without maintenance margin.
    liquidation_distance_after
        By underlying, the relative price move (in the direction that hurts) at which collateral
        equals maintenance margin; None: no move up to +-100 % does it.
    """

    equity_before: Num
    equity_after: Num
    initial_margin_before: Num | None = None
    initial_margin_after: Num
    maintenance_margin_before: Num | None = None
    maintenance_margin_after: Num
    margin_ratio_before: Num | None = None
    margin_ratio_after: Num | None = None
    liquidation_distance_after: Mapping[str, Num | None] = Field(
        default_factory=dict[str, Num | None]
    )


class Certificate(Value):
    """What is proven of a plan.

    Attributes
    ----------
    lower_bound
        No final state with a shortfall of at most `shortfall` costs less, numeraire.
    gap, gap_relative
        total - lower_bound; relative to max(1, controllable cost).
    shortfall, shortfall_lower_bound
        S after the plan, and what no plan can go below, numeraire.
    proof
        ``convex_hull_dual``: from row prices, worked out again without the solver, so it holds
        however badly that rounded; by cases of uses where that is worth it. ``exact``: what a
        mixed-integer solver of a small book claims, less an allowance for its tolerances; nothing
        here checks its tree (docs/decisions/0004-exact-bounds.md).
    solver
        Which solver's answer was certified.
    """

    lower_bound: Num
    gap: Num
    gap_relative: Num
    shortfall: Num = ZERO
    shortfall_lower_bound: Num = ZERO
    proof: Literal["convex_hull_dual", "exact"] = "convex_hull_dual"
    binding: tuple[Binding, ...] = ()
    solver: str = ""


class Violation(Value):
    """A rule that a plan breaks: code and facts."""

    code: str
    message: str


class Plan(Value):
    """An ordered list of actions with its costs, states and certificate.

    `plan_hash` covers schema, status, both input hashes and the actions. Approval binds it.

    Attributes
    ----------
    certificate
        What the optimiser proved; None of a preset's plan and of a refused one.
    ignored
        Statements of the mandate that the cost law gives no meaning to.
    preset
        The allocation preset that made the plan, as it is written down; empty: `decide` did.
    """

    schema_: Literal["allocator.plan/1"] = Field(default="allocator.plan/1", alias="schema")
    status: PlanStatus
    plan_hash: str = ""
    snapshot_hash: str = ""
    mandate_hash: str = ""
    actions: tuple[Action, ...] = ()
    cost: Cost = Cost()
    exposure: Mapping[str, Exposure] = Field(default_factory=dict[str, Exposure])
    accounts: Mapping[str, AccountState] = Field(default_factory=dict[str, AccountState])
    certificate: Certificate | None = None
    infeasible: tuple[Infeasible, ...] = ()
    unrepairable: tuple[str, ...] = ()
    frozen: tuple[Shortage, ...] = ()
    reasons: Mapping[int, Reason] = Field(default_factory=dict[int, Reason])
    idle: Idle | None = None
    refusals: tuple[Violation, ...] = ()
    note: str = ""
    ignored: tuple[Obstacle, ...] = ()
    preset: str = ""

    def to_json(self) -> dict[str, Any]:
        """Turn the plan into plain JSON data, as problem.md section 5 shows it."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=False)

    def explain(self) -> str:
        """Tell in plain words what the plan does, why, and what it costs."""
        from allocator.models.explain import explain

        return explain(self)

    def to_frame(self) -> Any:
        """Make a polars data frame of the actions.

        Raises
        ------
        ConfigError
            When polars is not installed.
        """
        from allocator.whatif.plan_frame import plan_frame

        return plan_frame(self)

    def report(self, path: str | Path) -> Path:
        """Write the plan where the name's ending says how: .html (one page), .md or .json.

        Raises
        ------
        ConfigError
            When the ending says nothing.
        """
        from allocator.whatif.report import write_plan

        return write_plan(self, path)
