"""The values of a frontier: frozen, with exact figures, numeraire."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from pydantic import Field

from allocator.models.base import ZERO, Num, Value, json_value
from allocator.models.plan import Cost, Plan
from allocator.models.scenario import Along

ALIKE = Decimal(1)
"""S in numeraire by which points may differ and still compare by cost."""


def _left(plan: Plan) -> Decimal:
    return ZERO if plan.certificate is None else plan.certificate.shortfall


class ActionPoint(Value):
    """The best plan found with at most so many actions.

    Attributes
    ----------
    most
        Actions allowed: orders, transfers and moves together.
    count
        Actions that the plan has; it may need fewer.
    cost
        Of the plan under the mandate, numeraire; `cost.total` is the curve.
    shortfall
        S after the plan; the curve falls in S first, then in total.
    lower_bound
        No plan of at most so many actions with an S no larger costs less; None: nothing is proven.
    proven
        Whether the bound meets the total to a cent or a ten-thousandth of the controllable cost,
        so that the point is the best there is.
    on_hull
        Whether the point lies on the lower convex hull of the curve: only such points can be the
        choice of one who pays a price for every action.
    one_more
        What one action more saves, on average up to the next point; None: there is no next point,
        or the next one repairs more.
    plan
        The plan, released for the mandate of `at_most` that it was decided under.
    """

    most: int
    count: int
    cost: Cost
    shortfall: Num
    lower_bound: Num | None
    proven: bool
    on_hull: bool = False
    one_more: Num | None = None
    plan: Plan = Field(repr=False)


class TrackingPoint(Value):
    """What is best when tracking weighs more, or less, than in the mandate.

    Attributes
    ----------
    factor
        On risk_aversion and band_penalty.
    tracking_error
        Standard deviation over the horizon of what the gaps to the targets earn, numeraire:
        ``sqrt(g' Sigma g h)``.
    band_excess
        What lies outside the bands, numeraire, over all underlyings.
    spent
        Controllable cost but tracking: fees, spread, impact, transfers, actions.
    cost
        Of the plan at the mandate's own weights.
    count
        Actions of the plan.
    gap
        By how much its own problem, at the scaled weights, might at most be solved better;
        None: nothing is proven.
    plan
        The plan, released for the mandate of `scaled` that it was decided under.
    """

    factor: Num
    tracking_error: Num
    band_excess: Num
    spent: Num
    cost: Cost
    count: int
    gap: Num | None
    plan: Plan = Field(repr=False)

    @property
    def other(self) -> Decimal:
        """All cost but tracking, carry and concentration included: what better tracking takes."""
        return self.cost.total - self.cost.tracking


class BufferPoint(Value):
    """What is best when more margin, or less, is kept on top of maintenance.

    Attributes
    ----------
    margin_buffer
        Fraction of maintenance margin to keep on top of it.
    cost
        Of the plan under the mandate's own weights, numeraire.
    shortfall
        S of its own problem that the plan leaves: what the buffer asks for and nothing can give.
    worst_margin_ratio
        The smallest after the plan; None: no account has one.
    count
        Actions of the plan.
    gap
        By how much its own problem might at most be solved better; None: nothing is proven.
    price
        What a point of buffer (0.01) more costs, on average up to the next point; None: there is
        no next point, or it leaves another S.
    plan
        The plan, released for the mandate of `buffered` that it was decided under.
    """

    margin_buffer: Num
    cost: Cost
    shortfall: Num
    worst_margin_ratio: Num | None
    count: int
    gap: Num | None
    price: Num | None = None
    plan: Plan = Field(repr=False)


class Frontier(Value):
    """A curve of plans.

    Attributes
    ----------
    along
        What changes along the curve.
    points
        By number of actions allowed, by factor, or by margin buffer, ascending.
    snapshot_hash, mandate_hash
        What it was computed for.
    notes
        What the curve leaves out, and why.
    """

    along: Along
    points: tuple[ActionPoint, ...] | tuple[TrackingPoint, ...] | tuple[BufferPoint, ...]
    snapshot_hash: str
    mandate_hash: str
    notes: tuple[str, ...] = ()

    @property
    def left_broken(self) -> tuple[Decimal, ...]:
        """S that each point's plan leaves, numeraire."""
        return tuple(_left(row.plan) for row in self.points)

    @property
    def comparable(self) -> tuple[bool, ...]:
        """Whether each point leaves as little broken as any: only these compare by cost."""
        least = min(self.left_broken)
        return tuple(row - least <= ALIKE for row in self.left_broken)

    def to_json(self) -> dict[str, Any]:
        """Turn the curve into plain JSON data; of each plan its actions and its hashes."""
        out: dict[str, Any] = json_value(self)
        for row in out["points"]:
            plan = row.pop("plan")
            names = ("status", "plan_hash", "mandate_hash", "actions")
            row["plan"] = {name: plan[name] for name in names}
        return out
