"""Cost against the margin that is kept on top of maintenance.

A larger buffer asks for more in every account: the plan repairs more, by transfers, moves or
smaller positions, until nothing is left that could give it.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from decimal import Decimal

from allocator.frontier.limits import buffered
from allocator.frontier.points import BufferPoint
from allocator.frontier.runs import Run, Runs, whole
from allocator.models.base import ONE, ZERO
from allocator.models.mandate import Mandate
from allocator.models.plan import Plan
from allocator.state import lawful, published

REACH = Decimal("0.25")
"""The curve goes from no buffer to twice the mandate's, and at least to this one."""

POINT = Decimal("0.01")
"""A point of buffer, that prices are told for."""

DIGITS = Decimal("0.0001")
"""Last digit of a buffer on the curve."""


def buffers(own: Decimal, points: int) -> list[Decimal]:
    """Lay out buffers from none to twice the mandate's own, which is among more than two.

    >>> [str(row) for row in buffers(Decimal("0.4"), 5)]
    ['0', '0.2', '0.4', '0.6', '0.8']
    """
    last = max(2 * own, REACH)
    rows = {(last * k / (points - 1)).quantize(DIGITS) for k in range(points)}
    inner = rows - {ZERO, last}
    if inner and own not in rows:
        rows = rows - {min(inner, key=lambda row: (abs(row - own), row))} | {own}
    return [row.normalize() + ZERO for row in sorted(rows)]


@lawful
def buffer_points(runs: Runs, mandate: Mandate, points: int) -> tuple[BufferPoint, ...]:
    """Compute the curve, ascending by buffer."""
    found = list[tuple[Decimal, Run]]()
    for buffer in buffers(mandate.policy.margin_buffer, points):
        run = runs.released(buffered(mandate, buffer), f"buffer {buffer:f}")
        if run is not None:
            found.append((buffer, run))
    return priced([_point(buffer, run) for buffer, run in found])


def priced(points: Sequence[BufferPoint]) -> tuple[BufferPoint, ...]:
    """Tell what a point of buffer more costs at each."""
    out = list[BufferPoint]()
    for row, after in itertools.pairwise(points):
        price = None
        if whole(row.shortfall) == whole(after.shortfall):
            steps = (after.margin_buffer - row.margin_buffer) / POINT
            price = published((after.cost.total - row.cost.total) / steps * ONE)
        out.append(row.model_copy(update={"price": price}))
    return (*out, *points[-1:])


def _point(buffer: Decimal, run: Run) -> BufferPoint:
    proof = run.plan.certificate
    return BufferPoint(
        margin_buffer=buffer,
        cost=run.blocks.cost,
        shortfall=ZERO if proof is None else proof.shortfall,
        worst_margin_ratio=_worst(run.plan),
        count=run.count,
        gap=None if proof is None else proof.gap,
        plan=run.plan,
    )


def _worst(plan: Plan) -> Decimal | None:
    ratios = [row.margin_ratio_after for row in plan.accounts.values()]
    return min((ratio for ratio in ratios if ratio is not None), default=None)
