"""Which rules a final state is up against, by the exact law.

The relaxation's prices tell what a rule is worth; whether it really binds is told here: a pool
that needs no margin, or a balance that nothing leaves, is tight without binding anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

from allocator.limits import is_of_plan, meters_of, plan_excess
from allocator.margin import Shocked, binding_stresses, collateral, pools, requirements
from allocator.models.base import ONE, ZERO
from allocator.models.plan import Action, Order, Transfer
from allocator.plan.relax import Rule
from allocator.state import Book, Effect, Pair, State, effect_of, lawful

NEAR = Decimal("0.005")
"""Slack that counts as none, relative to what the rule asks; whole lots leave some."""

LEAST = ONE
"""Slack that counts as none, numeraire."""


@lawful
def tight_rules(book: Book, actions: Sequence[Action]) -> frozenset[Rule]:
    """Name the rules that the plan's end is up against: margin, what may leave, counts, limits."""
    effects = [effect_of(book, action) for action in actions]
    final = State.start(book).after(effects)
    out = set[Rule]()
    for account in book.accounts:
        out |= _margins(book, final, account)
    out |= _withdrawals(book, effects)
    out |= _budgets(book, actions)
    return frozenset(out | _limits(book, final, effects))


def _margins(book: Book, final: State, account: str) -> set[Rule]:
    out = set[Rule]()
    for pool in pools(book, account):
        needed = requirements(book, final, account, pool)
        held = collateral(book, final, account, pool)
        buffered = (ONE + book.policy.margin_buffer) * needed.maintenance
        asked = max(needed.initial, buffered)
        slack = held - asked
        stresses = binding_stresses(book, account)
        if stresses and asked > 0:
            shocked = Shocked.of(book, final, account, pool)
            slack = min(slack, *(-shocked.stressed(stress) for stress in stresses))
        if asked > 0 and slack <= max(LEAST, NEAR * asked):
            out.add(Rule("margin", (account,) if pool is None else (account, pool)))
    return out


def _withdrawals(book: Book, effects: Sequence[Effect]) -> set[Rule]:
    gone: dict[Pair, Decimal] = {}
    for effect in effects:
        if isinstance(effect.action, Transfer):
            for key, units in effect.at_once.items():
                gone[key] = gone.get(key, ZERO) - units
    out = set[Rule]()
    for (account, asset), units in gone.items():
        price = book.price(asset)
        slack = (book.withdrawable(account, asset) - units) * price
        if slack <= max(LEAST, NEAR * units * price):
            out.add(Rule("withdrawable", (account, asset)))
    return out


def _budgets(book: Book, actions: Sequence[Action]) -> set[Rule]:
    orders = Counter(action.account for action in actions if isinstance(action, Order))
    return {
        Rule("order_budget", (name,))
        for name, count in orders.items()
        if count == book.accounts[name].order_budget
    }


def _limits(book: Book, final: State, effects: Sequence[Effect]) -> set[Rule]:
    out = set[Rule]()
    for meter in meters_of(book):
        for bound in meter.bounds:
            scale = abs(meter.cap(bound))
            if meter.limit.measure == "leverage":
                scale = meter.total(final)
            least = LEAST / meter.weight if meter.weight else ZERO
            if -meter.excess(final, bound) <= max(least, NEAR * scale) and scale > 0:
                out.add(Rule("limit", (meter.limit.id,)))
    for limit in book.mandate.limits:
        if effects and is_of_plan(limit) and limit.max is not None:
            spare = -plan_excess(book, limit, effects)
            if spare <= NEAR * limit.max:
                out.add(Rule("limit", (limit.id,)))
    return out
