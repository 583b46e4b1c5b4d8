"""Why each action: what would be missing without it, what it saves, what else could be done.

All of it is judged by the exact law. Work is bounded: plans of small books have each action left
out and replaced in turn; those of large books are told by what their accounts would miss; and plans
of more than `MOST` actions by groups with one purpose, in one pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from allocator.cost import cost
from allocator.exposure import exposures, goals
from allocator.models.base import ZERO
from allocator.models.explain import amount
from allocator.models.plan import COST_PARTS, Action, Cost, Order, PositionMove, Transfer
from allocator.models.reasons import Gap, Instead, Reason, Shortage, Together
from allocator.plan.actions import actions_of
from allocator.plan.judge import EXACT, Verdict, judged
from allocator.plan.lots import Sizes
from allocator.plan.needs import grown, margin_shortages, overdrawn, shortages
from allocator.plan.outcome import Outcome
from allocator.plan.substitutes import (
    MOST_EACH,
    exposure_of,
    substitutes,
    underlying_of,
    without,
)
from allocator.state import Book, Effect, State, effect_of, lawful, published

MOST = 40
"""Number of actions up to which each is told by itself."""

LOOKS = 120
"""Most plans that are judged for the reasons of one."""

WORK = 12_000
"""The same times what one look takes: pairs of the book, and a few for every action."""

EACH_ACTION = 4
"""Pairs of a book that take as long to judge as one action."""


@lawful
def reasons(book: Book, outcome: Outcome) -> dict[int, Reason]:
    """Give a reason for each action, by its number."""
    if not outcome.actions:
        return {}
    if len(outcome.actions) > MOST:
        return grouped(book, outcome.actions)
    spare = _looks(book, len(outcome.actions)) - len(outcome.actions)
    if spare < 0:
        return needed(book, outcome.actions)
    return _Judge(book, outcome, min(MOST_EACH, spare // len(outcome.actions))).reasons()


def _looks(book: Book, actions: int) -> int:
    """Count the plans that may be judged; the first for each action leaves it out."""
    return min(LOOKS, WORK // (len(book.quantity) + EACH_ACTION * actions))


def needed(book: Book, actions: tuple[Action, ...]) -> dict[int, Reason]:
    """Tell the actions of a large book by the margin that the accounts they touch would miss."""
    effects = [effect_of(book, action) for action in actions]
    final, out = State.start(book).after(effects), dict[int, Reason]()
    for effect in effects:
        left = State.start(book).after(e for e in effects if e is not effect)
        rows = [
            [row for name in effect.accounts for row in margin_shortages(book, state, name)]
            for state in (final, left)
        ]
        told = Reason(purpose=purpose(book, effect.action), needs=grown(*rows))
        out[effect.seq] = told
    return out


class _Judge:
    """Leaves out and replaces one action after another."""

    def __init__(self, book: Book, outcome: Outcome, each: int) -> None:
        self.book, self.sizes, self.actions = book, outcome.sizes, outcome.actions
        self.whole = judged(book, outcome.sizes)
        self.effects = [effect_of(book, action) for action in outcome.actions]
        self.final = State.start(book).after(self.effects)
        self.cost = cost(book, self.effects, self.final)
        self.exposures = exposures(book, self.final)
        self.sets: dict[str, tuple[Decimal | None, dict[str, Decimal]]] = {}
        self.each = each

    def reasons(self) -> dict[int, Reason]:
        """Give each action its reason."""
        return {
            action.seq: self._reason(action, effect)
            for action, effect in zip(self.actions, self.effects, strict=True)
        }

    def _reason(self, action: Action, effect: Effect) -> Reason:
        fewer = without(self.sizes, action)
        others = [e for e in self.effects if e.action is not action]
        left = State.start(self.book).after(others)
        needs = self._needs(effect, left)
        return Reason(
            purpose=purpose(self.book, action),
            needs=needs,
            gap=self._gap(action, left),
            together=self._together(action),
            changes=changes(cost(self.book, others, left), self.cost),
            left_out=compared("leaving it out", judged(self.book, fewer), self.whole),
            instead=self._best(action, needs[0] if needs else None),
        )

    def _needs(self, effect: Effect, left: State) -> tuple[Shortage, ...]:
        """List what is missing without an action and not with it, in the accounts it touches."""
        with_it = shortages(self.book, self.final, effect.accounts)
        bare = shortages(self.book, left, effect.accounts)
        keys = [key for e in self.effects for key in e.flows if key[0] in effect.accounts]
        with_it += overdrawn(self.book, self.final, dict.fromkeys(keys))
        bare += overdrawn(self.book, left, dict.fromkeys(keys))
        return grown(with_it, bare)

    def _gap(self, action: Action, left: State) -> Gap | None:
        """Tell what an order does to its underlying's distance from the target."""
        if not isinstance(action, Order):
            return None
        name = underlying_of(self.book, action.instrument)
        if name is None:
            return None
        goal = goals(self.book)[name]
        return Gap(
            underlying=name,
            without=published(exposures(self.book, left)[name] - goal.target),
            after=published(self.exposures[name] - goal.target),
            band=published(goal.band),
        )

    def _together(self, action: Action) -> Together | None:
        """Leave an order out with those that offset it: alone it would open a gap."""
        if not isinstance(action, Order):
            return None
        name, side = underlying_of(self.book, action.instrument), self._side(action)
        mine = [
            other
            for other in self.actions
            if isinstance(other, Order) and underlying_of(self.book, other.instrument) == name
        ]
        if name is None or all(self._side(other) == side for other in mine):
            return None
        others = tuple(other.seq for other in mine if other is not action)
        if name not in self.sets:
            fewer = self.sizes
            for other in mine:
                fewer = without(fewer, other)
            told = compared("", judged(self.book, fewer), self.whole)
            kept = [e for e in self.effects if e.action not in mine]
            self.sets[name] = told.extra, changes(cost(self.book, kept), self.cost)
        extra, parts = self.sets[name]
        return Together(orders=others, extra=extra, changes=parts)

    def _side(self, order: Order) -> bool:
        return order.signed * exposure_of(self.book, order.instrument) > 0

    def _best(self, action: Action, need: Shortage | None) -> Instead | None:
        """Find the cheapest substitute that keeps every rule; else the first one and why not."""
        seen = list[tuple[bool, Decimal, Instead]]()
        for number, other in enumerate(substitutes(self.book, self.sizes, action, need)):
            if number >= self.each:
                break
            told = compared(other.doing, judged(self.book, other.sizes), self.whole)
            extra = ZERO if told.extra is None else told.extra
            seen.append((told.extra is None, extra, told))
        return min(seen, key=lambda row: row[:2])[2] if seen else None


