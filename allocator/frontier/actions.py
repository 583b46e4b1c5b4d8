"""Cost against the number of actions.

`decide` is asked under the limit of at most n orders. The limit does not count transfers and
moves, so a plan may come back with more than n actions; then it is asked again without transfers
and moves, and with as many orders less, and every plan is offered at every number that it keeps.
A plan of at most n actions has at most n orders: so the bound that is proven under the limit holds
for n actions too, and whatever is proven of more is true of fewer.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from allocator.frontier.limits import at_most
from allocator.frontier.points import ActionPoint
from allocator.frontier.runs import Run, Runs
from allocator.models.errors import RefusedError
from allocator.models.mandate import Mandate
from allocator.state import lawful, published

CLOSE = Decimal("0.01")
"""Gap in numeraire up to which a point counts as proven."""

CLOSE_SHARE = Decimal("0.0001")
"""The same as a share of the plan's controllable cost."""


@lawful
def action_points(runs: Runs, mandate: Mandate, points: int) -> tuple[ActionPoint, ...]:
    """Compute the curve from no action to as many as the best plan uses.

    Raises
    ------
    RefusedError
        When the unlimited decision itself is refused.
    """
    free = runs.run(mandate)
    if free.plan.status == "refused":
        raise RefusedError(f"no frontier without a decision: {free.plan.note}")
    idle = runs.run(at_most(mandate, 0, carriage=False))
    found = _Found(runs, mandate, idle, free)
    chosen = numbers(free.count, points)
    for most in chosen:
        found.look(most)
    return priced([found.point(most) for most in chosen])


def numbers(last: int, points: int) -> list[int]:
    """Choose evenly among 0 to last, both ends in it."""
    count = min(points, last + 1)
    if count == 1:
        return [last]
    return [round(k * last / (count - 1)) for k in range(count)]


class _Found:
    """Plans and bounds that were found."""

    def __init__(self, runs: Runs, mandate: Mandate, idle: Run, free: Run) -> None:
        self.runs, self.mandate, self.idle, self.free = runs, mandate, idle, free
        self.plans = [idle, free]
        self.limited: dict[int, Run | None] = {free.count: free}

    def look(self, most: int) -> None:
        """Decide for plans of at most so many actions."""
        if most in (0, self.free.count):
            return
        run = self._limited(most)
        if run is None or run.count <= most:
            return
        self._limited(max(0, most - (run.count - most)))
        still = at_most(self.mandate, most, carriage=False)
        other = self.runs.released(still, f"at most {most} orders and nothing else")
        if other is not None:
            self.plans.append(other)

    def _limited(self, most: int) -> Run | None:
        if most not in self.limited:
            what = f"at most {most} orders"
            run = self.runs.released(at_most(self.mandate, most), what)
            self.limited[most] = run
            if run is not None:
                self.plans.append(run)
        return self.limited[most]

    def point(self, most: int) -> ActionPoint:
        """Choose the best plan of at most so many actions, with what is proven of it."""
        best = min((run for run in self.plans if run.count <= most), key=lambda run: run.rank)
        bound = best.blocks.cost.total if most == 0 else self.bound(most, best)
        gap = None if bound is None else best.blocks.cost.total - bound
        near = max(CLOSE, CLOSE_SHARE * best.blocks.cost.worked)
        return ActionPoint(
            most=most,
            count=best.count,
            cost=best.blocks.cost,
            shortfall=best.shortfall,
            lower_bound=bound,
            proven=gap is not None and gap <= near,
            plan=best.plan,
        )

    def bound(self, most: int, best: Run) -> Decimal | None:
        """Take the best bound that is proven of at most so many orders and this S, or more."""
        bounds = list[Decimal]()
        for orders, run in self.limited.items():
            proof = None if run is None else run.plan.certificate
            fewer = orders < most and run is not self.free
            if proof is not None and not fewer and proof.shortfall >= best.shortfall:
                bounds.append(proof.lower_bound)
        return min(max(bounds), best.blocks.cost.total) if bounds else None


def priced(points: Sequence[ActionPoint]) -> tuple[ActionPoint, ...]:
    """Tell which points lie on the convex hull, and what one more action saves at each."""
    last = points[-1].shortfall
    hull = lower_hull([row for row in points if abs(row.shortfall - last) <= 1])
    out = list[ActionPoint]()
    for at, row in enumerate(points):
        after = points[at + 1] if at + 1 < len(points) else None
        saved = None
        if after is not None and abs(after.shortfall - row.shortfall) <= 1:
            steps = after.most - row.most
            saved = published((row.cost.total - after.cost.total) / steps)
        out.append(row.model_copy(update={"on_hull": row.most in hull, "one_more": saved}))
    return tuple(out)


def lower_hull(points: Sequence[ActionPoint]) -> frozenset[int]:
    """Name the numbers of actions of the points on the lower convex hull."""
    hull = list[ActionPoint]()
    for row in points:
        while len(hull) > 1 and _above(hull[-2], hull[-1], row):
            hull.pop()
        hull.append(row)
    return frozenset(row.most for row in hull)


def _above(left: ActionPoint, middle: ActionPoint, right: ActionPoint) -> bool:
    rise = (right.cost.total - left.cost.total) * (middle.most - left.most)
    return (middle.cost.total - left.cost.total) * (right.most - left.most) > rise
