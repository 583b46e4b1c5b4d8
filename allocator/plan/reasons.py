"""Why each action: what breaks, or what it costs, without it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from allocator.models.plan import Action, Order, PositionMove, Transfer
from allocator.plan.judge import EXACT, Verdict, judged
from allocator.plan.lots import Sizes
from allocator.plan.outcome import Outcome
from allocator.state import Book

MOST = 40
"""Number of actions up to which each is left out in turn."""


def reasons(book: Book, outcome: Outcome) -> dict[int, str]:
    """Give a reason for each action, by its number."""
    if not outcome.actions:
        return {}
    if len(outcome.actions) > MOST:
        return {action.seq: _purpose(book, action) for action in outcome.actions}
    whole = judged(book, outcome.sizes)
    return {
        action.seq: f"{_purpose(book, action)}; {_without(book, outcome.sizes, action, whole)}"
        for action in outcome.actions
    }


def _purpose(book: Book, action: Action) -> str:
    if isinstance(action, Transfer):
        worth = action.amount * book.price(action.asset)
        return f"funds {action.target} with {worth:,.0f} USD of {action.asset}"
    if isinstance(action, PositionMove):
        worth = action.quantity * book.notional(action.instrument)
        return f"carries {worth:,.0f} USD of {action.instrument} out of {action.source}"
    row = book.instruments[action.instrument]
    worth = action.quantity * book.notional(action.instrument)
    what = row.underlying or row.base or row.id
    verb = "reduces" if action.reduce_only else "adds" if action.side == "buy" else "takes off"
    return f"{verb} {worth:,.0f} USD of {what}"


def _without(book: Book, sizes: Sizes, action: Action, whole: Verdict) -> str:
    other = judged(book, _fewer(sizes, action))
    if other.broken:
        return f"without it {other.broken[0]}"
    if other.shortfall > whole.shortfall + EXACT:
        return f"without it {other.shortfall - whole.shortfall:,.2f} USD more would be missing"
    saved: Decimal = other.total - whole.total
    return f"saves {saved:,.2f} USD against leaving it out"


def _fewer(sizes: Sizes, action: Action) -> Sizes:
    if isinstance(action, Transfer):
        kept = {name: v for name, v in sizes.transfers.items() if name != action.route}
        return replace(sizes, transfers=kept)
    if isinstance(action, Order):
        key = (action.account, action.instrument)
        return replace(sizes, orders={k: v for k, v in sizes.orders.items() if k != key})
    move = (action.source, action.target, action.instrument)
    return replace(sizes, moves={k: v for k, v in sizes.moves.items() if k != move})
