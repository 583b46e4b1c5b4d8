"""Rules that reach over accounts: limits and the corridor of exposures (problem.md section 4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from allocator.exposure import Goal, exposure_change
from allocator.limits import Bound, Meter, selects
from allocator.models.base import ONE, ZERO
from allocator.models.plan import Order, Transfer
from allocator.state import Book, Effect, Pair, State
from allocator.verify.faces import Changes, Curve, Face, Key, Rule, linear

EQUITY: Key = ("equity",)


def widening(book: Book, effects: Sequence[Effect], underlying: str | None) -> Decimal:
    """Compute w: the larger of max_slice and the smallest sendable order of the plan, numeraire."""
    sizes = [
        book.units[name].smallest
        for name in _ordered(effects)
        if book.instruments[name].underlying == underlying
    ]
    return max(book.policy.max_slice, min(sizes, default=ZERO))


def _ordered(effects: Sequence[Effect]) -> set[str]:
    return {e.action.instrument for e in effects if isinstance(e.action, Order)}


def limit_rules(
    book: Book, start: State, meter: Meter, effects: Sequence[Effect]
) -> Iterator[Rule]:
    """Make the rules of one limit on states, one for each bound."""
    width = ZERO
    if meter.limit.measure == "net_notional":
        inside = set(meter.accounts)
        within = [e for e in effects if inside & set(e.accounts)]
        names = {
            book.instruments[name].underlying
            for name in _ordered(within)
            if selects(meter.limit.of, book.instruments[name])
        }
        widths = [widening(book, effects, name) for name in names]
        width = max(book.policy.max_slice, *widths) if widths else book.policy.max_slice
    for bound in meter.bounds:
        yield _Bounded(book, start, meter, bound).rule(width)


@dataclass(frozen=True)
class _Bounded:
    """One bound of a limit on states."""

    book: Book
    start: State
    meter: Meter
    bound: Bound

    def rule(self, width: Decimal) -> Rule:
        return Rule(
            "limit",
            self.meter.limit.id,
            frozenset(self.meter.accounts),
            self.before,
            lambda state: self.meter.excess(state, self.bound),
            self.faces,
            width,
        )

    @cached_property
    def before(self) -> Decimal:
        return self.meter.excess(self.start, self.bound)

    def faces(self) -> Sequence[Face]:
        cap = self.meter.cap(self.bound)
        match self.meter.limit.measure:
            case "equity":
                slope = ONE if self.bound == "max" else -ONE
                return [Face(self.before, lambda _: linear(ZERO, slope), self.money)]
            case "net_notional":
                up, down = self.meter.net(self.start)
                return [
                    Face(up - cap, self.net_curve(ONE), self.contracts),
                    Face(-down - cap, self.net_curve(-ONE), self.contracts),
                ]
            case "leverage":
                return [Face(self.before, self.leverage_curve, self.contracts_and_money)]
            case _:
                return [Face(self.before, self.pair_curve, self.contracts)]

    def pair_curve(self, key: Key) -> Curve:
        pair, measure = self.meter.pairs[key[1], key[2]], self.meter.limit.measure
        held = self.book.quantity.get((key[1], key[2]), ZERO)
        return Curve(lambda quantity: pair.counted(measure, quantity), held)

    def net_curve(self, sign: Decimal) -> Callable[[Key], Curve]:
        return lambda key: linear(ZERO, sign * self.meter.pairs[key[1], key[2]].notional)

    def leverage_curve(self, key: Key) -> Curve:
        if key == EQUITY:
            return linear(ZERO, -self.meter.cap(self.bound))
        return self.pair_curve(key)

    def contracts(self, effect: Effect) -> tuple[Changes, Changes]:
        pairs = self.meter.pairs
        return {("contracts", *k): v for k, v in effect.contracts.items() if k in pairs}, {}

    def money(self, effect: Effect) -> tuple[Changes, Changes]:
        """Work out how an action changes the scope's equity: at once, and on arrival."""
        now, later = self.value(effect.at_once), self.value(effect.on_arrival)
        if self.meter.limit.measure == "equity" and self.bound == "max":
            now += self.value(effect.spent)
        transfer = isinstance(effect.action, Transfer)
        if transfer and set(effect.accounts) <= set(self.meter.accounts):
            return {EQUITY: now + later}, {}
        return {EQUITY: now}, {EQUITY: later}

    def contracts_and_money(self, effect: Effect) -> tuple[Changes, Changes]:
        now, later = self.money(effect)
        return {**self.contracts(effect)[0], **now}, later

    def value(self, rows: Mapping[Pair, Decimal]) -> Decimal:
        inside, asset = self.meter.accounts, self.meter.limit.of.asset
        picked = ((c, v) for (a, c), v in rows.items() if a in inside and asset in (None, c))
        return sum((v * self.book.price(c) for c, v in picked), ZERO)


def corridor_rules(
    book: Book,
    before: Mapping[str, Decimal],
    wanted: Mapping[str, Goal],
    effects: Sequence[Effect],
) -> Iterator[Rule]:
    """Keep each exposure between start, target +- band and the plan's end, widened by w.

    Parameters
    ----------
    before
        Exposures before the plan, numeraire.
    wanted
        Targets and bands, numeraire.
    """
    changes = [exposure_change(book, effect) for effect in effects]
    everyone = frozenset(book.accounts)
    parts = {id(effect): change for effect, change in zip(effects, changes, strict=True)}
    for name in sorted({name for change in changes for name in change}):
        first, goal = before[name], wanted[name]
        end = first + sum((change.get(name, ZERO) for change in changes), ZERO)
        width = widening(book, effects, name)
        high = max(first, goal.target + goal.band, end) + width
        low = min(first, goal.target - goal.band, end) - width
        yield _corridor(name, everyone, (first - high, low - first), parts)


def _corridor(
    name: str,
    everyone: frozenset[str],
    bases: tuple[Decimal, Decimal],
    parts: Mapping[int, Mapping[str, Decimal]],
) -> Rule:
    def changes(effect: Effect) -> tuple[Changes, Changes]:
        return {("exposure",): parts[id(effect)].get(name, ZERO)}, {}

    def faces() -> Sequence[Face]:
        return [
            Face(base, _line(sign), changes) for base, sign in zip(bases, (ONE, -ONE), strict=True)
        ]

    return Rule("corridor", name, everyone, ZERO, lambda _: ZERO, faces)


def _line(sign: Decimal) -> Callable[[Key], Curve]:
    return lambda _: linear(ZERO, sign)
