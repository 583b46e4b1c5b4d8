"""Which rules bind, and at what price, from certified row prices.

A price is what one unit more of room would take off the cost. It is read from the program in which
the plan's own actions are paid for, what they exclude is barred, and every other action pays its
fixed cost in shares, as in the relaxation: so a transfer that is sent anyway makes money dear by
its rate and not by its fee. Row prices are any prices that prove an optimum; where several do, they
may promise more than relaxing gives. So each rule is relaxed a little and the program solved again:
what that saves per unit caps the price, and a rule that saves nothing is not listed. Books of more
than `MOST_USABLE` actions are told by the relaxation's own prices.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field, replace
from decimal import Decimal

import numpy as np

from allocator.limits import Meter, is_of_plan
from allocator.minimise.search import Search
from allocator.minimise.supports import usable
from allocator.models.errors import SolverError
from allocator.models.mandate import Limit
from allocator.models.reasons import Binding
from allocator.plan.declared import Priced, declared
from allocator.plan.lots import Sizes
from allocator.plan.reasons import effects_of
from allocator.plan.relax import Rule
from allocator.program.core import Core
from allocator.program.form import Form
from allocator.program.separable import Index, Mask
from allocator.program.solve import GAP, Answer, solve
from allocator.program.sparse import columns_scaled
from allocator.state import Book, State

MOST_USABLE = 1_000
"""Usable actions up to which programs are solved anew for prices."""

LEAST_PRICE = 1e-7
"""Numeraire per unit from which a price is worth telling."""

MOST = 20
"""Most rules that are listed."""

MOST_TRIED = 6
"""Most rules, the dearest first, that are relaxed to see what that saves."""

NUDGE = 0.01
"""By how much a rule is relaxed to see, units: a thousand of numeraire; counts by one."""

SLIGHT = 2e-4
"""The same of margin, where its price shows in so little: today's room bounds sizes, too."""

SHOWS = 20.0
"""Multiple of the noise of an objective from which what is saved shows."""


@dataclass
class _Rows:
    """The rows of one rule, and what they are worth together.

    Attributes
    ----------
    hard, counted
        Rows that may not be broken further, and rows of S; where there are some of S, only these
        move with the rule.
    """

    hard: list[int] = field(default_factory=list[int])
    counted: list[int] = field(default_factory=list[int])

    @property
    def moving(self) -> list[int]:
        """The rows that move with the rule."""
        return self.counted or self.hard


def binding_of(book: Book, found: Search, sizes: Sizes, tight: Container[Rule]) -> list[Binding]:
    """List the rules that bind, dearest first.

    Parameters
    ----------
    sizes
        What the plan does.
    tight
        The rules that the plan's end is up against, by the exact law.
    """
    final = State.start(book).after(effects_of(book, sizes))
    form, scale = found.below.form, found.below.form.cost_unit
    answer, small = found.relaxed, usable(form) <= MOST_USABLE
    if small:
        form = paid_for(form, used_of(found.below.core, sizes))
        try:
            answer = solve(form.capped(found.cap).relaxed())
        except SolverError:
            small = False
    capped, scales = form.capped(found.cap), dict[Rule, float]()
    priced = list[tuple[float, Rule, list[int]]]()
    for rule, rows in rows_of(form).items():
        if replace(rule, bound="") in tight:
            price = float(np.maximum(answer.y[rows.moving], 0.0).sum())
            scales[rule] = scale * _per_unit(book, rule, final, form)
            if price * scales[rule] > LEAST_PRICE:
                priced.append((price, rule, rows.moving))
    priced.sort(key=lambda row: (-row[0], row[1]))
    out = list[Priced]()
    for number, (price, rule, moving) in enumerate(priced[:MOST]):
        tried = small and number < MOST_TRIED
        seen = _worth(capped, answer, moving, price) if tried else price
        if seen * scales[rule] > LEAST_PRICE:
            worth = Decimal(f"{seen * scales[rule]:.10f}").normalize() + 0
            out.append(Priced(rule, worth))
    return [declared(book, final, row) for row in sorted(out, key=lambda r: (-r.price, r.name))]