def compared(doing: str, verdict: Verdict, whole: Verdict) -> Instead:
    """Compare an alternative with what is done."""
    if verdict.broken:
        return Instead(doing=doing, refused=verdict.broken[0])
    if verdict.shortfall > whole.shortfall + EXACT:
        more = verdict.shortfall - whole.shortfall
        return Instead(doing=doing, refused=f"{more:,.2f} USD more would be missing")
    return Instead(doing=doing, extra=published(verdict.total - whole.total))


def changes(before: Cost, after: Cost) -> dict[str, Decimal]:
    """Take the difference of two costs by part; parts that stay are left out."""
    found = {name: getattr(after, name) - getattr(before, name) for name in COST_PARTS}
    return {name: published(value) for name, value in found.items() if value}


def effects_of(book: Book, sizes: Sizes) -> list[Effect]:
    """Work out the effects of sizes without an order of steps."""
    return [effect_of(book, action) for action in actions_of(book, sizes)]


def purpose(book: Book, action: Action) -> str:
    """Tell what an action does."""
    kind, place = _aim(book, action)
    return f"{kind} {worth_of(book, action):,.0f} USD of {place}"


def worth_of(book: Book, action: Action) -> Decimal:
    """Value what an action carries, numeraire."""
    if isinstance(action, Transfer):
        return action.amount * book.price(action.asset)
    return action.quantity * book.notional(action.instrument)


def _aim(book: Book, action: Action) -> tuple[str, str]:
    if isinstance(action, Transfer):
        return f"funds {action.target} with", action.asset
    if isinstance(action, PositionMove):
        return f"carries out of {action.source}", action.instrument
    row = book.instruments[action.instrument]
    what = row.underlying or row.base or row.id
    held = book.quantity.get((action.account, action.instrument), ZERO)
    if action.reduce_only:
        return f"reduces a {'long' if held > 0 else 'short'} by", what
    return "buys" if action.side == "buy" else "sells", what


def grouped(book: Book, actions: tuple[Action, ...]) -> dict[int, Reason]:
    """Tell a large plan by groups of actions with one aim; linear in their number."""
    aims = [_aim(book, action) for action in actions]
    count: dict[tuple[str, str], int] = {}
    total: dict[tuple[str, str], Decimal] = {}
    for aim, action in zip(aims, actions, strict=True):
        count[aim] = count.get(aim, 0) + 1
        total[aim] = total.get(aim, ZERO) + worth_of(book, action)
    told: Mapping[tuple[str, str], Reason] = {
        aim: Reason(purpose=_together(aim, count[aim], total[aim])) for aim in count
    }
    return {action.seq: told[aim] for aim, action in zip(aims, actions, strict=True)}


def _together(aim: tuple[str, str], count: int, total: Decimal) -> str:
    kind, place = aim
    if count == 1:
        return f"{kind} {total:,.0f} USD of {place}"
    return f"one of {count:,} actions that together: {kind} {total:,.0f} USD of {place}"


def described(sizes: Sizes) -> str:
    """Tell sizes in a line; the first few of many."""
    out = [f"send {amount(v)} over {name}" for name, v in sizes.transfers.items()]
    out += [f"move {amount(v)} {k[2]} from {k[0]} to {k[1]}" for k, v in sizes.moves.items()]
    out += [
        f"{'buy' if v > 0 else 'sell'} {amount(abs(v))} {k[1]} in {k[0]}"
        for k, v in sizes.orders.items()
    ]
    rest = f" and {len(out) - FEW} more" if len(out) > FEW else ""
    return ", ".join(out[:FEW]) + rest


FEW = 3
"""Actions of an alternative that are told one by one."""
