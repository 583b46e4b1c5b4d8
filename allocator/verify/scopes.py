"""Rules that reach over accounts: limits and the corridor of exposures (problem.md section 4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from allocator.exposure import Goal, exposure_change
from allocator.limits import Bound, Meter
from allocator.models.base import ONE, ZERO
from allocator.models.plan import Order, Transfer
from allocator.state import Book, Effect, Pair, State
from allocator.verify.faces import Changes, Curve, Face, Key, Rule, linear
from allocator.verify.steps import Index

EQUITY: Key = ("equity",)


def widening(book: Book, index: Index, underlying: str | None) -> Decimal:
    """Compute w: the larger of max_slice and the smallest sendable order of the plan, numeraire."""
    sizes = [
        book.units[name].smallest
        for name in index.ordered
        if book.instruments[name].underlying == underlying
    ]
    return max(book.policy.max_slice, min(sizes, default=ZERO))


def limit_rules(book: Book, start: State, meter: Meter, index: Index) -> Iterator[Rule]:
    """Make the rules of one limit on states, one for each bound."""
    measure = meter.limit.measure
    if measure in ("equity", "leverage"):
        effects = index.of_accounts(meter.accounts)
    else:
        effects = index.of_pairs(meter.pairs)
    width = ZERO
    if measure == "net_notional":
        ordered = {e.action.instrument for e in effects if isinstance(e.action, Order)}
        names = {book.instruments[name].underlying for name in ordered}
        widths = [widening(book, index, name) for name in names]
        width = max([book.policy.max_slice, *widths])
    for bound in meter.bounds:
        yield _Bounded(book, start, meter, bound).rule(effects, width)


@dataclass(frozen=True)
class _Bounded:
    """One bound of a limit on states."""

    book: Book
    start: State
    meter: Meter
    bound: Bound

    def rule(self, effects: Sequence[Effect], width: Decimal) -> Rule:
        return Rule(
            "limit",
            self.meter.limit.id,
            effects,
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
    index: Index,
) -> Iterator[Rule]:
    """Keep each exposure between start, target +- band and the plan's end, widened by w.

    Parameters
    ----------
    before
        Exposures before the plan, numeraire.
    wanted
        Targets and bands, numeraire.
    """
    parts: dict[str, dict[int, Decimal]] = {}
    touching: dict[str, list[Effect]] = {}
    for effect in index.effects:
        for name, value in exposure_change(book, effect).items():
            parts.setdefault(name, {})[id(effect)] = value
            touching.setdefault(name, []).append(effect)
    for name, part in sorted(parts.items()):
        first, goal = before[name], wanted[name]
        end = first + sum(part.values(), ZERO)
        width = widening(book, index, name)
        high = max(first, goal.target + goal.band, end) + width
        low = min(first, goal.target - goal.band, end) - width
        yield _corridor(name, touching[name], (first - high, low - first), part)


def _corridor(
    name: str,
    effects: Sequence[Effect],
    bases: tuple[Decimal, Decimal],
    part: Mapping[int, Decimal],
) -> Rule:
    def changes(effect: Effect) -> tuple[Changes, Changes]:
        return {("exposure",): part[id(effect)]}, {}

    def faces() -> Sequence[Face]:
        return [
            Face(base, _line(sign), changes) for base, sign in zip(bases, (ONE, -ONE), strict=True)
        ]

    return Rule("corridor", name, effects, ZERO, lambda _: ZERO, faces)


def _line(sign: Decimal) -> Callable[[Key], Curve]:
    return lambda _: linear(ZERO, sign)
