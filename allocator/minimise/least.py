"""The program that misses least of one thing, and the rules that its row prices name."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np

from allocator.minimise.candidate import SPARE, only_shortfall
from allocator.minimise.mixed import Exactly
from allocator.minimise.search import SMALL, whole_shortfall
from allocator.minimise.supports import usable
from allocator.plan.relax import Rule
from allocator.program.build import Program, build
from allocator.program.crossing import arrays_of
from allocator.program.form import Form
from allocator.program.separable import Index
from allocator.program.solve import Answer, solve
from allocator.state import Book

NOTHING = 1e-7
"""Missing amount in units (a cent) that counts as none."""

PRICED = 1e-6
"""Row price, per unit of the missing thing, from which a rule holds it back."""


@dataclass(frozen=True)
class Least:
    """The program that misses least of one thing, solved.

    Attributes
    ----------
    program, answer
        None where nothing of it is missing.
    missing
        Units.
    alone
        The form whose only cost is what is missing.
    """

    program: Program | None
    answer: Answer | None
    missing: float
    alone: Form | None = None

    def whole(self, exactly: Exactly) -> float | None:
        """Bound what is missing with whole actions, units; None where that is not known."""
        if self.alone is None or usable(self.alone) > SMALL:
            return None
        found = whole_shortfall(self.alone, exactly)
        return None if found is None else found[0]


def least_of(
    book: Book,
    broken: Rule,
    caps: Mapping[Rule, Decimal],
    free: Collection[tuple[str, str]] = (),
) -> Least:
    """Solve for the least that is missing of one thing, the others within their caps.

    Parameters
    ----------
    broken, caps
        The rule that the one thing breaks; numeraire by the rule that another breaks.
    free
        Owners and instruments that may be bought and sold at once.

    Raises
    ------
    SolverError
        When no answer can be certified.
    """
    program = build(arrays_of(book), None)
    form = program.form
    columns = _missing_columns(form)
    own = columns.get(broken)
    if own is None:
        return Least(program, None, 0.0)
    high, weight = form.high.copy(), np.zeros_like(form.shortfall)
    for rule, at in columns.items():
        if rule in caps:
            high[at] = np.minimum(high[at], float(caps[rule]) / form.unit + SPARE)
    weight[own] = 1.0
    kept = tuple(row for row in form.directions if row.key not in free)
    form = replace(form, high=high, shortfall=weight, cap=np.inf, directions=kept)
    alone = only_shortfall(form)
    answer = solve(alone.relaxed())
    return Least(program, answer, max(0.0, answer.bound), alone)


def _missing_columns(form: Form) -> dict[Rule, Index]:
    """Find the columns of S by the rules whose breach they measure."""
    out: dict[Rule, set[int]] = {}
    for row, label in enumerate(form.labels):
        if label[0] == "missing":
            first, last = form.A.indptr[row], form.A.indptr[row + 1]
            at = form.A.indices[first:last]
            slack = {int(c) for c in at if form.shortfall[c] > 0}
            out.setdefault(Rule(label[1], label[2:-1]), set()).update(slack)
    return {rule: np.array(sorted(at), dtype=np.int64) for rule, at in out.items()}


def priced_rules(book: Book, least: Least) -> set[Rule]:
    """Name the rules whose rows or bounds have a price."""
    if least.program is None or least.answer is None:
        return set()
    form, x = least.program.form, least.answer.x
    y = least.answer.y[: form.row_low.size]
    out = set[Rule]()
    for label, price in zip(form.labels, y, strict=True):
        if abs(price) > PRICED:
            out |= set(_rule_of(book, label))
    slope = form.A.T @ y
    n = form.n_actions
    full = (slope[:n] < -PRICED) & (x[:n] >= form.top - NOTHING) & (form.top > 0)
    return out | set(_bounds(least.program, np.flatnonzero(full)))


def _rule_of(book: Book, label: tuple[str, ...]) -> Iterator[Rule]:
    if label[0] == "missing":
        label = label[1:]
    if label[0] in ("margin", "limit"):
        yield Rule(label[0], label[1:-1])
    elif label[0] in ("withdrawable", "order_budget"):
        yield Rule(label[0], label[1:])
    elif label[0] == "balance":
        _, account, asset = label
        if book.ring_fenced(account, asset) > 0:
            yield Rule("ring_fenced", (account, asset))


def _bounds(program: Program, actions: Index) -> Iterator[Rule]:
    """Name what bounds actions that are used to the full: routes and moves."""
    core = program.core
    arrays, layout = core.arrays, core.layout
    for action in map(int, actions):
        if action in layout.transfers:
            row = arrays.book.routes[arrays.routes.ids[action - layout.transfers[0]]]
            if row.max is not None:
                yield Rule("route", (row.id,))
            free = arrays.book.withdrawable(row.source, row.asset)
            if row.max is None or free <= row.max + row.fee + row.rate * row.max:
                yield Rule("withdrawable", (row.source, row.asset))
        elif action in layout.moved:
            key = arrays.moves.keys[action - layout.moved[0]]
            if arrays.book.moves[key].max_notional is not None:
                yield Rule("move", key)
