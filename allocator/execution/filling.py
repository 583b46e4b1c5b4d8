"""What the fills of a plan have done to the book so far. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

from allocator.execution.attempts import Attempt
from allocator.execution.transitions import State
from allocator.models.base import ZERO
from allocator.models.plan import Order, Plan, Transfer
from allocator.state import Book, Effect, effect_of, lawful

LEFT = frozenset({State.IN_TRANSIT, State.SETTLED})
"""A transfer in these states has left its sender."""


@lawful
def filled_effects(book: Book, plan: Plan, attempts: Iterable[Attempt]) -> list[Effect]:
    """Tell the effects of a plan's actions as far as they were filled.

    A transfer that left and has not arrived has its first half: its money is under way.
    """
    filled, states = dict[int, Decimal](), dict[int, set[State]]()
    for row in attempts:
        filled[row.seq] = filled.get(row.seq, ZERO) + row.filled
        states.setdefault(row.seq, set()).add(row.state)
    out = list[Effect]()
    for action in plan.actions:
        seen = states.get(action.seq, set())
        if isinstance(action, Order):
            share = filled.get(action.seq, ZERO) / action.quantity
            if share:
                out.append(_scaled(_effect(book, action), share))
        elif isinstance(action, Transfer) and State.SETTLED not in seen and seen & LEFT:
            out.append(replace(_effect(book, action), on_arrival={}))
        elif State.SETTLED in seen:
            out.append(_effect(book, action))
    return out


def _effect(book: Book, action: Order | Transfer | object) -> Effect:
    return book.once(("effect", action), lambda: effect_of(book, action))  # type: ignore[arg-type]


def _scaled(effect: Effect, share: Decimal) -> Effect:
    return replace(
        effect,
        contracts={pair: value * share for pair, value in effect.contracts.items()},
        at_once={pair: value * share for pair, value in effect.at_once.items()},
        spent={pair: value * share for pair, value in effect.spent.items()},
    )
