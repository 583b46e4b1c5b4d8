"""What a plan does, as sizes."""

from __future__ import annotations

from allocator.models.plan import Order, Plan, PositionMove, Transfer
from allocator.plan.lots import Sizes


def sizes_of(plan: Plan) -> Sizes:
    """Take the sizes of a plan's actions."""
    orders = {(a.account, a.instrument): a.signed for a in plan.actions if isinstance(a, Order)}
    sent = {a.route: a.amount for a in plan.actions if isinstance(a, Transfer)}
    moves = {
        (a.source, a.target, a.instrument): a.quantity
        for a in plan.actions
        if isinstance(a, PositionMove)
    }
    return Sizes(orders, sent, moves)