def rows_of(form: Form) -> dict[Rule, _Rows]:
    """Gather the rows of every rule that a person knows."""
    out: dict[Rule, _Rows] = {}
    for at, label in enumerate(form.labels):
        rule = _rule(label)
        if rule is not None:
            rows = out.setdefault(rule, _Rows())
            (rows.counted if label[0] == "missing" else rows.hard).append(at)
    return out


def _rule(label: tuple[str, ...]) -> Rule | None:
    if label[0] in ("withdrawable", "order_budget"):
        return Rule(label[0], label[1:])
    if label[0] == "missing":
        label = label[1:]
    if label[0] == "margin":
        return Rule("margin", label[1:-1])
    if label[0] == "limit":
        return Rule("limit", label[1:-1], "min" if label[-1] == "min" else "max")
    return None


def _counts(form: Form, rows: list[int]) -> bool:
    return any("order" in form.labels[at][0] or form.labels[at][-1] == "orders" for at in rows)


def used_of(core: Core, sizes: Sizes) -> Mask:
    """Mark the actions that sizes use, shape ``(n_actions,)``."""
    out = np.zeros(core.layout.count, dtype=bool)
    for at, key in enumerate(core.arrays.orders.keys):
        size = sizes.orders.get(key)
        if size is not None:
            out[core.layout.buys[at] if size > 0 else core.layout.sells[at]] = True
    for at, name in enumerate(core.arrays.routes.ids):
        out[core.layout.transfers[at]] = name in sizes.transfers
    for at, move in enumerate(core.arrays.moves.keys):
        out[core.layout.moved[at]] = move in sizes.moves
    return out


def paid_for(form: Form, used: Mask) -> Form:
    """Pay the fixed costs and charges of some actions whatever their size.

    What no plan does beside them is barred: the other side of an instrument for the same owner, and
    a move beside the sender's order. Else both sides together would pay for what one side cannot.
    """
    form = form.without(_beside(form, used))
    z = used.astype(np.float64)
    shift = form.Z @ z
    return replace(
        form,
        Z=columns_scaled(form.Z, 1.0 - z),
        row_low=form.row_low - shift,
        row_high=form.row_high - shift,
        fixed=np.where(used, 0.0, form.fixed),
        hulls=tuple(hull for hull in form.hulls if not used[hull.orders].any()),
        constant=form.constant + float(form.fixed @ z),
    )


def _beside(form: Form, used: Mask) -> list[Index]:
    """Find the actions that exclude some that are used."""
    out = list[Index]()
    for group in form.directions:
        if used[group.buys].any():
            out.append(group.sells)
        elif used[group.sells].any():
            out.append(group.buys)
    for one, other in form.exclusive:
        if used[one] != used[other]:
            out.append(np.array([other if used[one] else one], dtype=np.int64))
    return out


def _worth(form: Form, answer: Answer, rows: list[int], price: float) -> float:
    """Relax rows a little and see what that saves per unit; never more than their price."""
    nudge = 1.0 if _counts(form, rows) else NUDGE
    rules = [_rule(form.labels[at]) for at in rows]
    margin = all(rule is not None and rule.kind == "margin" for rule in rules)
    if margin and price * SLIGHT > SHOWS * GAP * (1.0 + abs(answer.value)):
        nudge = SLIGHT
    high = form.row_high.copy()
    high[rows] += nudge
    try:
        eased = solve(replace(form, row_high=high).relaxed())
    except SolverError:
        return price
    noise = GAP * (1.0 + abs(eased.value))
    saved = max(0.0, answer.value - eased.value)
    if saved <= noise and price * nudge > 2 * noise:
        return 0.0
    return price if saved + noise >= price * nudge else saved / nudge


def _per_unit(book: Book, rule: Rule, final: State, form: Form) -> float:
    """Turn a price per unit of a row into one per unit of the rule."""
    own = rule.about[0] if rule.kind == "limit" else None
    limit = next((row for row in book.mandate.limits if row.id == own), None)
    if rule.kind == "order_budget" or (limit is not None and limit.measure == "orders"):
        return 1.0
    return _weight(book, limit, final) / form.unit


def _weight(book: Book, limit: Limit | None, final: State) -> float:
    if limit is None or is_of_plan(limit):
        return 1.0
    meter = Meter(book, limit)
    if limit.measure == "leverage":
        return max(0.0, float(meter.equity(final)))
    return float(meter.weight)
